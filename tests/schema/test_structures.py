"""Structures through the public schema: what a search shows, to whom, and how refusals read."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.attachments.attachments import AttachmentStatus, Role
from models.structures.services import Service
from models.subscriptions.spaces import OpenSpace, SpaceCode
from resolvers.scope import Scope
from schema import schema
from schema.base import ids
from schema.base.context import Context
from tests.schema.conftest import Ask
from tests.support import factories

SEARCH = """query ($search: StructureSearch!, $first: Int, $after: String) {
  structures(search: $search, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node {
      name viewerAttachment { status role } principalManager { displayName }
      openSpaces { code label } services { code }
      postalAddress { city } attachments { totalCount } history { totalCount }
      successorCandidates { totalCount } } } } }"""
UPDATE = """mutation ($input: UpdateStructureInput!) { updateStructure(input: $input) {
  structure { name email } errors { code path message } } }"""
SERVICE = """mutation ($input: SaveServiceInput!) { saveService(input: $input) {
  service { id code active validUntil } errors { code path } } }"""
REGISTER = """mutation ($input: RegisterPublicStructureInput!) { registerPublicStructure(input: $input) {
  structure { kind serviceCodeRequired principalManager { displayName } } errors { code path message } } }"""
ADDRESS = {"line1": "1 rue A", "postcode": "75001", "city": "Paris", "country": "FR"}


async def test_searcher_sees_whether_they_are_attached_and_managers_see_more(ask: Ask) -> None:
    ada, bob, lea = [await factories.person() for _ in range(3)]
    first, second = await factories.structure(ada, name="Eau A"), await factories.structure(bob, name="Eau B")
    await factories.structure(name="Eau C", line1=None)
    await factories.attachment(bob, first, status=AttachmentStatus.PENDING)
    await factories.attachment(lea, second, role=Role.SECONDARY_MANAGER)
    await OpenSpace.create(structure=second, space=SpaceCode.COMMITMENTS)
    for code, until in (("B", None), ("A", date(2027, 3, 15)), ("OLD", date(2027, 3, 14))):
        await Service.create(structure=first, code=code, name=code, valid_until=until)
    found = (await ask(SEARCH, bob, search={"name": "EAU"}))["structures"]
    assert found["totalCount"] == 3
    nodes = [edge["node"] for edge in found["edges"]]
    assert [node["name"] for node in nodes] == ["Eau A", "Eau B", "Eau C"]
    assert [node["viewerAttachment"] for node in nodes] == [
        {"status": "PENDING", "role": "SIMPLE_USER"}, {"status": "VALIDATED", "role": "PRINCIPAL_MANAGER"}, None
    ]  # fmt: skip
    assert [node["principalManager"] for node in nodes] == [
        {"displayName": ada.display_name}, {"displayName": bob.display_name}, None
    ]  # fmt: skip
    assert [[service["code"] for service in node["services"]] for node in nodes] == [["A", "B"], [], []]
    assert [len(node["openSpaces"]) for node in nodes] == [5, 6, 5]
    assert nodes[1]["openSpaces"][-1] == {"code": "COMMITMENTS", "label": "Commitments"}
    assert [node["postalAddress"] for node in nodes] == [{"city": "Paris"}, {"city": "Paris"}, None]
    assert [node["attachments"] for node in nodes] == [None, {"totalCount": 2}, None]
    assert [node["history"] for node in nodes] == [None, {"totalCount": 0}, None]
    assert [node["successorCandidates"] for node in nodes] == [None, {"totalCount": 1}, None]


async def test_searcher_walks_the_pages(ask: Ask) -> None:
    ada = await factories.person()
    for name in "CABED":
        await factories.structure(name=f"Nom {name}")
    seen: list[str] = []
    after: str | None = None
    for _ in range(3):
        found = (await ask(SEARCH, ada, search={"name": "nom"}, first=2, after=after))["structures"]
        seen += [edge["node"]["name"][-1] for edge in found["edges"]]
        after = found["pageInfo"]["endCursor"]
    assert ("".join(seen), found["pageInfo"]["hasNextPage"]) == ("ABCDE", False)


@pytest.mark.parametrize(
    ("document", "name", "path"),
    [
        ("{ structures(search: {}) { totalCount } }", "Invalid", ("search",)),
        ('{ structures(search: {name: "--", city: " "}) { totalCount } }', "Invalid", ("search",)),
        ('{ structures(search: {postcode: "7\\u00005"}) { totalCount } }', "Invalid", ("search", "postcode")),
        ('{ structure(identifier: {type: SIRET, value: "1"}) { id } }', "InvalidIdentifier", ("identifier",)),
        ('{ structure(identifier: {type: OTHER, value: "\\u0000"}) { id } }', "InvalidIdentifier", ("identifier",)),
        ('{ structure(identifier: {type: OTHER, value: " "}) { id } }', "Missing", ("identifier",)),
    ],
)
async def test_searcher_is_told_what_is_wrong_with_a_search(
    db: str, scope_of: Callable[..., Scope], document: str, name: str, path: tuple[str, ...]
) -> None:
    context = Context(scope=scope_of(await factories.person()))
    result = await schema.execute(document, context_value=context)
    (error,) = result.errors or []
    raised: Any = error.original_error
    assert (type(raised).__name__, raised.path) == (name, path)


@pytest.mark.parametrize("document", ['{ structures(search: {name: "a"}) { totalCount } }', "{ spaces { code } }"])
async def test_nobody_signed_in_searches_nothing(db: str, scope_of: Callable[..., Scope], document: str) -> None:
    result = await schema.execute(document, context_value=Context(scope=scope_of()))
    (error,) = result.errors or []
    assert type(error.original_error).__name__ == "Unauthenticated"


async def test_anyone_finds_a_structure_by_its_identifier_or_nothing(ask: Ask) -> None:
    ada = await factories.person()
    await factories.structure(identifier_type="SIRET", identifier="73282932000074", name="Eau")
    document = "query ($value: String!) { structure(identifier: {type: SIRET, value: $value}) { name } }"
    assert await ask(document, ada, value=" 732 829 320 00074 ") == {"structure": {"name": "Eau"}}
    assert await ask(document, ada, value="11000201100044") == {"structure": None}


async def test_anyone_reads_the_reference_list_of_spaces_in_both_languages(ask: Ask) -> None:
    document = "{ spaces { code label french: label(language: FR) description } }"
    listed = (await ask(document, await factories.person()))["spaces"]
    assert [space["code"] for space in listed] == list(SpaceCode)
    assert (listed[0]["label"], listed[0]["french"]) == ("Home", "Accueil connecté")


async def test_manager_edits_and_hears_refusals_by_path(ask: Ask) -> None:
    ada = await factories.person()
    made = await factories.structure(ada, name="Avant", email="a@b.example")
    id = ids.encode("Structure", made.id)
    saved = await ask(UPDATE, ada, input={"id": id, "name": "Après", "email": None})
    assert saved["updateStructure"] == {"structure": {"name": "Après", "email": None}, "errors": []}
    refused = (await ask(UPDATE, ada, input={"id": id, "name": "", "serviceCodeRequired": True}))["updateStructure"]
    assert refused["structure"] is None
    assert [(error["code"], error["path"]) for error in refused["errors"]] == [
        ("REQUIRED", ["name"]), ("INVALID", ["serviceCodeRequired"])
    ]  # fmt: skip
    for wrong in ("nonsense", ids.encode("User", made.id), ids.encode("Structure", made.id + 99)):
        unknown = (await ask(UPDATE, ada, input={"id": wrong, "name": "X"}))["updateStructure"]
        assert [(error["code"], error["path"]) for error in unknown["errors"]] == [("NOT_FOUND", ["id"])]


async def test_manager_saves_a_service_and_changes_it_by_its_id(ask: Ask) -> None:
    ada = await factories.person()
    structure = ids.encode("Structure", (await factories.structure(ada)).id)
    given = {"structureId": structure, "code": "FAC", "name": "Factures"}
    added = (await ask(SERVICE, ada, input=given))["saveService"]["service"]
    assert (added["code"], added["active"], added["validUntil"]) == ("FAC", True, None)
    changed = await ask(SERVICE, ada, input={**given, "id": added["id"], "active": False, "validUntil": "2027-12-31"})
    assert changed["saveService"]["service"] == {**added, "active": False, "validUntil": "2027-12-31"}
    again = (await ask(SERVICE, ada, input=given))["saveService"]
    assert again == {"service": None, "errors": [{"code": "ALREADY_EXISTS", "path": ["code"]}]}


async def test_support_registers_a_public_structure_for_an_active_person(ask: Ask) -> None:
    helper, boss = await factories.person(platform_role="SUPPORT"), await factories.person()
    given = {
        "identifierType": "SIRET", "identifier": "11000201100044", "name": "Ministère", "postalAddress": ADDRESS,
        "serviceCodeRequired": True, "principalManagerId": ids.encode("User", boss.id), "spaces": ["INVOICES_RECEIVED"],
    }  # fmt: skip
    refused = (await ask(REGISTER, boss, input=given))["registerPublicStructure"]
    assert [error["code"] for error in refused["errors"]] == ["FORBIDDEN"]
    made = (await ask(REGISTER, helper, input=given))["registerPublicStructure"]
    assert made == {
        "structure": {
            "kind": "PUBLIC",
            "serviceCodeRequired": True,
            "principalManager": {"displayName": boss.display_name},
        },
        "errors": [],
    }
    sent = {**given, "serviceCodeRequired": None, "engagementNumberRequired": None, "identifier": "26750045200011"}
    assert (await ask(REGISTER, helper, input=sent))["registerPublicStructure"]["errors"] == []
    partial = {name: value for name, value in given.items() if name not in {"spaces", "serviceCodeRequired"}}
    again = (await ask(REGISTER, helper, input=partial))["registerPublicStructure"]
    assert [(error["code"], error["path"]) for error in again["errors"]] == [("ALREADY_EXISTS", ["identifier"])]
