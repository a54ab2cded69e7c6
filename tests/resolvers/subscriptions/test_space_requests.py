"""Space subscriptions: asked for, decided, removed, in effect by the clock, ended with the attachment."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import AccountState
from models.attachments.attachments import Attachment, AttachmentStatus, Role, set_services
from models.db.query import Page, Selection
from models.errors.errors import (
    AlreadySubscribed,
    AttachmentNeeded,
    Forbidden,
    Invalid,
    NotFound,
    OwnRequest,
    PersonUnavailable,
    RequestAlreadyDecided,
    ServiceNotEntitled,
    SpaceGivenByDefault,
    SpaceNotOpen,
    StructureInactive,
    TooLong,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.structures.services import Service
from models.structures.structures import Structure, StructureStatus
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import (
    SpaceSubscription,
    SpaceSubscriptionStatus,
    SubscriptionFilter,
    SubscriptionMode,
    service_ids_of,
)
from resolvers.attachments import lifecycle, principal_manager, requests
from resolvers.attachments.lifecycle import Change
from resolvers.attachments.requests import NewRequest, Validation
from resolvers.scope import Scope
from resolvers.subscriptions import entitlements, grants, space_requests, spaces, subscription_lists
from resolvers.subscriptions.terms import Terms
from tests.conftest import Clock
from tests.resolvers.support.answers import GIVEN_TO_ALL, live_spaces, told
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import outcomes, overtaken
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
TODAY, YESTERDAY, TOMORROW = date(2027, 3, 15), date(2027, 3, 14), date(2027, 3, 16)
COMMITMENTS = SpaceCode.COMMITMENTS
PENDING, VALIDATED, REFUSED, REMOVED = SpaceSubscriptionStatus
WAITING = {"status": SpaceSubscriptionStatus.PENDING}


@pytest.fixture
async def open_house(house: House) -> House:
    """A house with the space of commitments open."""
    await OpenSpace.create(structure=house.structure, space=COMMITMENTS)
    return house


def terms(house: House, **changes: Any) -> Terms:
    return Terms(**({"structure_id": house.structure.id, "space": COMMITMENTS, "effective_from": TODAY} | changes))


async def the_one() -> SpaceSubscription:
    return await SpaceSubscription.get(space=COMMITMENTS)


async def test_simple_user_asks_and_the_managers_are_told(open_house: House, scope_of: ScopeOf, clock: Clock) -> None:
    sales = await Service.create(structure=open_house.structure, code="S1", name="Sales")
    await set_services(open_house.links["simple"], {sales.id})
    asked = terms(open_house, service_ids=frozenset({sales.id}), mode=SubscriptionMode.WRITE, comment=" For March ")
    assert told(await space_requests.request(scope_of(open_house.simple), [asked])) == [[]]
    row = await the_one()
    assert (row.status, row.mode, row.comment, row.decided_at) == (PENDING, SubscriptionMode.WRITE, "For March", None)
    assert await service_ids_of(row.id) == {sales.id}
    assert await factories.event_types() == ["SpaceSubscriptionRequested"]
    assert (await Event.get()).after == {
        "status": "PENDING", "space": "COMMITMENTS", "mode": "WRITE", "effective_from": "2027-03-15",
        "services": [sales.id],
    }  # fmt: skip
    addresses = [open_house.principal.contact_email, open_house.secondary.contact_email]
    assert sorted(await factories.mails()) == sorted(("space_subscription_requested", each) for each in addresses)
    await invariants.check(clock.now)


@pytest.mark.parametrize("who", ["principal", "secondary"])
async def test_manager_has_the_space_at_once(open_house: House, scope_of: ScopeOf, who: str) -> None:
    manager = getattr(open_house, who)
    assert told(await space_requests.request(scope_of(manager), [terms(open_house)])) == [[]]
    row = await the_one()
    assert (row.status, row.decided_by_id) == (VALIDATED, manager.id)
    assert await factories.event_types() == ["SpaceSubscriptionGiven"]
    assert await factories.mails() == []


async def test_bad_requests_are_refused_each_in_its_place_and_leave_nothing(
    open_house: House, scope_of: ScopeOf
) -> None:
    other = await Service.create(structure=open_house.structure, code="S2", name="Not theirs")
    await factories.subscription(open_house.simple, open_house.structure, SpaceCode.REQUESTS_ISSUED)
    ended = await factories.structure(status=StructureStatus.INACTIVE)
    elsewhere = await factories.structure()
    await OpenSpace.create(structure=elsewhere, space=COMMITMENTS)
    await factories.attachment(open_house.simple, ended)
    before = await factories.traces()
    done = await space_requests.request(
        scope_of(open_house.simple),
        [
            terms(open_house, structure_id=None),
            terms(open_house, structure_id=elsewhere.id),
            terms(open_house, structure_id=ended.id, space=SpaceCode.INVOICES_ISSUED),
            terms(open_house, space=SpaceCode.HOME),
            terms(open_house, space=SpaceCode.CONNECTIONS),
            terms(open_house, space=SpaceCode.REQUESTS_ISSUED),
            terms(open_house, service_ids=frozenset({other.id}), comment="x" * 256, effective_from=date(1899, 12, 31)),
        ],
    )
    assert told(done) == [
        [(NotFound, "requests", "0", "structure_id")],
        [(AttachmentNeeded, "requests", "1", "structure_id")],
        [(StructureInactive, "requests", "2", "structure_id")],
        [(SpaceGivenByDefault, "requests", "3", "space")],
        [(SpaceNotOpen, "requests", "4", "space")],
        [(AlreadySubscribed, "requests", "5", "space")],
        [
            (Invalid, "requests", "6", "effective_from"),
            (TooLong, "requests", "6", "comment"),
            (ServiceNotEntitled, "requests", "6", "service_ids"),
        ],
    ]
    assert await factories.traces() == before
    assert await SpaceSubscription.all().count() == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"valid_from": TOMORROW}, []),
        ({"valid_until": TODAY}, []),
        ({"valid_until": YESTERDAY}, [(AttachmentNeeded, "requests", "0", "structure_id")]),
        ({"status": AttachmentStatus.PENDING}, [(AttachmentNeeded, "requests", "0", "structure_id")]),
        ({"status": AttachmentStatus.DEACTIVATED}, [(AttachmentNeeded, "requests", "0", "structure_id")]),
        ({"status": AttachmentStatus.REFUSED}, [(AttachmentNeeded, "requests", "0", "structure_id")]),
        ({"status": AttachmentStatus.REMOVED}, [(AttachmentNeeded, "requests", "0", "structure_id")]),
    ],
)
async def test_request_needs_a_validated_attachment_in_effect_or_to_come(
    open_house: House, scope_of: ScopeOf, changes: dict[str, Any], expected: list[Any]
) -> None:
    lea = await factories.person()
    await factories.attachment(lea, open_house.structure, **changes)
    assert told(await space_requests.request(scope_of(lea), [terms(open_house)])) == [expected]


async def test_only_managers_who_can_decide_are_told_of_a_request(open_house: House, scope_of: ScopeOf) -> None:
    await open_house.secondary.update_from_dict({"state": AccountState.SUSPENDED}).save()
    assert told(await space_requests.request(scope_of(open_house.simple), [terms(open_house)])) == [[]]
    assert await factories.mails() == [("space_subscription_requested", open_house.principal.contact_email)]


@pytest.mark.parametrize("decide", ["validate", "refuse"])
async def test_whoever_became_a_manager_does_not_decide_on_what_they_asked_for(
    open_house: House, scope_of: ScopeOf, decide: str
) -> None:
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    await open_house.links["simple"].update_from_dict({"role": Role.SECONDARY_MANAGER}).save()
    mine = scope_of(open_house.simple)
    act = (
        space_requests.validate(mine, [row.id]) if decide == "validate" else space_requests.refuse(mine, [row.id], "no")
    )
    assert told(await act) == [[(OwnRequest, "ids", "0")]]
    assert (await the_one()).status is PENDING
    assert await factories.traces() == (0, 0)


async def test_manager_removes_neither_what_waits_nor_what_is_a_higher_managers(
    open_house: House, scope_of: ScopeOf
) -> None:
    rows = [
        await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING),
        await factories.subscription(open_house.principal, open_house.structure, COMMITMENTS),
    ]
    done = await space_requests.remove(scope_of(open_house.secondary), [row.id for row in rows])
    assert told(done) == [[(TransitionNotAllowed, "ids", "0")], [(Forbidden, "ids", "1")]]
    assert await factories.traces() == (0, 0)


async def test_manager_dismissed_while_the_decision_waits_sees_the_request_no_more(
    open_house: House, scope_of: ScopeOf
) -> None:
    async def dismiss(structure: Structure) -> None:
        await Attachment.filter(structure=structure, user=open_house.secondary).update(role=Role.SIMPLE_USER)

    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    act = space_requests.validate(scope_of(open_house.secondary), [row.id])
    assert told(await overtaken(open_house.structure, act, dismiss)) == [[(NotFound, "ids", "0")]]


async def test_many_identical_requests_at_once_make_one(open_house: House, scope_of: ScopeOf) -> None:
    ended = await outcomes(
        [space_requests.request(scope_of(open_house.simple), [terms(open_house)]) for _ in range(20)]
    )
    assert sum(told(end) == [[]] for end in ended) == 1  # type: ignore[arg-type]
    assert await SpaceSubscription.filter(space=COMMITMENTS).count() == 1


async def test_first_decision_wins_and_the_user_is_told(open_house: House, scope_of: ScopeOf, clock: Clock) -> None:
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    clock.advance(hours=1)
    assert told(await space_requests.validate(scope_of(open_house.secondary), [row.id])) == [[]]
    (late,) = await space_requests.refuse(scope_of(open_house.principal), [row.id], "no need")
    assert isinstance(late.error, RequestAlreadyDecided)
    assert late.error.data == {"by": open_house.secondary.display_name, "at": clock.now}
    assert await factories.event_types() == ["SpaceSubscriptionValidated"]
    assert await factories.mails() == [("space_subscription_validated", open_house.simple.contact_email)]


async def test_fifty_decisions_at_once_make_one(open_house: House, scope_of: ScopeOf) -> None:
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    managers = [open_house.principal, open_house.secondary]
    acts = [space_requests.validate(scope_of(managers[place % 2]), [row.id]) for place in range(50)]
    ended = [told(end) for end in await outcomes(acts)]  # type: ignore[arg-type]
    assert ended.count([[]]) == 1
    assert ended.count([[(RequestAlreadyDecided, "ids", "0")]]) == 49
    assert await factories.mails() == [("space_subscription_validated", open_house.simple.contact_email)]


async def test_refused_person_learns_why_and_may_ask_again(open_house: House, scope_of: ScopeOf) -> None:
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    assert told(await space_requests.refuse(scope_of(open_house.principal), [row.id], " Not needed ")) == [[]]
    await row.refresh_from_db()
    assert (row.status, row.refusal_reason) == (REFUSED, "Not needed")
    assert await factories.mails() == [("space_subscription_refused", open_house.simple.contact_email)]
    assert told(await space_requests.request(scope_of(open_house.simple), [terms(open_house)])) == [[]]


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.DEACTIVATED])
async def test_nobody_asks_or_is_given_spaces_once_the_account_is_stopped(
    open_house: House, scope_of: ScopeOf, state: AccountState
) -> None:
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    await open_house.simple.update_from_dict({"state": state, "deactivated_at": factories.LONG_AGO}).save()
    done = await space_requests.validate(scope_of(open_house.principal), [row.id])
    assert told(done) == [[(PersonUnavailable, "ids", "0")]]
    given = terms(open_house, space=SpaceCode.INVOICES_ISSUED)
    done = await grants.grant(scope_of(open_house.principal), given, [open_house.simple.id])
    assert told(done) == [[(PersonUnavailable, "user_ids", "0")]]
    with pytest.raises(Unauthenticated):
        await space_requests.request(scope_of(open_house.simple), [terms(open_house, space=SpaceCode.INVOICES_ISSUED)])
    assert await factories.traces() == (0, 0)


@pytest.mark.parametrize("change", ["closed", "narrowed", "ended", "inactive"])
async def test_request_that_no_longer_fits_is_not_validated(open_house: House, scope_of: ScopeOf, change: str) -> None:
    sales = await Service.create(structure=open_house.structure, code="S1", name="Sales")
    await set_services(open_house.links["simple"], {sales.id})
    asked = terms(open_house, service_ids=frozenset({sales.id}))
    ((row_id,),) = [[end.id for end in await space_requests.request(scope_of(open_house.simple), [asked])]]
    match change:
        case "closed":
            await spaces.close_some(scope_of(open_house.principal), open_house.structure.id, [COMMITMENTS])
        case "narrowed":
            await set_services(open_house.links["simple"], set())
        case "ended":
            await open_house.links["simple"].update_from_dict({"valid_until": YESTERDAY}).save()
        case "inactive":
            await open_house.structure.update_from_dict({"status": StructureStatus.INACTIVE}).save()
    refusal = {
        "closed": SpaceNotOpen, "narrowed": ServiceNotEntitled, "ended": AttachmentNeeded, "inactive": StructureInactive,
    }[change]  # fmt: skip
    done = await space_requests.validate(scope_of(open_house.principal), [row_id])
    assert told(done) == [[(refusal, "ids", "0")]]
    assert (await the_one()).status is PENDING


async def test_person_removes_several_and_takes_a_request_back(open_house: House, scope_of: ScopeOf) -> None:
    await entitlements.give(scope_of(), open_house.links["simple"])
    await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    rows = {row.space: row.id for row in await SpaceSubscription.filter(user=open_house.simple)}
    mine = [rows[SpaceCode.INVOICES_ISSUED], rows[COMMITMENTS], rows[SpaceCode.HOME], rows[COMMITMENTS], None]
    assert told(await space_requests.remove(scope_of(open_house.simple), mine)) == [
        [], [], [(SpaceGivenByDefault, "ids", "2")], [(Invalid, "ids", "3")], [(NotFound, "ids", "4")],
    ]  # fmt: skip
    assert await live_spaces(open_house.simple, open_house.structure) == GIVEN_TO_ALL - {"INVOICES_ISSUED"}
    assert await factories.event_types() == ["SpaceSubscriptionRemoved"] * 2
    assert await factories.mails() == []


async def test_removed_default_space_stays_removed_when_a_manager_moves_the_dates_or_changes_the_role(
    open_house: House, scope_of: ScopeOf
) -> None:
    link = open_house.links["simple"]
    await entitlements.give(scope_of(), link)
    mine = await SpaceSubscription.get(user=open_house.simple, space=SpaceCode.INVOICES_ISSUED)
    assert told(await space_requests.remove(scope_of(open_house.simple), [mine.id])) == [[]]
    await lifecycle.update(scope_of(open_house.principal), link.id, Change(valid_until=TOMORROW, end_given=True))
    assert await live_spaces(open_house.simple, open_house.structure) == GIVEN_TO_ALL - {"INVOICES_ISSUED"}


async def test_spaces_given_by_default_begin_with_the_attachment_and_others_as_they_were_asked_or_decided(
    open_house: House, scope_of: ScopeOf
) -> None:
    link, later = open_house.links["simple"], date(2027, 3, 25)
    await link.update_from_dict({"valid_from": later}).save()
    user, structure = open_house.simple, open_house.structure
    await factories.subscription(user, structure, COMMITMENTS, effective_from=later, **WAITING)
    await factories.subscription(user, structure, SpaceCode.REQUESTS_ISSUED, effective_from=later)  # decided
    await entitlements.give(scope_of(), link)
    for moved in (TOMORROW, later):
        await lifecycle.update(scope_of(open_house.principal), link.id, Change(valid_from=moved))
        rows = await SpaceSubscription.filter(user=user).order_by("space")
        assert [(row.space, row.effective_from) for row in rows] == [
            (COMMITMENTS, later),
            (SpaceCode.HOME, TOMORROW),
            (SpaceCode.INVOICES_ISSUED, TOMORROW),
            (SpaceCode.MY_ACCOUNT, TOMORROW),
            (SpaceCode.REQUESTS_ISSUED, later),
        ]


async def test_manager_withdraws_and_the_user_is_told(open_house: House, scope_of: ScopeOf) -> None:
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS)
    assert told(await space_requests.remove(scope_of(open_house.secondary), [row.id])) == [[]]
    await row.refresh_from_db()
    assert (row.status, row.ended_at is not None) == (REMOVED, True)
    assert await factories.mails() == [("space_subscription_removed", open_house.simple.contact_email)]


@pytest.mark.parametrize("ending", ["deactivate", "remove", "leave", "replace"])
async def test_subscriptions_end_with_the_attachment(
    open_house: House, scope_of: ScopeOf, clock: Clock, ending: str
) -> None:
    link = open_house.links["simple"]
    await entitlements.give(scope_of(), link)
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS)
    waiting = await factories.subscription(open_house.simple, open_house.structure, SpaceCode.CONNECTIONS, **WAITING)
    match ending:
        case "deactivate":
            await lifecycle.deactivate(scope_of(open_house.principal), [link.id], None)
        case "remove":
            await lifecycle.remove(scope_of(open_house.principal), [link.id], {})
        case "leave":
            await lifecycle.remove(scope_of(open_house.simple), [link.id], {})
        case "replace":
            await link.update_from_dict({"valid_until": YESTERDAY}).save()
            await requests.request(scope_of(open_house.simple), [NewRequest(open_house.structure.id, TODAY)])
    assert await live_spaces(open_house.simple, open_house.structure) == set()
    assert set(await SpaceSubscription.filter(user=open_house.simple).values_list("ended_at", flat=True)) == {clock.now}
    ended = await Event.filter(type="SpaceSubscriptionEnded").order_by("id").values_list("subscription_id", flat=True)
    assert ended == [row.id, waiting.id]
    await invariants.check(clock.now)


async def test_validated_attachment_brings_its_default_spaces_from_its_first_day(
    house: House, scope_of: ScopeOf
) -> None:
    lea = await factories.person()
    link = await factories.attachment(lea, house.structure, status=AttachmentStatus.PENDING)
    await requests.validate(scope_of(house.principal), [Validation(link.id, valid_from=TOMORROW)])
    rows = await SpaceSubscription.filter(user=lea)
    assert {str(row.space) for row in rows} == GIVEN_TO_ALL
    assert {(row.status, row.effective_from, row.mode) for row in rows} == {
        (VALIDATED, TOMORROW, SubscriptionMode.WRITE)
    }


@pytest.mark.parametrize(
    ("row", "link", "expected"),
    [
        ({}, {}, True),
        ({"effective_from": TOMORROW}, {}, False),
        ({"status": PENDING}, {}, False),
        ({}, {"valid_from": TOMORROW}, False),
        ({}, {"valid_until": YESTERDAY}, False),
        ({}, {"valid_until": TODAY}, True),
        ({}, {"status": AttachmentStatus.DEACTIVATED}, False),
    ],
)
async def test_subscription_has_effect_only_while_the_attachment_has(
    open_house: House, scope_of: ScopeOf, row: dict[str, Any], link: dict[str, Any], expected: bool
) -> None:
    await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **row)
    await open_house.links["simple"].update_from_dict(link).save()
    scope, selection = scope_of(open_house.simple), Selection(frozenset({"id", "in_effect"}))
    for wanted, found in ((None, 1), (True, int(expected)), (False, int(not expected))):
        narrowed = SubscriptionFilter(in_effect=wanted)
        (slice,) = await subscription_lists.of_users(scope, [open_house.simple.id], Page(10), narrowed, selection)
        assert len(slice.rows) == found
        assert all(each.in_effect is expected for each in slice.rows)


async def test_review_queue_holds_what_the_viewer_may_decide_and_nothing_else(
    open_house: House, scope_of: ScopeOf
) -> None:
    waiting = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, **WAITING)
    await factories.subscription(open_house.secondary, open_house.structure, COMMITMENTS, **WAITING)
    await factories.subscription(open_house.simple, await factories.structure(), COMMITMENTS, **WAITING)
    for viewer, expected in ((open_house.secondary, [waiting.id]), (open_house.simple, [])):
        (slice,) = await subscription_lists.to_review(scope_of(viewer), [viewer.id], Page(10), Selection())
        assert [row.id for row in slice.rows] == expected


async def test_role_of_manager_brings_and_takes_the_space_of_managers(house: House, scope_of: ScopeOf) -> None:
    link = house.links["simple"]
    await entitlements.give(scope_of(), link)
    await principal_manager.change_role(scope_of(house.principal), link.id, Role.SECONDARY_MANAGER)
    assert "MANAGER_ACTIVITIES" in await live_spaces(house.simple, house.structure)
    await principal_manager.change_role(scope_of(house.principal), link.id, Role.SIMPLE_USER)
    assert await live_spaces(house.simple, house.structure) == GIVEN_TO_ALL
