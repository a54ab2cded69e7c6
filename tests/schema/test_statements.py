"""How many statements the portal's main reads cost: a fixed number for each, however many rows there are."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from models.attachments import Attachment, AttachmentService, AttachmentStatus, Role
from models.services import Service
from tests import factories
from tests.schema.conftest import Ask

MY_ACCOUNT = """{ me { displayed: firstName loginEmail user { displayName } sessions { id }
  attachments(first: 50) { totalCount pageInfo { hasNextPage } edges { cursor node {
    id role status inEffect validFrom validUntil viewerActs decidedBy { displayName }
    structure { id name identifier postalAddress { city } principalManager { displayName } openSpaces { code } services { code } }
    services { code name } } } } } }"""
REVIEW_QUEUE = """{ me { attachmentsToReview(first: 50) { totalCount edges { node {
  id comment validFrom viewerActs deciders { roles count escalableOn } user { displayName contactEmail postalAddress { city } } structure { name } services { code } } } } } }"""
SEARCH = """{ structures(search: {name: "structure"}, first: 50) { totalCount edges { node {
  id name identifier kind principalManager { displayName } openSpaces { code } services { code }
  viewerAttachment { status structure { name } } } } } }"""

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
