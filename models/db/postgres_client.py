"""Tortoise's client of PostgreSQL, made ours: every wait is bounded, and a pooler in between is noticed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    PoolConnectionWrapper,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import TransactionManagementError

from models.db.timeouts import Vigil

RELEASE_SECONDS = 2.0  # for a statement that was given up to be cancelled at the server; then its connection is dropped
OF_POOL = ("max_queries", "max_inactive_connection_lifetime")  # settings that a single connection hasn't got
# What a server does with a connection whose other end is gone: its locks are free again after a minute.
OF_SERVER = {
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "60s",
}


async def is_through_pooler(connection: "asyncpg.Connection[Any]") -> bool:
    """Is there a pooler, such as PgBouncer, between us and the server, that names another process than answers?

    A transaction may then meet another server connection than the one before it: no statement stays prepared, no
    notice is heard, and no lock is held outside a transaction.
    """
    return bool(await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid())


class _Bounded:
    """Bounds the wait of everything that Tortoise asks, from the connection to the answer."""

    vigil: Vigil

    async def _translate_exceptions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        async with self.vigil.wait():
            return await super()._translate_exceptions(func, *args, **kwargs)  # type: ignore[misc]


class Client(_Bounded, AsyncpgDBClient):
    """A pool of connections."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.vigil = Vigil(self._probe, self._expire_connections)
        self.is_through_pooler = False
        self.waiting = 0  # tasks that want a connection and have none yet

    async def create_connection(self, with_db: bool) -> None:
        """Open the pool, once it is known what it leads to."""
        first = await self._connected()
        try:
            self.is_through_pooler = await is_through_pooler(first)
        finally:
            first.terminate()
        if self.is_through_pooler:
            self.extra["statement_cache_size"] = 0
        else:
            self.server_settings = OF_SERVER | self.server_settings
        await super().create_connection(with_db)

    async def create_pool(self, **settings: Any) -> "asyncpg.Pool[Any]":
        """The pool; nothing is reset as a connection comes back, since nothing is ever set on one."""
        return await asyncpg.create_pool(None, reset=_nothing, **settings)

    async def give_back(self, connection: Any) -> None:
        """Put the connection back into the pool; one that can't be used any more is dropped."""
        if self._pool is None:
            return
        if self.vigil.is_silent:
            connection.terminate()
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await self._pool.release(connection, timeout=RELEASE_SECONDS)

    def load(self) -> tuple[int, int, int]:
        """How many connections there are, how many of them are in use, and how many tasks wait for one."""
        if self._pool is None:
            return 0, 0, self.waiting
        size = self._pool.get_size()
        return size, size - self._pool.get_idle_size(), self.waiting

    async def taken(self) -> Any:
        """A connection out of the pool, waited for if need be."""
        self.waiting += 1
        try:
            await PoolConnectionWrapper(self, self._pool_init_lock).ensure_connection()
            assert self._pool is not None
            return await self._pool.acquire()
        finally:
            self.waiting -= 1

    def acquire_connection(self) -> PoolConnectionWrapper[Any]:
        return _Borrowed(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return _TransactionContext(Transaction(self), self._pool_init_lock)

    async def _close(self) -> None:
        self.vigil.close()
        if self.vigil.is_silent and self._pool is not None:
            self._pool.terminate()
            self._pool = None
        await super()._close()

    async def _connected(self) -> "asyncpg.Connection[Any]":
        settings = {name: value for name, value in self.extra.items() if name not in OF_POOL}
        address = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        options = address | {"database": self.database} | settings | {"statement_cache_size": 0}
        return await asyncpg.connect(**options)

    async def _probe(self) -> None:
        """Ask on a connection of its own whether the server is there; a refusal is an answer too."""
        with suppress(asyncpg.PostgresError):
            connection = await self._connected()
            try:
                await connection.execute("SELECT 1")
            finally:
                connection.terminate()


class Transaction(_Bounded, TransactionWrapper):
    """One connection while a transaction lasts."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.vigil = connection.vigil

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(Transaction(self))

    async def commit(self) -> None:
        """End the transaction, its writes kept."""
        async with self.vigil.wait():
            await super().commit()

    async def rollback(self) -> None:
        """End the transaction, its writes gone."""
        async with self.vigil.wait():
            await super().rollback()


class _Borrowed(PoolConnectionWrapper[Any]):
    client: Client

    async def __aenter__(self) -> Any:
        self.connection = await self.client.taken()
        return self.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.give_back(self.connection)


class _TransactionContext(TransactionContextPooled):
    """Gives the connection back whatever befalls: Tortoise's own keeps it when the transaction can't begin."""

    client: Transaction

    async def __aenter__(self) -> Transaction:
        pool = cast(Client, self.client._parent)
        async with pool.vigil.wait():
            self.client._connection = await pool.taken()
        self.token = get_connections().set(self.connection_name, self.client)
        try:
            await self.client.begin()
        except BaseException:
            await self._leave()
            raise
        return self.client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self.client._finalized:
                if kind is None:
                    await self.client.commit()
                elif kind is not TransactionManagementError:
                    await self.client.rollback()
        finally:
            await self._leave()

    async def _leave(self) -> None:
        get_connections().reset(self.token)
        await cast(Client, self.client._parent).give_back(self.client._connection)


async def _nothing(_: object) -> None:
    await asyncio.sleep(0)


client_class = Client
