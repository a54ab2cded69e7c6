"""graphql-transport-ws on `/graphql`: its messages, its close codes, and streams over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models.accounts import Account
from models.attachments import AttachmentStatus
from schema import ids
from tests import factories
from tests.graph import live
from tests.graph.apps import settings_of
from tests.graph.live import STATUS, Reader, ask, token_for

VALIDATE = """mutation ($id: ID!) { validateAttachments(input: {validations: [{id: $id}]}) {
  results { errors { code message } } errors { code } } }"""


@pytest.fixture
async def url(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server with an empty database."""
    async with live.served(settings_of(tmp_path, database_url, rate_limits=False)) as url:
        yield url


async def pending() -> tuple[Account, Account, str]:
    """A manager, somebody who waits to be attached to their structure, and the id of that request."""
    manager, asking = await factories.person(first_name="Mona"), await factories.person(first_name="Asa")
    structure = await factories.structure(manager)
    waiting = await factories.attachment(asking, structure, status=AttachmentStatus.PENDING)
    return manager, asking, ids.encode("Attachment", waiting.id)


async def test_a_requester_hears_of_the_decision_as_it_is_made(url: str) -> None:
    manager, asking, request = await pending()
    async with Reader.at(url, await token_for(asking)) as reader:
        await reader.subscribe(STATUS)
        await reader.settled()
        await ask(url, VALIDATE, await token_for(manager), id=request)
        found = await reader.delivery()
    assert found["attachment"] == {"id": request, "user": {"displayName": asking.display_name}}
    assert (found["previousStatus"], found["status"], found["role"]) == ("PENDING", "VALIDATED", "SIMPLE_USER")
    assert found["actor"] == {"displayName": manager.display_name}
