"""Reminders of requests that wait: on which day, to whom, once, and never of what was decided."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import DatabaseAway
from models.mail.idempotency_keys import IdempotencyKey
from models.mail.outbox import Mail
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus, SubscriptionMode
from resolvers import jobs
from resolvers.attachments import reminders, requests
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import overtaken
from tests.support import factories

ScopeOf = Callable[..., Scope]
Remind = Callable[[Scope], Awaitable[int]]
PENDING = AttachmentStatus.PENDING
PARIS = ZoneInfo("Europe/Paris")


async def attachment_request(user: Account, structure: Structure, at: datetime, **changes: Any) -> Attachment:
    values = {"status": PENDING, "requested_at": at} | changes
    return await factories.attachment(user, structure, **values)


async def subscription_request(user: Account, structure: Structure, at: datetime, **changes: Any) -> SpaceSubscription:
    values = {"status": SpaceSubscriptionStatus.PENDING, "space": SpaceCode.COMMITMENTS} | changes
    return await SpaceSubscription.create(
        user=user, structure=structure, mode=SubscriptionMode.READ, effective_from=at.date(), requested_at=at, **values
    )


KINDS: list[Any] = [
    pytest.param(reminders.remind_of_attachments, attachment_request, id="attachment"),
    pytest.param(reminders.remind_of_subscriptions, subscription_request, id="subscription"),
]


@pytest.mark.parametrize(("remind", "ask"), KINDS)
async def test_managers_are_reminded_after_seven_fourteen_and_twenty_one_days_once_each(
    house: House, scope_of: ScopeOf, clock: Clock, remind: Remind, ask: Callable[..., Any]
) -> None:
    await ask(await factories.person(), house.structure, clock.now)
    told: dict[int, int] = {}
    for day in range(60):
        for _ in range(2):
            occasions = await remind(scope_of())
            told[day] = told.get(day, 0) + occasions
        clock.advance(days=1)
    assert {day: number for day, number in told.items() if number} == {7: 1, 14: 1, 21: 1}
    managers = [house.principal.contact_email, house.secondary.contact_email]
    assert await factories.mails() == [("request_reminder", address) for address in managers * 3]


@pytest.mark.parametrize(("remind", "ask"), KINDS)
@pytest.mark.parametrize(
    ("days", "expected"),
    [(6, []), (7, ["7"]), (13, ["7"]), (14, ["14"]), (20, ["14"]), (21, ["21"]), (35, ["21"]), (400, ["21"])],
)
async def test_a_worker_that_was_off_sends_the_latest_reminder_only(
    house: House,
    scope_of: ScopeOf,
    clock: Clock,
    remind: Remind,
    ask: Callable[..., Any],
    days: int,
    expected: list[str],
) -> None:
    request = await ask(await factories.person(), house.structure, clock.now)
    clock.advance(days=days)
    assert await remind(scope_of()) == len(expected)
    assert await remind(scope_of()) == 0
    assert [row.key for row in await IdempotencyKey.all()] == [f"{request.id}:{day}" for day in expected]


@pytest.mark.parametrize(
    ("asked", "before", "due"),
    [  # (instant of the request, last instant without a reminder, first one with), all on the clock of Paris
        ((2027, 3, 15, 0, 0, 0), (2027, 3, 21, 23, 59, 59), (2027, 3, 22, 0, 0, 0)),
        ((2027, 3, 15, 23, 59, 59), (2027, 3, 21, 23, 59, 59), (2027, 3, 22, 0, 0, 0)),
        ((2027, 3, 24, 12, 0, 0), (2027, 3, 30, 23, 59, 59), (2027, 3, 31, 0, 0, 0)),  # over the change to summer time
        ((2026, 10, 20, 12, 0, 0), (2026, 10, 26, 23, 59, 59), (2026, 10, 27, 0, 0, 0)),  # and back
    ],
)
async def test_days_are_those_of_the_structures_time_zone(
    house: House, scope_of: ScopeOf, clock: Clock, asked: tuple[int, ...], before: tuple[int, ...], due: tuple[int, ...]
) -> None:
    asked_at, last, first = (datetime(*when, tzinfo=PARIS).astimezone(UTC) for when in (asked, before, due))  # type: ignore[misc,arg-type]
    await attachment_request(await factories.person(), house.structure, asked_at)
    clock.now = last
    assert await reminders.remind_of_attachments(scope_of()) == 0
    clock.now = first
    assert await reminders.remind_of_attachments(scope_of()) == 1


async def test_a_reminder_tells_who_asks_for_what_since_when(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    lea = await factories.person(first_name="Léa", last_name="Marchand")
    await Account.filter(id=house.secondary.id).update(language="FR")
    await attachment_request(lea, house.structure, clock.now)
    await subscription_request(lea, house.structure, clock.now)
    clock.advance(days=7)
    await reminders.remind_of_attachments(scope_of())
    await reminders.remind_of_subscriptions(scope_of())
    facts = {"structure": "Essais", "requester": "Léa Marchand", "since": "2027-03-15"}
    assert [mail.payload for mail in await Mail.all().order_by("id")] == [
        facts | {"space": None}, facts | {"space": None}, facts | {"space": "Commitments"},
        facts | {"space": "Engagements"},
    ]  # fmt: skip


@pytest.mark.parametrize("status", [status for status in AttachmentStatus if status is not PENDING])
async def test_a_request_that_was_decided_gets_no_reminder(
    house: House, scope_of: ScopeOf, clock: Clock, status: AttachmentStatus
) -> None:
    await attachment_request(await factories.person(), house.structure, clock.now, status=status)
    clock.advance(days=7)
    assert await reminders.remind_of_attachments(scope_of()) == 0
    assert (await factories.traces(), await IdempotencyKey.all().count()) == ((0, 0), 0)


@pytest.mark.parametrize("change", ["decided", "requester stopped", "managers stopped"])
async def test_a_request_that_is_over_since_the_job_found_it_gets_no_reminder(
    house: House, scope_of: ScopeOf, clock: Clock, change: str
) -> None:
    requester = await factories.person()
    request = await attachment_request(requester, house.structure, clock.now)
    clock.advance(days=7)

    async def happen(structure: Structure) -> None:
        if change == "decided":
            await Attachment.filter(id=request.id).update(status=AttachmentStatus.REMOVED)
        else:
            stopped = [requester.id] if change == "requester stopped" else [house.principal.id, house.secondary.id]
            await Account.filter(id__in=stopped).update(state=AccountState.SUSPENDED)

    assert await overtaken(house.structure, reminders.remind_of_attachments(scope_of()), happen) == 0
    assert (await factories.traces(), await IdempotencyKey.all().count()) == ((0, 0), 0)


@pytest.mark.parametrize(
    ("who", "changes"),
    [
        ("principal", {"state": AccountState.SUSPENDED}),
        ("principal", {"state": AccountState.DEACTIVATED, "deactivated_at": factories.LONG_AGO}),
        ("secondary", {"state": AccountState.SUSPENDED}),
        ("secondary", {"valid_until": date(2027, 3, 21)}),
        ("secondary", {"valid_from": date(2027, 3, 23)}),
        ("secondary", {"status": AttachmentStatus.DEACTIVATED}),
    ],
)
async def test_only_who_can_decide_is_reminded(
    house: House, scope_of: ScopeOf, clock: Clock, who: str, changes: dict[str, Any]
) -> None:
    await attachment_request(await factories.person(), house.structure, clock.now)
    account: Account = getattr(house, who)
    rows = Account.filter(id=account.id) if "state" in changes else Attachment.filter(id=house.links[who].id)
    await rows.update(**changes)
    clock.advance(days=7)
    assert await reminders.remind_of_attachments(scope_of()) == 1
    other = house.secondary if who == "principal" else house.principal
    assert await factories.mails() == [("request_reminder", other.contact_email)]


@pytest.mark.usefixtures("db")
async def test_a_request_nobody_can_decide_is_reminded_of_once_somebody_can(scope_of: ScopeOf, clock: Clock) -> None:
    imported = await factories.structure()
    await attachment_request(await factories.person(), imported, clock.now)
    clock.advance(days=8)
    assert await reminders.remind_of_attachments(scope_of()) == 0
    assert await IdempotencyKey.all().count() == 0
    manager = await factories.person()
    await factories.attachment(manager, imported, role=Role.PRINCIPAL_MANAGER)
    assert await reminders.remind_of_attachments(scope_of()) == 1
    assert await factories.mails() == [("request_reminder", manager.contact_email)]


async def test_a_manager_is_not_reminded_of_their_own_request(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    await subscription_request(house.secondary, house.structure, clock.now)
    clock.advance(days=7)
    assert await reminders.remind_of_subscriptions(scope_of()) == 1
    assert await factories.mails() == [("request_reminder", house.principal.contact_email)]
    await Account.filter(id=house.principal.id).update(state=AccountState.SUSPENDED)
    clock.advance(days=7)
    assert await reminders.remind_of_subscriptions(scope_of()) == 0


async def test_a_suspended_persons_request_waits_without_reminders(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    lea = await factories.person(state=AccountState.SUSPENDED)
    await attachment_request(lea, house.structure, clock.now)
    clock.advance(days=7)
    assert await reminders.remind_of_attachments(scope_of()) == 0
    await Account.filter(id=lea.id).update(state=AccountState.ACTIVE)
    assert await reminders.remind_of_attachments(scope_of()) == 1


@pytest.mark.parametrize(("remind", "ask"), KINDS)
async def test_two_workers_at_once_remind_once(
    house: House, scope_of: ScopeOf, clock: Clock, remind: Remind, ask: Callable[..., Any]
) -> None:
    for _ in range(10):
        await ask(await factories.person(), house.structure, clock.now)
    clock.advance(days=7)
    assert sum(await asyncio.gather(*(remind(scope_of()) for _ in range(4)))) == 10
    assert (await IdempotencyKey.all().count(), await Mail.all().count()) == (10, 20)


async def test_a_request_decided_by_its_manager_stops_the_reminders(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    request = await attachment_request(await factories.person(), house.structure, clock.now)
    clock.advance(days=7)
    assert await reminders.remind_of_attachments(scope_of()) == 1
    (outcome,) = await requests.refuse(scope_of(house.principal), [request.id], "not known here")
    assert outcome.error is None
    clock.advance(days=7)
    assert await reminders.remind_of_attachments(scope_of()) == 0


# ------------------------------------------------------------------ rows one by one
async def test_a_row_that_fails_is_logged_and_the_others_go_on(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    bad, good = [await attachment_request(await factories.person(), house.structure, clock.now) for _ in range(2)]
    # no mail can be written to such an address
    await Account.filter(id=house.principal.id).update(contact_email="zoe\n@people.example")
    clock.advance(days=7)
    with capture_logs() as lines:
        assert await reminders.remind_of_attachments(scope_of()) == 0
    failed = [(line["job"], line["row"]) for line in lines if line["event"] == "job_row_failed"]
    assert failed == [("attachment-reminders", bad.id), ("attachment-reminders", good.id)]
    assert (await factories.traces(), await IdempotencyKey.all().count()) == ((0, 0), 0)
    await Account.filter(id=house.principal.id).update(contact_email="zoe@people.example")
    assert await reminders.remind_of_attachments(scope_of()) == 2


async def test_one_bad_row_leaves_the_other_rows_alone() -> None:
    seen: list[int] = []

    async def act(row: int) -> bool:
        if row == 2:
            raise ValueError("a bad row")
        seen.append(row)
        return row != 3

    assert await jobs.each("job", [1, 2, 3, 4], act) == 2
    assert seen == [1, 3, 4]


async def test_a_database_that_is_away_ends_the_run() -> None:
    async def act(row: int) -> bool:
        raise DatabaseAway("gone")

    with pytest.raises(DatabaseAway):
        await jobs.each("job", [1, 2], act)


async def test_a_job_that_is_stopped_finishes_the_row_in_hand() -> None:
    begun, seen = asyncio.Event(), []

    async def act(row: int) -> bool:
        begun.set()
        await asyncio.sleep(0.05)
        seen.append(row)
        return True

    running = asyncio.create_task(jobs.each("job", [1, 2, 3], act))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert seen == [1]
