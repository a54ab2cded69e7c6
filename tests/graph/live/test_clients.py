"""The client libraries that applications use receive a change made by another client, by whichever process it came."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from models.attachments.attachments import AttachmentStatus
from models.db import database
from schema.base import ids
from tests.graph.support.live import ask, token_for
from tests.graph.support.processes import Place
from tests.graph.support.servers import Server
from tests.support import factories

pytestmark = pytest.mark.slow

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


CLIENTS = Path(__file__).parents[3] / "CLIENTS.md"
OPENED = 'on: { connected: () => console.log("open") }'
FLIP = "mutation ($id: ID!) {{ done: {act}(ids: [$id]) {{ results {{ errors {{ code }} }} }} }}"


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


@needs_node
async def test_the_client_of_the_readme_resumes_after_the_server_was_killed(tmp_path: Path) -> None:
    address = f"sqlite://{tmp_path / 'live.db'}"
    await database.migrate(address)
    await database.connect(address)
    manager = await factories.person()
    structure = await factories.structure(manager)
    attachment = await factories.attachment(await factories.person(), structure)
    token, acting = await token_for(manager), await token_for(manager)
    await database.close()
    with Server(tmp_path, {"DATABASE_URL": address, "RATE_LIMITS": "off"}, "--no-worker") as server:
        node = await _documented_client(tmp_path, server.url, token)
        try:
            seen = []
            for number, act in enumerate(("deactivateAttachments", "reactivateAttachments") * 3):
                flip, id = FLIP.format(act=act), ids.encode("Attachment", attachment.id)
                assert (await ask(server.url, flip, acting, id=id))["done"]["results"] == [{"errors": []}]
                if number in (1, 3):  # what was done just before goes unread, or doesn't
                    server.kill()
                    await asyncio.to_thread(server.start)
                elif number == 0:
                    seen.append(await _status(node))
            seen += [await _status(node) for _ in range(5)]
        finally:
            node.kill()
            await node.wait()
    assert seen == ["DEACTIVATED", "VALIDATED"] * 3


async def _documented_client(folder: Path, url: str, token: str) -> asyncio.subprocess.Process:
    """The example of CLIENTS.md at work, connected, with this address and token in it."""
    code = CLIENTS.read_text(encoding="utf-8").partition("```js\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) == 10
    code = code.replace("ws://localhost:8000", url.replace("http", "ws"))
    code = re.sub(r"Bearer [\w-]+", f"Bearer {token}", code).replace("shouldRetry", f"{OPENED}, shouldRetry")
    (folder / "node_modules").symlink_to(MODULES)
    shim = 'import WebSocket from "ws"; globalThis.WebSocket = WebSocket;\n'  # which newer ones have of their own
    (folder / "client.mjs").write_text(shim + code, encoding="utf-8")
    node = await asyncio.create_subprocess_exec("node", str(folder / "client.mjs"), stdout=asyncio.subprocess.PIPE)
    assert await _line(node) == "open"
    await asyncio.sleep(0.5)
    return node


async def _status(node: asyncio.subprocess.Process) -> str:
    """The status of the next thing printed; later connections are let pass."""
    assert node.stdout is not None
    while True:
        line = (await asyncio.wait_for(node.stdout.readline(), 30)).decode()
        if found := re.search(r"status: '(\w+)'", line):
            return found[1]
