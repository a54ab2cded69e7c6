"""Activities: recorded once by integrations whatever is repeated, acknowledged once by each whom they concern."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.accounts.actors import Integration
from models.activities.activities import Acknowledgement, Activity, ActivityKind
from models.activities.api_keys import ApiKey
from models.attachments.attachments import Attachment, AttachmentStatus
from models.db.query import Page, Selection
from models.errors.errors import (
    AcknowledgementNotAsked,
    ActivityKeyTaken,
    Forbidden,
    Invalid,
    InvalidIdentifier,
    Missing,
    NotFound,
    TooLong,
    TooMany,
    Unauthenticated,
)
from models.events.events import Event
from models.structures.identifiers import IdentifierType
from models.structures.services import Service
from models.structures.structures import StructureStatus
from models.subscriptions.spaces import SpaceCode
from resolvers.activities import activities
from resolvers.activities.activities import Done, NewActivity
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.crowds import MANY, ScopeOf, kinds, together
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import refused
from tests.support import factories, invariants

LATELY = datetime(2027, 3, 14, 8, 30, tzinfo=UTC)
SIRET = "73282932000074"


def new(key: str = "1", **changes: Any) -> NewActivity:
    """An event on the structure of the SIRET, unless said otherwise."""
    values: dict[str, Any] = {
        "key": key, "identifier_type": IdentifierType.SIRET, "identifier": SIRET, "kind": ActivityKind.EVENT,
        "title": "Facture 7 reçue", "occurred_at": LATELY,
    } | changes  # fmt: skip
    return NewActivity(**values)


@pytest.fixture
async def by(db: str) -> Integration:
    """An integration, beside the one structure that `new` names, which has the services S1 and OLD."""
    structure = await factories.structure(identifier_type="SIRET", identifier=SIRET)
    await Service.create(structure=structure, code="S1", name="Service")
    await Service.create(structure=structure, code="OLD", name="Closed", active=False)
    other = await factories.structure()
    await Service.create(structure=other, code="S2", name="Of another structure")
    return await factories.integration("erp")


@pytest.fixture
def outside(by: Integration, scope_of: ScopeOf) -> Scope:
    """The scope of an operation of the integration."""
    scope = scope_of()
    scope.integration = by
    return scope


def told(done: Done) -> list[tuple[type[Exception], ...]]:
    return [(type(error), *error.path) for error in done.errors]  # type: ignore[arg-type]


# ------------------------------------------------------------------ recording
async def test_integration_records_activities_each_with_its_event(
    outside: Scope, by: Integration, clock: Clock
) -> None:
    full = new("2", service_code=" S1 ", space=SpaceCode.INVOICES_ISSUED, url="https://portal.example/7",
               kind=ActivityKind.INVOICE_PROGRESS, requires_acknowledgement=True,
               occurred_at=datetime(2027, 3, 14, 9, 30, tzinfo=timezone(timedelta(hours=1))))  # fmt: skip
    done = await activities.record(outside, [new(identifier=" 732 829 320 00074"), full])
    rows = await Activity.all().order_by("id").prefetch_related("structure", "service")
    assert (done.ids, done.errors) == ([row.id for row in rows], [])
    first, second = rows
    assert (first.key, first.structure.identifier, first.service, first.space, first.url) == (
        "1",
        SIRET,
        None,
        None,
        None,
    )
    assert (first.kind, first.title, first.requires_acknowledgement) == (ActivityKind.EVENT, "Facture 7 reçue", False)
    assert second.service is not None
    assert (second.service.code, second.space, second.url, second.requires_acknowledgement) == (
        "S1", SpaceCode.INVOICES_ISSUED, "https://portal.example/7", True
    )  # fmt: skip
    assert {(row.occurred_at, row.recorded_at, row.api_key_id) for row in rows} == {(LATELY, clock.now, by.key_id)}
    events = await Event.all().order_by("id")
    assert [(event.type, event.activity_id, event.structure_id) for event in events] == [  # type: ignore[attr-defined]
        ("ActivityRecorded", row.id, row.structure_id) for row in rows
    ]
    assert {(event.actor_id, event.subject_id) for event in events} == {(None, None)}
    assert events[0].after == {"kind": "EVENT", "title": "Facture 7 reçue", "integration": "erp"}
    assert await factories.mails() == []
    await invariants.check(clock.now)


async def test_a_rejected_invoice_always_asks_to_be_acknowledged(outside: Scope) -> None:
    await activities.record(outside, [new(kind=ActivityKind.INVOICE_REJECTED, requires_acknowledgement=False)])
    assert (await Activity.get()).requires_acknowledgement is True


async def test_integration_records_for_services_and_structures_that_have_ended(outside: Scope) -> None:
    await factories.structure(identifier="ENDED", status=StructureStatus.INACTIVE)
    ended = new("2", identifier_type=IdentifierType.OTHER, identifier="ended")
    done = await activities.record(outside, [new(service_code="OLD"), ended])
    assert (len(done.ids), done.errors) == (2, [])


async def test_what_comes_again_is_stored_once_and_not_counted(outside: Scope) -> None:
    first = await activities.record(outside, [new("1"), new("1"), new("2", service_code="S1")])
    before = await factories.traces()
    again = await activities.record(outside, [new("2", service_code="S1"), new("1", title=" Facture 7 reçue ")])
    assert (len(first.ids), first.errors, again.ids, again.errors) == (2, [], [], [])
    assert (await Activity.all().count(), await factories.traces()) == (2, before)


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Another"}, {"kind": ActivityKind.INVOICE_PROGRESS}, {"service_code": "S1"}, {"space": SpaceCode.HOME},
        {"url": "https://portal.example/"}, {"occurred_at": LATELY + timedelta(microseconds=1)},
        {"requires_acknowledgement": True},
    ],
)  # fmt: skip
async def test_a_key_names_one_activity_for_good(outside: Scope, changes: dict[str, Any]) -> None:
    await activities.record(outside, [new("1")])
    before = await Activity.all().values(), await factories.traces()
    done = await activities.record(outside, [new("1", **changes)])
    assert (done.ids, told(done)) == ([], [(ActivityKeyTaken, "0", "key")])
    assert (await Activity.all().values(), await factories.traces()) == before
    both = await activities.record(outside, [new("1"), new("2"), new("2", **changes)])
    assert (len(both.ids), told(both)) == (1, [(ActivityKeyTaken, "2", "key")])


async def test_keys_of_two_integrations_and_of_other_cases_are_apart(outside: Scope, scope_of: ScopeOf) -> None:
    other = scope_of()
    other.integration = await factories.integration()
    assert len((await activities.record(outside, [new("a"), new("A"), new(" a"), new("e\u0301"), new("é")])).ids) == 5
    assert len((await activities.record(other, [new("a")])).ids) == 1


async def test_one_bad_activity_is_refused_by_its_place_and_undoes_no_other(outside: Scope, clock: Clock) -> None:
    done = await activities.record(
        outside,
        [
            new("good"),
            new("", identifier="12345678912345", title=" ", url="ftp://x/", occurred_at=datetime(2027, 3, 1)),  # noqa: DTZ001
            new("x" * 201, identifier=" ", title="a\nb", service_code="x" * 51, url="https://a.example/" + "x" * 2048),
            new("3", identifier="11000201100044", service_code="S1"),
            new("4", service_code="S2"),
            new("5", title="x" * 256, occurred_at=clock.now + timedelta(days=2)),
            new("better"),
        ],
    )
    assert told(done) == [
        (Missing, "1", "key"),
        (InvalidIdentifier, "1", "structure_identifier", "value"),
        (Missing, "1", "title"),
        (Invalid, "1", "url"),
        (Invalid, "1", "occurred_at"),
        (TooLong, "2", "key"),
        (Missing, "2", "structure_identifier", "value"),
        (TooLong, "2", "service_code"),
        (Invalid, "2", "title"),
        (TooLong, "2", "url"),
        (NotFound, "3", "structure_identifier"),
        (NotFound, "4", "service_code"),
        (TooLong, "5", "title"),
        (Invalid, "5", "occurred_at"),
    ]
    assert [row.key for row in await Activity.filter(id__in=done.ids).order_by("id")] == ["good", "better"]
    assert await Activity.all().count() == 2
    assert await factories.event_types() == ["ActivityRecorded"] * 2


async def test_a_key_that_was_only_refused_is_free(outside: Scope) -> None:
    done = await activities.record(outside, [new("1", title=""), new("1")])
    assert (len(done.ids), told(done)) == (1, [(Missing, "0", "title")])


async def test_five_hundred_are_recorded_at_once_and_one_more_is_too_many(outside: Scope) -> None:
    many = [new(str(n)) for n in range(501)]
    async with refused((TooMany,)):
        await activities.record(outside, many)
    assert await Activity.all().count() == 0
    assert len((await activities.record(outside, many[:500])).ids) == 500
    done = await activities.record(outside, [])
    assert (done.ids, done.errors) == ([], [])


async def test_a_person_records_nothing_and_nobody_even_less(by: Integration, scope_of: ScopeOf) -> None:
    async with refused((Forbidden,)):
        await activities.record(scope_of(await factories.person(platform_role="ADMIN")), [new()])
    with pytest.raises(Unauthenticated):
        await activities.record(scope_of(), [new()])
    assert await Activity.all().count() == 0


async def test_a_key_revoked_while_its_call_waits_records_nothing(outside: Scope, clock: Clock) -> None:
    await ApiKey.all().update(revoked_at=clock.now)
    with pytest.raises(Unauthenticated):
        await activities.record(outside, [new()])
    assert (await Activity.all().count(), await factories.traces()) == (0, (0, 0))


async def test_fifty_identical_calls_at_once_store_each_activity_once(
    by: Integration, scope_of: ScopeOf, clock: Clock
) -> None:
    def call(turned: bool) -> Any:
        scope = scope_of()
        scope.integration = by
        given = [new(str(n)) for n in range(10)]
        return activities.record(scope, given[::-1] if turned else given)

    answers = await together(call(n % 2 == 1) for n in range(MANY))
    assert kinds(answers) == {"done": MANY}
    assert sorted(len(answer.ids) for answer in answers if isinstance(answer, Done)) == [0] * (MANY - 1) + [10]
    assert await Activity.all().count() == 10
    assert await factories.event_types() == ["ActivityRecorded"] * 10
    await invariants.check(clock.now)


# ------------------------------------------------------------------ acknowledging
@pytest.fixture
async def reports(house: House) -> dict[str, Activity]:
    """Activities of the house: one that asks to be acknowledged, one that doesn't, and one of another structure."""
    by = await factories.integration()
    return {
        "asks": await factories.activity(house.structure, by, kind=ActivityKind.INVOICE_REJECTED, requires_acknowledgement=True),
        "silent": await factories.activity(house.structure, by),
        "foreign": await factories.activity(await factories.structure(), by, requires_acknowledgement=True),
    }  # fmt: skip


async def test_person_acknowledges_once_whatever_is_repeated(
    house: House, reports: dict[str, Activity], scope_of: ScopeOf, clock: Clock
) -> None:
    asks = reports["asks"].id
    done = await activities.acknowledge(scope_of(house.simple), [asks, asks])
    assert (done.ids, done.errors) == ([asks, asks], [])
    row = await Acknowledgement.get()
    assert (row.activity_id, row.user_id, row.at) == (asks, house.simple.id, clock.now)
    event = await Event.get()
    assert (event.type, event.actor_id, event.subject_id, event.structure_id, event.activity_id, event.after) == (  # type: ignore[attr-defined]
        "ActivityAcknowledged", house.simple.id, house.simple.id, house.structure.id, asks, {"kind": "INVOICE_REJECTED"}
    )  # fmt: skip
    at = clock.now
    clock.advance(days=1)
    again = await activities.acknowledge(scope_of(house.simple), [asks])
    assert (again.ids, again.errors, (await Acknowledgement.get()).at) == ([asks], [], at)
    assert await factories.event_types() == ["ActivityAcknowledged"]
    await activities.acknowledge(scope_of(house.principal), [asks])
    assert await Acknowledgement.all().count() == 2
    await invariants.check(clock.now)


async def test_wrong_ids_are_refused_by_their_places_and_undo_no_other(
    house: House, reports: dict[str, Activity], scope_of: ScopeOf
) -> None:
    ids = [reports["foreign"].id, reports["asks"].id, None, reports["silent"].id, 999_999]
    done = await activities.acknowledge(scope_of(house.simple), ids)
    assert done.ids == [reports["asks"].id]
    assert told(done) == [
        (NotFound, "ids", "0"), (NotFound, "ids", "2"), (AcknowledgementNotAsked, "ids", "3"), (NotFound, "ids", "4")
    ]  # fmt: skip
    assert await factories.event_types() == ["ActivityAcknowledged"]


async def test_nothing_of_what_is_refused_is_stored(
    house: House, reports: dict[str, Activity], scope_of: ScopeOf
) -> None:
    await activities.acknowledge(scope_of(house.simple), [reports["silent"].id, reports["foreign"].id])
    async with refused((TooMany, "ids")):
        await activities.acknowledge(scope_of(house.simple), [reports["asks"].id] * 101)
    with pytest.raises(Unauthenticated):
        await activities.acknowledge(scope_of(), [reports["asks"].id])
    assert (await Acknowledgement.all().count(), await factories.traces()) == (0, (0, 0))


async def test_whoever_has_left_acknowledges_nothing(
    house: House, reports: dict[str, Activity], scope_of: ScopeOf
) -> None:
    await Attachment.filter(user=house.simple).update(status=AttachmentStatus.REMOVED)
    done = await activities.acknowledge(scope_of(house.simple), [reports["asks"].id])
    assert (done.ids, told(done)) == ([], [(NotFound, "ids", "0")])
    assert await Acknowledgement.all().count() == 0


async def test_fifty_acknowledgements_at_once_are_one(
    house: House, reports: dict[str, Activity], scope_of: ScopeOf
) -> None:
    asks = reports["asks"].id
    answers = await together(activities.acknowledge(scope_of(house.simple), [asks]) for _ in range(MANY))
    assert [answer.ids for answer in answers if isinstance(answer, Done)] == [[asks]] * MANY
    assert await Acknowledgement.all().count() == 1
    assert await factories.event_types() == ["ActivityAcknowledged"]


# ------------------------------------------------------------------ reading
async def listed(scope: Scope, account: Account, *, unacknowledged_only: bool = False) -> tuple[list[int], int | None]:
    selection = Selection(frozenset({"id"}), total_count=True)
    (slice,) = await activities.of_accounts(scope, [account.id], Page(size=50), unacknowledged_only, selection)
    return [row.id for row in slice.rows], slice.total_count


async def test_what_is_acknowledged_leaves_the_list_of_what_is_not_for_that_person_alone(
    house: House, reports: dict[str, Activity], scope_of: ScopeOf
) -> None:
    asks, silent = reports["asks"].id, reports["silent"].id
    assert await listed(scope_of(house.simple), house.simple) == ([silent, asks], 2)
    assert await listed(scope_of(house.simple), house.simple, unacknowledged_only=True) == ([asks], 1)
    await activities.acknowledge(scope_of(house.simple), [asks])
    assert await listed(scope_of(house.simple), house.simple) == ([silent, asks], 2)
    assert await listed(scope_of(house.simple), house.simple, unacknowledged_only=True) == ([], 0)
    assert await listed(scope_of(house.principal), house.principal, unacknowledged_only=True) == ([asks], 1)


async def test_nobody_reads_anothers_list(house: House, reports: dict[str, Activity], scope_of: ScopeOf) -> None:
    assert await listed(scope_of(house.simple), house.principal) == ([], None)
