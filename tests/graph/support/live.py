"""Live streams over real sockets: the application served on a port of its own, and readers of either protocol."""

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Self

import httpx
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from graph.app import create_app
from graph.cli.serve import PROTOCOLS
from graph.settings import Settings
from models.accounts import sessions
from models.accounts.accounts import Account

PATIENCE = 10.0  # for what must arrive; other databases of the same PostgreSQL can hold an event back
STATUS = """subscription ($structure: ID, $after: String) {
  attachmentStatusChanged(structureId: $structure, after: $after) {
    cursor occurredAt previousStatus status role attachment { id user { displayName } } actor { displayName } } }"""


class HandledSignals(uvicorn.Server):
    """uvicorn that leaves the tests' signals alone."""

    def capture_signals(self) -> Any:
        """Nothing."""
        return nullcontext()


@asynccontextmanager
async def served(settings: Settings, **options: Any) -> AsyncIterator[str]:
    """The address of the application, served by uvicorn in this very loop; its database is open for the test too."""
    app = create_app(settings, sends=False, **options)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """The address at which this application is served."""
    with socket.socket(proto=socket.IPPROTO_TCP) as place:  # asyncio sends at once on what says that it is TCP
        place.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5, **PROTOCOLS)
        server = HandledSignals(config)
        serving = asyncio.create_task(server.serve([place]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
        server.should_exit = True
        await serving


async def token_for(account: Account, at: datetime | None = None) -> str:
    """The token of a new session of theirs, put straight in the table."""
    token = secrets.token_urlsafe(32)
    await sessions.open_for(account, token, at=at or datetime.now(UTC), user_agent=None)
    return token


async def ask(url: str, query: str, token: str | None = None, **variables: Any) -> Any:
    """The data of an operation over HTTP that must have no errors."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(timeout=30) as http:
        response = await http.post(f"{url}/graphql", json={"query": query, "variables": variables}, headers=headers)
    body = response.json()
    assert "errors" not in body, body
    return body["data"]


async def ended(url: str, code: str, number: int = 1) -> None:
    """Return once the server has ended so many people's streams with this code."""
    await _measured(url, f'rattache_live_endings_total{{code="{code}"}} {number}.0')


async def open_streams(url: str, number: int) -> None:
    """Return once so many streams are live."""
    await _measured(url, f"rattache_live_streams {number}.0")


async def _measured(url: str, line: str) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient(timeout=60) as http:
        while line not in (await http.get(f"{url}/metrics")).text.splitlines():
            await asyncio.sleep(0.05)


@dataclass
class Reader:
    """A client of graphql-transport-ws that says what it reads, message by message."""

    connection: ClientConnection
    _ids: Any = field(default_factory=lambda: count(1))

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, token: str | None = None, *, init: bool = True, **options: Any) -> AsyncIterator[Self]:
        """A connection, initialised unless told otherwise."""
        options = {"subprotocols": [Subprotocol("graphql-transport-ws")], "ping_interval": None} | options
        async with connect(f"{url.replace('http', 'ws', 1)}/graphql", **options) as connection:
            reader = cls(connection)
            if init:
                await reader.send(
                    type="connection_init", **({"payload": {"authorization": f"Bearer {token}"}} if token else {})
                )
                assert (await reader.read())["type"] == "connection_ack"
            yield reader

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.connection.send(json.dumps(message))

    async def subscribe(self, query: str, operation: str | None = None, **variables: Any) -> str:
        """Begin an operation; its id."""
        id = operation or str(next(self._ids))
        await self.send(id=id, type="subscribe", payload={"query": query, "variables": variables})
        return id

    async def read(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next message but pings, which are answered."""
        async with asyncio.timeout(seconds):
            while True:
                message: dict[str, Any] = json.loads(await self.connection.recv())
                if message["type"] != "ping":
                    return message
                await self.send(type="pong")

    async def delivery(self, seconds: float = PATIENCE) -> Any:
        """What the next delivery holds under its only field."""
        message = await self.read(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (found,) = message["payload"]["data"].values()
        return found

    async def silence(self, seconds: float = 0.5) -> None:
        """Nothing arrives for so long."""
        try:
            message = await self.read(seconds)
        except TimeoutError:
            return
        raise AssertionError(message)

    async def settled(self) -> None:
        """Return once all operations sent so far have been begun."""
        await asyncio.sleep(0.15)

    async def close_code(self, seconds: float = PATIENCE, keep: list[str] | None = None) -> int | None:
        """By which code the server closes; of what comes before, the cursors go to `keep`."""
        kept = [] if keep is None else keep
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = json.loads(await self.connection.recv())
                    kept += [found["cursor"] for found in _delivered(message) if "cursor" in found]
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


def _delivered(message: dict[str, Any]) -> list[Any]:
    return list(message["payload"]["data"].values()) if message["type"] == "next" else []


def codes(message: dict[str, Any]) -> list[str]:
    """The codes of an error message."""
    assert message["type"] == "error", message
    return [error["extensions"]["code"] for error in message["payload"]]
