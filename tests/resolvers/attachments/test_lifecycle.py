"""Attachments that exist: stopped, brought back, removed, changed, given by a manager; and how they are listed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments import attachments as rows
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db.query import Selection
from models.errors.errors import (
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    ServiceNotEntitled,
    StructureInactive,
    TooLong,
    TooMany,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.structures.services import Service
from models.structures.structures import Structure, StructureStatus
from resolvers.attachments import attach_user, lifecycle
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.lifecycle import Change
from resolvers.scope import Scope
from resolvers.subscriptions import entitlements
from tests.conftest import Clock
from tests.resolvers.support.answers import GIVEN_TO_ALL, GIVEN_TO_MANAGERS, live_spaces, told
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import refused
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
TODAY, YESTERDAY, TOMORROW = date(2027, 3, 15), date(2027, 3, 14), date(2027, 3, 16)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus
PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER
READ = Selection(frozenset({"id", "status"}), total_count=True)
READ_USER = Selection(frozenset({"id", "folded_name"}), total_count=True)


async def status_of(attachment: Attachment) -> AttachmentStatus:
    await attachment.refresh_from_db()
    return AttachmentStatus(attachment.status)


# ------------------------------------------------------------------ stopping and bringing back
async def test_manager_stops_an_attachment_and_brings_it_back(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope, link = scope_of(house.secondary), house.links["simple"]
    await entitlements.give(scope, link)
    assert told(await lifecycle.deactivate(scope, [link.id], " on leave ")) == [[]]
    assert (await status_of(link), await live_spaces(house.simple, house.structure)) == (DEACTIVATED, set())
    assert told(await lifecycle.deactivate(scope, [link.id], None)) == [[(TransitionNotAllowed, "ids", "0")]]
    assert told(await lifecycle.reactivate(scope, [link.id])) == [[]]
    assert (await status_of(link), await live_spaces(house.simple, house.structure)) == (VALIDATED, GIVEN_TO_ALL)
    assert told(await lifecycle.reactivate(scope, [link.id])) == [[(TransitionNotAllowed, "ids", "0")]]
    assert await factories.event_types() == ["AttachmentDeactivated", "AttachmentReactivated"]
    event = await Event.get(type="AttachmentDeactivated")
    assert (event.actor_id, event.subject_id) == (house.secondary.id, house.simple.id)
    assert (event.before["status"], event.after["status"], event.after["reason"]) == (
        "VALIDATED",
        "DEACTIVATED",
        "on leave",
    )
    assert await factories.mails() == [
        ("attachment_deactivated", house.simple.contact_email),
        ("attachment_reactivated", house.simple.contact_email),
    ]
    await invariants.check(clock.now)


Bulk = Callable[[Scope, list[int | None]], Any]
ACTS: dict[str, Bulk] = {
    "deactivate": lambda scope, ids: lifecycle.deactivate(scope, ids, None),
    "reactivate": lifecycle.reactivate,
    "remove": lambda scope, ids: lifecycle.remove(scope, ids, {}),
}
# Who is refused on whose attachment; what isn't listed is done. Nobody stops their own, everybody may leave.
REFUSED_ACTS: dict[tuple[str, str], dict[str, type[DomainError]]] = {
    ("principal", "secondary"): {},
    ("principal", "simple"): {},
    ("secondary", "principal"): dict.fromkeys(ACTS, Forbidden),
    ("secondary", "secondary"): {"deactivate": Forbidden, "reactivate": Forbidden},
    ("secondary", "simple"): {},
    ("simple", "principal"): dict.fromkeys(ACTS, NotFound),
    ("simple", "secondary"): dict.fromkeys(ACTS, NotFound),
    ("simple", "simple"): {"deactivate": Forbidden, "reactivate": Forbidden},
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("who", "whose"), REFUSED_ACTS)
async def test_role_takes_the_acts_that_are_its_own(
    house: House, scope_of: ScopeOf, clock: Clock, who: str, whose: str, act: str
) -> None:
    link = house.links[whose]
    if act == "reactivate" and whose != "principal":
        await Attachment.filter(id=link.id).update(status=DEACTIVATED)
    (outcome,) = await ACTS[act](scope_of(getattr(house, who)), [link.id])
    problem = REFUSED_ACTS[who, whose].get(act)
    assert type(outcome.error) is (problem or type(None))
    if problem:
        assert await factories.traces() == (0, 0)
    await invariants.check(clock.now)


async def test_manager_whose_own_attachment_ended_manages_nothing(house: House, scope_of: ScopeOf) -> None:
    await Attachment.filter(id=house.links["secondary"].id).update(valid_until=YESTERDAY)
    for act in ACTS.values():
        assert told(await act(scope_of(house.secondary), [house.links["simple"].id])) == [[(NotFound, "ids", "0")]]
    assert await factories.traces() == (0, 0)


async def test_bulk_answers_each_id_in_order_and_does_the_good_ones(house: House, scope_of: ScopeOf) -> None:
    good, other = house.links["simple"], house.links["secondary"]
    foreign = await factories.attachment(await factories.person(), await factories.structure())
    ids = [good.id, None, foreign.id, good.id, 987_654, other.id]
    assert told(await lifecycle.deactivate(scope_of(house.principal), ids, None)) == [
        [],
        [(NotFound, "ids", "1")],
        [(NotFound, "ids", "2")],
        [(Invalid, "ids", "3")],
        [(NotFound, "ids", "4")],
        [],
    ]
    assert await factories.event_types() == ["AttachmentDeactivated"] * 2


@pytest.mark.parametrize("act", ACTS)
async def test_more_than_a_hundred_ids_are_refused_as_a_whole(house: House, scope_of: ScopeOf, act: str) -> None:
    async with refused((TooMany, "ids")):
        await ACTS[act](scope_of(house.principal), [house.links["simple"].id] + [None] * 100)
    assert await status_of(house.links["simple"]) is VALIDATED


@pytest.mark.parametrize("act", ACTS)
async def test_nobody_acts_without_signing_in(house: House, scope_of: ScopeOf, act: str) -> None:
    with pytest.raises(Unauthenticated):
        await ACTS[act](scope_of(), [])
    with pytest.raises(Unauthenticated):
        await lifecycle.update(scope_of(), None, Change())
    with pytest.raises(Unauthenticated):
        await attach_user.attach(scope_of(), NewAttachment(None, "", SU, TODAY))


async def test_ended_attachment_is_not_reactivated_but_moved(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope, link = scope_of(house.principal), house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=YESTERDAY)
    assert told(await lifecycle.deactivate(scope, [link.id], None)) == [[(TransitionNotAllowed, "ids", "0")]]
    assert told(await lifecycle.reactivate(scope, [link.id])) == [[(Invalid, "ids", "0")]]
    assert await factories.traces() == (0, 0)
    await lifecycle.update(scope, link.id, Change(valid_until=TODAY, end_given=True))
    assert await status_of(link) is VALIDATED
    assert await scope_of(house.simple).role_on(house.structure.id) is SU
    clock.advance(days=1)
    assert await scope_of(house.simple).role_on(house.structure.id) is None


async def test_attachment_to_an_ended_structure_stays_stopped(house: House, scope_of: ScopeOf) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(status=DEACTIVATED)
    await Structure.filter(id=house.structure.id).update(status=StructureStatus.INACTIVE)
    outcomes = await lifecycle.reactivate(scope_of(house.principal), [link.id])
    assert told(outcomes) == [[(StructureInactive, "ids", "0")]]
    await Attachment.filter(id=link.id).update(valid_until=date(2027, 3, 14))
    async with refused((StructureInactive, "id")):
        await lifecycle.update(scope_of(house.principal), link.id, Change(end_given=True))


async def test_attachment_to_an_ended_structure_may_still_be_given_an_end(house: House, scope_of: ScopeOf) -> None:
    await Structure.filter(id=house.structure.id).update(status=StructureStatus.INACTIVE)
    link = house.links["simple"]
    await lifecycle.update(scope_of(house.principal), link.id, Change(valid_until=TODAY, end_given=True))
    assert (await Attachment.get(id=link.id)).valid_until == TODAY


async def test_principal_manager_who_changes_their_own_services_gets_no_mail(house: House, scope_of: ScopeOf) -> None:
    sales = await Service.create(structure=house.structure, code="S1", name="Sales")
    change = Change(service_ids=frozenset({sales.id}))
    await lifecycle.update(scope_of(house.principal), house.links["principal"].id, change)
    assert await factories.event_types() == ["AttachmentUpdated"]
    assert await factories.mails() == []


async def test_reason_too_long_stops_nothing(house: House, scope_of: ScopeOf) -> None:
    async with refused((TooLong, "reason")):
        await lifecycle.deactivate(scope_of(house.principal), [house.links["simple"].id], "x" * 256)


async def test_somebody_whose_account_is_not_active_gets_no_mail(house: House, scope_of: ScopeOf) -> None:
    await Account.filter(id=house.simple.id).update(state=AccountState.SUSPENDED)
    assert told(await lifecycle.remove(scope_of(house.principal), [house.links["simple"].id], {})) == [[]]
    assert (await factories.event_types(), await factories.mails()) == (["AttachmentRemoved"], [])


async def test_person_leaves_and_a_manager_removes(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    await entitlements.give(scope_of(house.secondary), house.links["secondary"])
    assert await live_spaces(house.secondary, house.structure) == GIVEN_TO_MANAGERS
    assert told(await lifecycle.remove(scope_of(house.secondary), [house.links["secondary"].id], {})) == [[]]
    assert await factories.mails() == []
    assert told(await lifecycle.remove(scope_of(house.principal), [house.links["simple"].id], {})) == [[]]
    assert await factories.mails() == [("attachment_removed", house.simple.contact_email)]
    for link in ("secondary", "simple"):
        assert await status_of(house.links[link]) is REMOVED
    assert await live_spaces(house.secondary, house.structure) == set()
    await invariants.check(clock.now)


# ------------------------------------------------------------------ changing
async def test_manager_changes_what_is_given_and_the_rest_stays(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope, link = scope_of(house.secondary), house.links["simple"]
    one, two = [await Service.create(structure=house.structure, code=code, name=code) for code in ("S1", "S2")]
    await lifecycle.update(scope, link.id, Change(valid_until=date(2027, 6, 30), end_given=True))
    await lifecycle.update(scope, link.id, Change(service_ids=frozenset({one.id, two.id})))
    await lifecycle.update(scope, link.id, Change(service_ids=frozenset({two.id})))
    await lifecycle.update(scope, link.id, Change(valid_from=TOMORROW))
    await link.refresh_from_db()
    assert (link.valid_from, link.valid_until) == (TOMORROW, date(2027, 6, 30))
    assert await rows.service_ids_of(link.id) == {two.id}
    await lifecycle.update(scope, link.id, Change(end_given=True))
    await link.refresh_from_db()
    assert link.valid_until is None
    assert await factories.event_types() == ["AttachmentUpdated"] * 5
    assert await factories.mails() == [("attachment_updated", house.simple.contact_email)] * 5
    event = (await Event.all().order_by("id"))[2]
    assert (event.before["services"], event.after["services"]) == ([one.id, two.id], [two.id])
    await invariants.check(clock.now)


async def test_change_that_changes_nothing_leaves_no_trace(house: House, scope_of: ScopeOf) -> None:
    change = Change(valid_from=date(2026, 1, 5), end_given=True, service_ids=frozenset())
    assert (
        await lifecycle.update(scope_of(house.principal), house.links["simple"].id, change) == house.links["simple"].id
    )
    assert await factories.traces() == (0, 0)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (Change(valid_until=YESTERDAY, end_given=True), [(Invalid, "valid_until")]),
        (Change(valid_from=date(1899, 12, 31)), [(Invalid, "valid_from")]),
        (Change(TOMORROW, TODAY, end_given=True), [(Invalid, "valid_until")]),
        (
            Change(date(1899, 1, 1), YESTERDAY, True, frozenset({None})),
            [(Invalid, "valid_from"), (Invalid, "valid_until"), (ServiceNotEntitled, "service_ids")],
        ),
    ],
)
async def test_wrong_change_is_refused_whole(
    house: House, scope_of: ScopeOf, change: Change, problems: list[Any]
) -> None:
    async with refused(*problems):
        await lifecycle.update(scope_of(house.principal), house.links["simple"].id, change)
    link = await Attachment.get(id=house.links["simple"].id)
    assert (link.valid_from, link.valid_until) == (date(2026, 1, 5), None)


async def test_end_that_stays_may_be_past_but_not_before_the_start(house: House, scope_of: ScopeOf) -> None:
    scope, link = scope_of(house.principal), house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=YESTERDAY)
    await lifecycle.update(scope, link.id, Change(valid_from=date(2027, 1, 1)))
    async with refused((Invalid, "valid_until")):
        await lifecycle.update(scope, link.id, Change(valid_from=TODAY))


async def test_principal_managers_seat_has_no_end(house: House, scope_of: ScopeOf) -> None:
    scope, seat = scope_of(house.principal), house.links["principal"]
    async with refused((Invalid, "valid_until")):
        await lifecycle.update(scope, seat.id, Change(valid_until=date(2027, 6, 30), end_given=True))
    async with refused((Forbidden, "id")):
        await lifecycle.update(scope, seat.id, Change(valid_from=TOMORROW))


@pytest.mark.parametrize(
    ("who", "whose", "problem"),
    [
        ("secondary", "principal", Forbidden),
        ("secondary", "secondary", Forbidden),
        ("simple", "simple", Forbidden),
        ("simple", "secondary", NotFound),
    ],
)
async def test_nobody_changes_their_own_nor_a_managers(
    house: House, scope_of: ScopeOf, who: str, whose: str, problem: type[DomainError]
) -> None:
    async with refused((problem, "id")):
        await lifecycle.update(scope_of(getattr(house, who)), house.links[whose].id, Change(end_given=True))


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (PENDING, TransitionNotAllowed),
        (REFUSED, TransitionNotAllowed),
        (REMOVED, TransitionNotAllowed),
        (DEACTIVATED, None),
    ],
)
async def test_what_waits_or_is_over_is_not_changed(
    house: House, scope_of: ScopeOf, status: AttachmentStatus, problem: type[DomainError] | None
) -> None:
    link = await factories.attachment(await factories.person(), house.structure, status=status)
    change = Change(valid_until=date(2027, 6, 30), end_given=True)
    if problem is None:
        await lifecycle.update(scope_of(house.principal), link.id, change)
        assert await status_of(link) is status
    else:
        async with refused((problem, "id")):
            await lifecycle.update(scope_of(house.principal), link.id, change)
