"""Waking those who wait for changes, here and in other processes: at once where it works, and never relied upon."""

import asyncio
from collections.abc import Callable
from typing import Protocol
from zlib import crc32

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from models.db import database
from models.db.notices import Notices

PAUSE_SECONDS = 1.0
ALIVE_SECONDS = 5.0  # of silence, after which Redis is asked whether it is there
ANSWER_SECONDS = 2.0  # for Redis to answer

log = structlog.get_logger(__name__)


class Line(Protocol):
    """A way to the other processes."""

    async def run(self) -> None:
        """Hear the others until cancelled."""

    async def give(self) -> None:
        """Tell the others to look."""


class RedisNotices:
    """The line by Redis, of which every installation has a channel of its own."""

    def __init__(self, url: str, database_url: str, heard: Callable[[], None], tell: Callable[[bool], object]) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),  # `run` tries again
        )
        self._tell = tell
        self._channel = f"rattache:changes:{crc32(database_url.encode()):08x}"
        self._heard = heard

    async def run(self) -> None:
        """Hear the others until cancelled; then the connections are given back."""
        try:
            while True:
                try:
                    await self._hear()
                except (RedisError, OSError) as error:
                    self._tell(False)
                    log.warning("redis_away", error=type(error).__name__)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            await self._redis.aclose()

    async def _hear(self) -> None:
        async with self._redis.pubsub() as heard:
            await heard.subscribe(self._channel)
            answer = await heard.get_message(timeout=ANSWER_SECONDS)
            if answer is None:
                raise RedisTimeout("it gives no answer")
            self._tell(True)
            self._heard()  # what was said while nobody listened
            while True:
                await self._hear_one(heard)

    async def _hear_one(self, heard: PubSub) -> None:
        """One message, or a silence that was none: a network that drops packets breaks no connection by itself."""
        message = await heard.get_message(timeout=ALIVE_SECONDS)
        if message is None:
            await heard.ping()
            message = await heard.get_message(timeout=ANSWER_SECONDS)
        if message is None:
            raise RedisTimeout("it gives no answer")
        if message["type"] == "message":
            self._heard()

    async def give(self) -> None:
        """Tell the others to look."""
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                await self._redis.publish(self._channel, b"")
        except (RedisError, OSError):
            self._tell(False)
        else:
            self._tell(True)


def line_of(
    database_url: str, redis_url: str | None, heard: Callable[[], None], tell: Callable[[bool], object]
) -> Line | None:
    """Redis when there is one, else PostgreSQL; None where one process is all there is."""
    if redis_url:
        return RedisNotices(redis_url, database_url, heard, tell)
    return None if database.is_sqlite_url(database_url) else Notices(database_url, heard)


class Wakeups:
    """Rings are many and looks are few: those that come while one is given are one more together."""

    def __init__(
        self,
        database_url: str,
        redis_url: str | None,
        tell: Callable[[bool], object] = lambda answers: None,
    ) -> None:
        """`tell` takes whether Redis answers, each time that it fails or is back."""
        self._line = line_of(database_url, redis_url, self._heard, tell)
        self._rung = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: Callable[[], None] = lambda: None

    def ring(self) -> None:
        """Something was committed here; may be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._wake()
        self._rung.set()

    def _heard(self) -> None:
        self._wake()

    async def run(self, wake: Callable[[], None]) -> None:
        """Carry wake-ups to `wake` and to other processes until cancelled."""
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        if self._line is not None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._line.run())
                tasks.create_task(self._tell(self._line))

    async def _tell(self, line: Line) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            await line.give()
