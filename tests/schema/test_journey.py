"""The main job through the public schema: a structure, a request, its decision, the seat, leaving."""

from typing import Any

from tests.schema.conftest import Ask
from tests.support import factories

CREATE = """mutation ($input: CreateStructureInput!) { createStructure(input: $input) {
  structure { id name identifier kind principalManager { displayName } openSpaces { code } viewerAttachment { role status inEffect } }
  errors { code path message } } }"""
REQUEST = """mutation ($requests: [AttachmentRequestInput!]!) { requestAttachments(input: {requests: $requests}) {
  results { id attachment { id status role inEffect validFrom viewerActs structure { name } services { code } } errors { code path } }
  errors { code path } } }"""
QUEUE = """{ me { id attachmentsToReview { totalCount edges { cursor node { id viewerActs user { id displayName contactEmail } } } } } }"""
VALIDATE = """mutation ($id: ID!) { validateAttachments(input: {validations: [{id: $id}]}) {
  results { id attachment { status inEffect decidedBy { displayName } } errors { code path message } } errors { code } } }"""
TRANSFER = """mutation ($structure: ID!, $successor: ID!) { transferPrincipalManager(structureId: $structure, successorId: $successor) {
  structure { principalManager { displayName } viewerAttachment { role } } errors { code path } } }"""
LEAVE = (
    """mutation { deactivateAccount(input: {confirm: true}) { deactivatedAt reactivableUntil errors { code path } } }"""
)
ADDRESS = {"line1": "1 rue des Essais", "postcode": "75001", "city": "Paris", "country": "FR"}


async def test_people_found_a_structure_join_it_and_hand_it_over(ask: Ask) -> None:
    ada, bob = await factories.person(first_name="Ada"), await factories.person(first_name="Bob")
    wanted: dict[str, Any] = {
        "identifierType": "SIRET",
        "identifier": "732 829 320 00074",
        "name": "Établissements Ada",
    }
    created = (await ask(CREATE, ada, input={**wanted, "postalAddress": ADDRESS, "spaces": ["COMMITMENTS"]}))[
        "createStructure"
    ]
    assert created["errors"] == []
    structure = created["structure"]
    assert structure["identifier"] == "73282932000074"
    assert structure["principalManager"]["displayName"] == ada.display_name
    assert structure["viewerAttachment"] == {"role": "PRINCIPAL_MANAGER", "status": "VALIDATED", "inEffect": True}
    assert [space["code"] for space in structure["openSpaces"]][-1] == "COMMITMENTS"

    asked = await ask(REQUEST, bob, requests=[{"structureId": structure["id"], "validFrom": "2027-03-15"}])
    (result,) = asked["requestAttachments"]["results"]
    assert result["errors"] == []
    assert result["attachment"] | {"id": None} == {
        "id": None,
        "status": "PENDING",
        "role": "SIMPLE_USER",
        "inEffect": False,
        "validFrom": "2027-03-15",
        "viewerActs": ["WITHDRAW"],
        "structure": {"name": "Établissements Ada"},
        "services": [],
    }

    queue = (await ask(QUEUE, ada))["me"]["attachmentsToReview"]
    assert queue["totalCount"] == 1
    node = queue["edges"][0]["node"]
    assert node["viewerActs"] == ["VALIDATE", "REFUSE"]
    assert node["user"]["contactEmail"] == bob.contact_email

    decided = (await ask(VALIDATE, ada, id=node["id"]))["validateAttachments"]["results"][0]
    assert decided["attachment"] == {
        "status": "VALIDATED",
        "inEffect": True,
        "decidedBy": {"displayName": ada.display_name},
    }
    again = (await ask(VALIDATE, ada, id=node["id"]))["validateAttachments"]["results"][0]
    assert again["errors"][0]["code"] == "ALREADY_DECIDED"
    assert again["errors"][0]["path"] == ["validations", "0", "id"]
    assert ada.display_name in again["errors"][0]["message"]

    refused = (await ask(LEAVE, ada))["deactivateAccount"]
    assert refused["errors"] == [{"code": "SUCCESSOR_REQUIRED", "path": ["successions"]}]
    moved = (await ask(TRANSFER, ada, structure=structure["id"], successor=node["user"]["id"]))[
        "transferPrincipalManager"
    ]
    assert moved == {
        "structure": {
            "principalManager": {"displayName": bob.display_name},
            "viewerAttachment": {"role": "SIMPLE_USER"},
        },
        "errors": [],
    }
    left = (await ask(LEAVE, ada))["deactivateAccount"]
    assert left["errors"] == []
    assert left["reactivableUntil"].startswith("2027-05-14")
    assert await factories.mails() == [
        ("attachment_requested", ada.contact_email),
        ("attachment_validated", bob.contact_email),
        ("principal_manager_transferred", ada.contact_email),
        ("principal_manager_transferred", bob.contact_email),
        ("account_deactivated", ada.login_email),
    ]
