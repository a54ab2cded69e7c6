"""Activities through the public schema: what an integration is answered, what people read and acknowledge."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from models.accounts.accounts import Language
from models.activities.activities import Activity, ActivityKind
from models.attachments.attachments import AttachmentService, Role
from models.structures.services import Service
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription
from resolvers.scope import Scope
from schema import schema
from schema.base import ids
from schema.base.context import Context
from tests.conftest import Clock
from tests.schema.conftest import Ask
from tests.support import factories

RECORD = """mutation ($input: [RecordActivityInput!]!) { recordActivities(input: $input) {
  recorded errors { code path message } } }"""
LIST = """query ($first: Int, $after: String, $last: Int, $before: String, $only: Boolean) { me {
  activities(first: $first, after: $after, last: $last, before: $before, unacknowledgedOnly: $only) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { title } } } } }"""
WHOLE = """{ me { activities { edges { node { id kind title url occurredAt requiresAcknowledgement acknowledgedAt
  structure { name } service { code } space { code label } } } } } }"""
ACKNOWLEDGE = """mutation ($ids: [ID!]!) { acknowledgeActivities(ids: $ids) {
  activities { id acknowledgedAt } errors { code path } } }"""
Outside = Callable[..., Any]


@pytest.fixture
def outside(scope_of: Callable[..., Scope], db: str) -> Outside:
    """`outside(items, language)`: the payload that an integration is answered."""

    async def run(items: list[dict[str, Any]], language: Language = Language.EN) -> Any:
        scope = scope_of(language=language)
        scope.integration = await factories.integration()
        result = await schema.execute(RECORD, {"input": items}, context_value=Context(scope=scope))
        assert result.errors is None, result.errors
        assert result.data is not None
        return result.data["recordActivities"]

    return run


def item(structure: Structure, **changes: Any) -> dict[str, Any]:
    return {
        "key": "1", "structureIdentifier": {"type": "OTHER", "value": structure.identifier.lower()}, "kind": "EVENT",
        "title": "Facture 7", "occurredAt": "2027-03-14T09:30:00+01:00",
    } | changes  # fmt: skip


async def test_integration_is_told_how_many_were_new_and_what_is_wrong_where(outside: Outside) -> None:
    structure = await factories.structure()
    payload = await outside(
        [
            item(structure),
            item(structure, key="2", title=" ", occurredAt="2027-03-14T09:30:00"),
            item(structure, key="3", structureIdentifier={"type": "SIRET", "value": "1"}, serviceCode="S"),
            item(structure, requiresAcknowledgement=True),
            item(structure, key="4", requiresAcknowledgement=None, url="", serviceCode=" ", space=None),
        ]
    )
    assert payload["recorded"] == 2
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        ("REQUIRED", ["1", "title"]),
        ("INVALID", ["1", "occurredAt"]),
        ("INVALID_IDENTIFIER", ["2", "structureIdentifier", "value"]),
        ("CONFLICT", ["3", "key"]),
    ]
    assert [error["message"] for error in payload["errors"][1:]] == [
        "Give the moment with its time zone, for example 2026-01-31T09:30:00+01:00.",
        "A SIRET has 14 digits, the last of which is a check digit.",
        "Another activity has been recorded under this key already.",
    ]
    french = await outside([item(structure, occurredAt="1999-01-01T00:00:00Z")], Language.FR)
    assert french["errors"][0]["message"] == "Donnez un instant depuis l'an 2000, au plus un jour après maintenant."


async def test_integration_sends_more_than_five_hundred_and_nothing_is_done(outside: Outside) -> None:
    structure = await factories.structure()
    payload = await outside([item(structure, key=str(n)) for n in range(501)])
    assert payload == {
        "recorded": 0,
        "errors": [{"code": "TOO_MANY", "path": [], "message": "No more than 500 are allowed."}],
    }
    assert await Activity.all().count() == 0


async def test_person_reads_everything_there_is_to_an_activity(ask: Ask, clock: Clock) -> None:
    lea, structure = await factories.person(), await factories.structure(name="Essais")
    attachment = await factories.attachment(lea, structure)
    service = await Service.create(structure=structure, code="S1", name="Service")
    await AttachmentService.create(attachment=attachment, service=service)
    await SpaceSubscription.create(
        user=lea, structure=structure, space=SpaceCode.HOME, status="VALIDATED",
        effective_from=clock.now.date(), requested_at=clock.now,
    )  # fmt: skip
    by = await factories.integration()
    plain = await factories.activity(structure, by, occurred_at=datetime(2027, 3, 1, 12, tzinfo=UTC))
    full = await factories.activity(
        structure, by, service=service, space=SpaceCode.HOME, kind=ActivityKind.INVOICE_REJECTED,
        url="https://portal.example/7", requires_acknowledgement=True, title="Facture 7 rejetée",
        occurred_at=datetime(2027, 2, 1, 12, tzinfo=UTC),
    )  # fmt: skip
    nodes = [edge["node"] for edge in (await ask(WHOLE, lea))["me"]["activities"]["edges"]]
    assert nodes == [
        {
            "id": ids.encode("Activity", full.id), "kind": "INVOICE_REJECTED", "title": "Facture 7 rejetée",
            "url": "https://portal.example/7", "occurredAt": "2027-02-01T12:00:00+00:00",
            "requiresAcknowledgement": True, "acknowledgedAt": None, "structure": {"name": "Essais"},
            "service": {"code": "S1"}, "space": {"code": "HOME", "label": "Home"},
        },
        {
            "id": ids.encode("Activity", plain.id), "kind": "EVENT", "title": "Something happened", "url": None,
            "occurredAt": "2027-03-01T12:00:00+00:00", "requiresAcknowledgement": False, "acknowledgedAt": None,
            "structure": {"name": "Essais"}, "service": None, "space": None,
        },
    ]  # fmt: skip


async def test_person_walks_the_pages_both_ways(ask: Ask) -> None:
    lea, structure, by = await factories.person(), await factories.structure(), await factories.integration()
    await factories.attachment(lea, structure, role=Role.SECONDARY_MANAGER)
    for n in range(5):
        await factories.activity(structure, by, title=str(n), requires_acknowledgement=n % 2 == 0)

    async def page(**variables: Any) -> tuple[str, Any]:
        found = (await ask(LIST, lea, **variables))["me"]["activities"]
        assert found["totalCount"] == (3 if variables.get("only") else 5)
        return "".join(edge["node"]["title"] for edge in found["edges"]), found["pageInfo"]

    titles, around = await page(first=2)
    assert (titles, around["hasNextPage"], around["hasPreviousPage"]) == ("43", True, False)
    titles, around = await page(first=2, after=around["endCursor"])
    assert titles == "21"
    back, _ = await page(last=2, before=around["startCursor"])
    assert back == "43"
    titles, around = await page(first=2, after=around["endCursor"])
    assert (titles, around["hasNextPage"]) == ("0", False)
    assert (await page(first=10, only=True))[0] == "420"
    assert (await page(first=10, only=None))[0] == "43210"


async def test_person_acknowledges_what_asks_and_hears_about_the_rest_by_place(ask: Ask, clock: Clock) -> None:
    lea, structure, by = await factories.person(), await factories.structure(), await factories.integration()
    await factories.attachment(lea, structure)
    asks = await factories.activity(structure, by, requires_acknowledgement=True)
    silent = await factories.activity(structure, by)
    foreign = await factories.activity(await factories.structure(), by, requires_acknowledgement=True)
    sent = [ids.encode("Activity", row.id) for row in (silent, asks, foreign)]
    sent += [ids.encode("Structure", structure.id), "nonsense"]
    expected = {
        "activities": [{"id": sent[1], "acknowledgedAt": "2027-03-15T09:00:00+00:00"}],
        "errors": [
            {"code": "INVALID_TRANSITION", "path": ["ids", "0"]},
            {"code": "NOT_FOUND", "path": ["ids", "2"]},
            {"code": "NOT_FOUND", "path": ["ids", "3"]},
            {"code": "NOT_FOUND", "path": ["ids", "4"]},
        ],
    }
    assert (await ask(ACKNOWLEDGE, lea, ids=sent))["acknowledgeActivities"] == expected
    clock.advance(hours=1)
    assert (await ask(ACKNOWLEDGE, lea, ids=sent))["acknowledgeActivities"] == expected
    assert (await ask(ACKNOWLEDGE, lea, ids=[]))["acknowledgeActivities"] == {"activities": [], "errors": []}
    document = "query ($id: ID!) { node(id: $id) { ... on Activity { acknowledgedAt } } }"
    assert await ask(document, lea, id=sent[1]) == {"node": {"acknowledgedAt": "2027-03-15T09:00:00+00:00"}}
    too_many = (await ask(ACKNOWLEDGE, lea, ids=sent[1:2] * 101))["acknowledgeActivities"]
    assert too_many == {"activities": [], "errors": [{"code": "TOO_MANY", "path": ["ids"]}]}


async def test_history_tells_of_recording_and_acknowledging(ask: Ask, outside: Outside) -> None:
    boss = await factories.person()
    structure = await factories.structure(boss)
    await outside([item(structure, requiresAcknowledgement=True)])
    await ask(ACKNOWLEDGE, boss, ids=[ids.encode("Activity", (await Activity.get()).id)])
    document = """query ($id: ID!) { node(id: $id) { ... on Structure { history { edges { node {
      type summary actor { displayName } } } } } } }"""
    told = await ask(document, boss, id=ids.encode("Structure", structure.id))
    assert [edge["node"] for edge in told["node"]["history"]["edges"]] == [
        {"type": "ActivityAcknowledged", "summary": "Activity acknowledged as read.", "actor": {"displayName": boss.display_name}},
        {"type": "ActivityRecorded", "summary": "Activity recorded by an integration.", "actor": None},
    ]  # fmt: skip
