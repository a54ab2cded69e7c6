"""Notices before an attachment ends: on which day, to whom, once for each end."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db import database
from models.mail.idempotency_keys import IdempotencyKey
from models.mail.outbox import Mail
from models.structures.structures import Structure
from resolvers.attachments import end_notices, lifecycle
from resolvers.attachments.lifecycle import Change
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.houses import House
from tests.support import factories

ScopeOf = Callable[..., Scope]
TODAY = date(2027, 3, 15)


def after(days: int) -> date:
    return TODAY + timedelta(days=days)


async def told(clock: Clock, scope_of: ScopeOf, days: int) -> dict[int, int]:
    """The number of notices on each of the coming days that has any; every day's job runs twice."""
    found: dict[int, int] = {}
    for day in range(days):
        for _ in range(2):
            found[day] = found.get(day, 0) + await end_notices.announce_ends(scope_of())
        clock.advance(days=1)
    return {day: number for day, number in found.items() if number}


async def test_user_and_managers_are_told_fourteen_days_and_one_day_before(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await Attachment.filter(id=house.links["simple"].id).update(valid_until=after(20))
    assert await told(clock, scope_of, 40) == {6: 1, 19: 1}
    readers = [house.principal, house.secondary, house.simple]
    assert await factories.mails() == [("attachment_ending", reader.contact_email) for reader in readers * 2]
    name = house.simple.display_name
    named = {mail.address: mail.payload["user"] for mail in await Mail.all()}
    assert named == dict(zip((reader.contact_email for reader in readers), (name, name, None), strict=True))
    assert {mail.payload["last_day"] for mail in await Mail.all()} == {"2027-04-04"}


@pytest.mark.parametrize(
    ("left", "key"),
    [(15, None), (14, "14"), (13, "14"), (2, "14"), (1, "1"), (0, "1"), (-1, None)],
)
async def test_a_run_gives_the_latest_notice_that_is_due(
    house: House, scope_of: ScopeOf, left: int, key: str | None
) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=after(left))
    assert await end_notices.announce_ends(scope_of()) == (key is not None)
    assert await end_notices.announce_ends(scope_of()) == 0
    assert [row.key for row in await IdempotencyKey.all()] == ([f"{link.id}:{after(left)}:{key}"] if key else [])


@pytest.mark.parametrize(("days", "notices"), [(15, {1: 1, 14: 1}), (14, {0: 1, 13: 1}), (13, {12: 1}), (10, {9: 1})])
@pytest.mark.parametrize("short", ["given today", "begins today"])
async def test_an_attachment_shorter_than_fourteen_days_is_announced_the_day_before_alone(
    house: House, scope_of: ScopeOf, clock: Clock, days: int, notices: dict[int, int], short: str
) -> None:
    changes: dict[str, Any] = {"decided_at": clock.now} if short == "given today" else {"valid_from": TODAY}
    await Attachment.filter(id=house.links["simple"].id).update(valid_until=after(days), **changes)
    assert await told(clock, scope_of, 20) == notices


async def test_a_day_begins_at_midnight_in_the_structures_time_zone(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await Attachment.filter(id=house.links["simple"].id).update(valid_until=date(2027, 4, 11))
    clock.now = datetime(2027, 3, 27, 22, 59, 59, tzinfo=UTC)  # 23:59:59 in Paris, where summer time begins that night
    assert await end_notices.announce_ends(scope_of()) == 0
    clock.now = datetime(2027, 3, 27, 23, 0, tzinfo=UTC)
    assert await end_notices.announce_ends(scope_of()) == 1


async def test_moving_the_end_makes_new_occasions(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=after(14))
    assert await end_notices.announce_ends(scope_of()) == 1
    await lifecycle.update(scope_of(house.principal), link.id, Change(valid_until=after(16), end_given=True))
    assert await told(clock, scope_of, 30) == {2: 1, 15: 1}
    assert [row.key for row in await IdempotencyKey.all().order_by("id")] == [
        f"{link.id}:2027-03-29:14", f"{link.id}:2027-03-31:14", f"{link.id}:2027-03-31:1",
    ]  # fmt: skip


@pytest.mark.parametrize("status", [status for status in AttachmentStatus if status is not AttachmentStatus.VALIDATED])
async def test_only_a_validated_attachment_is_announced(house: House, scope_of: ScopeOf, status: Any) -> None:
    await factories.attachment(await factories.person(), house.structure, status=status, valid_until=after(1))
    assert await end_notices.announce_ends(scope_of()) == 0
    assert (await factories.traces(), await IdempotencyKey.all().count()) == ((0, 0), 0)


async def test_a_secondary_manager_whose_own_attachment_ends_is_told_once(house: House, scope_of: ScopeOf) -> None:
    await Attachment.filter(id=house.links["secondary"].id).update(valid_until=after(1))
    assert await end_notices.announce_ends(scope_of()) == 1
    assert {mail.address: mail.payload["user"] for mail in await Mail.all()} == {
        house.principal.contact_email: house.secondary.display_name,
        house.secondary.contact_email: None,
    }


async def test_only_active_people_are_told(house: House, scope_of: ScopeOf) -> None:
    await Attachment.filter(id=house.links["simple"].id).update(valid_until=after(1))
    await Account.filter(id__in=[house.simple.id, house.secondary.id]).update(state=AccountState.SUSPENDED)
    ended = await factories.person()
    await factories.attachment(ended, house.structure, role=Role.SECONDARY_MANAGER, valid_until=after(-1))
    assert await end_notices.announce_ends(scope_of()) == 1
    assert await factories.mails() == [("attachment_ending", house.principal.contact_email)]


async def test_two_workers_at_once_announce_once(house: House, scope_of: ScopeOf) -> None:
    for _ in range(10):
        await factories.attachment(await factories.person(), house.structure, valid_until=after(14))
    assert sum(await asyncio.gather(*(end_notices.announce_ends(scope_of()) for _ in range(4)))) == 10
    assert (await IdempotencyKey.all().count(), await Mail.all().count()) == (10, 30)


async def test_an_end_moved_while_the_job_waits_is_not_announced(house: House, scope_of: ScopeOf) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=after(1))
    held, go = asyncio.Event(), asyncio.Event()

    async def move() -> None:
        async with database.transaction():
            await Structure.filter(id=house.structure.id).select_for_update(no_key=True).get()
            held.set()
            await go.wait()
            await Attachment.filter(id=link.id).update(valid_until=after(300))

    moving = asyncio.create_task(move())
    await held.wait()
    announcing = asyncio.create_task(end_notices.announce_ends(scope_of()))
    await asyncio.sleep(0.3)
    go.set()
    await moving
    assert await announcing == 0
    assert (await factories.traces(), await IdempotencyKey.all().count()) == ((0, 0), 0)
