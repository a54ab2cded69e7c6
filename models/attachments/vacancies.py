"""Vacancies: the principal manager can't act, or stays away while requests wait. Source: DOMAIN 9."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from models.accounts.accounts import REACTIVATION_WINDOW, Account, AccountState
from models.attachments import deciders
from models.attachments.attachments import Attachment
from models.attachments.deciders import ABLE
from models.db import database
from models.db.query import Column, Order, Row, Source, moment

ABSENT_AFTER = timedelta(days=90)
NOTICE = timedelta(days=14)


class VacancyReason(StrEnum):
    """Why a structure's principal manager doesn't act."""

    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"
    ABSENT = "ABSENT"


def reason_of(principal: Account, principal_attachment: Attachment, now: datetime) -> VacancyReason | None:
    """Why the principal manager doesn't act; None when they do. Absent is who hasn't been seen since told so."""
    state, told = principal.state_at(now), principal_attachment.absence_told_at
    if state in (AccountState.SUSPENDED, AccountState.CLOSED):
        return VacancyReason(state)
    absent = state is AccountState.ACTIVE and told is not None and last_seen(principal) < told
    return VacancyReason.ABSENT if absent else None


def last_seen(principal: Account) -> datetime:
    """When the person last showed that they are there: by signing in, or by activating the account."""
    return principal.last_signed_in_at or principal.activated_at or principal.created_at


# ------------------------------------------------------------------ reading
# The senior secondary manager in effect: the longest in the role, of several the one attached first.
_SENIOR = (
    "(SELECT m.user_id FROM attachments m JOIN accounts mu ON mu.id = m.user_id"
    " WHERE m.structure_id = p.structure_id AND m.role = 'SECONDARY_MANAGER'"
    f" AND {ABLE} ORDER BY COALESCE(m.role_since, m.requested_at), m.id LIMIT 1)"
)
_LAST_SEEN = "COALESCE(h.last_signed_in_at, h.activated_at, h.created_at)"
_STOPPED = "(h.state = 'SUSPENDED' OR (h.state = 'DEACTIVATED' AND h.deactivated_at <= :closed_since))"
_ABSENT = f"(h.state = 'ACTIVE' AND p.absence_told_at IS NOT NULL AND {_LAST_SEEN} < p.absence_told_at)"
_REASON = (
    f"CASE WHEN h.state = 'SUSPENDED' THEN 'SUSPENDED' WHEN {_STOPPED} THEN 'CLOSED' WHEN {_ABSENT} THEN 'ABSENT' END"
)
_SUSPENDED_AT = (
    "(SELECT max(ev.occurred_at) FROM events ev WHERE ev.subject_id = p.user_id AND ev.type = 'AccountSuspended')"
)
_SINCE = (
    "CASE WHEN h.state = 'SUSPENDED' THEN COALESCE(" + _SUSPENDED_AT + f", {_LAST_SEEN})"
    " WHEN h.state = 'DEACTIVATED' THEN h.deactivated_at ELSE p.absence_told_at END"
)
_WAITING = (
    "p.structure_id IN (SELECT w.structure_id FROM attachments w WHERE w.status = 'PENDING'"
    " UNION SELECT w.structure_id FROM space_subscriptions w WHERE w.status = 'PENDING')"
)
_PRINCIPAL = "p.role = 'PRINCIPAL_MANAGER' AND p.status = 'VALIDATED'"
VACANCIES = Source(
    "attachments p JOIN accounts h ON h.id = p.user_id",
    columns={
        "id": Column("p.id"),
        "structure_id": Column("p.structure_id"),
        "reason": Column(_REASON),
        "since": moment(_SINCE),
        "claimant_id": Column(_SENIOR),
    },
    joins={"s": "JOIN structures s ON s.id = p.structure_id"},
)
OLDEST_FIRST = Order(("id",))
# The vacancies of active structures that no secondary manager in effect may claim. They are few, and found by the
# people who can't act and the notices that were given, not by looking through all principal managers.
_FORSAKEN = (
    f"(p.user_id IN (SELECT h.id FROM accounts h WHERE h.state IN ('SUSPENDED', 'DEACTIVATED') AND {_STOPPED})"
    " OR p.id IN (SELECT p.id FROM attachments p JOIN accounts h ON h.id = p.user_id"
    f" WHERE p.absence_told_at IS NOT NULL AND {_ABSENT} AND p.absence_told_at <= :told_by))"
)
UNCLAIMABLE = [_PRINCIPAL, "s.status = 'ACTIVE'", _FORSAKEN, f"{_SENIOR} IS NULL"]
# Support's queue: what was escalated or nobody can decide, and what waits where nobody may claim a vacancy.
UNDECIDED = (
    f"a.id IN ({deciders.UNDECIDED_IDS} UNION SELECT w.id FROM attachments w WHERE w.status = 'PENDING'"
    " AND w.structure_id IN (SELECT p.structure_id FROM attachments p JOIN structures s ON s.id = p.structure_id"
    f" WHERE {' AND '.join(UNCLAIMABLE)}))"
)
_UNTOLD = (
    "SELECT p.id, p.structure_id, p.user_id FROM attachments p JOIN accounts h ON h.id = p.user_id"
    f" JOIN structures s ON s.id = p.structure_id WHERE {_PRINCIPAL} AND s.status = 'ACTIVE' AND h.state = 'ACTIVE'"
    f" AND {_LAST_SEEN} <= :seen_by AND (p.absence_told_at IS NULL OR p.absence_told_at <= {_LAST_SEEN})"
    f" AND {_WAITING} ORDER BY p.id"
)


@dataclass(frozen=True)
class AbsentPrincipal:
    """The attachment of an absent principal manager, read without a lock."""

    id: int
    structure_id: int
    user_id: int


async def of_structures(structure_ids: Sequence[int], now: datetime, today: date) -> dict[int, Row]:
    """The vacancies (columns of `VACANCIES`) of the active structures among these ids, by structure."""
    rows = await VACANCIES.read(
        list(VACANCIES.columns),
        ["p.structure_id IN :structures", _PRINCIPAL, "s.status = 'ACTIVE'", f"({_REASON}) IS NOT NULL"],
        {"structures": list(structure_ids), "today": today, **instants(now)},
    )
    return {row.structure_id: row for row in rows}


def claimable_from(reason: VacancyReason, since: datetime) -> datetime:
    """From when a vacancy may be claimed: at once, but of somebody absent 14 days after they were told."""
    return since + NOTICE if reason is VacancyReason.ABSENT else since


async def senior_on(structure_id: int, now: datetime, today: date) -> int | None:
    """The senior secondary manager in effect on the structure, by the user's id."""
    parameters = {"structure": structure_id, "today": today, **instants(now)}
    rows = await VACANCIES.read(["claimant_id"], ["p.structure_id = :structure", _PRINCIPAL], parameters)
    return rows[0].claimant_id if rows else None


async def absent_untold(now: datetime) -> list[AbsentPrincipal]:
    """The principal managers not seen for 90 days while a request waits, and not told so since."""
    return [
        AbsentPrincipal(row[0], row[1], row[2])
        for row in await database.fetch(_UNTOLD, {"seen_by": now - ABSENT_AFTER})
    ]


async def waits_on(structure_id: int) -> bool:
    """Does a request, for an attachment or a space, wait on the structure?"""
    text = (
        "SELECT w.id FROM attachments w WHERE w.structure_id = :structure AND w.status = 'PENDING'"
        " UNION ALL SELECT w.id FROM space_subscriptions w WHERE w.structure_id = :structure AND w.status = 'PENDING'"
    )
    return bool(await database.fetch(text, {"structure": structure_id}))


def instants(now: datetime) -> dict[str, object]:
    """What the conditions above compare with: before which instants an account was left, and a notice given."""
    return {"closed_since": now - REACTIVATION_WINDOW, "told_by": now - NOTICE}
