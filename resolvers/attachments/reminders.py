"""Reminders of requests that wait, to those who can decide them: after 7, 14 and 21 days. Source: DOMAIN 4."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from mailer.messages import RequestReminder
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState, Language
from models.attachments import attachments, reminders
from models.attachments.attachments import Attachment
from models.attachments.reminders import Due
from models.mail import idempotency_keys
from models.structures import structures
from models.subscriptions import subscriptions
from models.subscriptions.spaces import WORDING
from models.subscriptions.subscriptions import SpaceSubscription
from resolvers import jobs
from resolvers.scope import Scope

REMINDER_DAYS = (7, 14, 21)
BEGINNING = date(1900, 1, 1)

Request = Attachment | SpaceSubscription


@dataclass(frozen=True)
class Kind:
    """What is asked for: the job that reminds of it, how its requests are found, and how one is held."""

    job: str
    waiting: Callable[..., Awaitable[list[Due]]]
    lock: Callable[[int], Awaitable[Request | None]]


ATTACHMENTS = Kind("attachment-reminders", reminders.attachments_waiting, attachments.lock)
SUBSCRIPTIONS = Kind("subscription-reminders", reminders.subscriptions_waiting, subscriptions.lock)


async def remind_of_attachments(scope: Scope) -> int:
    """Requests for attachment that wait are brought back to mind after 7, 14 and 21 days."""
    return await _remind(scope, ATTACHMENTS)


async def remind_of_subscriptions(scope: Scope) -> int:
    """Requests for a space that wait are brought back to mind after 7, 14 and 21 days."""
    return await _remind(scope, SUBSCRIPTIONS)


async def _remind(scope: Scope, kind: Kind) -> int:
    """The latest reminder that is due for each request: those that a worker missed while it was off aren't made up."""
    done = 0
    for days, before, since in _spans(scope):
        due = await kind.waiting(kind.job, days, since=since, before=before, today=scope.today())

        async def act(row: Due, days: int = days) -> bool:
            return await _remind_one(scope, kind, row, days)

        done += await jobs.each(kind.job, due, act)
    return done


def _spans(scope: Scope) -> list[tuple[int, datetime, datetime]]:
    """For each number of days, the instants between which the requests were made whose latest reminder it is."""
    today, zone = scope.today(), scope.office.time_zone

    def start(day: date) -> datetime:
        return datetime.combine(day, time.min, zone)

    # made n days ago or earlier is made before the beginning of the day that follows
    edges = [start(today - timedelta(days=days - 1)) for days in REMINDER_DAYS]
    return list(zip(REMINDER_DAYS, edges, [*edges[1:], start(BEGINNING)], strict=True))


async def _remind_one(scope: Scope, kind: Kind, due: Due, days: int) -> bool:
    async with scope.transaction():
        structure = await structures.lock(due.structure_id)
        managers = await attachments.managers_of(due.structure_id, scope.today())
        people = await accounts.lock_all({due.user_id} | {manager.user_id for manager in managers})
        request = await kind.lock(due.id)
        requester = people.pop(due.user_id)
        deciders = [person for person in people.values() if person.state is AccountState.ACTIVE]
        waits = request is not None and request.status == "PENDING"
        if structure is None or not waits or requester.state is not AccountState.ACTIVE or not deciders:
            return False  # decided, or beyond anybody's deciding, since it was looked for
        if not await idempotency_keys.take(kind.job, reminders.request_key(due.id, days), at=scope.now()):
            return False
        assert request is not None  # it waits
        since = request.requested_at.astimezone(scope.office.time_zone).date()
        for decider in deciders:
            message = RequestReminder(
                structure=structure.name,
                requester=requester.display_name,
                since=since,
                space=_space(request, decider),
            )
            await scope.mail(message, decider)
    return True


def _space(request: Request, reader: Account) -> str | None:
    if isinstance(request, Attachment):
        return None
    label = WORDING[request.space]
    return label.en if reader.language is Language.EN else label.fr
