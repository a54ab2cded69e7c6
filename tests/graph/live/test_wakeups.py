"""Wake-ups between processes, by PostgreSQL and by Redis: heard at once, and again after the line was cut."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from graph.live.wakeups import Wakeups
from models.db import database
from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")


@asynccontextmanager
async def running(url: str, redis: str | None = None) -> AsyncIterator[tuple[Wakeups, asyncio.Event]]:
    """The wakeups of one process, and what they set."""
    wakeups = Wakeups(url, redis)
    async with run(wakeups) as woken:
        yield wakeups, woken


@asynccontextmanager
async def run(wakeups: Wakeups) -> AsyncIterator[asyncio.Event]:
    """What they set while they run."""
    woken = asyncio.Event()
    task = asyncio.create_task(wakeups.run(woken.set))
    await asyncio.sleep(0.3)
    woken.clear()
    yield woken
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)


async def _need_redis() -> None:
    redis = Redis.from_url(REDIS)
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        pytest.skip(f"no Redis at {REDIS}: {error}")
    finally:
        await redis.aclose()


async def heard(woken: asyncio.Event, ring: Callable[[], None], seconds: float = 3) -> None:
    woken.clear()
    ring()
    await asyncio.wait_for(woken.wait(), seconds)


async def test_one_process_wakes_itself(database_url: str) -> None:
    async with running(database_url) as (wakeups, woken):
        await heard(woken, wakeups.ring, 0.5)


async def test_postgres_carries_a_wake_up_to_another_process_also_after_a_cut(postgres_database: str) -> None:
    async with running(postgres_database) as (one, _), running(postgres_database) as (_, other):
        await heard(other, one.ring)
        server = await asyncpg.connect(postgres_database)
        await server.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await server.close()
        await asyncio.sleep(2)
        await heard(other, one.ring)


async def test_redis_carries_a_wake_up_to_the_same_installation_alone() -> None:
    await _need_redis()
    assert database.is_sqlite_url("sqlite://one")
    async with (
        running("sqlite://one", REDIS) as (one, _),
        running("sqlite://one", REDIS) as (_, same),
        running("sqlite://two", REDIS) as (_, other),
    ):
        await heard(same, one.ring)
        assert not other.is_set()


async def test_redis_that_fell_silent_is_noticed_and_carries_wake_ups_again_afterwards() -> None:
    await _need_redis()
    with Proxy.to(REDIS, 6379) as proxy:
        told: list[bool] = []
        through = Wakeups("sqlite://silent", proxy.url(REDIS), told.append)
        async with running("sqlite://silent", REDIS) as (one, _), run(through) as other:
            await heard(other, one.ring)
            proxy.pause()
            await until(lambda: told[-1:] == [False])
            await heard(other, through.ring, 0.5)
            proxy.cut()  # a network that is back may have forgotten the connections of before
            proxy.resume()
            await until(lambda: told[-1:] == [True])
            await heard(other, one.ring)


async def test_redis_that_keeps_silent_but_holds_its_connection_is_found_again() -> None:
    await _need_redis()
    with Proxy.to(REDIS, 6379) as proxy:
        told: list[bool] = []
        async with (
            running("sqlite://held", REDIS) as (one, _),
            run(Wakeups("sqlite://held", proxy.url(REDIS), told.append)) as other,
        ):
            await heard(other, one.ring)
            connections = proxy.accepted
            proxy.pause()
            await until(lambda: told[-1:] == [False])
            proxy.resume()
            await until(lambda: told[-1:] == [True])
            await heard(other, one.ring)
            assert proxy.accepted > connections


async def test_a_line_that_is_down_keeps_nobody_from_going_on() -> None:
    async with running("sqlite://one", "redis://127.0.0.1:1") as (wakeups, woken):
        await heard(woken, wakeups.ring, 0.5)
    async with running("postgres://nobody@127.0.0.1:1/none") as (wakeups, woken):
        await heard(woken, wakeups.ring, 0.5)
