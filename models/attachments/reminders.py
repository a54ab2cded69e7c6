"""What jobs have yet to tell: requests that have waited for days, and attachments that end in some."""

from dataclasses import dataclass
from datetime import date, datetime

from models.attachments.deciders import decidable
from models.db import database


@dataclass(frozen=True)
class Due:
    """One row that a job may have to act on, read without a lock."""

    id: int
    structure_id: int
    user_id: int


def request_key(id: int, days: int) -> str:
    """The occasion of a request's reminder after so many days."""
    return f"{id}:{days}"


def end_key(id: int, last_day: date, days: int) -> str:
    """The occasion of the notice so many days before an attachment's last day: another last day is another one."""
    return f"{id}:{last_day.isoformat()}:{days}"


# The same keys in SQL, so that a run looks only at what is left to do; what a job takes is the functions' own.
_REQUEST_KEY = "CAST(r.id AS TEXT) || ':' || CAST(:days AS TEXT)"
_NOT_TAKEN = "NOT EXISTS (SELECT 1 FROM occasions o WHERE o.job = :job AND o.key = {key})"
_WAITING = (
    f"SELECT r.id, r.structure_id, r.user_id FROM {{table}} r JOIN accounts ru ON ru.id = r.user_id"
    " WHERE r.status = 'PENDING' AND r.requested_at >= :since AND r.requested_at < :before AND ru.state = 'ACTIVE'"
    f" AND {_NOT_TAKEN.format(key=_REQUEST_KEY)} AND ({decidable('r')}) ORDER BY r.id"
)
_ATTACHMENTS_WAITING = _WAITING.format(table="attachments")
_SUBSCRIPTIONS_WAITING = _WAITING.format(table="space_subscriptions")
_END_KEY = "CAST(e.id AS TEXT) || ':' || CAST(e.valid_until AS TEXT) || ':' || CAST(:days AS TEXT)"
_ENDING = (
    f"SELECT e.id, e.structure_id, e.user_id FROM attachments e"
    " WHERE e.status = 'VALIDATED' AND e.valid_until >= :first AND e.valid_until <= :last"
    f" AND {_NOT_TAKEN.format(key=_END_KEY)} ORDER BY e.id"
)


async def attachments_waiting(job: str, days: int, *, since: datetime, before: datetime, today: date) -> list[Due]:
    """The requests for attachment made in the span whose reminder of that many days wasn't taken by the job.

    Only those that somebody can decide, of a person whose account is active.
    """
    return await _waiting(_ATTACHMENTS_WAITING, job, days, since, before, today)


async def subscriptions_waiting(job: str, days: int, *, since: datetime, before: datetime, today: date) -> list[Due]:
    """The same of requests for a space."""
    return await _waiting(_SUBSCRIPTIONS_WAITING, job, days, since, before, today)


async def _waiting(text: str, job: str, days: int, since: datetime, before: datetime, today: date) -> list[Due]:
    bound = {"job": job, "days": str(days), "since": since, "before": before, "today": today}
    return [Due(*row) for row in await database.fetch(text, bound)]


async def ending(job: str, days: int, *, first: date, last: date) -> list[Due]:
    """The validated attachments whose last day is in the span and whose notice of that many days wasn't taken."""
    bound = {"job": job, "days": str(days), "first": first, "last": last}
    return [Due(*row) for row in await database.fetch(_ENDING, bound)]
