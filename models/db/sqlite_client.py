"""Tortoise's client of SQLite, made ours: a file that is none leaves no thread behind, one writer begins at once."""

import asyncio
import sqlite3
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal

from tortoise.backends.base.client import ConnectionWrapper, NestedTransactionContext, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections

from models.db import timeouts


class Turns(asyncio.Lock):
    """Whose turn it is with the connection, and how many wait for theirs."""

    waiting = 0

    async def acquire(self) -> Literal[True]:
        """Take the turn, once it is free."""
        self.waiting += 1
        try:
            return await super().acquire()
        finally:
            self.waiting -= 1


class Client(SqliteClient):
    """The one connection of this process to its file."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self._lock = self._turns = Turns()

    def load(self) -> tuple[int, int, int]:
        """How many connections there are, how many of them are in use, and how many tasks wait for one."""
        return int(self._connection is not None), int(self._turns.locked()), self._turns.waiting

    async def create_connection(self, with_db: bool) -> None:
        """Open the file; when it can't be used, end the thread that tried, which would keep the process alive."""
        try:
            await super().create_connection(with_db)
        except BaseException:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None
            raise

    def acquire_connection(self) -> ConnectionWrapper[Any]:
        return _Borrowed(self._lock, self)

    def _in_transaction(self) -> TransactionContext:
        return _TransactionContext(Transaction(self), self._lock)


class Transaction(SqliteTransactionWrapper):
    """The connection while a transaction lasts: the writer's place is taken at once, so that no later write waits."""

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(Transaction(self))

    async def begin(self) -> None:
        """Begin, as the one writer."""
        await self._connection.execute("BEGIN IMMEDIATE")


class _Borrowed(ConnectionWrapper[Any]):
    async def __aenter__(self) -> Any:
        await _take(self._lock)
        try:
            await self.ensure_connection()
        except BaseException:
            self._lock.release()
            raise
        return self.connection


class _TransactionContext(SqliteTransactionContext):
    """Gives the connection back whatever befalls: Tortoise's own keeps it when the transaction can't begin or end."""

    async def __aenter__(self) -> Any:
        await _take(self._trxlock)
        try:
            await self.ensure_connection()
            await self._begin()
        except BaseException:
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        return self.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._end(kind is None)
        finally:
            get_connections().reset(self.token)
            self._trxlock.release()

    async def _begin(self) -> None:
        try:
            await self.connection.begin()
        except BaseException:  # of a task that is cancelled: the thread may begin after all
            await self._undo()
            raise

    async def _end(self, kept: bool) -> None:
        if self.connection._finalized:
            return
        if kept:
            try:
                await self.connection.commit()
            except BaseException:
                await self._undo()
                raise
        else:
            await self._undo()

    async def _undo(self) -> None:
        # a disk that is full may have ended the transaction already
        with suppress(sqlite3.OperationalError):
            await self.connection._connection.rollback()


async def _take(lock: asyncio.Lock) -> None:
    async with asyncio.timeout(timeouts.current().most):
        await lock.acquire()


client_class = Client
