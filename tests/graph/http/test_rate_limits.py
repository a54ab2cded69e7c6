"""How often one source may ask, with Redis, without it, and while it is away."""

import asyncio
import socket
import uuid
from pathlib import Path

import pytest
from limits import RateLimitItemPerMinute
from starlette.requests import HTTPConnection

from graph.http import rate_limits as limits_module
from graph.http.rate_limits import Limits, source_of
from models.errors.errors import RateLimited
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow

TWO = RateLimitItemPerMinute(2)
REDIS = "redis://127.0.0.1:6379"
NOWHERE = "redis://127.0.0.1:1"


def connection_from(host: str | None, **headers: str) -> HTTPConnection:
    """A request of this host."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "headers": raw, "client": (host, 1) if host is not None else None})


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, "unknown"),
    ],
)
def test_a_source_is_an_address_or_a_network(host: str | None, source: str) -> None:
    assert source_of(connection_from(host)) == source


async def _passes(limits: Limits, key: str) -> bool:
    try:
        await limits.count(TWO, key)
    except RateLimited as limited:
        return limited.retry_after not in range(1, 61)
    return True


@pytest.mark.parametrize("redis_url", [None, NOWHERE])
async def test_one_too_many_is_refused_also_while_redis_is_away(redis_url: str | None) -> None:
    limits = Limits(redis_url=redis_url)
    assert [await _passes(limits, key) for key in "aaabb"] == [True, True, False, True, True]


async def test_processes_that_share_redis_count_together() -> None:
    one, other = Limits(redis_url=REDIS), Limits(redis_url=REDIS)
    try:
        socket.create_connection(("127.0.0.1", 6379), timeout=1).close()
    except OSError:
        pytest.skip("no Redis at 127.0.0.1:6379")
    key = uuid.uuid4().hex  # the counts of other tests, and of an earlier run, are others
    assert [await _passes(limits, key) for limits in (one, other, one, other)] == [True, True, False, False]
    await one.close()
    await other.close()


async def test_redis_that_fell_silent_refuses_nobody_and_is_shared_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits_module, "PAUSE_SECONDS", 0.5)
    try:
        socket.create_connection(("127.0.0.1", 6379), timeout=1).close()
    except OSError:
        pytest.skip("no Redis at 127.0.0.1:6379")
    told: list[bool] = []
    with Proxy.to(REDIS, 6379) as proxy:
        one, other = Limits(redis_url=proxy.url(REDIS), tell=told.append), Limits(redis_url=REDIS)
        before, during, after = (uuid.uuid4().hex for _ in range(3))
        assert [await _passes(each, before) for each in (one, other, one)] == [True, True, False]
        proxy.pause()
        async with asyncio.timeout(60):
            assert [await _passes(one, during) for _ in range(3)] == [True, True, False]
        proxy.resume()
        assert set(told) == {False}
        async with asyncio.timeout(60):
            while not told[-1]:
                await asyncio.sleep(0.2)
                await _passes(one, uuid.uuid4().hex)
        assert [await _passes(each, after) for each in (one, other, one)] == [True, True, False]
        await one.close()
    await other.close()


async def test_switched_off_nothing_is_counted() -> None:
    limits = Limits(on=False)
    assert [await _passes(limits, "a") for _ in range(4)] == [True] * 4


async def test_the_31st_sign_in_of_a_minute_is_refused(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        for number in range(31):
            answer = await ask(client, SIGN_IN, email="" if number < 30 else "ada@people.example", password="x")
        assert answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert 1 <= answer["errors"][0]["extensions"]["retryAfter"] <= 60
        assert (await client.get("/account/activate?token=x")).status_code == 404


async def test_the_601st_request_of_a_minute_is_refused(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path), sends=False) as client:
        for _ in range(600):
            assert (await client.get("/graphql?query=")).status_code != 429
        response = await client.post("/graphql", json={"query": "{ __typename }"})
        assert response.status_code == 429
        assert response.json()["errors"][0]["extensions"]["retryAfter"] == int(response.headers["retry-after"])
        assert (await client.get("/healthz")).status_code == 200


async def test_switched_off_the_601st_request_passes(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path, rate_limits=False), sends=False) as client:
        for _ in range(601):
            assert (await client.get("/graphql?query=")).status_code != 429


async def test_the_pages_ask_for_no_more_links_than_the_api(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        for _ in range(31):
            response = await client.post("/account/activate/link", data={"login_email": "nobody@people.example"})
        assert response.status_code == 429
        assert 1 <= int(response.headers["retry-after"]) <= 60
