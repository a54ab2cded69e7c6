"""Access as the signed-in person asks for it: random worlds in the tables, and what lists say of the same rows."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, AttachmentStatus
from models.db.query import Page, Selection
from models.errors.errors import NotFound
from models.structures.structures import StructureStatus
from models.subscriptions.access import AccessReason
from models.subscriptions.spaces import DEFAULTS, OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus, SubscriptionFilter
from resolvers.scope import Scope
from resolvers.subscriptions import access, spaces, subscription_lists
from tests.conftest import Clock
from tests.support import factories

ScopeOf = Callable[..., Scope]
TODAY = date(2027, 3, 15)
PLACES, PEOPLE = 12, 12
ASKED = (SpaceCode.COMMITMENTS, SpaceCode.INVOICES_ISSUED, SpaceCode.CONNECTIONS)


async def world(chance: random.Random) -> tuple[list[Account], list[int], dict[tuple[int, int], Any], dict[Any, Any]]:
    """People attached and subscribed at random; what stands in the tables, by person and place (and space)."""
    people = [await factories.person() for _ in range(PEOPLE)]
    places, links, rows = [], {}, {}
    for _ in range(PLACES):
        status = chance.choice([*StructureStatus, StructureStatus.ACTIVE, StructureStatus.ACTIVE])
        place = await factories.structure(status=status)
        for space in (SpaceCode.COMMITMENTS, SpaceCode.CONNECTIONS):
            if chance.random() < 0.7:
                await OpenSpace.create(structure=place, space=space)
        places.append(place.id)
        for person in people:
            start, length = TODAY + timedelta(chance.randint(-9, 9)), chance.choice([None, chance.randint(0, 12)])
            state = chance.choice([None, *AttachmentStatus, *[AttachmentStatus.VALIDATED] * 6])
            if state is not None:
                end = None if length is None else start + timedelta(length)
                links[person.id, place.id] = await factories.attachment(
                    person, place, status=state, valid_from=start, valid_until=end
                )
            for space in ASKED:
                kind = chance.choice([None, *SpaceSubscriptionStatus, *[SpaceSubscriptionStatus.VALIDATED] * 4])
                if kind is not None:
                    since = TODAY + timedelta(chance.randint(-9, 9))
                    changes = {"status": kind, "effective_from": since}
                    rows[person.id, place.id, space] = await factories.subscription(person, place, space, **changes)
    return people, places, links, rows


def expected(place: Any, opened: bool, link: Attachment | None, row: SpaceSubscription | None, day: date) -> str:
    """The rules written out, on the rows as the test made them."""
    attached, subscribed = link.status if link else "REMOVED", row.status if row else "REMOVED"
    in_the_way = {
        "STRUCTURE_INACTIVE": place.status == "INACTIVE",
        "NO_ATTACHMENT": attached in ("REFUSED", "REMOVED"),
        f"ATTACHMENT_{attached}": attached in ("PENDING", "DEACTIVATED"),
        "ATTACHMENT_ENDED": link is not None and link.valid_until is not None and day > link.valid_until,
        "ATTACHMENT_NOT_STARTED": link is not None and day < link.valid_from,
        "SPACE_NOT_OPEN": not opened,
        "NO_SUBSCRIPTION": subscribed in ("REFUSED", "REMOVED"),
        "SUBSCRIPTION_PENDING": subscribed == "PENDING",
        "SUBSCRIPTION_NOT_STARTED": row is not None and day < row.effective_from,
    }
    return next((reason for reason, holds in in_the_way.items() if holds), "GRANTED")


@pytest.mark.parametrize("seed", [1, 2])
async def test_answers_and_lists_agree_with_the_rows_of_a_random_world(db: str, scope_of: ScopeOf, seed: int) -> None:
    people, ids, links, rows = await world(random.Random(seed))
    structures = {place.id: place for place in await factories.Structure.all()}
    opened = {(row.structure_id, row.space) for row in await OpenSpace.all()}
    for person in people:
        scope = scope_of(person)
        granted = set()
        for space in ASKED:
            for day in (TODAY + timedelta(step) for step in range(-12, 24, 4)):
                answers = await access.answers(scope, ids, space, None if day == TODAY else day)
                for place, answer in zip(ids, answers, strict=True):

                    def on(day: date, place: int = place, space: SpaceCode = space, person: Account = person) -> str:
                        open_there = space in DEFAULTS or (place, space) in opened
                        link, row = links.get((person.id, place)), rows.get((person.id, place, space))
                        return expected(structures[place], open_there, link, row, day)

                    later = (day + timedelta(step) for step in range(1, 60))
                    change = next((then for then in later if on(then) != on(day)), None)
                    assert (answer.reason, answer.changes_on) == (AccessReason(on(day)), change)
                    granted |= {(place, str(space))} if day == TODAY and answer.allowed else set()
        selection = Selection(frozenset({"structure_id", "space"}))
        (slice,) = await subscription_lists.of_users(
            scope, [person.id], Page(100), SubscriptionFilter(in_effect=True), selection
        )
        assert {(row.structure_id, row.space) for row in slice.rows} == granted


async def test_nobody_learns_of_a_structure_that_does_not_exist(db: str, scope_of: ScopeOf) -> None:
    place = await factories.structure()
    with pytest.raises(NotFound) as caught:
        await access.answers(scope_of(await factories.person()), [place.id, place.id + 1], SpaceCode.HOME, None)
    assert caught.value.path == ("structure_id",)


async def test_answer_changes_as_the_clock_moves_and_as_managers_act(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    zoe, lea = await factories.person(), await factories.person()
    place = await factories.structure(zoe)
    await factories.attachment(lea, place, valid_from=date(2027, 3, 20), valid_until=date(2027, 3, 31))
    await factories.subscription(lea, place, SpaceCode.COMMITMENTS, effective_from=date(2027, 3, 22))

    async def answer() -> tuple[str, date | None]:
        (found,) = await access.answers(scope_of(lea), [place.id], SpaceCode.COMMITMENTS, None)
        return found.reason, found.changes_on

    assert await answer() == ("ATTACHMENT_NOT_STARTED", date(2027, 3, 20))
    clock.advance(days=5)
    assert await answer() == ("SPACE_NOT_OPEN", date(2027, 4, 1))
    await spaces.open_some(scope_of(zoe), place.id, [SpaceCode.COMMITMENTS])
    assert await answer() == ("SUBSCRIPTION_NOT_STARTED", date(2027, 3, 22))
    clock.advance(days=2)
    assert await answer() == ("GRANTED", date(2027, 4, 1))
    clock.advance(days=10)
    assert await answer() == ("ATTACHMENT_ENDED", None)
