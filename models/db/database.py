"""The one door to the database: connecting, migrating, transactions, and one dialect of SQL for both engines."""

import asyncio
import fcntl
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import lru_cache, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import asyncpg
import orjson
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.connection import get_connections
from tortoise.exceptions import ConfigurationError, DBConnectionError, IntegrityError, OperationalError
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from models.db import disks, timeouts, upgrades
from models.db.postgres_client import Client as PostgresClient
from models.db.sqlite_client import Client as SqliteClient
from models.errors.errors import Conflict, DatabaseAway

TABLES = (
    "models.accounts.accounts",
    "models.accounts.sessions",
    "models.accounts.devices",
    "models.accounts.tokens",
    "models.accounts.wishes",
    "models.accounts.throttle",
    "models.structures.structures",
    "models.structures.services",
    "models.subscriptions.spaces",
    "models.attachments.attachments",
    "models.subscriptions.subscriptions",
    "models.mail.idempotency_keys",
    "models.attachments.offers",
    "models.attachments.refused_structures",
    "models.activities.api_keys",
    "models.activities.activities",
    "models.documents.documents",
    "models.events.events",
    "models.mail.outbox",
    "models.mail.mail_attempts",
)
P = ParamSpec("P")
T = TypeVar("T")
POOL_SIZE = 10
BUSY_MILLISECONDS = 4_000
CONNECT_SECONDS = 4
LOCK_PAUSE_SECONDS = 0.2
MIGRATION_LOCK = 7_283_293  # any number that no other program locks in the same database


# What the file, the disk or another process keeps SQLite from doing, whatever was asked of it.
SQLITE_AWAY = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


class Duplicate(Exception):
    """A unique index refused a row; the caller knows which of its rules that is."""


class Load(NamedTuple):
    """How many connections there are, how many of them are in use, and how many tasks wait for one."""

    connections: int
    in_use: int
    waiting: int


def configuration(url: str) -> dict[str, Any]:
    """The Tortoise configuration for `sqlite://PATH` or `postgres://user:password@host:port/name`."""
    connection = expand_db_url(url)
    connection["engine"] = "models.db.sqlite_client" if is_sqlite_url(url) else "models.db.postgres_client"
    if is_sqlite_url(url):
        connection["credentials"] = {
            "busy_timeout": BUSY_MILLISECONDS, "synchronous": "FULL", **connection["credentials"]
        }  # fmt: skip
    else:
        bounds = {"minsize": 1, "maxsize": POOL_SIZE, "timeout": CONNECT_SECONDS}
        connection["credentials"] = bounds | connection["credentials"]
    name = connection_name(url)
    return {
        "connections": {name: connection},
        "apps": _applications(name),
        "use_tz": True,
        "timezone": "UTC",
    }


def connection_name(url: str) -> str:
    """The name of the connection: one per engine, since Tortoise keeps each model's statements by that name."""
    return "sqlite" if is_sqlite_url(url) else "postgres"


def is_sqlite_url(url: str) -> bool:
    """Is this the embedded engine's address?"""
    return url.startswith("sqlite://")


async def connect(url: str) -> None:
    """Open the database for this process; connections are made when first needed.

    Raises:
        DatabaseAway: when the folder of an SQLite file can't be made.
    """
    _make_folder(url)
    await Tortoise.init(config=configuration(url), _enable_global_fallback=True)


async def close() -> None:
    """Give every connection back."""
    await Tortoise.close_connections()


async def migrate(url: str) -> None:
    """Bring the database at `url` to the newest migration; nothing happens when it is there already.

    Raises:
        DatabaseAway: when the database can't be reached or used.
    """
    _make_folder(url)
    try:
        with _translated():
            async with _alone(url):
                with timeouts.patient(timeouts.LONG_WORK):
                    await Tortoise.init(config=configuration(url), init_connections=False)
                    await _upgrades().migrate()
    finally:
        await Tortoise.close_connections()


def _make_folder(url: str) -> None:
    if is_sqlite_url(url):
        try:
            os.makedirs(_folder(url), mode=0o700, exist_ok=True)
        except OSError as error:
            raise DatabaseAway(str(error)) from error


def _folder(url: str) -> str:
    return os.path.dirname(_path(url)) or "."


def _path(url: str) -> str:
    return url.removeprefix("sqlite://").partition("?")[0]


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """Hold what lets one process migrate at a time: a lock in the database, or on the folder of an SQLite file."""
    if is_sqlite_url(url):
        folder = os.open(_folder(url), os.O_RDONLY)
        try:
            await _until(lambda: _is_locked(folder))
            yield
        finally:
            os.close(folder)
        return
    server = await asyncpg.connect(url, timeout=CONNECT_SECONDS, statement_cache_size=0)
    try:
        # inside a transaction, so that behind a pooler the lock stays with this connection, and ends with it
        async with server.transaction():

            async def is_ours() -> bool:
                asked = f"SELECT pg_try_advisory_xact_lock({MIGRATION_LOCK})"
                return bool(await server.fetchval(asked, timeout=CONNECT_SECONDS))

            await _until(is_ours)
            yield
    finally:
        server.terminate()


async def _is_locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    while not await reached():  # noqa: ASYNC110 - another process gives no sign
        await asyncio.sleep(LOCK_PAUSE_SECONDS)


async def ping() -> None:
    """Ask the connected database for an answer.

    Raises:
        DatabaseAway: when there is none.
    """
    await fetch("SELECT 1 AS answer", {})


async def must_be_writable() -> None:
    """Let pass unless writes were refused for want of room, and a trial is refused as well.

    Raises:
        DatabaseAway: when there is no room.
    """
    if not disks.is_doubted():
        return
    disks.must_rest()
    if is_sqlite():
        try:
            async with transaction():
                for statement in disks.SQLITE_TRIAL:
                    await connection().execute_query(statement)
        finally:
            async with transaction():
                await connection().execute_query(disks.SQLITE_TRIAL_END)
    else:
        async with transaction():
            await connection().execute_query(disks.POSTGRES_TRIAL)
    disks.cleared()


async def pending_migrations() -> list[str]:
    """The names of the migrations that the connected database still lacks.

    Raises:
        DatabaseAway: when the database can't tell.
    """
    with _translated():
        return [step.migration.name for step in await _upgrades().plan()]


def _upgrades() -> MigrationExecutor:
    found = connection()
    return upgrades.executor(found, _applications(found.connection_name))


def _applications(connection_name: str) -> dict[str, Any]:
    return {
        "models": {
            "models": list(TABLES), "default_connection": connection_name, "migrations": "models.migrations"
        }
    }  # fmt: skip


def is_through_pooler() -> bool:
    """Does a pooler, such as PgBouncer, stand between the connected PostgreSQL and this process?"""
    client = connection()
    return isinstance(client, PostgresClient) and client.is_through_pooler


def load() -> Load:
    """How the connections of this process are used; all zero before the database is opened."""
    try:
        client = connection()
    except (ConfigurationError, RuntimeError):  # nothing was ever opened, or it is closed
        return Load(0, 0, 0)
    return Load(*client.load()) if isinstance(client, PostgresClient | SqliteClient) else Load(0, 0, 0)


def connection() -> BaseDBAsyncClient:
    """The connection of the running task: inside a transaction, that transaction's."""
    (name,) = get_connections().db_config
    return Tortoise.get_connection(name)


def is_sqlite() -> bool:
    """Is the embedded engine the one in use?"""
    return connection().capabilities.dialect == "sqlite"


@asynccontextmanager
async def transaction() -> AsyncIterator[None]:
    """All of the block's writes, or none; on SQLite the writer's place is taken at once, so no later write waits.

    Raises:
        DatabaseAway: when the database can't be reached, before or during the block.
        Duplicate: when a unique index refuses a row.
        Conflict: when the database broke a deadlock by giving this one up.
    """
    with _translated():
        async with in_transaction():
            yield


class _translated:  # noqa: N801 - read as a word, like contextlib's
    """Turns the drivers' exceptions into the three that the rest of the program knows."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        cause = error.args[0] if isinstance(error, OperationalError | IntegrityError) and error.args else error
        if disks.is_full(cause):
            disks.refused()
        if isinstance(error, IntegrityError):
            if "unique" in str(error).lower():
                raise Duplicate(str(error)) from error
        elif isinstance(cause, asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
            raise Conflict from error
        elif _is_away(cause):
            raise DatabaseAway(str(error) or "it gives no answer") from error


def guarded(act: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same act, the drivers' exceptions translated: for what asks the models outside a transaction too."""

    @wraps(act)
    async def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        with _translated():
            return await act(*args, **kwargs)

    return translated


def _is_away(error: object) -> bool:
    if isinstance(error, DBConnectionError | OSError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError):
        return True
    if isinstance(
        error,
        asyncpg.InternalClientError  # what a connection cut off while it lay idle answers at first
        | asyncpg.OperatorInterventionError
        | asyncpg.InsufficientResourcesError
        | asyncpg.InvalidCatalogNameError
        | asyncpg.ObjectNotInPrerequisiteStateError  # a database that takes no connections for now
        | asyncpg.InvalidAuthorizationSpecificationError,
    ):
        return True
    return isinstance(error, sqlite3.Error) and disks.code_of(error) in SQLITE_AWAY


# ------------------------------------------------------------------ SQL written once for both engines
_NAME = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_LIST = re.compile(r"\bIN :([a-z_][a-z0-9_]*)")


@lru_cache(maxsize=4096)
def _prepared(sql: str, sqlite: bool) -> tuple[str, tuple[str, ...]]:
    """The engine's own text and the names of its parameters in order, from text with `:name` and `IN :names`."""
    sql = _LIST.sub(r"IN (SELECT value FROM json_each(:\1))" if sqlite else r"= ANY(:\1)", sql)
    if sqlite:
        sql = sql.replace(' COLLATE "C"', "")
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        return f"{'?' if sqlite else '$'}{names.index(name) + 1}"

    return _NAME.sub(place, sql), tuple(names)


def _stored(value: object, sqlite: bool) -> object:
    if isinstance(value, datetime):
        value = value.astimezone(UTC)
        return value.isoformat(" ") if sqlite else value
    if not sqlite:
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | frozenset):
        return orjson.dumps([_stored(item, sqlite) for item in value]).decode()
    return value


async def fetch(sql: str, parameters: Mapping[str, object]) -> Sequence[Any]:
    """The rows of one statement, as the driver gives them; `sql` names its parameters `:name`, lists `IN :names`.

    Raises:
        DatabaseAway: when the database can't be reached.
        Duplicate: when a unique index refuses a row.
    """
    with _translated():
        client = connection()
        sqlite = client.capabilities.dialect == "sqlite"
        text, names = _prepared(sql, sqlite)
        values = [_stored(parameters[name], sqlite) for name in names]
        if text.lstrip()[:6].upper() in {"UPDATE", "INSERT", "DELETE"}:
            return await client.execute_query_dict(text, values)  # the other call drops what RETURNING gives
        _, rows = await client.execute_query(text, values)
        return rows
