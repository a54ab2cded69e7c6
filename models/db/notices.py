"""Notices between processes by PostgreSQL: after a commit one tells the others to look; a lost one only delays."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

from models.db.postgres_client import is_through_pooler

CHANNEL = "rattache_changes"
CONNECT_SECONDS = 5
PAUSE_SECONDS = 1.0
ALIVE_SECONDS = 10.0


class Notices:
    """A connection of its own to the database, on which notices are given and heard; made again when it breaks."""

    def __init__(self, url: str, heard: Callable[[], None]) -> None:
        self._url = url
        self._heard = heard
        self._connection: asyncpg.Connection | None = None

    async def run(self) -> None:
        """Hear notices until cancelled."""
        while True:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._hear()
            self._connection = None
            await asyncio.sleep(PAUSE_SECONDS)

    async def _while_alive(self, connection: "asyncpg.Connection[Any]", broken: asyncio.Event) -> None:
        """Until the connection breaks, or answers no more: a network that drops packets breaks nothing by itself."""
        while not broken.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(broken.wait(), ALIVE_SECONDS)
            if not broken.is_set():
                await connection.execute("SELECT 1", timeout=CONNECT_SECONDS)

    async def give(self) -> None:
        """Tell the other processes to look; nothing where there is no connection for now."""
        if self._connection is not None:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._connection.execute(f"NOTIFY {CHANNEL}", timeout=CONNECT_SECONDS)

    async def _hear(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS, statement_cache_size=0)
        broken = asyncio.Event()
        try:
            if await is_through_pooler(connection):
                return  # which carries no notices: whoever waits looks every second
            connection.add_termination_listener(lambda _: broken.set())
            await connection.add_listener(CHANNEL, lambda *_: self._heard())
            self._connection = connection
            self._heard()  # what was said while nobody listened
            await self._while_alive(connection, broken)
        finally:
            self._connection = None
            connection.terminate()
