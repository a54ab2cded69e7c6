"""Seats: secondary managers named and dismissed, the principal one's seat handed over, left, or filled by support."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import (
    AlreadyPrincipalManager,
    DomainError,
    Forbidden,
    Invalid,
    Missing,
    NotFound,
    PrincipalManagerPresent,
    StructureInactive,
    SuccessorNotEligible,
    SuccessorRequired,
    TooLong,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.structures import Structure, StructureStatus
from models.subscriptions.subscriptions import SpaceSubscription
from resolvers.accounts import accounts
from resolvers.attachments import lifecycle, principal_manager
from resolvers.scope import Scope
from resolvers.subscriptions import entitlements
from tests.conftest import Clock
from tests.resolvers.support.answers import GIVEN_TO_ALL, GIVEN_TO_MANAGERS, live_spaces, told
from tests.resolvers.support.mailbox import overtaken, refused
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
YESTERDAY, TOMORROW = date(2027, 3, 14), date(2027, 3, 16)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus
PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER


class House:
    """A structure with one person of each role, all in effect and with their spaces."""

    structure: Structure
    principal: Account
    secondary: Account
    simple: Account
    links: dict[str, Attachment]


@pytest.fixture
async def house(db: str, scope_of: ScopeOf) -> House:
    made = House()
    made.principal = await factories.person(first_name="Zoe", last_name="Chief")
    made.secondary = await factories.person(first_name="Max", last_name="Second")
    made.simple = await factories.person(first_name="Lea", last_name="Simple")
    made.structure = await factories.structure(made.principal, name="Essais")
    made.links = {
        "principal": await Attachment.get(user=made.principal),
        "secondary": await factories.attachment(
            made.secondary, made.structure, role=SM, valid_until=date(2027, 12, 31)
        ),
        "simple": await factories.attachment(made.simple, made.structure, valid_until=date(2027, 6, 30)),
    }
    for link in made.links.values():
        await entitlements.give(scope_of(), link)
    return made


async def roles(structure: Structure) -> dict[int, Role]:
    return {row.user_id: Role(row.role) for row in await Attachment.filter(structure=structure, status=VALIDATED)}


# ------------------------------------------------------------------ secondary managers
async def test_principal_manager_names_and_dismisses_a_secondary_one(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    scope, link = scope_of(house.principal), house.links["simple"]
    await principal_manager.change_role(scope, link.id, SM)
    assert (await roles(house.structure))[house.simple.id] is SM
    assert await live_spaces(house.simple, house.structure) == GIVEN_TO_MANAGERS
    await principal_manager.change_role(scope, link.id, SM)  # the same again: no event, no mail
    await principal_manager.change_role(scope, link.id, SU)
    assert (await roles(house.structure))[house.simple.id] is SU
    assert await live_spaces(house.simple, house.structure) == GIVEN_TO_ALL
    events = await Event.all().order_by("id")
    assert [(event.type, event.before["role"], event.after["role"]) for event in events] == [
        ("RoleChanged", "SIMPLE_USER", "SECONDARY_MANAGER"),
        ("RoleChanged", "SECONDARY_MANAGER", "SIMPLE_USER"),
    ]
    assert await factories.mails() == [("role_changed", house.simple.contact_email)] * 2
    mail = await Mail.all().order_by("id").first()
    assert mail is not None
    assert mail.payload == {"structure": "Essais", "by": "Zoe Chief", "role": "SECONDARY_MANAGER"}
    await invariants.check(clock.now)


@pytest.mark.parametrize(
    ("who", "whose", "role", "problem"),
    [
        ("principal", "simple", PM, (Invalid, "role")),
        ("principal", "principal", SU, (SuccessorRequired, "id")),
        ("secondary", "simple", SM, (Forbidden, "id")),
        ("secondary", "secondary", SU, (Forbidden, "id")),
        ("secondary", "principal", SU, (Forbidden, "id")),
        ("simple", "simple", SM, (Forbidden, "id")),
        ("simple", "secondary", SU, (NotFound, "id")),
    ],
)
async def test_role_is_changed_by_the_principal_manager_only(
    house: House, scope_of: ScopeOf, who: str, whose: str, role: Role, problem: tuple[type[DomainError], str]
) -> None:
    before = await roles(house.structure)
    async with refused(problem):
        await principal_manager.change_role(scope_of(getattr(house, who)), house.links[whose].id, role)
    assert await roles(house.structure) == before


@pytest.mark.parametrize(
    "changes", [{"status": PENDING}, {"status": DEACTIVATED}, {"status": REMOVED}, {"valid_until": YESTERDAY}]
)
async def test_role_of_what_is_not_validated_stays(house: House, scope_of: ScopeOf, changes: dict[str, Any]) -> None:
    link = await factories.attachment(await factories.person(), house.structure, **changes)
    async with refused((TransitionNotAllowed, "id")):
        await principal_manager.change_role(scope_of(house.principal), link.id, SM)


# ------------------------------------------------------------------ handing over
async def test_seat_is_handed_over_at_once_and_all_managers_are_told(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await principal_manager.transfer(scope_of(house.principal), house.structure.id, house.simple.id)
    assert await roles(house.structure) == {house.principal.id: SU, house.secondary.id: SM, house.simple.id: PM}
    seat = await Attachment.get(id=house.links["simple"].id)
    assert seat.valid_until is None
    assert await live_spaces(house.principal, house.structure) == GIVEN_TO_ALL
    assert await live_spaces(house.simple, house.structure) == GIVEN_TO_MANAGERS
    event = await Event.get(type="PrincipalManagerTransferred")
    assert (event.actor_id, event.subject_id, event.attachment_id) == (  # type: ignore[attr-defined]
        house.principal.id, house.simple.id, seat.id,
    )  # fmt: skip
    assert (event.before["role"], event.after["role"]) == ("SIMPLE_USER", "PRINCIPAL_MANAGER")
    assert (event.before["principal_id"], event.after["principal_id"]) == (house.principal.id, house.simple.id)
    mails = [(mail.address, mail.payload) for mail in await Mail.all().order_by("id")]
    names = {"structure": "Essais", "former": "Zoe Chief", "successor": "Lea Simple"}
    assert mails == [
        (house.principal.contact_email, {**names, "reader": "FORMER"}),
        (house.simple.contact_email, {**names, "reader": "SUCCESSOR"}),
        (house.secondary.contact_email, {**names, "reader": "MANAGER"}),
    ]
    await invariants.check(clock.now)


@pytest.mark.parametrize("who", ["secondary", "simple"])
async def test_nobody_else_hands_the_seat_over(house: House, scope_of: ScopeOf, who: str) -> None:
    async with refused((Forbidden, "structure_id")):
        await principal_manager.transfer(scope_of(getattr(house, who)), house.structure.id, house.simple.id)
    with pytest.raises(Unauthenticated):
        await principal_manager.transfer(scope_of(), house.structure.id, house.simple.id)


async def test_former_principal_manager_has_lost_the_seat_at_once(house: House, scope_of: ScopeOf) -> None:
    scope = scope_of(house.principal)
    await principal_manager.transfer(scope, house.structure.id, house.simple.id)
    async with refused((Forbidden, "structure_id")):
        await principal_manager.transfer(scope, house.structure.id, house.secondary.id)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": PENDING}, AccountState.ACTIVE),
        ({"status": DEACTIVATED}, AccountState.ACTIVE),
        ({"valid_until": YESTERDAY}, AccountState.ACTIVE),
        ({"valid_from": TOMORROW}, AccountState.ACTIVE),
        ({}, AccountState.SUSPENDED),
        ({}, AccountState.PENDING_ACTIVATION),
    ],
)
async def test_successor_must_be_active_and_attached_in_effect(
    house: House, scope_of: ScopeOf, changes: dict[str, Any], state: AccountState
) -> None:
    other = await factories.person(state=state)
    await factories.attachment(other, house.structure, **changes)
    async with refused((SuccessorNotEligible, "successor_id")):
        await principal_manager.transfer(scope_of(house.principal), house.structure.id, other.id)


async def test_successor_is_somebody_else_who_exists_and_is_attached(house: House, scope_of: ScopeOf) -> None:
    scope = scope_of(house.principal)
    async with refused((Invalid, "successor_id")):
        await principal_manager.transfer(scope, house.structure.id, house.principal.id)
    async with refused((SuccessorNotEligible, "successor_id")):
        await principal_manager.transfer(scope, house.structure.id, 987_654)
    async with refused((SuccessorNotEligible, "successor_id")):
        await principal_manager.transfer(scope, house.structure.id, (await factories.person()).id)
    async with refused((NotFound, "structure_id")):
        await principal_manager.transfer(scope, 987_654, house.simple.id)
    assert (await roles(house.structure))[house.principal.id] is PM


# ------------------------------------------------------------------ leaving the seat
async def test_principal_manager_leaves_by_naming_a_successor_and_stays_as_a_simple_user(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    scope, seat = scope_of(house.principal), house.links["principal"]
    before = await factories.traces()
    assert told(await lifecycle.remove(scope, [seat.id], {})) == [[(SuccessorRequired, "successions")]]
    unfit = {house.structure.id: ((await factories.person()).id, 2)}
    assert told(await lifecycle.remove(scope, [seat.id], unfit)) == [
        [(SuccessorNotEligible, "successions", "2", "successor_id")]
    ]
    assert await factories.traces() == before
    outcomes = await lifecycle.remove(scope, [seat.id], {house.structure.id: (house.secondary.id, 0)})
    assert told(outcomes) == [[]]
    assert await roles(house.structure) == {house.principal.id: SU, house.secondary.id: PM, house.simple.id: SU}
    assert await live_spaces(house.principal, house.structure) == GIVEN_TO_ALL
    assert await factories.event_types() == ["RoleChanged", "PrincipalManagerTransferred"]
    assert told(await lifecycle.remove(scope, [seat.id], {})) == [[]]  # a simple user now, and leaves for good
    await invariants.check(clock.now)


async def test_nobody_removes_the_principal_manager(house: House, scope_of: ScopeOf) -> None:
    outcomes = await lifecycle.remove(
        scope_of(house.secondary), [house.links["principal"].id], {house.structure.id: (house.secondary.id, 0)}
    )
    assert told(outcomes) == [[(Forbidden, "ids", "0")]]
    assert (await roles(house.structure))[house.principal.id] is PM


# ------------------------------------------------------------------ support
@pytest.fixture
async def support(db: str, scope_of: ScopeOf) -> Scope:
    return scope_of(await factories.person(platform_role="SUPPORT"))


@pytest.mark.parametrize(
    "changes",
    [
        None,
        {},
        {"status": PENDING},
        {"status": DEACTIVATED},
        {"valid_until": YESTERDAY},
        {"valid_from": TOMORROW},
        {"role": SM},
    ],
)
async def test_support_fills_the_seat_of_a_suspended_holder(
    house: House, support: Scope, clock: Clock, changes: dict[str, Any] | None
) -> None:
    await Account.filter(id=house.principal.id).update(state=AccountState.SUSPENDED)
    named = await factories.person(first_name="New", last_name="Chief")
    if changes is not None:
        await factories.attachment(named, house.structure, **changes)
    await principal_manager.appoint(support, house.structure.id, named.id, " ticket 12 ")
    held = await roles(house.structure)
    assert (held[named.id], held[house.principal.id]) == (PM, SU)
    seat = await Attachment.get(user=named, structure=house.structure)
    assert (seat.status, seat.valid_until) == (VALIDATED, None)
    assert seat.is_valid_on(support.today())
    assert await live_spaces(named, house.structure) == GIVEN_TO_MANAGERS
    event = await Event.get(type="PrincipalManagerAppointed")
    assert (event.subject_id, event.after["reason"], event.before["principal_id"]) == (
        named.id, "ticket 12", house.principal.id,
    )  # fmt: skip
    mails = [(mail.address, mail.payload) for mail in await Mail.all().order_by("id")]
    names = {"structure": "Essais", "appointed": "New Chief"}
    assert mails == [
        (named.contact_email, {**names, "reader": "SUCCESSOR"}),
        (house.secondary.contact_email, {**names, "reader": "MANAGER"}),
    ]
    await invariants.check(clock.now)


async def test_support_names_the_first_principal_manager_of_an_imported_structure(support: Scope, clock: Clock) -> None:
    structure, named = await factories.structure(), await factories.person()
    await principal_manager.appoint(support, structure.id, named.id, "asked in writing")
    assert (await Structure.get(id=structure.id)).managed is True
    assert await roles(structure) == {named.id: PM}
    assert await factories.event_types() == ["AttachmentCreated", "PrincipalManagerAppointed"]
    await invariants.check(clock.now)


async def test_whoever_was_let_in_before_keeps_that_instant_when_appointed(
    house: House, support: Scope, clock: Clock
) -> None:
    await accounts.suspend(support, house.principal.id, "abuse")
    clock.advance(days=3)
    await principal_manager.appoint(support, house.structure.id, house.simple.id, "gone")
    seat = await Attachment.get(id=house.links["simple"].id)
    assert (seat.decided_at, seat.role_since) == (factories.LONG_AGO, clock.now)
    assert seat.valid_from == factories.LONG_AGO.date()


async def test_whoever_was_to_come_is_there_with_their_spaces_from_the_day_of_the_appointment(
    support: Scope, scope_of: ScopeOf, clock: Clock
) -> None:
    structure, named = await factories.structure(), await factories.person()
    link = await factories.attachment(named, structure, valid_from=TOMORROW)
    await entitlements.give(scope_of(), link)
    await principal_manager.appoint(support, structure.id, named.id, "asked in writing")
    assert (await Attachment.get(id=link.id)).valid_from == clock.now.date()
    begin = await SpaceSubscription.filter(user=named).values_list("effective_from", flat=True)
    assert set(begin) == {clock.now.date()}
    assert len(begin) == len(GIVEN_TO_MANAGERS)


async def test_support_does_not_name_whoever_holds_the_seat(house: House, support: Scope) -> None:
    async with refused((AlreadyPrincipalManager, "structure_id")):
        await principal_manager.appoint(support, house.structure.id, house.principal.id, "asked in writing")


@pytest.mark.parametrize("way", ["transfer", "removal"])
async def test_holder_suspended_while_the_act_waits_hands_nothing_over(
    house: House, scope_of: ScopeOf, way: str
) -> None:
    async def suspend(structure: Structure) -> None:
        await Account.filter(id=house.principal.id).update(state=AccountState.SUSPENDED)

    mine, structure, successor = scope_of(house.principal), house.structure, house.simple.id
    if way == "transfer":
        async with refused((Forbidden, "structure_id")):
            await overtaken(structure, principal_manager.transfer(mine, structure.id, successor), suspend)
    else:
        act = lifecycle.remove(mine, [house.links["principal"].id], {structure.id: (successor, 0)})
        assert told(await overtaken(structure, act, suspend)) == [[(Forbidden, "ids", "0")]]
    assert (await roles(structure))[house.principal.id] is PM
    assert await factories.traces() == (0, 0)


async def test_suspended_secondary_managers_are_told_of_no_transfer(
    house: House, support: Scope, scope_of: ScopeOf
) -> None:
    await accounts.suspend(support, house.secondary.id, "abuse")
    before = await factories.mails()
    await principal_manager.transfer(scope_of(house.principal), house.structure.id, house.simple.id)
    told = {address for _, address in (await factories.mails())[len(before) :]}
    assert told == {house.principal.contact_email, house.simple.contact_email}


async def test_support_is_refused_where_a_principal_manager_can_act(house: House, support: Scope) -> None:
    async with refused((PrincipalManagerPresent, "structure_id")):
        await principal_manager.appoint(support, house.structure.id, house.simple.id, "because")
    assert (await roles(house.structure))[house.principal.id] is PM


@pytest.mark.parametrize(("reason", "problem"), [(" ", Missing), ("x" * 256, TooLong), ("a\u202eb", Invalid)])
async def test_support_gives_a_good_reason(support: Scope, reason: str, problem: type[DomainError]) -> None:
    structure, named = await factories.structure(), await factories.person()
    async with refused((problem, "reason")):
        await principal_manager.appoint(support, structure.id, named.id, reason)


async def test_support_names_an_active_person_on_an_active_structure(support: Scope) -> None:
    structure, named = await factories.structure(), await factories.person()
    ended = await factories.structure(status=StructureStatus.INACTIVE)
    waiting = await factories.person(state=AccountState.PENDING_ACTIVATION)
    refusals: list[tuple[int, int, tuple[type[DomainError], str]]] = [
        (987_654, named.id, (NotFound, "structure_id")),
        (structure.id, 987_654, (NotFound, "user_id")),
        (ended.id, named.id, (StructureInactive, "structure_id")),
        (structure.id, waiting.id, (SuccessorNotEligible, "user_id")),
    ]
    for structure_id, user_id, problem in refusals:
        async with refused(problem):
            await principal_manager.appoint(support, structure_id, user_id, "because")


async def test_only_support_appoints(house: House, scope_of: ScopeOf) -> None:
    for person in (house.principal, house.simple):
        async with refused((Forbidden,)):
            await principal_manager.appoint(scope_of(person), house.structure.id, house.simple.id, "because")
