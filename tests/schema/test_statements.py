"""How many statements the portal's main reads cost: a fixed number for each, however many rows there are."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, AttachmentService, AttachmentStatus, Role
from models.structures.services import Service
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SubscriptionService
from resolvers.scope import Scope
from schema import schema
from schema.base import ids
from schema.base.context import Context
from tests.schema.conftest import Ask
from tests.support import factories

pytestmark = pytest.mark.slow

MY_ACCOUNT = """{ me { displayed: firstName loginEmail user { displayName } sessions { id }
  attachments(first: 50) { totalCount pageInfo { hasNextPage } edges { cursor node {
    id role status inEffect validFrom validUntil viewerActs decidedBy { displayName }
    structure { id name identifier postalAddress { city } principalManager { displayName } openSpaces { code } services { code } }
    services { code name } } } } } }"""
REVIEW_QUEUE = """{ me { attachmentsToReview(first: 50) { totalCount edges { node {
  id comment validFrom viewerActs deciders { roles count escalableOn } user { displayName contactEmail postalAddress { city } } structure { name } services { code } } } } } }"""
ACTIVITIES = """{ me { activities(first: 50) { totalCount edges { node {
  id kind title url occurredAt requiresAcknowledgement acknowledgedAt space { code } service { code name }
  structure { name principalManager { displayName } } } } } } }"""
SEARCH = """{ structures(search: {name: "structure"}, first: 50) { totalCount edges { node {
  id name identifier kind principalManager { displayName } openSpaces { code } services { code }
  viewerAttachment { status structure { name } } } } } }"""

MY_SPACES = """query Mine($at: ID!) { me {
  access(space: COMMITMENTS, structureId: $at) { allowed reason changesOn }
  spaceSubscriptions(first: 50) { totalCount edges { node {
    id mode status inEffect effectiveFrom viewerActs space { code label } user { displayName } decidedBy { displayName }
    structure { name } services { code } } } } } }"""
DOCUMENTS = """{ me { documents(first: 50) { totalCount edges { node {
  id designation type filename mimeType size sha256 state createdAt downloadUrl } } } } }"""
UNDECIDED = """{ undecidedAttachments(first: 50) { totalCount edges { node {
  id requestedAt deciders { roles count escalableOn escalatedAt } user { displayName contactEmail } structure { name status } } } } }"""


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements sent to the database inside the block."""
    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logger, handler = logging.getLogger("tortoise.db_client"), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield seen
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


async def attach_with_services(count: int, *, status: AttachmentStatus, to_own: bool) -> factories.Account:
    """Somebody with `count` attachments (or requests to decide), each with its structure and two services."""
    ada = await factories.person()
    for _ in range(count):
        other = await factories.person()
        manager, user = (other, ada) if to_own else (ada, other)
        structure = await factories.structure(manager)
        services = [await Service.create(structure=structure, code=f"S{n}", name=f"Service {n}") for n in range(2)]
        decided = {"decided_by": manager} if status is AttachmentStatus.VALIDATED else {}
        attachment: Attachment = await factories.attachment(
            user, structure, status=status, role=Role.SIMPLE_USER, **decided
        )
        for service in services:
            await AttachmentService.create(attachment=attachment, service=service)
    return ada


@pytest.mark.parametrize("count", [1, 20])
async def test_my_account_costs_as_many_statements_for_one_attachment_as_for_twenty(ask: Ask, count: int) -> None:
    ada = await attach_with_services(count, status=AttachmentStatus.VALIDATED, to_own=True)
    with statements() as seen:
        data = await ask(MY_ACCOUNT, ada)
    edges = data["me"]["attachments"]["edges"]
    assert (len(edges), data["me"]["attachments"]["totalCount"]) == (count, count)
    assert [service["code"] for service in edges[0]["node"]["services"]] == ["S0", "S1"]
    # account; its user, sessions, attachments and their number; the viewer's roles; of the attachments: structures, services,
    # deciders; of the structures: seats, their holders, spaces, services
    assert len(seen) == 13, "\n".join(seen)


@pytest.mark.parametrize("count", [1, 20])
async def test_review_queue_costs_as_many_statements_for_one_request_as_for_twenty(ask: Ask, count: int) -> None:
    ada = await attach_with_services(count, status=AttachmentStatus.PENDING, to_own=False)
    with statements() as seen:
        data = await ask(REVIEW_QUEUE, ada)
    queue = data["me"]["attachmentsToReview"]
    assert (len(queue["edges"]), queue["totalCount"]) == (count, count)
    # account; requests and their number; the viewer's roles; who can decide; users, structures, services; whose e-mail and whose
    # address may be seen
    assert len(seen) == 10, "\n".join(seen)


@pytest.mark.parametrize("count", [1, 20])
async def test_search_costs_as_many_statements_for_one_structure_as_for_twenty(ask: Ask, count: int) -> None:
    ada = await attach_with_services(count, status=AttachmentStatus.VALIDATED, to_own=True)
    with statements() as seen:
        data = await ask(SEARCH, ada)
    assert (len(data["structures"]["edges"]), data["structures"]["totalCount"]) == (count, count)
    # structures and their number; seats and their holders; spaces; services; the viewer's attachments and their structures
    assert len(seen) == 8, "\n".join(seen)


@pytest.mark.parametrize("count", [1, 20])
async def test_my_spaces_cost_as_many_statements_for_one_subscription_as_for_twenty(ask: Ask, count: int) -> None:
    ada = await attach_with_services(count, status=AttachmentStatus.VALIDATED, to_own=True)
    for structure in await Structure.all():
        row = await factories.subscription(ada, structure, SpaceCode.COMMITMENTS, decided_by=await Account.first())
        await SubscriptionService.create(subscription=row, service=await Service.filter(structure=structure).first())
    with statements() as seen:
        data = await ask(MY_SPACES, ada, at=ids.encode("Structure", structure.id))
    edges = data["me"]["spaceSubscriptions"]["edges"]
    assert (len(edges), data["me"]["spaceSubscriptions"]["totalCount"]) == (count, count)
    assert edges[0]["node"]["services"] == [{"code": "S0"}]
    assert data["me"]["access"]["reason"] == "SPACE_NOT_OPEN"
    # account; the answer; subscriptions and their number; the viewer's roles; users (deciders among them), structures, services
    assert len(seen) == 8, "\n".join(seen)


@pytest.mark.parametrize("count", [1, 20])
async def test_activities_cost_as_many_statements_for_one_as_for_twenty(ask: Ask, count: int) -> None:
    ada, by = await factories.person(), await factories.integration()
    for _ in range(count):
        structure = await factories.structure(ada)
        service = await Service.create(structure=structure, code="S", name="Service")
        await factories.activity(structure, by, service=service, space="HOME")
    with statements() as seen:
        data = await ask(ACTIVITIES, ada)
    activities = data["me"]["activities"]
    assert (len(activities["edges"]), activities["totalCount"]) == (count, count)
    # account; activities and their number; structures, services; of the structures: seats and their holders
    assert len(seen) == 7, "\n".join(seen)


RECORD = (
    """mutation ($input: [RecordActivityInput!]!) { recordActivities(input: $input) { recorded errors { code } } }"""
)


async def test_documents_cost_three_statements_with_their_addresses(ask: Ask) -> None:
    ada = await factories.person()
    for _ in range(20):
        await factories.document(ada)
    with statements() as seen:
        answer = await ask(DOCUMENTS, ada)
    assert answer["me"]["documents"]["totalCount"] == 20
    assert len(seen) == 3


@pytest.mark.parametrize("count", [1, 500])
async def test_recording_costs_as_many_statements_for_one_activity_as_for_five_hundred(
    db: str, scope_of: Callable[..., Scope], count: int
) -> None:
    scope = scope_of()
    scope.integration = await factories.integration()
    structures = [await factories.structure() for _ in range(min(count, 20))]
    for structure in structures:
        await Service.create(structure=structure, code="S", name="Service")
    given = [
        {"key": str(n), "structureIdentifier": {"type": "OTHER", "value": structures[n % 20].identifier},
         "serviceCode": "S", "kind": "EVENT", "title": "T", "occurredAt": "2027-03-01T12:00:00Z"}
        for n in range(count)
    ]  # fmt: skip
    with statements() as seen:
        result = await schema.execute(RECORD, {"input": given}, context_value=Context(scope=scope))
    assert result.data == {"recordActivities": {"recorded": count, "errors": []}}
    # structures, services; the key held; what there was; activities, their ids, events
    assert len(seen) == 7, "\n".join(seen)


async def test_an_export_address_costs_no_statement_and_twenty_cost_one(ask: Ask) -> None:
    ada = await attach_with_services(20, status=AttachmentStatus.VALIDATED, to_own=True)
    with statements() as seen:
        data = await ask('{ structures(search: {name: "structure"}) { exportUrl } }', ada)
    assert "/exports/structures?signed=" in data["structures"]["exportUrl"]
    assert seen == []
    with statements() as seen:
        await ask('{ structures(search: {name: "structure"}) { edges { node { usersExportUrl } } } }', ada)
    # structures; the viewer's roles
    assert len(seen) == 2, "\n".join(seen)


@pytest.mark.parametrize("count", [1, 20])
async def test_supports_queue_costs_as_many_statements_for_one_request_as_for_twenty(ask: Ask, count: int) -> None:
    ada = await attach_with_services(count, status=AttachmentStatus.PENDING, to_own=False)
    await attach_with_services(3, status=AttachmentStatus.PENDING, to_own=False)
    await ada.update_from_dict({"state": "SUSPENDED"}).save()
    support = await factories.person(platform_role="SUPPORT")
    with statements() as seen:
        data = await ask(UNDECIDED, support)
    queue = data["undecidedAttachments"]
    assert (len(queue["edges"]), queue["totalCount"]) == (count, count)
    assert queue["edges"][0]["node"]["deciders"]["count"] == 0
    # requests and their number; who can decide; users, structures; whose e-mail may be seen
    assert len(seen) == 6, "\n".join(seen)
