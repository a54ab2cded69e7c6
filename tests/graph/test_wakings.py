"""Wake-ups between processes, by PostgreSQL and by Redis: heard at once, and again after the line was cut."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from graph.wakings import Wakings
from models import database

REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")


@asynccontextmanager
async def running(url: str, redis: str | None = None) -> AsyncIterator[tuple[Wakings, asyncio.Event]]:
    """The wakings of one process, and what they set."""
    woken, wakings = asyncio.Event(), Wakings(url, redis)
    task = asyncio.create_task(wakings.run(woken.set))
    await asyncio.sleep(0.3)
    woken.clear()
    yield wakings, woken
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def heard(woken: asyncio.Event, ring: Callable[[], None], seconds: float = 3) -> None:
    woken.clear()
    ring()
    await asyncio.wait_for(woken.wait(), seconds)


async def test_one_process_wakes_itself(database_url: str) -> None:
    async with running(database_url) as (wakings, woken):
        await heard(woken, wakings.ring, 0.5)


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
    redis = Redis.from_url(REDIS)
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        pytest.skip(f"no Redis at {REDIS}: {error}")
    finally:
        await redis.aclose()
    assert database.is_sqlite_url("sqlite://one")
    async with (
        running("sqlite://one", REDIS) as (one, _),
        running("sqlite://one", REDIS) as (_, same),
        running("sqlite://two", REDIS) as (_, other),
    ):
        await heard(same, one.ring)
        assert not other.is_set()


async def test_a_line_that_is_down_keeps_nobody_from_going_on() -> None:
    async with running("sqlite://one", "redis://127.0.0.1:1") as (wakings, woken):
        await heard(woken, wakings.ring, 0.5)
    async with running("postgres://nobody@127.0.0.1:1/none") as (wakings, woken):
        await heard(woken, wakings.ring, 0.5)
