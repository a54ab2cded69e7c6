"""Readers that never read: what a server holds for them, how each is closed, and that the others go on receiving."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.app import office_of
from models.structures.structures import Structure
from resolvers.activities import api_keys
from resolvers.scope import Scope
from tests.graph.support.apps import settings_of
from tests.graph.support.live import Reader, ended, open_streams, token_for
from tests.graph.support.servers import Server
from tests.graph.support.wire import Wire, head
from tests.support import factories

pytestmark = pytest.mark.slow

MEBIBYTE = 1024 * 1024
SILENT = 8
ACTIVITIES = 500  # as many as one call may record
BURSTS = 3
PATIENCE = 120.0
ADDRESSES = 8  # of 2,000 characters in one delivery: 16 kB each
MOST_GROWTH = 24 * MEBIBYTE  # what reaches the silent ones comes to 188 MiB
RECORD = """mutation ($input: [RecordActivityInput!]!) { recordActivities(input: $input) {
  recorded errors { code path message } } }"""
IMPATIENT = """from graph.cli.main import main
from graph.live import send_queue

send_queue.STALL_SECONDS, send_queue.LINGER_SECONDS = 5.0, 60.0
main()
"""


@dataclass
class World:
    """A server in a process of its own, with a structure, who manages it, and the key of an integration."""

    server: Server
    structure: Structure
    tokens: list[str]
    key: str

    async def record(self, burst: int) -> list[str]:
        """Record so many activities by one call; their titles."""
        titles = [f"Invoice {burst}-{number}" for number in range(ACTIVITIES)]
        place = {"type": self.structure.identifier_type, "value": self.structure.identifier}
        given = [
            {"key": title, "structureIdentifier": place, "kind": "EVENT", "title": title,
             "url": f"https://invoices.example/{title.replace(' ', '-'):x<1975}", "occurredAt": "2026-03-14T09:30:00+01:00"}
            for title in titles
        ]  # fmt: skip
        headers = {"Authorization": f"ApiKey {self.key}"}
        for start in range(0, ACTIVITIES, 250):  # a body has at most 1 MiB
            body = {"query": RECORD, "variables": {"input": given[start : start + 250]}}
            async with httpx.AsyncClient(timeout=PATIENCE) as http:
                answer = await http.post(f"{self.server.url}/graphql", json=body, headers=headers)
            assert answer.json()["data"] == {"recordActivities": {"recorded": 250, "errors": []}}
        return titles

    def most_resident(self) -> int:
        """The server's peak memory in bytes."""
        status = Path(f"/proc/{self.server.process_id}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server that gives a client five seconds instead of twenty to take something, and a minute to read why."""
    given = {"DATABASE_URL": database_url, "RATE_LIMITS": "off"}
    server = Server(tmp_path, given, "--no-worker")
    server.command = ("-c", IMPATIENT)
    with server:
        yield server


@pytest.fixture
async def world(db: str, tmp_path: Path, server: Server) -> World:
    """What is there before anybody follows."""
    manager = await factories.person()
    structure = await factories.structure(manager)
    key = await api_keys.create(Scope(office_of(settings_of(tmp_path, db))), "erp")
    return World(server, structure, [await token_for(manager) for _ in range(SILENT + 1)], key)


Told = Callable[[], Awaitable[Any]]  # by what the client finds that it was cut off, once it reads


def wide(number: int) -> str:
    """A subscription like no other's, so that nothing of what waits for one is shared with another."""
    urls = " ".join(f"u{number}x{each}: url" for each in range(ADDRESSES))
    return f"subscription {{ activityRecorded {{ activity {{ title {urls} }} }} }}"


@asynccontextmanager
async def silent_socket(url: str, token: str, number: int) -> AsyncIterator[Told]:
    """A WebSocket whose client reads nothing once it has subscribed."""
    async with Reader.at(url, token, max_queue=1) as reader:
        await reader.subscribe(wide(number))
        reader.connection.transport.pause_reading()

        async def told() -> Any:
            reader.connection.transport.resume_reading()
            return await reader.close_code(PATIENCE)

        yield told


@asynccontextmanager
async def silent_event_stream(url: str, token: str, number: int) -> AsyncIterator[Told]:
    """An event stream whose client reads nothing, not even the head."""
    body = json.dumps({"query": wide(number)}).encode()
    lines = ("Accept: text/event-stream", "Content-Type: application/json", f"Authorization: Bearer {token}",
             f"Content-Length: {len(body)}")  # fmt: skip
    async with Wire.to(url) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wire.send(head(*lines, method="POST", path="/graphql") + body)

        async def told() -> Any:
            wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
            said = (await wire.rest()).decode()
            assert "event: complete" not in said  # there is more: the client connects anew
            *_, last = [line for line in said.splitlines() if line.startswith("data: ")]
            (error,) = json.loads(last.removeprefix("data: "))["errors"]
            return error["extensions"]["code"]

        yield told


async def delivered(reader: Reader) -> str:
    """The title of the next activity."""
    title: str = (await reader.delivery(PATIENCE))["activity"]["title"]
    return title


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read a process's memory from")
@pytest.mark.parametrize(
    ("silent", "why"), [(silent_socket, 4413), (silent_event_stream, "SLOW_READER")], ids=["websocket", "event stream"]
)
async def test_readers_that_never_read_cost_little_memory_and_are_closed_while_others_receive(
    world: World, silent: Callable[[str, str, int], AbstractAsyncContextManager[Told]], why: int | str
) -> None:
    url, (token, *tokens) = world.server.url, world.tokens
    async with AsyncExitStack() as stack:
        quick = await stack.enter_async_context(Reader.at(url, token))
        await quick.subscribe(wide(0))
        await open_streams(url, 1)
        titles = await world.record(0)
        assert [await delivered(quick) for _ in titles] == titles
        before = world.most_resident()
        told = [await stack.enter_async_context(silent(url, token, number)) for number, token in enumerate(tokens, 1)]
        await open_streams(url, SILENT + 1)
        for burst in range(1, BURSTS + 1):
            titles = await world.record(burst)
            assert [await delivered(quick) for _ in titles] == titles
        await ended(url, "SLOW_READER", SILENT)
        grown = world.most_resident() - before
        assert await asyncio.gather(*(each() for each in told)) == [why] * SILENT
        titles = await world.record(BURSTS + 1)
        assert [await delivered(quick) for _ in titles] == titles
    assert grown < MOST_GROWTH
