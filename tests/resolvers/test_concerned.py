"""Whom an activity concerns: the rule of DOMAIN 7 in plain Python, against the database's, on random worlds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.accounts.accounts import Account, AccountState
from models.activities import activities as rows
from models.activities.activities import Activity
from models.attachments.attachments import AttachmentService, AttachmentStatus, Role
from models.db.query import Page, Selection
from models.structures.services import Service
from models.structures.structures import StructureStatus
from models.subscriptions import spaces
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus, SubscriptionService
from resolvers.activities import activities
from resolvers.scope import Scope
from tests.support import factories

TODAY = date(2027, 3, 15)
SERVICES = (0, 1)
PLACES = (SpaceCode.HOME, SpaceCode.COMMITMENTS)
STATES = (
    AccountState.ACTIVE, AccountState.DEACTIVATED, AccountState.CLOSED, AccountState.SUSPENDED,
    AccountState.PENDING_ACTIVATION,
)  # fmt: skip
days = st.sampled_from([-2, -1, 0, 1, 2])
# What gives rights comes up most: a world where nobody sees anything tells little.
status = st.sampled_from([AttachmentStatus.VALIDATED] * 20 + list(AttachmentStatus))
subscribed = st.sampled_from([SpaceSubscriptionStatus.VALIDATED] * 8 + list(SpaceSubscriptionStatus))
role = st.sampled_from([Role.SIMPLE_USER] * 5 + [Role.SECONDARY_MANAGER])


@dataclass(frozen=True)
class Subscribed:
    """One subscription: where it stands, since when (in days from today), for which services."""

    status: SpaceSubscriptionStatus
    since: int
    services: frozenset[int]


@dataclass(frozen=True)
class Attached:
    """One person's attachment to the structure, and their subscriptions there."""

    state: AccountState
    status: AttachmentStatus
    role: Role
    since: int
    lasts: int | None
    services: frozenset[int]
    subscriptions: dict[SpaceCode, Subscribed]


@dataclass(frozen=True)
class World:
    """One structure, and who is attached to it in which way."""

    inactive: bool
    opened: frozenset[SpaceCode]
    people: list[Attached]


some_services = st.frozensets(st.sampled_from(SERVICES))
worlds = st.builds(
    World,
    inactive=st.booleans(),
    opened=st.frozensets(st.just(SpaceCode.COMMITMENTS)),
    people=st.lists(
        st.builds(
            Attached,
            state=st.sampled_from([AccountState.ACTIVE] * 20 + list(STATES)),
            status=status,
            role=role,
            since=days,
            lasts=st.none() | st.integers(0, 4),
            services=some_services,
            subscriptions=st.dictionaries(
                st.sampled_from(PLACES), st.builds(Subscribed, status=subscribed, since=days, services=some_services)
            ),
        ),
        min_size=1,
        max_size=4,
    ),
)


def concerns(world: World, person: Attached, service: int | None, space: SpaceCode | None) -> bool:
    """Does an activity of this service and space concern the person today?"""
    if person.state is not AccountState.ACTIVE or person.status is not AttachmentStatus.VALIDATED:
        return False
    if person.since > 0 or (person.lasts is not None and person.since + person.lasts < 0):
        return False
    if person.role is not Role.SIMPLE_USER:
        return True
    entitled = service is None or service in person.services
    return entitled and (space is None or is_open(world, person.subscriptions.get(space), service, space))


def is_open(world: World, subscription: Subscribed | None, service: int | None, space: SpaceCode) -> bool:
    """Does the subscription, where there is one, open the space for this service today?"""
    if subscription is None or subscription.status is not SpaceSubscriptionStatus.VALIDATED or subscription.since > 0:
        return False
    if space not in spaces.DEFAULTS and space not in world.opened:
        return False
    return not subscription.services or service in subscription.services


async def made(world: World) -> tuple[list[Account], dict[int, tuple[int | None, SpaceCode | None]]]:
    """The world in the tables: its people, and an activity of every service and space or none, by id."""
    structure = await factories.structure(status=StructureStatus.INACTIVE if world.inactive else StructureStatus.ACTIVE)
    services = [await Service.create(structure=structure, code=f"S{n}", name=f"Service {n}") for n in SERVICES]
    for code in world.opened:
        await OpenSpace.create(structure=structure, space=code)
    people = [await _attached(structure, services, person) for person in world.people]
    by = await factories.integration()
    made: dict[int, tuple[int | None, SpaceCode | None]] = {}
    for service, space in product((None, *SERVICES), (None, *PLACES)):
        chosen = None if service is None else services[service]
        activity = await factories.activity(structure, by, service=chosen, space=space)
        made[activity.id] = (service, space)
    return people, made


async def _attached(structure: Any, services: list[Service], given: Attached) -> Account:
    left = factories.LONG_AGO if given.state is AccountState.DEACTIVATED else None
    person = await factories.person(state=given.state, deactivated_at=left)
    since = TODAY + timedelta(days=given.since)
    simple = given.status in {AttachmentStatus.PENDING, AttachmentStatus.REFUSED}
    attachment = await factories.attachment(
        person, structure, status=given.status, role=Role.SIMPLE_USER if simple else given.role, valid_from=since,
        valid_until=None if given.lasts is None else since + timedelta(days=given.lasts),
    )  # fmt: skip
    for service in given.services:
        await AttachmentService.create(attachment=attachment, service=services[service])
    for space, subscription in given.subscriptions.items():
        row = await SpaceSubscription.create(
            user=person, structure=structure, space=space, status=subscription.status,
            effective_from=TODAY + timedelta(days=subscription.since), requested_at=factories.LONG_AGO,
        )  # fmt: skip
        for service in subscription.services:
            await SubscriptionService.create(subscription=row, service=services[service])
    return person


async def seen_by(scope: Scope) -> set[int]:
    """The ids of the activities that the viewer's list shows."""
    viewer = scope.signed_in().account_id
    page, whole = Page(size=100), Selection(frozenset({"id"}), total_count=True)
    (slice,) = await activities.of_accounts(scope, [viewer], page, False, whole)
    assert slice.total_count == len(slice.rows)
    return {row.id for row in slice.rows}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=worlds)
async def test_an_activity_concerns_whom_the_rule_says(db: str, scope_of: Callable[..., Scope], world: World) -> None:
    people, made_activities = await made(world)
    expected = {
        account.id: {id for id, place in made_activities.items() if concerns(world, person, *place)}
        for account, person in zip(people, world.people, strict=True)
    }
    assert {account.id: await seen_by(scope_of(account)) for account in people} == expected
    assert await rows.concerned(made_activities.keys(), TODAY) == {
        id: {account.id for account in people if id in expected[account.id]} for id in made_activities
    }
    for account in people:
        found = await activities.visible(scope_of(account), list(made_activities), Selection())
        assert {row.id for row in found if row is not None} == expected[account.id]


async def test_an_activity_of_no_structure_of_theirs_concerns_nobody(db: str, scope_of: Callable[..., Scope]) -> None:
    ada, helper = await factories.person(), await factories.person(platform_role="SUPPORT")
    await factories.structure(ada)
    activity = await factories.activity(await factories.structure(), await factories.integration())
    assert await rows.concerned([activity.id], TODAY) == {activity.id: set()}
    assert await rows.concerned([], TODAY) == {}
    for viewer in (ada, helper):
        assert await seen_by(scope_of(viewer)) == set()


async def test_what_was_recorded_before_somebody_came_is_shown_to_them(db: str, scope_of: Callable[..., Scope]) -> None:
    structure, lea = await factories.structure(), await factories.person()
    activity = await factories.activity(structure, await factories.integration())
    await factories.attachment(lea, structure, valid_from=TODAY)
    assert await Activity.filter(occurred_at__lt=factories.LONG_AGO + timedelta(days=1)).count() == 1
    assert await seen_by(scope_of(lea)) == {activity.id}
