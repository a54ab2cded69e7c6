"""Spaces that managers give to several people at once."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import AccountState
from models.attachments.attachments import Attachment, AttachmentStatus, Role, set_services
from models.errors.errors import (
    AlreadySubscribed,
    AttachmentNeeded,
    Forbidden,
    NotFound,
    ServiceNotEntitled,
    SpaceGivenByDefault,
    SpaceNotOpen,
    StructureInactive,
)
from models.structures.services import Service
from models.structures.structures import Structure, StructureStatus
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import (
    SpaceSubscription,
    SpaceSubscriptionStatus,
    SubscriptionMode,
    service_ids_of,
)
from resolvers.scope import Scope
from resolvers.subscriptions import grants
from resolvers.subscriptions.terms import Terms
from tests.conftest import Clock
from tests.resolvers.support.answers import told
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import overtaken, refused
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
TODAY = date(2027, 3, 15)
COMMITMENTS = SpaceCode.COMMITMENTS
PENDING, VALIDATED, REFUSED, REMOVED = SpaceSubscriptionStatus


@pytest.fixture
async def open_house(house: House) -> House:
    """A house with the space of commitments open."""
    await OpenSpace.create(structure=house.structure, space=COMMITMENTS)
    return house


def terms(house: House, **changes: Any) -> Terms:
    return Terms(**({"structure_id": house.structure.id, "space": COMMITMENTS, "effective_from": TODAY} | changes))


async def test_manager_gives_a_space_to_several_each_with_an_answer(
    open_house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    lea, tim, ann, out = [await factories.person() for _ in range(4)]
    await factories.attachment(lea, open_house.structure)
    await factories.attachment(tim, open_house.structure, status=AttachmentStatus.DEACTIVATED)
    await factories.attachment(ann, open_house.structure)
    await factories.subscription(ann, open_house.structure, COMMITMENTS)
    people = [lea.id, tim.id, ann.id, out.id, open_house.secondary.id, open_house.principal.id, None]
    assert told(await grants.grant(scope_of(open_house.secondary), terms(open_house), people)) == [
        [],
        [(AttachmentNeeded, "user_ids", "1")],
        [(AlreadySubscribed, "user_ids", "2")],
        [(NotFound, "user_ids", "3")],
        [],
        [(Forbidden, "user_ids", "5")],
        [(NotFound, "user_ids", "6")],
    ]
    given = await SpaceSubscription.filter(decided_by=open_house.secondary)
    assert {(row.user_id, row.status) for row in given} == {(lea.id, VALIDATED), (open_house.secondary.id, VALIDATED)}
    assert await factories.event_types() == ["SpaceSubscriptionGiven"] * 2
    assert await factories.mails() == [("space_subscription_validated", lea.contact_email)]
    await invariants.check(clock.now)


async def test_grant_decides_the_waiting_request_on_the_managers_terms(open_house: House, scope_of: ScopeOf) -> None:
    sales = await Service.create(structure=open_house.structure, code="S1", name="Sales")
    await set_services(open_house.links["simple"], {sales.id})
    row = await factories.subscription(open_house.simple, open_house.structure, COMMITMENTS, status=PENDING)
    given = terms(open_house, mode=SubscriptionMode.WRITE, service_ids=frozenset({sales.id}))
    (outcome,) = await grants.grant(scope_of(open_house.principal), given, [open_house.simple.id])
    assert (outcome.id, outcome.error) == (row.id, None)
    await row.refresh_from_db()
    assert (row.status, row.mode, row.effective_from) == (VALIDATED, SubscriptionMode.WRITE, TODAY)
    assert await service_ids_of(row.id) == {sales.id}


async def test_services_are_those_each_person_is_entitled_to(open_house: House, scope_of: ScopeOf) -> None:
    sales = await Service.create(structure=open_house.structure, code="S1", name="Sales")
    given = terms(open_house, service_ids=frozenset({sales.id}))
    people = [open_house.simple.id, open_house.secondary.id]
    done = await grants.grant(scope_of(open_house.principal), given, people)
    assert told(done) == [[(ServiceNotEntitled, "service_ids")], []]


@pytest.mark.parametrize(
    ("who", "changes", "problem"),
    [
        ("simple", {}, (Forbidden, "structure_id")),
        ("principal", {"structure_id": None}, (NotFound, "structure_id")),
        ("principal", {"space": SpaceCode.MY_ACCOUNT}, (SpaceGivenByDefault, "space")),
        ("principal", {"space": SpaceCode.CONNECTIONS}, (SpaceNotOpen, "space")),
        ("principal", {"service_ids": frozenset({None})}, (ServiceNotEntitled, "service_ids")),
    ],
)
async def test_bad_terms_refuse_the_whole_grant(
    open_house: House, scope_of: ScopeOf, who: str, changes: dict[str, Any], problem: Any
) -> None:
    async with refused(problem):
        await grants.grant(scope_of(getattr(open_house, who)), terms(open_house, **changes), [open_house.simple.id])
    assert await SpaceSubscription.all().count() == 0


async def test_nothing_is_given_on_a_structure_that_has_ended(open_house: House, scope_of: ScopeOf) -> None:
    await open_house.structure.update_from_dict({"status": StructureStatus.INACTIVE}).save()
    async with refused((StructureInactive, "structure_id")):
        await grants.grant(scope_of(open_house.principal), terms(open_house), [open_house.simple.id])


async def test_person_who_has_yet_to_activate_the_account_is_given_a_space_and_no_mail(
    open_house: House, scope_of: ScopeOf
) -> None:
    await open_house.simple.update_from_dict({"state": AccountState.PENDING_ACTIVATION}).save()
    assert told(await grants.grant(scope_of(open_house.principal), terms(open_house), [open_house.simple.id])) == [[]]
    assert await factories.mails() == []


@pytest.mark.parametrize("lost", ["space", "right"])
async def test_nothing_is_given_once_the_space_is_closed_or_the_manager_dismissed_meanwhile(
    open_house: House, scope_of: ScopeOf, lost: str
) -> None:
    async def change(structure: Structure) -> None:
        if lost == "space":
            await OpenSpace.filter(structure=structure).delete()
        else:
            await Attachment.filter(structure=structure, user=open_house.secondary).update(role=Role.SIMPLE_USER)

    act = grants.grant(scope_of(open_house.secondary), terms(open_house), [open_house.simple.id])
    with suppress(SpaceNotOpen, Forbidden):  # as a whole, where the first look comes after the change
        problem = {"space": (SpaceNotOpen, "space"), "right": (Forbidden, "structure_id")}[lost]
        assert told(await overtaken(open_house.structure, act, change)) == [[problem]]
    assert await SpaceSubscription.all().count() == 0
    assert await factories.traces() == (0, 0)


async def test_principal_manager_gives_to_a_secondary_one(open_house: House, scope_of: ScopeOf) -> None:
    other = await factories.person()
    await factories.attachment(other, open_house.structure, role=Role.SECONDARY_MANAGER)
    assert told(await grants.grant(scope_of(open_house.secondary), terms(open_house), [other.id])) == [
        [(Forbidden, "user_ids", "0")]
    ]
    assert told(await grants.grant(scope_of(open_house.principal), terms(open_house), [other.id])) == [[]]
