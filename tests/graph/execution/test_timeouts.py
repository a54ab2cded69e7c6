"""The time limit of an operation: told on every transport, what wasn't committed undone, streams left alone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from graph.execution import executor
from models.accounts.accounts import Account
from models.db import database
from models.events.events import Event
from models.mail.outbox import Mail
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.live import STATUS, Reader, open_streams, token_for
from tests.support import factories

pytestmark = pytest.mark.slow

CHANGE = 'mutation { updateAccount(input: {phone: "0123456789"}) { errors { code } } }'
SENTENCES = {
    "fr": "L'opération a été interrompue au bout de 1 secondes : voyez ce qui en est fait avant de recommencer.",
    "en": "The operation was stopped after 1 seconds: see what is done of it before you try again.",
}


@pytest.fixture
async def url(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The address of a server that gives an operation one second."""
    assert executor.OPERATION_SECONDS == 30
    monkeypatch.setattr(executor, "OPERATION_SECONDS", 1.0)
    async with live.served(settings_of(tmp_path, database_url, rate_limits=False)) as url:
        yield url


@asynccontextmanager
async def held(address: str) -> AsyncIterator[None]:
    """Inside, another program keeps the accounts to itself."""
    if database.is_sqlite_url(address):
        other = sqlite3.connect(address.removeprefix("sqlite://").partition("?")[0], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()
        return
    server = await asyncpg.connect(address)
    begun = server.transaction()
    await begun.start()
    await server.execute("LOCK TABLE accounts IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        await begun.rollback()
        await server.close()


async def over_http(url: str, token: str, language: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
    async with httpx.AsyncClient(timeout=60) as http:
        response = await http.post(f"{url}/graphql", json={"query": CHANGE}, headers=headers)
    assert response.status_code == 200
    return response.json()


async def over_events(url: str, token: str, language: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": language, "Accept": "text/event-stream"}
    async with httpx.AsyncClient(timeout=60) as http:
        response = await http.post(f"{url}/graphql", json={"query": CHANGE}, headers=headers)
    (data,) = [line for line in response.text.splitlines() if line.startswith("data: ")]
    return httpx.Response(200, text=data.removeprefix("data: ")).json()


async def over_socket(url: str, token: str, language: str) -> Any:
    async with Reader.at(url, token, additional_headers={"Accept-Language": language}) as reader:
        await reader.subscribe(CHANGE)
        message = await reader.read(60)
        assert message["type"] == "next", message
        return message["payload"]


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("ask", [over_http, over_events, over_socket])
async def test_a_mutation_that_takes_too_long_is_stopped_and_leaves_nothing(
    url: str, database_url: str, ask: Any, language: str
) -> None:
    account = await factories.person(phone=None)
    token = await token_for(account)
    async with held(database_url):
        asked = asyncio.create_task(ask(url, token, language))
        await asyncio.sleep(2)
    answer = await asked
    (error,) = answer["errors"]
    assert answer["data"] is None
    assert (error["extensions"]["code"], error["message"]) == ("TIMEOUT", SENTENCES[language])
    await account.refresh_from_db()
    assert (account.phone, await Event.all().count(), await Mail.all().count()) == (None, 0, 0)
    assert (await ask(url, token, language))["data"] == {"updateAccount": {"errors": []}}
    assert (await Account.get(id=account.id)).phone == "0123456789"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_stream_lasts_longer_than_an_operation_may(url: str) -> None:
    account = await factories.person()
    async with Reader.at(url, await token_for(account)) as reader:
        await reader.subscribe(STATUS)
        await open_streams(url, 1)
        await reader.silence(2)
