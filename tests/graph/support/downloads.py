"""Asking for exports as people do: the address by the API, then the file with nothing but the address."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette

from graph.app import create_app
from graph.settings import Settings
from models.accounts.accounts import Account
from models.structures.structures import Structure
from schema.base import ids
from tests.graph.support.apps import SIGN_IN, ask
from tests.support import factories


async def token_of(client: httpx.AsyncClient, account: Account) -> str:
    """A new session's token; the client keeps no cookie of it."""
    answer = await ask(client, SIGN_IN, email=account.login_email, password=factories.PASSWORD)
    client.cookies.clear()
    token: str = answer["data"]["signIn"]["token"]
    return token


async def search_url(
    client: httpx.AsyncClient, account: Account, criteria: str = "{kind: PRIVATE}", language: str = "fr"
) -> str:
    """The address of all that a search finds."""
    headers = {"authorization": f"Bearer {await token_of(client, account)}", "accept-language": language}
    answer = await ask(client, f"{{ structures(search: {criteria}, first: 1) {{ exportUrl }} }}", headers)
    url: str = answer["data"]["structures"]["exportUrl"]
    return url


async def users_url(
    client: httpx.AsyncClient, account: Account, structure: Structure, language: str = "fr"
) -> str | None:
    """The address of a structure's users."""
    headers = {"authorization": f"Bearer {await token_of(client, account)}", "accept-language": language}
    query = "query($id: ID!) { node(id: $id) { ... on Structure { usersExportUrl } } }"
    answer = await ask(client, query, headers, id=ids.encode("Structure", structure.id))
    url: str | None = answer["data"]["node"]["usersExportUrl"]
    return url


def cells(body: bytes) -> list[list[str]]:
    """The rows of a file, the columns' names first, as a spreadsheet reads them."""
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=";", strict=True))


# ------------------------------------------------------------------ transfers, message by message
Taken = Callable[[int], Awaitable[None]]


@asynccontextmanager
async def running(settings: Settings, **options: Any) -> AsyncIterator[tuple[Starlette, httpx.AsyncClient]]:
    """The running application, and a client of it."""
    app = create_app(settings, sends=False, **options)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, client=("203.0.113.7", 40_000))
        async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as client:
            yield app, client


async def transfer(app: Starlette, url: str, taken: Taken) -> tuple[int, bytes, bool]:
    """The status, the body as far as it came, and whether the server said that it was whole.

    `taken` is awaited with the number of each piece: for so long the reader takes no other.
    """
    parts = httpx.URL(url)
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": parts.path, "raw_path": parts.path.encode(), "query_string": parts.query,
        "root_path": "", "headers": [(b"host", b"127.0.0.1:8000")], "client": ("203.0.113.7", 40_000),
        "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    asked = False
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)
        if message["type"] == "http.response.body":
            await taken(len(messages) - 2)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return messages[0]["status"], body, not messages[-1].get("more_body", False)
