"""The client libraries that applications use receive a change made by another client, by whichever process it came."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from models import database
from models.attachments import AttachmentStatus
from schema import ids
from tests import factories
from tests.graph.live import ask, token_for
from tests.graph.processes import Place

MODULES = os.environ.get("RATTACHE_NODE_MODULES", "")
LIBRARIES = ("graphql-ws", "graphql-sse", "@apollo/client", "ws")
SCRIPT = Path(__file__).parent / "clients.cjs"
VALIDATE = (
    """mutation ($id: ID!) { validateAttachments(input: {validations: [{id: $id}]}) { results { errors { code } } } }"""
)

needs_node = pytest.mark.skipif(
    not shutil.which("node") or not all(os.path.isdir(os.path.join(MODULES, name)) for name in LIBRARIES),
    reason=f"needs node, and RATTACHE_NODE_MODULES naming a node_modules folder that holds {', '.join(LIBRARIES)}",
)


async def _line(node: asyncio.subprocess.Process) -> Any:
    assert node.stdout is not None
    line = (await asyncio.wait_for(node.stdout.readline(), 30)).decode().strip()
    return line if line == "open" else json.loads(line)


@needs_node
@pytest.mark.parametrize("kind", ["graphql-ws", "graphql-sse", "apollo-client"])
async def test_a_client_receives_a_change_made_by_another(place: Place, kind: str) -> None:
    await database.connect(place.database)
    manager, asking = await factories.person(first_name="Mona"), await factories.person(first_name="Asa")
    structure = await factories.structure(manager)
    waiting = await factories.attachment(asking, structure, status=AttachmentStatus.PENDING)
    tokens = await token_for(manager), await token_for(manager)
    await database.close()
    node = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), kind, f"{place.reader}/graphql", tokens[0], ids.encode("Structure", structure.id),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "NODE_PATH": MODULES},
    )  # fmt: skip
    try:
        assert await _line(node) == "open"
        await asyncio.sleep(0.5)
        id = ids.encode("Attachment", waiting.id)
        done = await ask(place.writer, VALIDATE, tokens[1], id=id)
        assert done["validateAttachments"]["results"] == [{"errors": []}]
        found = (await _line(node))["data"]["attachmentStatusChanged"]
    finally:
        node.kill()
        await node.wait()
    assert found["status"] == "VALIDATED"
    assert found["attachment"]["user"]["displayName"] == asking.display_name
    assert found["attachment"]["id"] == id
