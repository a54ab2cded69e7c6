"""Periodical mails: whom they go to, with what, when, once; and how they are stopped."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Role
from models.errors.errors import InvalidToken
from models.events.events import Event
from models.mail import digests as rows
from models.mail.digests import DAILY, MOST_TOLD, WEEKLY
from models.mail.outbox import Mail
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from resolvers.accounts import digests, profiles
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support import readers
from tests.resolvers.support.mailbox import refused
from tests.resolvers.support.readers import Size, World
from tests.schema.test_statements import statements
from tests.support import factories

PARIS = ZoneInfo("Europe/Paris")


async def told(message: str = "activity_digest") -> dict[int, list[int]]:
    """What the mails of a kind tell, by reader."""
    mails = await Mail.filter(message=message)
    assert len({mail.account_id for mail in mails}) == len(mails), "somebody has two"
    return {mail.account_id or 0: mail.payload["ids"] for mail in mails}


async def reader(**changes: Any) -> tuple[Account, Structure]:
    """A principal manager who wants periodical mails, and their structure."""
    person = await factories.person(receive_activity_notifications=True, **changes)
    return person, await factories.structure(person)


async def news(structure: Structure, at: datetime) -> int:
    """An activity recorded then."""
    activity = await factories.activity(structure, await factories.integration(), occurred_at=at, recorded_at=at)
    return activity.id


# ------------------------------------------------------------------ whom, with what
@pytest.mark.parametrize("seed", range(3))
async def test_every_reader_is_told_what_an_independent_evaluation_says(
    db: str, clock: Clock, scope_of: Callable[..., Scope], seed: int
) -> None:
    scope = scope_of()
    await readers.build(Size(people=120, structures=8, activities=250, events=250), clock.now, random.Random(seed))
    world = await World.read()
    due, moved = world.digests(clock.now, scope.today()), world.recaps(clock.now, scope.today())
    assert min(len(due), len(moved)) > 30
    assert await digests.send_digests(scope) == len(due)
    assert await digests.send_recaps(scope) == len(moved)
    for message, expected in (("activity_digest", due), ("weekly_recap", moved)):
        assert await told(message) == {user: ids[:MOST_TOLD] for user, ids in expected.items()}
        totals = {mail.account_id: mail.payload["total"] for mail in await Mail.filter(message=message)}
        assert totals == {user: len(ids) for user, ids in expected.items()}
    assert await digests.send_digests(scope) == await digests.send_recaps(scope) == 0


async def test_a_run_takes_as_many_statements_for_a_batch_however_much_there_is_to_tell(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    counts = []
    for activities in (5, 200):
        _, structure = await reader()
        for _ in range(30):
            other = await factories.person(receive_activity_notifications=True)
            await factories.attachment(other, structure, role=Role.SECONDARY_MANAGER)
        for _ in range(activities // 5):
            await news(structure, clock.now - timedelta(hours=5))
        with statements() as seen:
            assert await digests.send_digests(scope_of()) == 31
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 12, counts


async def test_a_reader_with_nothing_to_be_told_gets_no_mail_then_or_later(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    _, structure = await reader()
    assert await digests.send_digests(scope_of()) == 0
    await news(structure, clock.now - timedelta(hours=5))  # late: it would have been in this morning's
    clock.advance(minutes=10)
    assert await digests.send_digests(scope_of()) == 0


async def test_a_simple_user_is_told_of_their_own_space_only(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    lea, structure = await factories.person(receive_activity_notifications=True), await factories.structure()
    await factories.attachment(lea, structure)
    await factories.subscription(lea, structure, SpaceCode.INVOICES_ISSUED)
    by, at = await factories.integration(), {"recorded_at": clock.now - timedelta(hours=5)}
    mine = await factories.activity(structure, by, space=SpaceCode.INVOICES_ISSUED, **at)
    await factories.activity(structure, by, space=SpaceCode.COMMITMENTS, **at)
    assert await digests.send_digests(scope_of()) == 1
    assert await told() == {lea.id: [mine.id]}


# ------------------------------------------------------------------ when
@pytest.mark.parametrize(
    ("day", "zone", "hour"),
    [
        ("2027-03-27", "Europe/Paris", 6), ("2027-03-28", "Europe/Paris", 5), ("2027-10-30", "Europe/Paris", 5),
        ("2027-10-31", "Europe/Paris", 6), ("2027-03-14", "America/New_York", 11),
        ("2027-03-13", "America/New_York", 12), ("2027-06-01", "Asia/Kathmandu", 1),
    ],
)  # fmt: skip
async def test_a_reader_gets_the_digest_at_seven_where_they_live_also_when_the_clocks_change(
    db: str, clock: Clock, scope_of: Callable[..., Scope], day: str, zone: str, hour: int
) -> None:
    due = datetime.fromisoformat(f"{day}T{hour:02}:{15 if zone == 'Asia/Kathmandu' else 0:02}+00:00")
    person, structure = await reader(time_zone=zone, digested_until=due - timedelta(days=2))
    clock.now = due - timedelta(seconds=1)
    await digests.send_digests(scope_of())
    await Mail.all().delete()
    activity = await news(structure, due - timedelta(hours=1))
    assert await digests.send_digests(scope_of()) == 0
    clock.now = due
    assert await digests.send_digests(scope_of()) == 1
    assert await told() == {person.id: [activity]}


def test_a_day_on_which_the_clocks_change_is_covered_without_gap_or_overlap() -> None:
    for zone in map(ZoneInfo, ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "UTC")):
        now, edges = datetime(2027, 1, 1, 12, tzinfo=UTC), set()
        for hours in range(0, 24 * 400, 5):
            edges.add(digests.latest(DAILY, now + timedelta(hours=hours), zone))
        days = sorted(edges)
        assert {at.astimezone(zone).time().hour for at in days} == {7}
        dates = [at.astimezone(zone).date() for at in days]
        assert {later - earlier for earlier, later in pairwise(dates)} == {timedelta(days=1)}


async def test_a_reader_gets_the_recap_on_monday(db: str, clock: Clock, scope_of: Callable[..., Scope]) -> None:
    person, structure = await reader()
    clock.now = datetime(2027, 3, 21, 12, tzinfo=UTC)  # a Sunday
    await digests.send_recaps(scope_of())
    await Mail.all().delete()
    event = await Event.create(
        type="StructureUpdated", structure=structure, before={}, after={}, occurred_at=clock.now, actor=person
    )
    clock.now = datetime(2027, 3, 22, 5, 59, tzinfo=UTC)
    assert await digests.send_recaps(scope_of()) == 0
    clock.now = datetime(2027, 3, 22, 6, 0, tzinfo=UTC)
    assert await digests.send_recaps(scope_of()) == 1
    assert await told("weekly_recap") == {person.id: [event.id]}
    clock.now = datetime(2027, 3, 28, 12, tzinfo=UTC)
    assert await digests.send_recaps(scope_of()) == 0


async def test_what_workers_that_were_off_for_days_left_untold_comes_in_one_mail(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    person, structure = await reader()
    await digests.send_digests(scope_of())
    found = []
    for _ in range(3):
        clock.advance(days=1)
        found.append(await news(structure, clock.now - timedelta(hours=12)))
    clock.advance(hours=9)
    assert await digests.send_digests(scope_of()) == 1
    assert await told() == {person.id: found[::-1]}


async def test_two_workers_at_once_send_one_mail_to_each(db: str, clock: Clock, scope_of: Callable[..., Scope]) -> None:
    people = [await reader() for _ in range(20)]
    for _, structure in people:
        await news(structure, clock.now - timedelta(hours=4))
    counts = await asyncio.gather(*(digests.send_digests(scope_of()) for _ in range(3)))
    assert sum(counts) == 20
    assert set(await told()) == {person.id for person, _ in people}


async def test_whoever_moves_across_the_world_is_told_everything_once(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    person, structure = await reader(time_zone="Pacific/Auckland")
    known: list[int] = []
    for hour in range(96):
        clock.advance(hours=1)
        if hour % 5 == 0:
            known.append(await news(structure, clock.now))
        if hour == 30:
            await Account.filter(id=person.id).update(time_zone="America/Los_Angeles")
        await digests.send_digests(scope_of())
    clock.advance(days=1)
    await digests.send_digests(scope_of())
    mails = await Mail.filter(message="activity_digest").order_by("id")
    assert sorted(id for mail in mails for id in mail.payload["ids"]) == known
    assert len(mails) == 5


async def test_one_batch_that_fails_leaves_the_others_told(
    db: str, clock: Clock, scope_of: Callable[..., Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "BATCH", 1)
    bad, structure = await reader(contact_email="broken@people.example\r\nBcc: x@example.org")
    good, other = await reader()
    for place in (structure, other):
        await news(place, clock.now - timedelta(hours=4))
    assert await digests.send_digests(scope_of()) == 1
    assert set(await told()) == {good.id}
    await bad.refresh_from_db()
    assert bad.digested_until is None


# ------------------------------------------------------------------ switching on and off
async def test_whoever_switches_them_on_gets_the_first_next_morning(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    person = await factories.person()
    structure = await factories.structure(person)
    await news(structure, clock.now - timedelta(hours=6))
    await profiles.update(scope_of(person), {"receive_activity_notifications": True})
    assert await digests.send_digests(scope_of()) + await digests.send_recaps(scope_of()) == 0
    found = await news(structure, clock.now + timedelta(hours=2))
    clock.advance(days=1)
    assert await digests.send_digests(scope_of()) == 1
    assert await told() == {person.id: [found]}


@pytest.mark.parametrize(
    "changes",
    [
        {"receive_activity_notifications": False},
        {"state": AccountState.SUSPENDED},
        {"state": AccountState.DEACTIVATED, "deactivated_at": factories.LONG_AGO},
    ],
)
async def test_whoever_does_not_want_them_or_may_not_have_them_gets_none(
    db: str, clock: Clock, scope_of: Callable[..., Scope], changes: dict[str, Any]
) -> None:
    person, structure = await reader()
    await news(structure, clock.now - timedelta(hours=4))
    await Account.filter(id=person.id).update(**changes)
    assert await digests.send_digests(scope_of()) == 0
    assert await Mail.all().count() == 0


async def test_whoever_loses_the_right_before_the_mail_is_composed_is_not_told(
    db: str, clock: Clock, scope_of: Callable[..., Scope]
) -> None:
    person, structure = await reader()
    found = await news(structure, clock.now - timedelta(hours=4))
    assert set(await rows.told(DAILY, [found], [person.id], scope_of().today())) == {person.id}
    for changes in ({"receive_activity_notifications": False}, {"state": AccountState.SUSPENDED}):
        await Account.filter(id=person.id).update(**changes)
        assert await rows.told(DAILY, [found], [person.id], scope_of().today()) == {}
        await person.save()


async def test_a_mails_link_stops_them_once_and_leaves_an_event(
    db: str, office: Office, scope_of: Callable[..., Scope]
) -> None:
    person, _ = await reader()
    token = office.sealer.unsubscription(person.id)
    await digests.inspect(scope_of(), token)
    assert await Event.all().count() == 0
    for _ in range(2):
        await digests.unsubscribe(scope_of(), token)
    await person.refresh_from_db()
    assert person.receive_activity_notifications is False
    (event,) = await Event.all()
    assert (event.type, event.actor_id, event.subject_id) == ("ActivityNotificationsStopped", person.id, person.id)
    assert (event.before, event.after) == (
        {"receive_activity_notifications": True}, {"receive_activity_notifications": False}
    )  # fmt: skip


async def test_a_link_that_was_altered_stops_nothing(db: str, office: Office, scope_of: Callable[..., Scope]) -> None:
    (person, _), (other, _) = await reader(), await reader()
    good, foreign = office.sealer.unsubscription(person.id), office.sealer.unsubscription(other.id)
    for token in (
        "",
        "x",
        good[:-1],
        good[:11] + foreign[11:],
        f"{good}AAAA",
        "é",
        office.sealer.unsubscription(10**9),
    ):
        async with refused((InvalidToken, "token")):
            await digests.unsubscribe(scope_of(), token)
    assert await Account.filter(receive_activity_notifications=True).count() == 2


def test_each_mail_has_its_own_mark_and_length() -> None:
    assert (DAILY.mark, WEEKLY.mark) == ("digested_until", "recapped_until")
    assert digests.latest(WEEKLY, datetime(2027, 3, 15, 5, 59, tzinfo=UTC), PARIS).date().isoformat() == "2027-03-08"
