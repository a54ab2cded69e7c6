"""Periodical mails to those who switched them on: a digest at 7 in the morning, a recap on Monday; and stopping them.

Every reader is told of what came before 7 o'clock where they live, and not told before, once: what each was told up to
stands on their account, which is held while the mail is written, and no second mail of the same morning is put in.
Source: DOMAIN 7.
"""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailer import outbox
from mailer.digests import ActivityDigest, PeriodicalMessage, WeeklyRecap
from mailer.outbox import Letter
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.errors.errors import InvalidToken
from models.events.events import ActivityNotificationsStopped
from models.mail import digests
from models.mail.digests import DAILY, WEEKLY, Periodical
from resolvers import jobs
from resolvers.scope import Scope, recipient

BATCH = 200
HOUR = time(7)
MONDAY = 0
# An activity bears the instant at which its transaction began: what is still being written at 7 comes with the next.
SETTLED = timedelta(minutes=5)


# ------------------------------------------------------------------ when
def latest(periodical: Periodical, now: datetime, zone: ZoneInfo) -> datetime:
    """The last time that the mail was due in the zone: at 7 in the morning, of a Monday for the weekly one."""
    here = now.astimezone(zone)
    day = here.date() if here.time() >= HOUR else here.date() - timedelta(days=1)
    return _due(day - timedelta(days=(day.weekday() - MONDAY) % 7 if periodical is WEEKLY else 0), zone)


def _before(periodical: Periodical, due: datetime, zone: ZoneInfo) -> datetime:
    """The time before that: a day or a week on the calendar, which is an hour more or less when the clocks change."""
    return _due(due.astimezone(zone).date() - timedelta(days=7 if periodical is WEEKLY else 1), zone)


def _due(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, HOUR, zone).astimezone(ZoneInfo("UTC"))


def begin(account: Account, now: datetime) -> None:
    """The account's periodical mails begin with what is new since the last time they were due; the caller saves it."""
    zone = ZoneInfo(account.time_zone)
    account.digested_until = latest(DAILY, now, zone) - SETTLED
    account.recapped_until = latest(WEEKLY, now, zone) - SETTLED


# ------------------------------------------------------------------ writing them
async def send_digests(scope: Scope) -> int:
    """Who wants them gets the activities that concern them, at 7 in the morning where they live."""
    return await _send(scope, DAILY, ActivityDigest)


async def send_recaps(scope: Scope) -> int:
    """Who wants them gets the week's movements on their structures, on Monday at 7 where they live."""
    return await _send(scope, WEEKLY, WeeklyRecap)


async def _send(scope: Scope, periodical: Periodical, kind: type[PeriodicalMessage]) -> int:
    """How many mails were written, a batch of readers after the other, by the zones that share the same morning."""
    mornings: dict[tuple[datetime, datetime], list[str]] = defaultdict(list)
    for name in await digests.time_zones():
        due = latest(periodical, scope.now(), ZoneInfo(name))
        mornings[due, _before(periodical, due, ZoneInfo(name))].append(name)
    written = 0
    for (due, since), zones in sorted(mornings.items()):
        after = 0
        while ids := await digests.due(periodical, zones, due - SETTLED, after=after, limit=BATCH):
            after = ids[-1]

            async def act(batch: list[int], due: datetime = due, since: datetime = since) -> int:
                return await _write(scope, periodical, kind, batch, due, since)

            written += await jobs.each(periodical.name, [ids], act)
    return written


async def _write(
    scope: Scope, periodical: Periodical, kind: type[PeriodicalMessage], ids: list[int], due: datetime, since: datetime
) -> int:
    """One batch in one transaction: its readers held, what concerns them found, the mails and the marks written."""
    until = due - SETTLED
    async with scope.transaction():
        held = await accounts.lock_all(set(ids))
        readers = {id: account for id, account in held.items() if _is_due(account, periodical, until)}
        told = await digests.matter(periodical, readers, since=since - SETTLED, until=until, today=scope.today())
        letters = [
            Letter(
                kind(until=until, total=matter.total, ids=tuple(matter.ids)),
                recipient(readers[id]),
                f"{periodical.name}:{id}:{due:%Y-%m-%dT%H:%MZ}",
            )
            for id, matter in told.items()
        ]
        await outbox.enqueue_all(letters, sealer=scope.office.sealer, now=scope.now())
        await digests.mark(periodical, readers, until)
    return len(letters)


def _is_due(account: Account, periodical: Periodical, until: datetime) -> bool:
    """Does the held account still want the mail, untold by another worker meanwhile?"""
    mark: datetime | None = getattr(account, periodical.mark)
    wants = account.receive_activity_notifications and account.state is AccountState.ACTIVE
    return wants and (mark is None or mark < until)


# ------------------------------------------------------------------ stopping them
async def inspect(scope: Scope, token: str) -> None:
    """Nothing, when the link of a periodical mail is good; opening it changes nothing (RFC 8058).

    Raises:
        InvalidToken: when it was altered, or made under another application key.
    """
    if await accounts.by_id(_reader(scope, token)) is None:
        raise InvalidToken("token")


async def unsubscribe(scope: Scope, token: str) -> None:
    """No more periodical mails to the account, by the link of one: no sign-in is asked, and twice is once.

    Raises:
        InvalidToken: as `inspect`.
    """
    await inspect(scope, token)
    async with scope.transaction() as record:
        account = await accounts.lock(_reader(scope, token))
        if account.receive_activity_notifications:
            account.receive_activity_notifications = False
            await account.save(update_fields=["receive_activity_notifications"])
            before, after = {"receive_activity_notifications": True}, {"receive_activity_notifications": False}
            await record(ActivityNotificationsStopped(subject_id=account.id, before=before, after=after), by=account.id)


def _reader(scope: Scope, token: str) -> int:
    reader = scope.office.sealer.reader(token)
    if reader is None:
        raise InvalidToken("token")
    return reader
