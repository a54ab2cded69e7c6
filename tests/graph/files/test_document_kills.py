"""kill -9 at each step of a document's life: what was acknowledged is there, and the sweep leaves nothing behind.

Once at each step; RATTACHE_KILL_ROUNDS=30 for the full proof, whose figures `pytest -s` shows.
"""

import asyncio
import hashlib
import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.files.storage import store_of
from models.accounts.accounts import Account
from models.db import database
from models.documents.documents import Document
from resolvers.documents import sweeps
from resolvers.scope import Office, Scope
from resolvers.storage import Store
from tests.conftest import s3_environment
from tests.graph.support import forms
from tests.graph.support.apps import ask
from tests.graph.support.dying import MARK, STEPS
from tests.graph.support.servers import Server
from tests.resolvers.support.files import stored
from tests.support import factories

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("RATTACHE_KILL_ROUNDS", "1"))
CONTENT = MARK.encode() + bytes(700_000)
REMOVE = "mutation($ids: [ID!]!) { removeDocuments(ids: $ids) { results { errors { code } } } }"
LIST = "{ me { documents(first: 100) { edges { node { id filename sha256 downloadUrl } } } } }"


@pytest.fixture
def where(database_url: str, storage_url: str) -> dict[str, str]:
    """The settings of a server on each engine and each kind of store."""
    settings = {"DATABASE_URL": database_url.partition("?")[0], "STORAGE_URL": storage_url, "RATE_LIMITS": "off"}
    s3 = s3_environment(os.environ["AWS_ENDPOINT_URL"]) if storage_url.startswith("s3") else {}
    return settings | s3


async def _added(client: httpx.AsyncClient, session: dict[str, str], name: str, content: bytes) -> Any:
    return (await forms.add(client, session, name, content))["document"]


async def _dies(client: httpx.AsyncClient, session: dict[str, str], step: str) -> str | None:
    """Bring a document to the step at which the server dies; its SHA-256 if it was acknowledged before."""
    if step not in {"before it is deleted", "after its content is deleted"}:
        with pytest.raises(httpx.TransportError):
            await _added(client, session, f"{MARK}.fax", CONTENT)
        return None
    document = await _added(client, session, f"{MARK}.fax", CONTENT)
    with pytest.raises(httpx.TransportError):
        await ask(client, REMOVE, session, ids=[document["id"]])
    return str(document["sha256"])


async def _listed(client: httpx.AsyncClient, session: dict[str, str]) -> Counter[str]:
    """The SHA-256 of every document there is, each of which can be had as it was sent."""
    found: Counter[str] = Counter()
    for edge in (await ask(client, LIST, session))["data"]["me"]["documents"]["edges"]:
        node = edge["node"]
        content = (await client.get(node["downloadUrl"])).raise_for_status().content
        assert hashlib.sha256(content).hexdigest() == node["sha256"], node["filename"]
        found[node["sha256"]] += 1
    return found


async def _swept(office: Office, store: Store) -> None:
    """What the sweep leaves two hours later: an object for every row, a row for every object."""
    scope = Scope(replace(office, store=store, clock=lambda: datetime.now(UTC) + timedelta(hours=2)))
    await sweeps.sweep_rows(scope)
    await sweeps.sweep_objects(scope)
    rows = await Document.all()
    assert [row.id for row in rows if row.stored_at is None or row.removed_at is not None] == []
    assert await stored(store) == {row.object_key for row in rows}


async def test_whatever_step_a_document_dies_at_nothing_is_lost_and_nothing_left(
    where: dict[str, str], tmp_path: Path, office: Office
) -> None:
    await database.connect(where["DATABASE_URL"])
    owner, figures = await factories.person(), Counter[str]()
    server = Server(tmp_path, where, "--no-worker")
    store = store_of(where["STORAGE_URL"])
    try:
        for number in range(ROUNDS):
            for step in STEPS:
                await _one_kill(server, owner, step, f"{number} {step}", figures)
                await _swept(office, store)
                await Document.all().update(removed_at=factories.LONG_AGO)
                await _swept(office, store)
    finally:
        server.kill()
        await database.close()
    print(f"\n{dict(figures)}")  # noqa: T201 - the figures of the full proof
    assert figures["kills"] == ROUNDS * len(STEPS)


async def _one_kill(server: Server, owner: Account, step: str, name: str, figures: Counter[str]) -> None:
    server.command = ("-m", "tests.graph.support.dying", step)
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        session = await forms.bearer(client, owner)
        kept = (await _added(client, session, "kept.fax", name.encode() + bytes(1000)))["sha256"]
        removed = await _dies(client, session, step)
    server.kill()
    server.command = Server(server.folder).command
    await asyncio.to_thread(server.start)
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        found = await _listed(client, session)
    server.kill()
    assert found.pop(kept) == 1, name
    whole = hashlib.sha256(CONTENT).hexdigest()
    assert set(found) <= {whole}, name
    assert removed is None or not found, name
    assert found[whole] == (step == "after the commit, before the answer"), name
    figures.update(kills=1, acknowledged=1 + (removed is not None), committed_unanswered=found[whole])
