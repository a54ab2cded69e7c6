"""What support puts right about a structure: its kind, and an identifier that it took wrongly."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.accounts.actors import PlatformRole
from models.attachments.attachments import AttachmentStatus, Role
from models.errors.errors import (
    Forbidden,
    Invalid,
    InvalidIdentifier,
    Missing,
    NotFound,
    PublicBodyIdentifier,
    StructureIdentifierFreed,
    StructureIdentifierTaken,
    TooLong,
)
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure, StructureKind, StructureStatus
from models.subscriptions.spaces import OpenSpace, SpaceCode
from resolvers.scope import Scope
from resolvers.structures import corrections, structures
from resolvers.structures.structures import Particulars
from tests.resolvers.support.mailbox import outcomes, refused
from tests.support import factories

Scopes = Callable[..., Scope]
SIRET, OTHER = IdentifierType.SIRET, IdentifierType.OTHER
MINISTRY, COMPANY = "11000201100044", "73282932000074"
ADDRESS = {"line1": "1 rue A", "postcode": "75001", "city": "Paris", "country": "FR"}


async def support() -> Account:
    return await factories.person(platform_role=PlatformRole.SUPPORT)


async def taken_wrongly() -> tuple[Structure, dict[str, Account]]:
    """A private structure with a ministry's SIRET, and everybody who can be attached to it."""
    people = {name: await factories.person() for name in ("principal", "secondary", "simple", "waiting", "gone")}
    structure = await factories.structure(people["principal"], name="Wrong", identifier_type=SIRET, identifier=MINISTRY)
    await factories.attachment(people["secondary"], structure, role=Role.SECONDARY_MANAGER)
    await factories.attachment(people["simple"], structure)
    await factories.attachment(people["waiting"], structure, status=AttachmentStatus.PENDING)
    await factories.attachment(people["gone"], structure, status=AttachmentStatus.REMOVED)
    return structure, people


@pytest.mark.parametrize("role", [None, PlatformRole.SUPPORT, PlatformRole.ADMIN])
async def test_nobody_takes_a_public_bodys_siret_as_private(
    db: str, scope_of: Scopes, role: PlatformRole | None
) -> None:
    scope = scope_of(await factories.person(platform_role=role))
    for siret in (MINISTRY, "267 500 452 00011"):
        async with refused((PublicBodyIdentifier, "identifier")):
            await structures.create(scope, Particulars(SIRET, siret, ADDRESS, name="Mine"))
    assert await Structure.all().count() == 0


async def test_nobody_adopts_a_public_bodys_structure_that_was_imported_as_private(db: str, scope_of: Scopes) -> None:
    imported = await factories.structure(identifier_type=SIRET, identifier=MINISTRY)
    async with refused((PublicBodyIdentifier, "identifier")):
        await structures.create(scope_of(await factories.person()), Particulars(SIRET, MINISTRY, ADDRESS, name="Mine"))
    await imported.refresh_from_db()
    assert not imported.managed


# ------------------------------------------------------------------ the kind
async def test_support_makes_a_structure_public_and_its_managers_are_told(db: str, scope_of: Scopes) -> None:
    structure, people = await taken_wrongly()
    scope = scope_of(await support())
    await corrections.correct_kind(scope, structure.id, StructureKind.PUBLIC, "a ministry")
    await corrections.correct_kind(scope, structure.id, StructureKind.PUBLIC, "again")  # changes nothing
    await structure.refresh_from_db()
    assert structure.kind is StructureKind.PUBLIC
    event = await Event.get()
    assert (event.type, event.before, event.after) == (
        "StructureKindCorrected",
        {"kind": "PRIVATE"},
        {"kind": "PUBLIC", "reason": "a ministry"},
    )
    told = {people["principal"].contact_email, people["secondary"].contact_email}
    assert {(mail.message, mail.address) for mail in await Mail.all()} == {
        ("structure_kind_corrected", address) for address in told
    }


async def test_structure_made_private_loses_what_only_public_ones_have(db: str, scope_of: Scopes) -> None:
    structure = await factories.structure(
        await factories.person(), kind="PUBLIC", service_code_required=True, engagement_number_required=True
    )
    for code in (SpaceCode.INVOICES_RECEIVED, SpaceCode.COMMITMENTS):
        await OpenSpace.create(structure=structure, space=code)
    await corrections.correct_kind(scope_of(await support()), structure.id, StructureKind.PRIVATE, "a company")
    await structure.refresh_from_db()
    assert (structure.service_code_required, structure.engagement_number_required) == (False, False)
    assert [row.space for row in await OpenSpace.all()] == [SpaceCode.COMMITMENTS]
    assert await factories.event_types() == ["StructureKindCorrected", "SpacesClosed"]


async def test_wrong_corrections_of_the_kind_are_refused(db: str, scope_of: Scopes) -> None:
    structure, people = await taken_wrongly()
    await Structure.filter(id=structure.id).update(kind=StructureKind.PUBLIC)
    helper, private = await support(), StructureKind.PRIVATE
    cases: list[tuple[Account, int, str, Any]] = [
        (people["principal"], structure.id, "because", (Forbidden,)),
        (helper, structure.id, " ", (Missing, "reason")),
        (helper, structure.id, "x" * 256, (TooLong, "reason")),
        (helper, structure.id + 1, "because", (NotFound, "structure_id")),
        (helper, structure.id, "because", (PublicBodyIdentifier, "kind")),
    ]
    for actor, id, reason, problem in cases:
        async with refused(problem):
            await corrections.correct_kind(scope_of(actor), id, private, reason)


# ------------------------------------------------------------------ the identifier
async def test_support_frees_an_identifier_and_the_structure_ends_with_everybody_told(
    db: str, scope_of: Scopes
) -> None:
    structure, people = await taken_wrongly()
    await corrections.free_identifier(scope_of(await support()), structure.id, "a ministry's")
    await structure.refresh_from_db()
    assert (structure.identifier_type, structure.status) == (OTHER, StructureStatus.INACTIVE)
    assert structure.identifier == f"freed {structure.id}"
    events = await Event.all().order_by("id")
    assert [event.type for event in events] == ["StructureIdentifierFreed", "StructureEnded"]
    assert events[0].before == {"identifier_type": "SIRET", "identifier": MINISTRY}
    assert events[0].after["reason"] == "a ministry's"
    told = {people[name].contact_email for name in ("principal", "secondary", "simple", "waiting")}
    assert {(mail.message, mail.address) for mail in await Mail.all()} == {
        ("structure_identifier_freed", address) for address in told
    }


async def test_freed_identifier_is_registered_anew_and_never_by_two(db: str, scope_of: Scopes) -> None:
    structure, _ = await taken_wrongly()
    helper, boss = await support(), await factories.person()
    await corrections.free_identifier(scope_of(helper), structure.id, "a ministry's")
    given = Particulars(SIRET, MINISTRY, ADDRESS, name="Ministère")
    ended = await outcomes([structures.register_public(scope_of(helper), given, boss.id) for _ in range(3)])
    assert sum(isinstance(end, int) for end in ended) == 1
    assert await Structure.filter(identifier_type=SIRET, identifier=MINISTRY).count() == 1


async def test_support_gives_the_structure_another_identifier_and_it_goes_on(db: str, scope_of: Scopes) -> None:
    structure, _ = await taken_wrongly()
    scope = scope_of(await support())
    await corrections.free_identifier(scope, structure.id, "a slip", (SIRET, "732 829 320 00074"))
    await structure.refresh_from_db()
    assert (structure.identifier, structure.status) == (COMPANY, StructureStatus.ACTIVE)
    assert await factories.event_types() == ["StructureIdentifierFreed"]
    assert len(await Mail.all()) == 4


async def test_freed_structure_comes_back_only_under_an_identifier_that_support_gives(
    db: str, scope_of: Scopes
) -> None:
    structure, people = await taken_wrongly()
    scope, boss = scope_of(await support()), scope_of(people["principal"])
    await corrections.free_identifier(scope, structure.id, "a ministry's")
    back = {"status": StructureStatus.ACTIVE}
    async with refused((StructureIdentifierFreed, "status")):
        await structures.update(boss, structure.id, back)
    async with refused((StructureIdentifierFreed, "structure_id")):
        await corrections.free_identifier(scope, structure.id, "again")
    await corrections.free_identifier(scope, structure.id, "found", (SIRET, COMPANY))
    await structures.update(boss, structure.id, back)
    await structure.refresh_from_db()
    assert (structure.identifier, structure.status) == (COMPANY, StructureStatus.ACTIVE)


async def test_wrong_ways_to_free_an_identifier_are_refused(db: str, scope_of: Scopes) -> None:
    structure, people = await taken_wrongly()
    other = await factories.structure(identifier_type=SIRET, identifier=COMPANY)
    helper = await support()
    cases: list[tuple[Account, int, str, Any, list[Any]]] = [
        (people["principal"], structure.id, "because", None, [(Forbidden,)]),
        (helper, structure.id, "", (SIRET, "1"), [(Missing, "reason"), (InvalidIdentifier, "identifier", "value")]),
        (helper, other.id + 1, "because", None, [(NotFound, "structure_id")]),
        (helper, structure.id, "because", (SIRET, MINISTRY), [(Invalid, "identifier", "value")]),
        (helper, other.id, "because", (SIRET, "26750045200011"), [(PublicBodyIdentifier, "identifier", "value")]),
        (helper, structure.id, "because", (SIRET, COMPANY), [(StructureIdentifierTaken, "identifier", "value")]),
    ]
    for actor, id, reason, new, problems in cases:
        async with refused(*problems):
            await corrections.free_identifier(scope_of(actor), id, reason, new)
    await structure.refresh_from_db()
    assert (structure.identifier, structure.is_active) == (MINISTRY, True)


async def test_identifier_freed_while_others_want_it_is_one_structures(db: str, scope_of: Scopes) -> None:
    structure = await factories.structure(await factories.person(), identifier_type=SIRET, identifier=COMPANY)
    helper = scope_of(await support())
    creators = [scope_of(await factories.person()) for _ in range(3)]

    async def create(scope: Scope) -> int:
        await asyncio.sleep(0)
        return await structures.create(scope, Particulars(SIRET, COMPANY, ADDRESS, name="Mine"))

    acts: list[Any] = [corrections.free_identifier(helper, structure.id, "another's"), *map(create, creators)]
    await outcomes(acts)
    assert await Structure.filter(identifier_type=SIRET, identifier=COMPANY).count() <= 1
    await structure.refresh_from_db()
    assert structure.identifier == f"freed {structure.id}"
