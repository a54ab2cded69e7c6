"""Every mutation that changes something: what is absent from its input stays, and what an explicit null does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from models.accounts.accounts import Account
from models.structures.services import Service
from schema import schema
from schema.base import ids
from tests.schema.conftest import Ask
from tests.support import factories

CLEARS, STAYS, REQUIRED = "clears", "stays", "REQUIRED"
PARIS = {"line1": "1 rue A", "line2": "bât. B", "line3": None, "postcode": "75001", "city": "Paris", "country": "FR"}
BREST = {"line1": "2 rue C", "line2": None, "line3": None, "postcode": "29200", "city": "Brest", "country": "FR"}
ADDRESS = "{ line1 line2 line3 postcode city country }"


@dataclass
class Update:
    """A mutation, whom and what it is tried on, and of each optional field two values and what null does."""

    thing: str
    fixed: Callable[[], Awaitable[tuple[Account, dict[str, str]]]]
    fields: dict[str, tuple[Any, Any, str]]
    read: dict[str, str] = field(default_factory=dict)  # where a field's value is read, if not under its own name
    shown: dict[str, Callable[[Any], Any]] = field(default_factory=dict)  # how it reads, if not as it was sent


async def _service() -> tuple[Account, dict[str, str]]:
    ada = await factories.person()
    structure = await factories.structure(ada)
    service = await Service.create(structure=structure, code="A", name="Before")
    return ada, {"id": ids.encode("Service", service.id), "structureId": ids.encode("Structure", structure.id)}


async def _structure() -> tuple[Account, dict[str, str]]:
    ada = await factories.person()
    return ada, {"id": ids.encode("Structure", (await factories.structure(ada, kind="PUBLIC")).id)}


async def _attachment() -> tuple[Account, dict[str, str]]:
    ada = await factories.person()
    structure = await factories.structure(ada)
    for place in (1, 2):  # known ids, which the table of fields can name
        await Service.create(id=7_000 + place, structure=structure, code=f"S{place}", name="Service")
    return ada, {"id": ids.encode("Attachment", (await factories.attachment(await factories.person(), structure)).id)}


async def _document() -> tuple[Account, dict[str, str]]:
    ada = await factories.person()
    return ada, {"id": ids.encode("Document", (await factories.document(ada)).id)}


async def _account() -> tuple[Account, dict[str, str]]:
    return await factories.person(), {}


def _question(text: str) -> dict[str, str]:
    return {"currentPassword": factories.PASSWORD, "question": text, "answer": "because"}


FIRST_SERVICE, SECOND_SERVICE = ids.encode("Service", 7_001), ids.encode("Service", 7_002)
UPDATES = {
    "saveService": Update(
        "service",
        _service,
        {
            "code": ("FAC", "DIR", REQUIRED),
            "name": ("Factures", "Direction", REQUIRED),
            "active": (False, True, REQUIRED),
            "validFrom": ("2027-01-01", "2027-02-01", CLEARS),
            "validUntil": ("2027-12-31", "2028-12-31", CLEARS),
            "engagementNumberRequired": (True, False, REQUIRED),
        },
    ),
    "updateStructure": Update(
        "structure",
        _structure,
        {
            "name": ("Avant", "Après", REQUIRED),
            "postalAddress": (PARIS, BREST, REQUIRED),
            "email": ("a@places.example", "b@places.example", CLEARS),
            "phone": ("0123456789", "0987654321", CLEARS),
            "serviceCodeRequired": (True, False, REQUIRED),
            "engagementNumberRequired": (True, False, REQUIRED),
            "status": ("ACTIVE", "INACTIVE", REQUIRED),
        },
        read={"postalAddress": f"postalAddress {ADDRESS}"},
    ),
    "updateAttachment": Update(
        "attachment",
        _attachment,
        {
            "validFrom": ("2027-02-01", "2027-03-01", STAYS),
            "validUntil": ("2027-12-31", "2028-12-31", CLEARS),
            "serviceIds": ([FIRST_SERVICE], [SECOND_SERVICE], STAYS),
        },
        read={"serviceIds": "serviceIds: services { id }"},
        shown={"serviceIds": lambda sent: [{"id": id} for id in sent]},
    ),
    "updateDocument": Update(
        "document",
        _document,
        {"designation": ("RIB", "Devis", REQUIRED), "type": ("RIB", "QUOTE", REQUIRED)},
    ),
    "updateAccount": Update(
        "account",
        _account,
        {
            "firstName": ("Ada", "Eva", REQUIRED),
            "lastName": ("Un", "Deux", REQUIRED),
            "contactEmail": ("a@elsewhere.example", "b@elsewhere.example", REQUIRED),
            "phone": ("0123456789", "0987654321", CLEARS),
            "postalAddress": (PARIS, BREST, CLEARS),
            "language": ("FR", "EN", REQUIRED),
            "timeZone": ("Europe/Paris", "Indian/Reunion", REQUIRED),
            "receiveActivityNotifications": (True, False, REQUIRED),
            "password": (None, {"current": factories.PASSWORD, "new": "Nouveau-Depart-2027!"}, STAYS),
            "secretQuestion": (_question("Why is it so?"), _question("Who was that?"), STAYS),
        },
        read={
            "contactEmail": "contactEmail: pendingContactEmail",
            "postalAddress": f"postalAddress {ADDRESS}",
            "password": "password: __typename",
        },
        shown={"secretQuestion": lambda sent: sent["question"], "password": lambda _: "Account"},
    ),
}
FIELDS = [(name, field) for name, update in UPDATES.items() for field in update.fields]


def _inputs() -> dict[str, set[str]]:
    """The fields of the input of each mutation that changes one thing, but those that say which."""
    mutation = schema._schema.type_map["Mutation"]
    assert isinstance(mutation, GraphQLObjectType)
    found = {}
    for name, made in mutation.fields.items():
        if name.startswith(("update", "save")):
            kind = get_named_type(made.args["input"].type)
            assert isinstance(kind, GraphQLInputObjectType)
            found[name] = set(kind.fields) - {"id", "structureId"}
    return found


def test_every_update_and_each_of_its_fields_has_a_row_here() -> None:
    assert {name: set(update.fields) for name, update in UPDATES.items()} == _inputs()


class Tried:
    """One thing with everything set, and what it reads after a change."""

    def __init__(self, ask: Ask, name: str) -> None:
        self.ask, self.name, self.update = ask, name, UPDATES[name]

    async def set_all(self) -> dict[str, Any]:
        self.actor, self.fixed = await self.update.fixed()
        sent = {name: first for name, (first, _, _) in self.update.fields.items() if first is not None}
        answer = await self.send(sent)
        assert answer["errors"] == []
        expected = {name: self.shown(name, first) for name, (first, _, _) in self.update.fields.items()}
        assert answer[self.update.thing] == expected
        return expected

    async def send(self, changes: dict[str, Any]) -> dict[str, Any]:
        kind = f"{self.name[0].upper()}{self.name[1:]}Input"
        read = " ".join(self.update.read.get(name, name) for name in self.update.fields)
        document = (
            f"mutation ($input: {kind}!) {{ {self.name}(input: $input)"
            f" {{ {self.update.thing} {{ {read} }} errors {{ code path }} }} }}"
        )
        answer: dict[str, Any] = (await self.ask(document, self.actor, input=self.fixed | changes))[self.name]
        return answer

    def shown(self, name: str, sent: Any) -> Any:
        return self.update.shown.get(name, lambda value: value)(sent)


@pytest.mark.parametrize(("name", "changed"), FIELDS)
async def test_manager_or_owner_sends_one_field_and_the_rest_stays(ask: Ask, name: str, changed: str) -> None:
    tried = Tried(ask, name)
    before = await tried.set_all()
    value = tried.update.fields[changed][1]
    answer = await tried.send({changed: value})
    assert answer == {tried.update.thing: before | {changed: tried.shown(changed, value)}, "errors": []}


@pytest.mark.parametrize(("name", "emptied"), FIELDS)
async def test_manager_or_owner_sends_a_null_which_clears_what_can_be_null_alone(
    ask: Ask, name: str, emptied: str
) -> None:
    tried = Tried(ask, name)
    before = await tried.set_all()
    outcome = tried.update.fields[emptied][2]
    traces = await factories.traces()
    answer = await tried.send({emptied: None})
    if outcome == REQUIRED:
        assert answer[tried.update.thing] is None
        assert {(error["code"], error["path"][0]) for error in answer["errors"]} == {(REQUIRED, emptied)}
        assert await factories.traces() == traces
    else:
        kept = {emptied: None} if outcome == CLEARS else {}
        assert answer == {tried.update.thing: before | kept, "errors": []}


@pytest.mark.parametrize("unsaid", [{}, {"active": None, "engagementNumberRequired": None, "validFrom": None}])
async def test_manager_adds_a_service_and_leaves_open_what_has_a_default(ask: Ask, unsaid: dict[str, Any]) -> None:
    ada = await factories.person()
    given = {"structureId": ids.encode("Structure", (await factories.structure(ada)).id), "code": "FAC", "name": "F"}
    document = (
        "mutation ($input: SaveServiceInput!) { saveService(input: $input) { service"
        " { code name active validFrom validUntil engagementNumberRequired } errors { code path } } }"
    )
    answer = (await ask(document, ada, input=given | unsaid))["saveService"]
    assert answer == {
        "service": {
            "code": "FAC",
            "name": "F",
            "active": True,
            "validFrom": None,
            "validUntil": None,
            "engagementNumberRequired": False,
        },
        "errors": [],
    }
    refused = (await ask(document, ada, input={"structureId": given["structureId"]}))["saveService"]
    assert refused["errors"] == [{"code": REQUIRED, "path": ["code"]}, {"code": REQUIRED, "path": ["name"]}]
