"""A server that the program needs falls silent, its packets held: people are told soon, and all goes on afterwards."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.db import database, timeouts
from models.documents.documents import Document, DocumentState
from models.errors.errors import DatabaseAway
from tests.conftest import POSTGRES
from tests.graph.files.test_clamav import clamd, listening
from tests.graph.live.test_wakeups import REDIS
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.graph.support.forms import add, bearer
from tests.support import factories
from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow

ME = "{ me { firstName } }"
LONGEST = 60.0  # a test's own patience: without bounds, nothing is answered in it


@pytest.fixture
def proxy(postgres_database: str) -> Iterator[Proxy]:
    """A proxy to the PostgreSQL server."""
    with Proxy.to(POSTGRES) as made:
        yield made


async def _until_answered(client: httpx.AsyncClient, headers: dict[str, str]) -> Any:
    deadline = time.monotonic() + LONGEST
    while True:
        answer = await ask(client, ME, headers)
        if "errors" not in answer or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_silent_database_is_told_to_everybody_and_found_again(
    tmp_path: Path, database_url: str, proxy: Proxy
) -> None:
    settings = settings_of(tmp_path, proxy.url(database_url))
    async with served(settings, sends=False) as client:
        ada = await factories.person()
        entry = await ask(client, SIGN_IN, email=ada.login_email, password=factories.PASSWORD)
        headers = {"authorization": f"Bearer {entry['data']['signIn']['token']}"}
        assert (await ask(client, ME, headers))["data"] == {"me": {"firstName": "Ada"}}
        proxy.pause()
        async with asyncio.timeout(LONGEST):
            answers = await asyncio.gather(*(ask(client, ME, headers) for _ in range(30)))  # more than connections
            ready = await client.get("/readyz")
            at_once = await ask(client, ME, headers)
        proxy.resume()
        later = await _until_answered(client, headers)
        again = await client.get("/readyz")
    told = {
        (each["errors"][0]["extensions"]["code"], each["errors"][0]["extensions"]["retryAfter"]) for each in answers
    }
    assert told == {("UNAVAILABLE", 5)}
    assert at_once["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert (ready.status_code, ready.json(), ready.headers["retry-after"]) == (503, {"database": "away"}, "5")
    assert later["data"] == {"me": {"firstName": "Ada"}}
    assert again.status_code == 200


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_transaction_that_meets_silence_ends_and_leaves_its_connection(
    tmp_path: Path, database_url: str, proxy: Proxy
) -> None:
    await database.connect(proxy.url(database_url))
    try:
        ada = await factories.person()
        with pytest.raises(DatabaseAway):
            await _interrupted(ada, proxy)
        proxy.resume()
        for _ in range(2 * database.POOL_SIZE):
            await _saved(ada)
    finally:
        await database.close()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_database_that_is_slow_is_waited_for(tmp_path: Path, database_url: str, proxy: Proxy) -> None:
    await database.connect(proxy.url(database_url))
    try:
        rows = await database.fetch("SELECT 1 AS answer FROM pg_sleep(4)", {})
        assert [row["answer"] for row in rows] == [1]
    finally:
        await database.close()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_statement_that_takes_too_long_is_cancelled_at_the_server(database_url: str) -> None:
    await database.connect(database_url)
    try:
        with timeouts.patient(timeouts.Patience(doubt=0.1, most=0.5)), pytest.raises(DatabaseAway):
            await database.fetch("SELECT pg_sleep(600)", {})
        running = (
            "SELECT count(*) AS number FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(6%' AND state = 'active'"
        )
        deadline = time.monotonic() + LONGEST
        while (await database.fetch(running, {}))[0]["number"] and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        assert (await database.fetch(running, {}))[0]["number"] == 0
    finally:
        await database.close()


async def _interrupted(account: Any, proxy: Proxy) -> None:
    async with asyncio.timeout(LONGEST), database.transaction():
        await account.save()
        proxy.pause()
        await account.save()


async def _saved(account: Any) -> None:
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            async with database.transaction():
                await account.save()
        except DatabaseAway:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return


async def test_a_silent_redis_keeps_nobody_waiting_and_is_told_to_whoever_watches(
    tmp_path: Path, database_url: str
) -> None:
    try:
        socket.create_connection(("127.0.0.1", 6379), timeout=1).close()
    except OSError:
        pytest.skip("no Redis at 127.0.0.1:6379")
    with Proxy.to(REDIS, 6379) as to_redis:
        settings = settings_of(tmp_path, database_url, redis_url=to_redis.url(REDIS))
        async with served(settings, sends=False) as client, asyncio.timeout(LONGEST):
            assert (await ask(client, ME))["data"] == {"me": None}
            to_redis.pause()
            answers = await asyncio.gather(*(ask(client, ME) for _ in range(30)))
            assert [answer["data"] for answer in answers] == [{"me": None}] * 30
            ready = await client.get("/readyz")
            await _until_told(client, "1.0")
            to_redis.resume()
            await _until_told(client, "0.0")
    assert ready.status_code == 200


async def test_a_silent_scanner_lets_documents_wait_and_nobody_else(tmp_path: Path, database_url: str) -> None:
    async with listening(clamd) as behind:
        with Proxy.to(behind.url) as to_clamd:
            to_clamd.pause()
            settings = settings_of(tmp_path, database_url, clamd_url=to_clamd.url(behind.url))
            async with served(settings) as client, asyncio.timeout(LONGEST):
                session = await bearer(client, await factories.person())
                added = await add(client, session)
                assert (added["errors"], added["document"]["state"]) == ([], "AWAITING_SCAN")
                await _until_measured(client, 'rattache_job_runs_total{job="document-scans",outcome="delayed"}')
                await _until_measured(client, 'rattache_job_runs_total{job="weekly-recap",outcome="done"}')
                to_clamd.resume()
                while not await Document.filter(state=DocumentState.AVAILABLE).exists():
                    await asyncio.sleep(0.1)


async def _until_told(client: httpx.AsyncClient, away: str) -> None:
    while f'rattache_redis_away{{use="wakings"}} {away}\n' not in (await client.get("/metrics")).text:
        await asyncio.sleep(0.2)


async def _until_measured(client: httpx.AsyncClient, name: str) -> None:
    while not any(
        line.startswith(name) and not line.endswith(" 0.0") for line in (await client.get("/metrics")).text.splitlines()
    ):
        await asyncio.sleep(0.1)
