"""Structures, services and spaces: who creates, adopts, registers and edits them, and what each refusal leaves."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import (
    DomainError,
    Forbidden,
    NotFound,
    ServiceCodeTaken,
    SpaceForPublicOnly,
    SpaceGivenByDefault,
    StructureAlreadyManaged,
    SuccessorNotEligible,
)
from models.events.events import Event
from models.structures.identifiers import IdentifierType
from models.structures.services import Service
from models.structures.structures import Structure, StructureKind, StructureStatus
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription
from resolvers.scope import Scope
from resolvers.structures import services, structures
from resolvers.structures.structures import Particulars
from resolvers.subscriptions import spaces
from tests.support import factories

Scopes = Callable[..., Scope]
SIRET = "73282932000074"
ADDRESS = {"line1": "1 rue A", "postcode": "75001", "city": "Évry", "country": "fr"}
IMPORTED: dict[str, Any] = {
    "identifier_type": IdentifierType.SIRET,
    "identifier": SIRET,
    "name": "Annuaire",
    "email": "old@a.example",
}


def particulars(**changes: Any) -> Particulars:
    given = {"identifier_type": IdentifierType.SIRET, "identifier": SIRET, "name": "Ma Société"}
    return Particulars(**(given | {"postal_address": ADDRESS} | changes))


def told(error: DomainError) -> list[tuple[str, tuple[str, ...]]]:
    return sorted((type(single).__name__, single.path) for single in error.each())


async def support() -> Account:
    return await factories.person(platform_role=PlatformRole.SUPPORT)


# ------------------------------------------------------------------ creating and adopting
async def test_creator_becomes_principal_manager(db: str, scope_of: Scopes) -> None:
    ada = await factories.person()
    wanted = particulars(identifier="732 829 320 00074", spaces=[SpaceCode.COMMITMENTS, SpaceCode.HOME])
    id = await structures.create(scope_of(ada), wanted)
    made = await Structure.get(id=id)
    assert (made.identifier, made.name) == (SIRET, "Ma Société")
    assert (made.folded_name, made.folded_city, made.country) == ("ma societe", "evry", "FR")
    assert (made.kind, made.status, made.managed) == (StructureKind.PRIVATE, StructureStatus.ACTIVE, True)
    seat = await Attachment.get()
    assert (seat.user_id, seat.role, seat.status) == (ada.id, Role.PRINCIPAL_MANAGER, AttachmentStatus.VALIDATED)
    assert (seat.valid_from, seat.valid_until, seat.decided_by_id) == (date(2027, 3, 15), None, None)
    assert [row.space for row in await OpenSpace.all()] == [SpaceCode.COMMITMENTS]
    subscribed = {row.space for row in await SpaceSubscription.filter(user_id=ada.id)}
    assert subscribed == {"HOME", "MY_ACCOUNT", "INVOICES_ISSUED", "REQUESTS_ISSUED", "MANAGER_ACTIVITIES"}
    assert await factories.event_types() == ["StructureCreated", "SpacesOpened", "AttachmentCreated"]


async def test_individual_is_named_by_first_and_last_name(db: str, scope_of: Scopes) -> None:
    given = particulars(identifier_type=IdentifierType.INDIVIDUAL, name=None, first_name="Léa", last_name="Roy")
    made = await Structure.get(id=await structures.create(scope_of(await factories.person()), given))
    assert (made.name, made.first_name, made.last_name, made.folded_name) == ("Léa Roy", "Léa", "Roy", "lea roy")


async def test_creator_hears_everything_that_is_wrong_at_once(db: str, scope_of: Scopes) -> None:
    given = particulars(
        identifier="123", name=" ", postal_address={**ADDRESS, "postcode": "1", "city": ""}, email="x", phone="y",
        spaces=[SpaceCode.INVOICES_RECEIVED],
    )  # fmt: skip
    with pytest.raises(DomainError) as caught:
        await structures.create(scope_of(await factories.person()), given)
    assert told(caught.value) == [
        ("Invalid", ("email",)),
        ("Invalid", ("phone",)),
        ("Invalid", ("postal_address", "postcode")),
        ("InvalidIdentifier", ("identifier",)),
        ("Missing", ("name",)),
        ("Missing", ("postal_address", "city")),
        ("SpaceForPublicOnly", ("spaces",)),
    ]
    assert await Structure.all().count() == 0
    assert await factories.traces() == (0, 0)


async def test_creator_adopts_an_imported_structure_and_their_request_becomes_the_seat(
    db: str, scope_of: Scopes
) -> None:
    ada = await factories.person()
    imported = await factories.structure(**IMPORTED)
    asked = await factories.attachment(ada, imported, status=AttachmentStatus.PENDING, valid_from=date(2027, 9, 1))
    assert await structures.create(scope_of(ada), particulars()) == imported.id
    adopted, seat = await Structure.get(id=imported.id), await Attachment.get()
    assert (adopted.name, adopted.email, adopted.managed) == ("Ma Société", None, True)
    assert (seat.id, seat.role, seat.status) == (asked.id, Role.PRINCIPAL_MANAGER, AttachmentStatus.VALIDATED)
    assert seat.valid_from == date(2027, 3, 15)
    assert await factories.event_types() == ["StructureAdopted", "AttachmentCreated"]
    event = await Event.get(type="AttachmentCreated")
    assert (event.before["status"], event.after["status"]) == ("PENDING", "VALIDATED")


@pytest.mark.parametrize(
    ("kind", "managed", "refusal"),
    [
        (StructureKind.PRIVATE, True, StructureAlreadyManaged),
        (StructureKind.PUBLIC, True, StructureAlreadyManaged),
        (StructureKind.PUBLIC, False, Forbidden),
    ],
)
async def test_creator_is_refused_what_is_managed_or_public(
    db: str, scope_of: Scopes, kind: StructureKind, managed: bool, refusal: type[DomainError]
) -> None:
    await factories.structure(await factories.person() if managed else None, **IMPORTED, kind=kind)
    with pytest.raises(refusal) as caught:
        await structures.create(scope_of(await factories.person()), particulars())
    assert caught.value.path == ("identifier",)
    assert await factories.traces() == (0, 0)


async def test_creators_of_one_identifier_at_once_are_one_founder(db: str, scope_of: Scopes) -> None:
    people = [await factories.person() for _ in range(8)]
    acts = (structures.create(scope_of(person), particulars()) for person in people)
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["StructureAlreadyManaged"] * 7 + ["int"]
    assert await Structure.all().count() == await Attachment.all().count() == 1


# ------------------------------------------------------------------ registering
async def test_support_registers_an_imported_public_structure(db: str, scope_of: Scopes) -> None:
    helper, boss = await support(), await factories.person()
    imported = await factories.structure(**IMPORTED, kind=StructureKind.PUBLIC)
    given = particulars(flags={"service_code_required": True}, spaces=[SpaceCode.INVOICES_RECEIVED])
    assert await structures.register_public(scope_of(helper), given, boss.id) == imported.id
    made, seat = await Structure.get(), await Attachment.get()
    assert (made.kind, made.managed, made.service_code_required) == (StructureKind.PUBLIC, True, True)
    assert (seat.user_id, seat.role) == (boss.id, Role.PRINCIPAL_MANAGER)
    assert await factories.mails() == [("structure_registered", boss.contact_email)]
    assert await factories.event_types() == ["PublicStructureRegistered", "SpacesOpened", "AttachmentCreated"]


async def test_others_than_support_register_nothing(db: str, scope_of: Scopes) -> None:
    boss = await factories.person()
    with pytest.raises(Forbidden):
        await structures.register_public(scope_of(boss), particulars(), boss.id)
    assert await Structure.all().count() == 0


async def test_support_names_somebody_who_can_act(db: str, scope_of: Scopes) -> None:
    helper, gone = await support(), await factories.person(state=AccountState.SUSPENDED)
    for id, refusal in ((gone.id, SuccessorNotEligible), (gone.id + 99, NotFound)):
        with pytest.raises(refusal) as caught:
            await structures.register_public(scope_of(helper), particulars(), id)
        assert caught.value.path == ("principal_manager_id",)
    assert await Structure.all().count() == 0
    assert await factories.traces() == (0, 0)


# ------------------------------------------------------------------ editing
async def test_manager_changes_what_is_sent_and_the_event_tells_only_that(db: str, scope_of: Scopes) -> None:
    ada = await factories.person()
    made = await factories.structure(ada, name="Avant", email="a@b.example", phone="0102030405")
    await structures.update(scope_of(ada), made.id, {"name": " Après ", "email": None, "phone": "01 02 03 04 05"})
    await made.refresh_from_db()
    assert (made.name, made.folded_name, made.email, made.phone) == ("Après", "apres", None, "0102030405")
    event = await Event.get()
    assert (event.before, event.after) == (
        {"name": "Avant", "email": "a@b.example"},
        {"name": "Après", "email": None},
    )
    await structures.update(scope_of(ada), made.id, {"name": "Après", "postal_address": {**ADDRESS, "city": "Évry"}})
    await structures.update(scope_of(ada), made.id, {"name": "Après"})
    assert await factories.event_types() == ["StructureUpdated", "StructureUpdated"]


@pytest.mark.parametrize(
    ("changes", "refusals"),
    [
        (
            {"name": None, "postal_address": {**ADDRESS, "line1": " "}},
            [("Missing", ("name",)), ("Missing", ("postal_address", "line1"))],
        ),
        (
            {"status": None, "service_code_required": None},
            [("Missing", ("service_code_required",)), ("Missing", ("status",))],
        ),
        (
            {"service_code_required": True, "email": "x"},
            [("Invalid", ("email",)), ("Invalid", ("service_code_required",))],
        ),
        (
            {"postal_address": None},
            [("Missing", ("postal_address", part)) for part in ("city", "country", "line1", "postcode")],
        ),
    ],
)
async def test_manager_hears_everything_wrong_with_changes(
    db: str, scope_of: Scopes, changes: dict[str, Any], refusals: list[tuple[str, tuple[str, ...]]]
) -> None:
    ada = await factories.person()
    made = await factories.structure(ada)
    with pytest.raises(DomainError) as caught:
        await structures.update(scope_of(ada), made.id, changes)
    assert told(caught.value) == refusals
    assert await factories.traces() == (0, 0)


async def test_principal_manager_ends_and_revives_and_everyone_else_there_is_told(db: str, scope_of: Scopes) -> None:
    ada, bob, later = [await factories.person() for _ in range(3)]
    gone = await factories.person(state=AccountState.SUSPENDED)
    made = await factories.structure(ada)
    for person, since in ((bob, date(2026, 1, 5)), (later, date(2028, 1, 1)), (gone, date(2026, 1, 5))):
        await factories.attachment(person, made, valid_from=since)
    await structures.update(scope_of(ada), made.id, {"status": StructureStatus.INACTIVE})
    assert await factories.mails() == [("structure_ended", bob.contact_email)]
    await structures.update(scope_of(ada), made.id, {"status": StructureStatus.INACTIVE})
    await structures.update(scope_of(ada), made.id, {"status": StructureStatus.ACTIVE})
    assert await factories.event_types() == ["StructureEnded", "StructureRevived"]
    assert len(await factories.mails()) == 1


async def test_secondary_manager_edits_but_does_not_end(db: str, scope_of: Scopes) -> None:
    ada, bob = await factories.person(), await factories.person()
    made = await factories.structure(ada)
    await factories.attachment(bob, made, role=Role.SECONDARY_MANAGER)
    with pytest.raises(Forbidden) as caught:
        await structures.update(scope_of(bob), made.id, {"name": "Neuf", "status": StructureStatus.INACTIVE})
    assert caught.value.path == ("status",)
    await made.refresh_from_db()
    assert made.name != "Neuf"
    assert await factories.traces() == (0, 0)
    await structures.update(scope_of(bob), made.id, {"name": "Neuf", "status": StructureStatus.ACTIVE})
    assert await factories.event_types() == ["StructureUpdated"]


# ------------------------------------------------------------------ services and spaces
async def test_manager_saves_services(db: str, scope_of: Scopes) -> None:
    ada = await factories.person()
    made, other = await factories.structure(ada), await factories.structure(ada)
    first = await services.save(scope_of(ada), made.id, None, {"code": " FAC ", "name": "Factures"})
    second = await services.save(scope_of(ada), made.id, None, {"code": "DIR", "name": "Direction"})
    await services.save(scope_of(ada), other.id, None, {"code": "FAC", "name": "Factures"})
    changed = {"code": "FAC", "name": "Facturation", "active": False, "valid_from": date(2027, 1, 1)}
    assert await services.save(scope_of(ada), made.id, first, changed) == first
    assert await services.save(scope_of(ada), made.id, first, changed) == first
    row = await Service.get(id=first)
    assert (row.code, row.name, row.active, row.valid_from) == ("FAC", "Facturation", False, date(2027, 1, 1))
    assert await factories.event_types() == ["ServiceSaved"] * 4
    with pytest.raises(ServiceCodeTaken) as taken:
        await services.save(scope_of(ada), made.id, second, {"code": "FAC", "name": "Direction"})
    assert taken.value.path == ("code",)
    with pytest.raises(ServiceCodeTaken) as like:
        await services.save(scope_of(ada), made.id, None, {"code": "fac", "name": "Factures"})
    assert like.value.path == ("code",)
    with pytest.raises(NotFound) as elsewhere:
        await services.save(scope_of(ada), other.id, first, changed)
    assert elsewhere.value.path == ("id",)
    backwards = {"code": "", "name": "", "valid_from": date(2027, 2, 1), "valid_until": date(2027, 1, 1)}
    with pytest.raises(DomainError) as wrong:
        await services.save(scope_of(ada), made.id, None, backwards)
    assert told(wrong.value) == [("Invalid", ("valid_until",)), ("Missing", ("code",)), ("Missing", ("name",))]
    assert len(await factories.event_types()) == 4


async def test_manager_opens_and_closes_spaces(db: str, scope_of: Scopes) -> None:
    ada = await factories.person()
    made = await factories.structure(ada)
    await spaces.open_some(scope_of(ada), made.id, [SpaceCode.COMMITMENTS, SpaceCode.COMMITMENTS, SpaceCode.HOME])
    await spaces.open_some(scope_of(ada), made.id, [SpaceCode.COMMITMENTS, SpaceCode.HOME])
    assert [row.space for row in await OpenSpace.all()] == [SpaceCode.COMMITMENTS]
    with pytest.raises(SpaceForPublicOnly):
        await spaces.open_some(scope_of(ada), made.id, [SpaceCode.LEGAL_FEES, SpaceCode.INVOICES_RECEIVED])
    with pytest.raises(SpaceGivenByDefault):
        await spaces.close_some(scope_of(ada), made.id, [SpaceCode.COMMITMENTS, SpaceCode.HOME])
    await spaces.close_some(scope_of(ada), made.id, [SpaceCode.COMMITMENTS, SpaceCode.LEGAL_FEES])
    await spaces.close_some(scope_of(ada), made.id, [SpaceCode.COMMITMENTS])
    assert await OpenSpace.all().count() == 0
    assert await factories.event_types() == ["SpacesOpened", "SpacesClosed"]


async def test_others_than_managers_edit_nothing(db: str, scope_of: Scopes) -> None:
    made = await factories.structure(await factories.person())
    user, past = await factories.person(), await factories.person()
    await factories.attachment(user, made)
    await factories.attachment(past, made, role=Role.SECONDARY_MANAGER, valid_until=date(2027, 3, 14))
    for person in (user, past, await factories.person(), await support()):
        scope = scope_of(person)
        for act in (
            lambda scope=scope: structures.update(scope, made.id, {"name": "X"}),
            lambda scope=scope: services.save(scope, made.id, None, {"code": "A", "name": "B"}),
            lambda scope=scope: spaces.open_some(scope, made.id, [SpaceCode.COMMITMENTS]),
            lambda scope=scope: spaces.close_some(scope, made.id, [SpaceCode.COMMITMENTS]),
        ):
            with pytest.raises(Forbidden):
                await act()
    assert await factories.traces() == (0, 0)


async def test_anyone_is_told_that_an_unknown_structure_does_not_exist(db: str, scope_of: Scopes) -> None:
    scope = scope_of(await factories.person())
    with pytest.raises(NotFound) as updated:
        await structures.update(scope, 99, {"name": "X"})
    with pytest.raises(NotFound) as opened:
        await spaces.open_some(scope, 99, [])
    assert (updated.value.path, opened.value.path) == (("id",), ("structure_id",))
