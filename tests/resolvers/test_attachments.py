"""Attachments that exist: stopped, brought back, removed, changed, given by a manager; and how they are listed."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models import attachments as rows
from models.accounts import Account, AccountState
from models.attachments import Attachment, AttachmentFilter, AttachmentStatus, Role
from models.errors import (
    AlreadyAttached,
    DomainError,
    Forbidden,
    Invalid,
    Missing,
    NotFound,
    ServiceNotEntitled,
    StructureInactive,
    TooLong,
    TooMany,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events import Event
from models.outbox import Mail
from models.reading import Page, Selection, Slice
from models.services import Service
from models.structures import Structure, StructureStatus
from resolvers import attachments, gifts, queues, requests, users
from resolvers.attachments import Change
from resolvers.gifts import Gift
from resolvers.requests import NewRequest
from resolvers.scope import Scope
from tests import factories, invariants
from tests.conftest import Clock
from tests.resolvers.answers import GIVEN_TO_ALL, GIVEN_TO_MANAGERS, live_spaces, told
from tests.resolvers.mailbox import refused

ScopeOf = Callable[..., Scope]
TODAY, YESTERDAY, TOMORROW = date(2027, 3, 15), date(2027, 3, 14), date(2027, 3, 16)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus
PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER
READ = Selection(frozenset({"id", "status"}), total_count=True)
READ_USER = Selection(frozenset({"id", "folded_name"}), total_count=True)


class House:
    """A structure with one person of each role, all in effect."""

    structure: Structure
    principal: Account
    secondary: Account
    simple: Account
    links: dict[str, Attachment]


@pytest.fixture
async def house(db: str) -> House:
    made = House()
    made.principal = await factories.person(first_name="Zoe", last_name="Chief")
    made.secondary, made.simple = await factories.person(), await factories.person()
    made.structure = await factories.structure(made.principal, name="Essais")
    made.links = {
        "principal": await Attachment.get(user=made.principal),
        "secondary": await factories.attachment(made.secondary, made.structure, role=SM),
        "simple": await factories.attachment(made.simple, made.structure),
    }
    return made


async def status_of(attachment: Attachment) -> AttachmentStatus:
    await attachment.refresh_from_db()
    return AttachmentStatus(attachment.status)


# ------------------------------------------------------------------ stopping and bringing back
async def test_manager_stops_an_attachment_and_brings_it_back(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope, link = scope_of(house.secondary), house.links["simple"]
    await requests.give_spaces(scope, link)
    assert told(await attachments.deactivate(scope, [link.id], " on leave ")) == [[]]
    assert (await status_of(link), await live_spaces(house.simple, house.structure)) == (DEACTIVATED, set())
    assert told(await attachments.deactivate(scope, [link.id], None)) == [[(TransitionNotAllowed, "ids", "0")]]
    assert told(await attachments.reactivate(scope, [link.id])) == [[]]
    assert (await status_of(link), await live_spaces(house.simple, house.structure)) == (VALIDATED, GIVEN_TO_ALL)
    assert told(await attachments.reactivate(scope, [link.id])) == [[(TransitionNotAllowed, "ids", "0")]]
    assert await factories.event_types() == ["AttachmentDeactivated", "AttachmentReactivated"]
    event = await Event.get(type="AttachmentDeactivated")
    assert (event.actor_id, event.subject_id) == (house.secondary.id, house.simple.id)  # type: ignore[attr-defined]
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
    "deactivate": lambda scope, ids: attachments.deactivate(scope, ids, None),
    "reactivate": attachments.reactivate,
    "remove": lambda scope, ids: attachments.remove(scope, ids, {}),
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
    assert told(await attachments.deactivate(scope_of(house.principal), ids, None)) == [
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
        await attachments.update(scope_of(), None, Change())
    with pytest.raises(Unauthenticated):
        await gifts.give(scope_of(), Gift(None, "", SU, TODAY))


async def test_ended_attachment_is_not_reactivated_but_moved(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope, link = scope_of(house.principal), house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=YESTERDAY)
    assert told(await attachments.deactivate(scope, [link.id], None)) == [[(TransitionNotAllowed, "ids", "0")]]
    assert told(await attachments.reactivate(scope, [link.id])) == [[(Invalid, "ids", "0")]]
    assert await factories.traces() == (0, 0)
    await attachments.update(scope, link.id, Change(valid_until=TODAY, end_given=True))
    assert await status_of(link) is VALIDATED
    assert await scope_of(house.simple).role_on(house.structure.id) is SU
    clock.advance(days=1)
    assert await scope_of(house.simple).role_on(house.structure.id) is None


async def test_attachment_to_an_ended_structure_stays_stopped(house: House, scope_of: ScopeOf) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(status=DEACTIVATED)
    await Structure.filter(id=house.structure.id).update(status=StructureStatus.INACTIVE)
    outcomes = await attachments.reactivate(scope_of(house.principal), [link.id])
    assert told(outcomes) == [[(StructureInactive, "ids", "0")]]


async def test_reason_too_long_stops_nothing(house: House, scope_of: ScopeOf) -> None:
    async with refused((TooLong, "reason")):
        await attachments.deactivate(scope_of(house.principal), [house.links["simple"].id], "x" * 256)


async def test_somebody_whose_account_is_not_active_gets_no_mail(house: House, scope_of: ScopeOf) -> None:
    await Account.filter(id=house.simple.id).update(state=AccountState.SUSPENDED)
    assert told(await attachments.remove(scope_of(house.principal), [house.links["simple"].id], {})) == [[]]
    assert (await factories.event_types(), await factories.mails()) == (["AttachmentRemoved"], [])


async def test_person_leaves_and_a_manager_removes(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    await requests.give_spaces(scope_of(house.secondary), house.links["secondary"])
    assert await live_spaces(house.secondary, house.structure) == GIVEN_TO_MANAGERS
    assert told(await attachments.remove(scope_of(house.secondary), [house.links["secondary"].id], {})) == [[]]
    assert await factories.mails() == []
    assert told(await attachments.remove(scope_of(house.principal), [house.links["simple"].id], {})) == [[]]
    assert await factories.mails() == [("attachment_removed", house.simple.contact_email)]
    for link in ("secondary", "simple"):
        assert await status_of(house.links[link]) is REMOVED
    assert await live_spaces(house.secondary, house.structure) == set()
    await invariants.check(clock.now)


# ------------------------------------------------------------------ changing
async def test_manager_changes_what_is_given_and_the_rest_stays(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope, link = scope_of(house.secondary), house.links["simple"]
    one, two = [await Service.create(structure=house.structure, code=code, name=code) for code in ("S1", "S2")]
    await attachments.update(scope, link.id, Change(valid_until=date(2027, 6, 30), end_given=True))
    await attachments.update(scope, link.id, Change(service_ids=frozenset({one.id, two.id})))
    await attachments.update(scope, link.id, Change(service_ids=frozenset({two.id})))
    await attachments.update(scope, link.id, Change(valid_from=TOMORROW))
    await link.refresh_from_db()
    assert (link.valid_from, link.valid_until) == (TOMORROW, date(2027, 6, 30))
    assert await rows.service_ids_of(link.id) == {two.id}
    await attachments.update(scope, link.id, Change(end_given=True))
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
        await attachments.update(scope_of(house.principal), house.links["simple"].id, change)
        == house.links["simple"].id
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
        await attachments.update(scope_of(house.principal), house.links["simple"].id, change)
    link = await Attachment.get(id=house.links["simple"].id)
    assert (link.valid_from, link.valid_until) == (date(2026, 1, 5), None)


async def test_end_that_stays_may_be_past_but_not_before_the_start(house: House, scope_of: ScopeOf) -> None:
    scope, link = scope_of(house.principal), house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=YESTERDAY)
    await attachments.update(scope, link.id, Change(valid_from=date(2027, 1, 1)))
    async with refused((Invalid, "valid_until")):
        await attachments.update(scope, link.id, Change(valid_from=TODAY))


async def test_principal_managers_seat_has_no_end(house: House, scope_of: ScopeOf) -> None:
    scope, seat = scope_of(house.principal), house.links["principal"]
    async with refused((Invalid, "valid_until")):
        await attachments.update(scope, seat.id, Change(valid_until=date(2027, 6, 30), end_given=True))
    async with refused((Forbidden, "id")):
        await attachments.update(scope, seat.id, Change(valid_from=TOMORROW))


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
        await attachments.update(scope_of(getattr(house, who)), house.links[whose].id, Change(end_given=True))


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
        await attachments.update(scope_of(house.principal), link.id, change)
        assert await status_of(link) is status
    else:
        async with refused((problem, "id")):
            await attachments.update(scope_of(house.principal), link.id, change)


# ------------------------------------------------------------------ giving
@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.PENDING_ACTIVATION])
async def test_manager_attaches_the_owner_of_an_address(
    house: House, scope_of: ScopeOf, clock: Clock, state: AccountState
) -> None:
    lea = await factories.person(login_email="Lea@people.example", state=state)
    one = await Service.create(structure=house.structure, code="S1", name="Sales")
    gift = Gift(house.structure.id, " LEA@people.example ", SU, TODAY, date(2027, 6, 30), frozenset({one.id}))
    id = await gifts.give(scope_of(house.secondary), gift)
    link = await Attachment.get(id=id)
    assert (link.user_id, link.status, link.role) == (lea.id, VALIDATED, SU)
    assert (link.valid_from, link.valid_until, link.decided_by_id) == (TODAY, date(2027, 6, 30), house.secondary.id)
    assert await rows.service_ids_of(id) == {one.id}
    assert await live_spaces(lea, house.structure) == GIVEN_TO_ALL
    assert await factories.event_types() == ["AttachmentGiven"]
    assert await factories.mails() == [("attached_by_manager", "Lea@people.example")]
    await invariants.check(clock.now)


async def test_principal_manager_gives_a_secondary_seat_and_nobody_else_does(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    lea = await factories.person()
    gift = Gift(house.structure.id, lea.login_email, SM, TODAY)
    async with refused((Forbidden, "role")):
        await gifts.give(scope_of(house.secondary), gift)
    async with refused((Forbidden, "structure_id")):
        await gifts.give(scope_of(house.simple), gift)
    async with refused((Forbidden, "structure_id")):
        await gifts.give(scope_of(await factories.person(platform_role="SUPPORT")), gift)
    id = await gifts.give(scope_of(house.principal), gift)
    assert (await Attachment.get(id=id)).role is SM
    assert await live_spaces(lea, house.structure) == GIVEN_TO_MANAGERS
    await invariants.check(clock.now)


async def test_gift_decides_the_persons_own_request(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    lea = await factories.person()
    asked = await factories.attachment(lea, house.structure, status=PENDING)
    id = await gifts.give(scope_of(house.principal), Gift(house.structure.id, lea.login_email, SU, TODAY))
    assert id == asked.id
    assert await status_of(asked) is VALIDATED
    event = await Event.get()
    assert (event.type, event.before["status"]) == ("AttachmentGiven", "PENDING")
    await invariants.check(clock.now)


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"login_email": " "}, [(Missing, "login_email")]),
        ({"login_email": "nobody@people.example"}, [(NotFound, "login_email")]),
        ({"structure_id": None}, [(NotFound, "structure_id")]),
        ({"role": PM}, [(Invalid, "role")]),
        (
            {
                "login_email": "", "role": PM, "valid_from": date(1899, 1, 1), "valid_until": YESTERDAY,
                "service_ids": frozenset({None}),
            },
            [
                (Missing, "login_email"), (Invalid, "role"), (Invalid, "valid_from"), (Invalid, "valid_until"),
                (ServiceNotEntitled, "service_ids"),
            ],
        ),
    ],
)  # fmt: skip
async def test_wrong_gift_is_refused_whole(
    house: House, scope_of: ScopeOf, changes: dict[str, Any], problems: list[Any]
) -> None:
    lea = await factories.person()
    given = {"structure_id": house.structure.id, "login_email": lea.login_email, "role": SU, "valid_from": TODAY}
    async with refused(*problems):
        await gifts.give(scope_of(house.principal), Gift(**(given | changes)))
    assert await Attachment.filter(user=lea).count() == 0


async def test_gift_to_somebody_attached_already_is_refused(house: House, scope_of: ScopeOf) -> None:
    for person in (house.principal, house.simple):
        async with refused((AlreadyAttached, "login_email")):
            await gifts.give(scope_of(house.principal), Gift(house.structure.id, person.login_email, SU, TODAY))


async def test_gift_replaces_an_ended_attachment(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=YESTERDAY)
    await gifts.give(scope_of(house.principal), Gift(house.structure.id, house.simple.login_email, SU, TODAY))
    assert await status_of(link) is REMOVED
    assert await factories.event_types() == ["AttachmentReplaced", "AttachmentGiven"]
    await invariants.check(clock.now)


async def test_manager_probes_twenty_unknown_addresses_a_day_and_then_none(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    suspended = await factories.person(state=AccountState.SUSPENDED)
    known, later = await factories.person(), await factories.person()

    async def give(address: str) -> None:
        await gifts.give(scope_of(house.principal), Gift(house.structure.id, address, SU, TODAY))

    await give(known.login_email)  # a known one isn't counted
    for number in range(19):
        async with refused((NotFound, "login_email")):
            await give(f"nobody{number}@people.example")
    async with refused((NotFound, "login_email")):
        await give(suspended.login_email)
    for address in ("nobody@people.example", later.login_email):  # or the answer would still tell
        async with refused((TooMany, "login_email")):
            await give(address)
    clock.advance(hours=24)
    await give(later.login_email)


# ------------------------------------------------------------------ reading
def ids_of(found: Slice) -> list[int]:
    return [row.id for row in found.rows]


async def test_filters_read_the_status_of_today(house: House, scope_of: ScopeOf) -> None:
    ended = await factories.attachment(await factories.person(), house.structure, valid_until=YESTERDAY)
    later = await factories.attachment(await factories.person(), house.structure, valid_from=TOMORROW)
    waiting = await factories.attachment(await factories.person(), house.structure, status=PENDING)
    scope, page = scope_of(house.principal), Page(20)
    everyone = [house.links[name].id for name in ("principal", "secondary", "simple")]

    async def found(filter: AttachmentFilter) -> list[int]:
        (slice,) = await queues.of_structures(scope, [house.structure.id], page, filter, None, READ)
        assert slice is not None
        assert slice.total_count == len(slice.rows)
        return sorted(ids_of(slice))

    assert await found(AttachmentFilter(statuses=(DEACTIVATED,))) == [ended.id]
    assert await found(AttachmentFilter(statuses=(VALIDATED,))) == [*everyone, later.id]
    assert await found(AttachmentFilter(in_effect=True)) == everyone
    assert await found(AttachmentFilter(in_effect=False)) == [ended.id, later.id, waiting.id]
    assert await found(AttachmentFilter(roles=(PM, SM))) == everyone[:2]
    assert await found(AttachmentFilter(statuses=())) == []
    assert await found(AttachmentFilter(structure_id=0)) == []


async def test_structures_attachments_are_for_its_managers_and_support(house: House, scope_of: ScopeOf) -> None:
    async def shown(person: Account) -> bool:
        (slice,) = await queues.of_structures(
            scope_of(person), [house.structure.id], Page(20), AttachmentFilter(), None, READ
        )
        return slice is not None

    support = await factories.person(platform_role="SUPPORT")
    people = [house.principal, house.secondary, support, house.simple, await factories.person()]
    assert [await shown(person) for person in people] == [True, True, True, False, False]


async def test_managers_search_names_addresses_and_contact_emails(house: House, scope_of: ScopeOf) -> None:
    zoe = await factories.person(
        first_name="Éloïse", last_name="Martin", contact_email="e.martin@mail.example",
        line1="3 rue Haute", postcode="69001", city="Lyon", country="FR",
    )  # fmt: skip
    link = await factories.attachment(zoe, house.structure)
    for words in ("eloise mar", "MARTIN elo", "dupont", "e.martin@", "rue haute", "69001", "lyon"):
        (slice,) = await queues.of_structures(
            scope_of(house.principal), [house.structure.id], Page(20), AttachmentFilter(), words, READ
        )
        assert slice is not None
        expected = [] if words == "dupont" else [link.id]
        assert ids_of(slice) == expected
        (candidates,) = await users.candidates(
            scope_of(house.principal), [house.structure.id], Page(20), words, READ_USER
        )
        assert candidates is not None
        assert ids_of(candidates) == ([zoe.id] if expected else [])


async def test_managers_find_people_who_have_left_by_name_alone(house: House, scope_of: ScopeOf) -> None:
    gone = await factories.person(
        first_name="Éloïse", last_name="Martin", contact_email="e.martin@mail.example",
        line1="3 rue Haute", postcode="69001", city="Lyon", country="FR",
    )  # fmt: skip
    links = [await factories.attachment(gone, house.structure, status=status) for status in (REFUSED, REMOVED)]

    async def found(viewer: Account, words: str) -> list[int]:
        (slice,) = await queues.of_structures(
            scope_of(viewer), [house.structure.id], Page(20), AttachmentFilter(), words, READ
        )
        assert slice is not None
        return sorted(ids_of(slice))

    for words in ("mail.example", "rue haute", "69001", "lyon", "martin e martin"):
        assert await found(house.principal, words) == []
    for words in ("eloise mar", "MARTIN elo"):
        assert await found(house.principal, words) == [link.id for link in links]
    support = await factories.person(platform_role="SUPPORT")
    assert await found(support, "lyon") == [link.id for link in links]


async def test_candidates_are_the_active_people_in_effect_but_the_holder_by_name(
    house: House, scope_of: ScopeOf
) -> None:
    first = await factories.person(last_name="Aaron")
    for changes in ({"valid_until": YESTERDAY}, {"valid_from": TOMORROW}, {"status": PENDING}, {"status": DEACTIVATED}):
        await factories.attachment(await factories.person(), house.structure, **changes)
    suspended = await factories.person(state=AccountState.SUSPENDED)
    await factories.attachment(suspended, house.structure)
    await factories.attachment(first, house.structure)
    (slice,) = await users.candidates(scope_of(house.principal), [house.structure.id], Page(20), None, READ_USER)
    assert slice is not None
    assert ids_of(slice) == [first.id, house.secondary.id, house.simple.id]
    assert slice.total_count == 3
    for person in (house.secondary, house.simple):
        assert await users.candidates(scope_of(person), [house.structure.id], Page(20), None, READ_USER) == [None]


async def test_review_queue_holds_what_the_viewer_may_decide_oldest_first(house: House, scope_of: ScopeOf) -> None:
    other = await factories.structure(await factories.person())
    waiting = [await factories.attachment(await factories.person(), house.structure, status=PENDING) for _ in range(3)]
    await factories.attachment(await factories.person(), other, status=PENDING)
    await factories.attachment(house.secondary, other, status=PENDING)  # their own

    async def queue(person: Account) -> list[int]:
        (slice,) = await queues.to_review(scope_of(person), [person.id], Page(20), READ)
        return ids_of(slice)

    assert await queue(house.principal) == [row.id for row in waiting]
    assert await queue(house.secondary) == [row.id for row in waiting]
    assert await queue(house.simple) == []
    await Attachment.filter(id=house.links["secondary"].id).update(valid_until=YESTERDAY)
    assert await queue(house.secondary) == []


async def test_support_searches_people_and_nobody_else_does(house: House, scope_of: ScopeOf) -> None:
    support = await factories.person(platform_role="SUPPORT")
    lea = await factories.person(
        first_name="Léa", last_name="Durand", login_email="lea.login@people.example", contact_email="lea@mail.example"
    )
    for words in ("LEA dur", "durand", "a.LOGIN@people", "lea@mail"):
        assert ids_of(await users.search(scope_of(support), words, Page(20), READ_USER)) == [lea.id]
    for words in ("dupont", "lea\0durand@x", "a" * 100_000):
        assert ids_of(await users.search(scope_of(support), words, Page(20), READ_USER)) == []
    with pytest.raises(Forbidden):
        await users.search(scope_of(house.principal), "lea", Page(20), READ_USER)
    with pytest.raises(Invalid) as refusal:
        await users.search(scope_of(support), " ", Page(20), READ_USER)
    assert refusal.value.path == ("search",)


async def test_somebody_asking_again_is_shown_one_live_attachment(house: House, scope_of: ScopeOf) -> None:
    lea = await factories.person()
    await factories.attachment(lea, house.structure, status=REFUSED)
    (outcome,) = await requests.request(scope_of(lea), [NewRequest(house.structure.id, TODAY)])
    found = await queues.of_viewer(scope_of(lea), [house.structure.id, 987_654], READ)
    assert [row and row.id for row in found] == [outcome.id, None]
    (own,) = await queues.of_users(scope_of(lea), [lea.id], Page(20), AttachmentFilter(), READ)
    assert [row.status for row in own.rows] == ["PENDING", "REFUSED"]
    assert await Mail.all().count() == 2


async def test_secondary_manager_cannot_replace_anothers_ended_attachment_by_a_gift(
    house: House, scope_of: ScopeOf
) -> None:
    other = await factories.person()
    await factories.attachment(other, house.structure, role=SM, valid_until=date(2027, 3, 14))
    async with refused((AlreadyAttached, "login_email")):
        await gifts.give(scope_of(house.secondary), Gift(house.structure.id, other.login_email, SU, TODAY))
    await gifts.give(scope_of(house.principal), Gift(house.structure.id, other.login_email, SU, TODAY))
