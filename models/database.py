"""The one door to the database: connecting, migrating, transactions, and one dialect of SQL for both engines."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import asyncpg
import orjson
from tortoise import Tortoise
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.connection import get_connections
from tortoise.exceptions import DBConnectionError, IntegrityError, OperationalError
from tortoise.migrations import api as migrations
from tortoise.migrations.executor import MigrationExecutor
from tortoise.transactions import in_transaction

from models.errors import Conflict, DatabaseAway

TABLES = (
    "models.accounts",
    "models.sessions",
    "models.tokens",
    "models.brakes",
    "models.structures",
    "models.services",
    "models.spaces",
    "models.attachments",
    "models.subscriptions",
    "models.occasions",
    "models.offers",
    "models.refusals",
    "models.keys",
    "models.activities",
    "models.documents",
    "models.events",
    "models.outbox",
    "models.deliveries",
)
P = ParamSpec("P")
T = TypeVar("T")
POOL_SIZE = 10
BUSY_MILLISECONDS = 10_000
CONNECT_SECONDS = 5
MIGRATION_LOCK = 7_283_293  # any number that no other program locks in the same database


class Duplicate(Exception):
    """A unique index refused a row; the caller knows which of its rules that is."""


def configuration(url: str) -> dict[str, Any]:
    """The Tortoise configuration for `sqlite://PATH` or `postgres://user:password@host:port/name`."""
    connection = expand_db_url(url)
    if is_sqlite_url(url):
        connection["credentials"] = {
            "busy_timeout": BUSY_MILLISECONDS, "synchronous": "FULL", **connection["credentials"]
        }  # fmt: skip
    else:
        connection["credentials"] |= {"minsize": 1, "maxsize": POOL_SIZE, "command_timeout": 60}
    name = connection_name(url)
    return {
        "connections": {name: connection},
        "apps": {"models": {"models": list(TABLES), "default_connection": name, "migrations": "models.migrations"}},
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
    if is_sqlite_url(url):
        folder = os.path.dirname(url.removeprefix("sqlite://"))
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except OSError as error:
            raise DatabaseAway(str(error)) from error
    await Tortoise.init(config=configuration(url), _enable_global_fallback=True)


async def close() -> None:
    """Give every connection back."""
    await Tortoise.close_connections()


async def migrate(url: str) -> None:
    """Bring the database at `url` to the newest migration; nothing happens when it is there already.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    with _translated():
        async with _alone(url):
            await migrations.migrate(config=configuration(url))
    await Tortoise.close_connections()


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """On PostgreSQL, hold the lock that lets one process migrate at a time; SQLite has but one process."""
    if is_sqlite_url(url):
        os.makedirs(os.path.dirname(url.removeprefix("sqlite://")) or ".", exist_ok=True)
        yield
        return
    server = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    try:
        await server.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
        yield
    finally:
        await server.close()


async def ping() -> None:
    """Ask the connected database for an answer.

    Raises:
        DatabaseAway: when there is none.
    """
    await fetch("SELECT 1 AS answer", {})


async def pending_migrations() -> list[str]:
    """The names of the migrations that the connected database still lacks."""
    plan = await MigrationExecutor(
        connection(), {"models": {"models": list(TABLES), "migrations": "models.migrations"}}
    ).plan()
    return [step.migration.name for step in plan]


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
        async with in_transaction() as current:
            if current.capabilities.dialect == "sqlite":
                await current.execute_query("COMMIT")
                await current.execute_query("BEGIN IMMEDIATE")
            yield


class _translated:  # noqa: N801 - read as a word, like contextlib's
    """Turns the drivers' exceptions into the three that the rest of the program knows."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        cause = error.args[0] if isinstance(error, OperationalError | IntegrityError) and error.args else error
        if isinstance(error, IntegrityError):
            if "unique" in str(error).lower():
                raise Duplicate(str(error)) from error
        elif isinstance(cause, asyncpg.DeadlockDetectedError | asyncpg.SerializationError):
            raise Conflict from error
        elif _is_away(cause):
            raise DatabaseAway(str(error)) from error


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
    return any(word in str(error) for word in ("database is locked", "unable to open database", "disk I/O error"))


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
