"""The seat offered: made, accepted, declined, withdrawn, expired by the clock, and ended when the seat changes hands."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.attachments.offers import OfferStatus, PrincipalManagerOffer
from models.db.query import Selection
from models.errors.errors import (
    Forbidden,
    Invalid,
    NotFound,
    OfferOver,
    PrincipalManagerAlreadyOffered,
    StructureInactive,
    SuccessorNotEligible,
)
from models.structures.structures import Structure, StructureStatus
from resolvers.accounts import accounts, deactivation
from resolvers.accounts.deactivation import Succession
from resolvers.attachments import lifecycle, offers, principal_manager, vacancies
from resolvers.scope import Scope
from resolvers.structures import structures
from tests.conftest import Clock
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import outcomes, overtaken, refused
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
OPEN, ACCEPTED, DECLINED, WITHDRAWN, EXPIRED = OfferStatus
READ = Selection(frozenset({"id", "status"}))
ACTS: dict[str, Callable[[Scope, int | None], Awaitable[int]]] = {
    "accept": offers.accept, "decline": offers.decline, "withdraw": offers.withdraw,
}  # fmt: skip


async def offered(house: House, scope_of: ScopeOf, to: Account | None = None) -> PrincipalManagerOffer:
    id = await offers.offer(scope_of(house.principal), house.structure.id, (to or house.simple).id)
    return await PrincipalManagerOffer.get(id=id)


async def principal_of(house: House) -> int:
    return int((await Attachment.get(structure=house.structure, role=Role.PRINCIPAL_MANAGER)).user_id)


async def status_of(offer: PrincipalManagerOffer) -> OfferStatus:
    await offer.refresh_from_db()
    return OfferStatus(offer.status)


async def test_holder_keeps_the_seat_until_the_successor_accepts(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    offer = await offered(house, scope_of)
    assert await principal_of(house) == house.principal.id
    assert await factories.mails() == [("principal_manager_offered", house.simple.contact_email)]
    clock.advance(days=14, seconds=-1)
    await offers.accept(scope_of(house.simple), offer.id)
    assert await principal_of(house) == house.simple.id
    assert await status_of(offer) is ACCEPTED
    assert await factories.event_types() == [
        "SeatOffered", "SeatOfferAccepted", "RoleChanged", "PrincipalManagerTransferred",
    ]  # fmt: skip
    assert sorted((await factories.mails())[1:]) == sorted(
        ("principal_manager_transferred", person.contact_email)
        for person in (house.principal, house.simple, house.secondary)
    )
    await invariants.check(clock.now)


async def test_declined_offer_leaves_the_seat_and_tells_the_holder(house: House, scope_of: ScopeOf) -> None:
    offer = await offered(house, scope_of)
    await offers.decline(scope_of(house.simple), offer.id)
    assert (await status_of(offer), await principal_of(house)) == (DECLINED, house.principal.id)
    assert (await factories.mails())[1:] == [("principal_manager_offer_declined", house.principal.contact_email)]
    assert await factories.event_types() == ["SeatOffered", "SeatOfferDeclined"]
    await offered(house, scope_of, house.secondary)


# One line per actor, one word per act in the order of ACTS, on an open offer to the simple user.
WHO_MAY = {
    "stranger": (NotFound, NotFound, NotFound),
    "simple": (None, None, Forbidden),
    "secondary": (Forbidden, Forbidden, Forbidden),
    "principal": (Forbidden, Forbidden, None),
    "support": (Forbidden, Forbidden, Forbidden),
}


@pytest.mark.parametrize("actor", WHO_MAY)
@pytest.mark.parametrize("act", ACTS)
async def test_open_offer_answers_each_act_of_each_actor_as_the_table_says(
    house: House, scope_of: ScopeOf, actor: str, act: str
) -> None:
    others = {"stranger": {}, "support": {"platform_role": "SUPPORT"}}
    person = await factories.person(**others[actor]) if actor in others else getattr(house, actor)
    offer = await offered(house, scope_of)
    expected = WHO_MAY[actor][list(ACTS).index(act)]
    if expected is None:
        await ACTS[act](scope_of(person), offer.id)
        assert await status_of(offer) is not OPEN
    else:
        async with refused((expected, "id")):
            await ACTS[act](scope_of(person), offer.id)
        assert await status_of(offer) is OPEN


@pytest.mark.parametrize("ended", [ACCEPTED, DECLINED, WITHDRAWN, EXPIRED, "out of time"])
@pytest.mark.parametrize("act", ACTS)
async def test_ended_offer_takes_no_act(
    house: House, scope_of: ScopeOf, clock: Clock, ended: OfferStatus | str, act: str
) -> None:
    offer = await offered(house, scope_of)
    if ended == "out of time":
        clock.advance(days=14)
    else:
        await offer.update_from_dict({"status": ended, "ended_at": clock.now}).save()
    person = house.principal if act == "withdraw" else house.simple
    async with refused((OfferOver, "id")):
        await ACTS[act](scope_of(person), offer.id)
    assert await principal_of(house) == house.principal.id


@pytest.mark.parametrize("who", ["secondary", "simple"])
async def test_only_the_principal_manager_offers(house: House, scope_of: ScopeOf, who: str) -> None:
    async with refused((Forbidden, "structure_id")):
        await offers.offer(scope_of(getattr(house, who)), house.structure.id, house.secondary.id)


async def test_bad_offers_are_refused_and_leave_nothing(house: House, scope_of: ScopeOf) -> None:
    mine = scope_of(house.principal)
    out = await factories.person()
    sly = await factories.person(state="SUSPENDED")
    await factories.attachment(sly, house.structure)
    ended, to_come = await factories.person(), await factories.person()
    await factories.attachment(ended, house.structure, valid_until=date(2027, 3, 14))
    await factories.attachment(to_come, house.structure, valid_from=date(2027, 3, 16))
    cases: list[tuple[int, int, Any]] = [
        (house.structure.id + 1, house.simple.id, (NotFound, "structure_id")),
        (house.structure.id, house.principal.id, (Invalid, "successor_id")),
        (house.structure.id, 10**6, (SuccessorNotEligible, "successor_id")),
        (house.structure.id, out.id, (SuccessorNotEligible, "successor_id")),
        (house.structure.id, sly.id, (SuccessorNotEligible, "successor_id")),
        (house.structure.id, ended.id, (SuccessorNotEligible, "successor_id")),
        (house.structure.id, to_come.id, (SuccessorNotEligible, "successor_id")),
    ]
    for structure_id, successor_id, problem in cases:
        async with refused(problem):
            await offers.offer(mine, structure_id, successor_id)
    await offered(house, scope_of)
    async with refused((PrincipalManagerAlreadyOffered, "structure_id")):
        await offers.offer(mine, house.structure.id, house.secondary.id)
    assert await PrincipalManagerOffer.all().count() == 1
    async with refused((NotFound, "id")):
        await offers.accept(scope_of(house.simple), None)


async def test_seat_of_an_ended_structure_is_not_offered(house: House, scope_of: ScopeOf) -> None:
    await house.structure.update_from_dict({"status": StructureStatus.INACTIVE}).save()
    async with refused((StructureInactive, "structure_id")):
        await offers.offer(scope_of(house.principal), house.structure.id, house.simple.id)


async def test_successor_must_still_be_eligible_to_accept(house: House, scope_of: ScopeOf) -> None:
    offer = await offered(house, scope_of)
    await lifecycle.deactivate(scope_of(house.secondary), [house.links["simple"].id], None)
    async with refused((SuccessorNotEligible, "id")):
        await offers.accept(scope_of(house.simple), offer.id)
    assert await status_of(offer) is OPEN


async def test_unanswered_offer_expires_by_the_clock_and_the_holder_is_told_once(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    offer = await offered(house, scope_of)
    clock.advance(days=14, seconds=-1)
    assert await offers.tell_expired_offers(scope_of()) == 0
    assert [row.status for row in (await offers.of_successors(scope_of(house.simple), [house.simple.id], READ))[0]] == [
        OPEN
    ]
    clock.advance(seconds=1)
    (read,) = await offers.by_ids(scope_of(house.simple), [offer.id], READ)
    assert read is not None
    assert read.status == EXPIRED
    assert await offers.of_successors(scope_of(house.simple), [house.simple.id], READ) == [[]]
    assert sum(await outcomes([offers.tell_expired_offers(scope_of()) for _ in range(3)])) == 1  # type: ignore[arg-type]
    assert await offers.tell_expired_offers(scope_of()) == 0
    assert (await status_of(offer), offer.ended_at) == (EXPIRED, offer.expires_at)
    assert (await factories.mails())[1:] == [("principal_manager_offer_expired", house.principal.contact_email)]


async def test_expired_offer_gives_way_to_a_new_one(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    first = await offered(house, scope_of)
    clock.advance(days=15)
    second = await offered(house, scope_of, house.secondary)
    assert (await status_of(first), await status_of(second)) == (EXPIRED, OPEN)
    assert first.ended_at == first.expires_at  # when its time was over, not when somebody noticed
    assert await factories.event_types() == ["SeatOffered", "SeatOfferExpired", "SeatOffered"]


@pytest.mark.parametrize("way", ["transfer", "removal", "deactivation", "suspension and claim", "end of the structure"])
async def test_offer_ends_when_the_seat_or_the_structure_goes_another_way(
    house: House, scope_of: ScopeOf, clock: Clock, way: str
) -> None:
    offer = await offered(house, scope_of)
    mine, support = scope_of(house.principal), await factories.person(platform_role="SUPPORT")
    match way:
        case "transfer":
            await principal_manager.transfer(mine, house.structure.id, house.secondary.id)
        case "removal":
            await lifecycle.remove(mine, [house.links["principal"].id], {house.structure.id: (house.secondary.id, 0)})
        case "deactivation":
            successions = [Succession(house.structure.id, house.secondary.id)]
            await deactivation.deactivate(mine, confirm=True, successor_for_all=None, successions=successions)
        case "suspension and claim":
            await accounts.suspend(scope_of(support), house.principal.id, "abuse")
            await vacancies.claim(scope_of(house.secondary), house.structure.id)
        case "end of the structure":
            await structures.update(mine, house.structure.id, {"status": StructureStatus.INACTIVE})
    assert await status_of(offer) is WITHDRAWN
    async with refused((OfferOver, "id")):
        await offers.accept(scope_of(house.simple), offer.id)
    await invariants.check(clock.now)


async def test_many_acceptances_at_once_make_one(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    offer = await offered(house, scope_of)
    ended = await outcomes([offers.accept(scope_of(house.simple), offer.id) for _ in range(20)])
    assert ended.count(offer.id) == 1
    assert ended.count(OfferOver) == 19
    await invariants.check(clock.now)


async def test_acceptance_against_withdrawal_has_one_outcome(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    offer = await offered(house, scope_of)
    ended = await outcomes(
        [offers.accept(scope_of(house.simple), offer.id), offers.withdraw(scope_of(house.principal), offer.id)]
    )
    assert sorted(map(str, ended)) == sorted(map(str, [offer.id, OfferOver]))
    expected = {ACCEPTED: house.simple, WITHDRAWN: house.principal}[await status_of(offer)]
    assert await principal_of(house) == expected.id
    await invariants.check(clock.now)


async def test_offer_that_had_expired_is_no_offer_withdrawn_when_the_seat_goes_another_way(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    offer = await offered(house, scope_of)
    clock.advance(days=15)
    await principal_manager.transfer(scope_of(house.principal), house.structure.id, house.secondary.id)
    assert (await status_of(offer), offer.ended_at) == (EXPIRED, offer.expires_at)
    assert (await factories.event_types())[:2] == ["SeatOffered", "SeatOfferExpired"]
    assert "SeatOfferWithdrawn" not in await factories.event_types()


async def test_manager_dismissed_while_the_act_waits_sees_the_offer_no_more(house: House, scope_of: ScopeOf) -> None:
    async def dismiss(structure: Structure) -> None:
        await Attachment.filter(structure=structure, user=house.secondary).update(role=Role.SIMPLE_USER)

    offer = await offered(house, scope_of)
    async with refused((NotFound, "id")):
        await overtaken(house.structure, offers.accept(scope_of(house.secondary), offer.id), dismiss)


async def test_offer_is_seen_by_the_managers_and_whom_it_is_made_to(house: House, scope_of: ScopeOf) -> None:
    offer = await offered(house, scope_of)
    out = await factories.person()
    for viewer, there, found in (
        (house.principal, True, True), (house.secondary, True, True), (house.simple, False, True), (out, False, False),
    ):  # fmt: skip
        (on_structure,) = await offers.of_structures(scope_of(viewer), [house.structure.id], READ)
        (by_id,) = await offers.visible(scope_of(viewer), [offer.id], READ)
        assert ((on_structure is not None), (by_id is not None)) == (there, found)


async def test_suspended_successor_takes_nothing_up(house: House, scope_of: ScopeOf) -> None:
    offer = await offered(house, scope_of)
    await house.simple.update_from_dict({"state": "SUSPENDED"}).save()
    async with refused((SuccessorNotEligible, "id")):
        await offers.accept(scope_of(house.simple), offer.id)
    assert await Attachment.filter(status=AttachmentStatus.VALIDATED, role=Role.PRINCIPAL_MANAGER).count() == 1


async def test_suspended_holders_offer_is_withdrawn_at_once(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    offer = await offered(house, scope_of)
    support = await factories.person(platform_role="SUPPORT")
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    assert await status_of(offer) is WITHDRAWN
    async with refused((OfferOver, "id")):
        await offers.accept(scope_of(house.simple), offer.id)
    assert await principal_of(house) == house.principal.id
    await invariants.check(clock.now)
