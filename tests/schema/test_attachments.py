"""Attachments through the public schema: ids, results beside what was sent, nullability, who reads what, history."""

from datetime import date
from typing import Any

import pytest
from graphql import FieldDefinitionNode, ObjectTypeDefinitionNode, parse, print_ast

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, AttachmentStatus, DecisionAct, Role
from models.events import events, summaries
from models.events.events import Fact
from models.structures.services import Service
from models.structures.structures import Structure
from schema import sdl
from schema.base import ids
from tests.schema.conftest import Ask
from tests.support import factories

ERRORS = "errors { code path }"
REQUEST = f"""mutation ($requests: [AttachmentRequestInput!]!) {{ requestAttachments(input: {{requests: $requests}}) {{
  results {{ id attachment {{ id status services {{ code }} onBehalfOf {{ name }} comment }} {ERRORS} }}
  {ERRORS} }} }}"""
VALIDATE = f"""mutation ($validations: [AttachmentValidationInput!]!) {{
  validateAttachments(input: {{validations: $validations}}) {{
    results {{ id attachment {{ status validFrom validUntil services {{ code }} }} {ERRORS} }} {ERRORS} }} }}"""
REFUSE = f"""mutation ($ids: [ID!]!, $reason: String!) {{ refuseAttachments(ids: $ids, reason: $reason) {{
  results {{ id attachment {{ status refusalReason }} {ERRORS} }} {ERRORS} }} }}"""
REMOVE = f"""mutation ($ids: [ID!]!, $successions: [SuccessionInput!]) {{
  removeAttachments(ids: $ids, successions: $successions) {{
    results {{ id attachment {{ status role }} {ERRORS} }} {ERRORS} }} }}"""
UPDATE = f"""mutation ($input: UpdateAttachmentInput!) {{ updateAttachment(input: $input) {{
  attachment {{ validFrom validUntil services {{ code }} }} {ERRORS} }} }}"""
GIVE = f"""mutation ($input: AttachUserInput!) {{ attachUser(input: $input) {{
  attachment {{ role status inEffect user {{ displayName }} }} {ERRORS} }} }}"""
ROLE = f"""mutation ($id: ID!, $role: Role!) {{ changeAttachmentRole(id: $id, role: $role) {{
  attachment {{ role viewerActs }} {ERRORS} }} }}"""
LISTED = """query ($id: ID!, $filter: AttachmentFilter, $search: String) { node(id: $id) { ... on Structure {
  attachments(filter: $filter, search: $search) { totalCount edges { node { id } } }
  successorCandidates { totalCount } history { edges { node { type summary actor { displayName } } } } } } }"""
OWN = (
    """query ($filter: AttachmentFilter) { me { attachments(filter: $filter) { totalCount edges { node { id } } } } }"""
)
HISTORY = """{ me { history(first: 5) { totalCount edges { node {
  id type occurredAt subject { id } structure { name }
  summary english: summary(language: EN) french: summary(language: FR)
} } } } }"""


class House:
    """A structure with its principal manager, somebody attached to it, and somebody who waits."""

    structure: Structure
    zoe: Account
    max: Account
    lea: Account
    attached: Attachment
    waiting: Attachment

    def id(self, thing: Any) -> str:
        return ids.encode("User" if isinstance(thing, Account) else type(thing).__name__, thing.id)


@pytest.fixture
async def house(db: str) -> House:
    made = House()
    made.zoe = await factories.person(first_name="Zoe", last_name="Chief")
    made.max, made.lea = await factories.person(), await factories.person()
    made.structure = await factories.structure(made.zoe, name="Essais")
    made.attached = await factories.attachment(made.max, made.structure)
    made.waiting = await factories.attachment(made.lea, made.structure, status=AttachmentStatus.PENDING)
    return made


def error(code: str, *path: str) -> dict[str, Any]:
    return {"code": code, "path": list(path)}


# ------------------------------------------------------------------ requests
async def test_requests_are_answered_one_by_one_with_the_new_ids(house: House, ask: Ask) -> None:
    other = await factories.structure(name="Autre")
    service = await Service.create(structure=other, code="S1", name="Sales")
    good = {"structureId": house.id(other), "validFrom": "2027-03-15", "serviceIds": [house.id(service)]}
    bad = {
        "structureId": house.id(house.structure),
        "validFrom": "2027-03-20",
        "validUntil": "2027-03-16",
        "comment": "x" * 256,
        "serviceIds": ["bm9uc2Vuc2U="],
        "onBehalfOfId": house.id(service),
    }
    asked = good | {"onBehalfOfId": house.id(house.structure)}
    wrong_type = good | {"structureId": house.id(service)}
    payload = (await ask(REQUEST, house.max, requests=[asked, bad, wrong_type]))["requestAttachments"]
    made = await Attachment.get(structure=other)
    assert payload["errors"] == []
    assert payload["results"][0] == {
        "id": house.id(made),
        "attachment": {
            "id": house.id(made),
            "status": "PENDING",
            "services": [{"code": "S1"}],
            "onBehalfOf": {"name": "Essais"},
            "comment": None,
        },
        "errors": [],
    }
    assert payload["results"][1] == {
        "id": None,
        "attachment": None,
        "errors": [
            error("INVALID", "requests", "1", "validUntil"),
            error("TOO_LONG", "requests", "1", "comment"),
            error("SERVICE_NOT_ENTITLED", "requests", "1", "serviceIds"),
            error("NOT_FOUND", "requests", "1", "onBehalfOfId"),
        ],
    }
    assert payload["results"][2]["errors"] == [error("NOT_FOUND", "requests", "2", "structureId")]


async def test_more_than_a_hundred_elements_refuse_the_whole(house: House, ask: Ask) -> None:
    wanted = {"structureId": house.id(house.structure), "validFrom": "2027-03-15"}
    payload = (await ask(REQUEST, house.lea, requests=[wanted] * 101))["requestAttachments"]
    assert payload == {"results": [], "errors": [error("TOO_MANY", "requests")]}


async def test_validations_stand_beside_the_ids_that_were_sent(house: House, ask: Ask) -> None:
    service = await Service.create(structure=house.structure, code="S1", name="Sales")
    sent: list[dict[str, Any]] = [
        {"id": house.id(house.waiting), "validUntil": "2027-06-30", "serviceIds": [house.id(service)]},
        {"id": house.id(house.structure)},
        {"id": "nothing"},
        {"id": house.id(house.attached)},
    ]
    payload = (await ask(VALIDATE, house.zoe, validations=sent))["validateAttachments"]
    assert [result["id"] for result in payload["results"]] == [one["id"] for one in sent]
    assert payload["results"][0]["attachment"] == {
        "status": "VALIDATED",
        "validFrom": "2026-01-05",
        "validUntil": "2027-06-30",
        "services": [{"code": "S1"}],
    }
    assert [result["errors"] for result in payload["results"]] == [
        [],
        [error("NOT_FOUND", "validations", "1", "id")],
        [error("NOT_FOUND", "validations", "2", "id")],
        [error("ALREADY_DECIDED", "validations", "3", "id")],
    ]


async def test_validation_clears_an_end_only_by_an_explicit_null(house: House, ask: Ask) -> None:
    await Attachment.filter(id=house.waiting.id).update(valid_until=date(2027, 6, 30))
    other = await factories.attachment(
        await factories.person(), house.structure, status=AttachmentStatus.PENDING, valid_until=date(2027, 6, 30)
    )
    sent: list[dict[str, Any]] = [{"id": house.id(house.waiting)}, {"id": house.id(other), "validUntil": None}]
    payload = (await ask(VALIDATE, house.zoe, validations=sent))["validateAttachments"]
    assert [result["attachment"]["validUntil"] for result in payload["results"]] == ["2027-06-30", None]


async def test_refusal_without_a_reason_is_refused_whole(house: House, ask: Ask) -> None:
    sent = {"ids": [house.id(house.waiting)], "reason": " "}
    payload = (await ask(REFUSE, house.zoe, **sent))["refuseAttachments"]
    assert payload == {"results": [], "errors": [error("REQUIRED", "reason")]}
    payload = (await ask(REFUSE, house.zoe, **(sent | {"reason": "not here"})))["refuseAttachments"]
    assert payload["results"][0]["attachment"] == {"status": "REFUSED", "refusalReason": "not here"}
    assert (await ask(REFUSE, house.lea, **sent | {"reason": "x"}))["refuseAttachments"]["results"][0]["errors"] == [
        error("SELF_DECISION", "ids", "0")
    ]


# ------------------------------------------------------------------ attachments
async def test_principal_manager_removes_their_own_by_a_succession(house: House, ask: Ask) -> None:
    seat = await Attachment.get(user=house.zoe)
    sent = {"ids": [house.id(seat)]}
    payload = (await ask(REMOVE, house.zoe, **sent))["removeAttachments"]
    assert payload["results"] == [
        {"id": house.id(seat), "attachment": None, "errors": [error("SUCCESSOR_REQUIRED", "successions")]}
    ]
    one = {"structureId": house.id(house.structure), "successorId": house.id(house.max)}
    payload = (await ask(REMOVE, house.zoe, **sent, successions=[one, one]))["removeAttachments"]
    assert payload == {"results": [], "errors": [error("INVALID", "successions", "1", "structureId")]}
    wrong = one | {"successorId": house.id(house.structure)}
    payload = (await ask(REMOVE, house.zoe, **sent, successions=[wrong]))["removeAttachments"]
    assert payload == {"results": [], "errors": [error("NOT_FOUND", "successions", "0", "successorId")]}
    payload = (await ask(REMOVE, house.zoe, **sent, successions=[one]))["removeAttachments"]
    assert payload["results"][0]["attachment"] == {"status": "VALIDATED", "role": "SIMPLE_USER"}


async def test_update_keeps_what_is_absent_and_clears_an_explicit_null(house: House, ask: Ask) -> None:
    attached = house.id(house.attached)
    service = await Service.create(structure=house.structure, code="S1", name="Sales")
    changes: list[tuple[dict[str, Any], tuple[str, str | None, list[str]]]] = [
        ({"validUntil": "2027-06-30"}, ("2026-01-05", "2027-06-30", [])),
        ({"serviceIds": [house.id(service)]}, ("2026-01-05", "2027-06-30", ["S1"])),
        ({"validFrom": "2027-03-01", "serviceIds": None}, ("2027-03-01", "2027-06-30", ["S1"])),
        ({"validUntil": None}, ("2027-03-01", None, ["S1"])),
        ({"serviceIds": []}, ("2027-03-01", None, [])),
    ]
    for change, (first, last, codes) in changes:
        payload = (await ask(UPDATE, house.zoe, input={"id": attached} | change))["updateAttachment"]
        services = [{"code": code} for code in codes]
        assert payload == {"attachment": {"validFrom": first, "validUntil": last, "services": services}, "errors": []}
    wrong = {"id": house.id(house.structure)}
    payload = (await ask(UPDATE, house.zoe, input=wrong))["updateAttachment"]
    assert payload == {"attachment": None, "errors": [error("NOT_FOUND", "id")]}


async def test_manager_attaches_and_names_a_secondary_manager(house: House, ask: Ask) -> None:
    new = await factories.person(first_name="New", last_name="Colleague")
    sent = {"structureId": house.id(house.structure), "loginEmail": new.login_email, "validFrom": "2027-03-15"}
    payload = (await ask(GIVE, house.zoe, input=sent))["attachUser"]
    assert payload["attachment"] == {
        "role": "SIMPLE_USER",
        "status": "VALIDATED",
        "inEffect": True,
        "user": {"displayName": "New Colleague"},
    }
    payload = (await ask(GIVE, house.zoe, input=sent | {"validUntil": "2027-03-01"}))["attachUser"]
    assert payload["errors"] == [error("INVALID", "validUntil")]
    link = await Attachment.get(user=new)
    payload = (await ask(ROLE, house.zoe, id=house.id(link), role="SECONDARY_MANAGER"))["changeAttachmentRole"]
    assert payload["attachment"] == {"role": "SECONDARY_MANAGER", "viewerActs": ["DEACTIVATE", "REMOVE", "CHANGE_ROLE"]}


# ------------------------------------------------------------------ reading
async def test_list_of_a_structure_is_null_to_those_who_do_not_manage_it(house: House, ask: Ask) -> None:
    structure = house.id(house.structure)
    shown = (await ask(LISTED, house.zoe, id=structure))["node"]
    assert (shown["attachments"]["totalCount"], shown["successorCandidates"]["totalCount"]) == (3, 1)
    hidden = {"attachments": None, "successorCandidates": None, "history": None}
    for person in (house.max, house.lea, await factories.person()):
        assert (await ask(LISTED, person, id=structure))["node"] == hidden


@pytest.mark.parametrize(
    ("filter", "count"),
    [
        ({"statuses": ["PENDING"]}, 1),
        ({"statuses": ["VALIDATED"], "roles": ["SIMPLE_USER"]}, 1),
        ({"inEffect": True}, 2),
        ({"inEffect": False}, 1),
        ({"structureId": "bm9uc2Vuc2U="}, 0),
    ],
)
async def test_filter_narrows_a_list(house: House, ask: Ask, filter: dict[str, Any], count: int) -> None:
    shown = (await ask(LISTED, house.zoe, id=house.id(house.structure), filter=filter))["node"]["attachments"]
    assert (shown["totalCount"], len(shown["edges"])) == (count, count)


async def test_own_attachments_are_listed_newest_first(house: House, ask: Ask) -> None:
    newer = await factories.attachment(house.max, await factories.structure())
    listed = (await ask(OWN, house.max))["me"]["attachments"]
    assert [edge["node"]["id"] for edge in listed["edges"]] == [house.id(newer), house.id(house.attached)]
    narrowed = (await ask(OWN, house.max, filter={"structureId": house.id(house.structure)}))["me"]["attachments"]
    assert [edge["node"]["id"] for edge in narrowed["edges"]] == [house.id(house.attached)]


async def test_attachment_is_found_by_its_id_where_it_may_be_seen(house: House, ask: Ask) -> None:
    document = "query ($id: ID!) { node(id: $id) { __typename id } }"
    wanted = house.id(house.attached)
    for person in (house.max, house.zoe):
        assert (await ask(document, person, id=wanted))["node"] == {"__typename": "Attachment", "id": wanted}
    assert (await ask(document, house.lea, id=wanted))["node"] is None


# ------------------------------------------------------------------ history
async def test_history_tells_the_person_and_the_managers_what_happened(house: House, ask: Ask) -> None:
    await ask(VALIDATE, house.zoe, validations=[{"id": house.id(house.waiting)}])
    own = (await ask(HISTORY, house.lea))["me"]["history"]
    assert own["totalCount"] == 1
    node = own["edges"][0]["node"]
    assert (node["type"], node["structure"]["name"]) == ("AttachmentValidated", "Essais")
    assert node["subject"]["id"] == house.id(house.lea)
    assert (node["english"], node["french"]) == (
        "Request for attachment validated.",
        "Demande de rattachement validée.",
    )
    assert node["summary"] == node["english"]
    structure = (await ask(LISTED, house.zoe, id=house.id(house.structure)))["node"]["history"]["edges"]
    assert [edge["node"]["actor"]["displayName"] for edge in structure] == ["Zoe Chief"]
    found = "query ($id: ID!) { node(id: $id) { ... on Event { type } } }"
    assert (await ask(found, house.zoe, id=node["id"]))["node"] == {"type": "AttachmentValidated"}
    assert (await ask(found, house.max, id=node["id"]))["node"] is None


def test_every_fact_has_its_sentence_in_both_languages() -> None:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Fact)]
    assert set(summaries.SENTENCES) == {kind.type for kind in kinds if kind is not Fact}
    assert all(french and english and french != english for french, english in summaries.SENTENCES.values())


# ------------------------------------------------------------------ the contract
CONTRACT = """
requestAttachments(input: RequestAttachmentsInput!): AttachmentsPayload!
validateAttachments(input: ValidateAttachmentsInput!): AttachmentsPayload!
refuseAttachments(ids: [ID!]!, reason: String!): AttachmentsPayload!
withdrawAttachments(ids: [ID!]!): AttachmentsPayload!
deactivateAttachments(ids: [ID!]!, reason: String): AttachmentsPayload!
reactivateAttachments(ids: [ID!]!): AttachmentsPayload!
removeAttachments(ids: [ID!]!, successions: [SuccessionInput!] = []): AttachmentsPayload!
attachUser(input: AttachUserInput!): AttachmentPayload!
updateAttachment(input: UpdateAttachmentInput!): AttachmentPayload!
changeAttachmentRole(id: ID!, role: Role!): AttachmentPayload!
transferPrincipalManager(structureId: ID!, successorId: ID!): StructurePayload!
appointPrincipalManager(structureId: ID!, userId: ID!, reason: String!): StructurePayload!
"""


def test_mutations_are_those_of_the_contract() -> None:
    (mutation,) = [
        node
        for node in parse(sdl()).definitions
        if isinstance(node, ObjectTypeDefinitionNode) and node.name.value == "Mutation"
    ]
    said = {field.name.value: _plain(field) for field in mutation.fields or ()}
    for line in CONTRACT.strip().splitlines():
        assert said[line.partition("(")[0]] == line


def _plain(field: FieldDefinitionNode) -> str:
    arguments = [
        f"{arg.name.value}: {print_ast(arg.type)}" + (f" = {print_ast(arg.default_value)}" if arg.default_value else "")
        for arg in field.arguments or ()
    ]
    return f"{field.name.value}({', '.join(arguments)}): {print_ast(field.type)}"


def test_acts_are_those_of_the_contract() -> None:
    assert [str(act) for act in DecisionAct] == [
        "VALIDATE", "REFUSE", "WITHDRAW", "DEACTIVATE", "REACTIVATE", "REMOVE", "CHANGE_ROLE", "TRANSFER",
    ]  # fmt: skip
    assert [str(role) for role in Role] == ["PRINCIPAL_MANAGER", "SECONDARY_MANAGER", "SIMPLE_USER"]
