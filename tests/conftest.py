"""Fixtures shared by all tests: a migrated database on each engine, a clock that tests move, and who acts."""

import asyncio
import os
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import httpx
import pytest
from moto.server import ThreadedMotoServer

from mailer.seals import Sealer
from models.accounts.accounts import Account, Language
from models.accounts.actors import Actor
from models.db import database
from resolvers.scope import Office, Scope

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")
_NO_PARAMETERS = SimpleNamespace(params={})
TABLES_KEPT = "'tortoise_migrations'"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each reason to skip, however many tests share it."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, tests in reasons.items():
        terminalreporter.write_line(f"{tests} skipped: {reason.removeprefix('Skipped: ')}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick loop is on SQLite: what runs on PostgreSQL is left to the whole one."""
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and "postgres" in getattr(item, "callspec", _NO_PARAMETERS).params.values()
        ):
            item.add_marker(pytest.mark.slow)


class Clock:
    """The application's clock, standing still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **spans: float) -> None:
        self.now += timedelta(**spans)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, which each test copies."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    asyncio.run(database.migrate(f"sqlite://{path}"))
    return path


async def on_server(*statements: str) -> None:
    """Run the statements on the PostgreSQL server, outside any database of ours."""
    server = await asyncpg.connect(f"{POSTGRES}/postgres", timeout=5)
    try:
        for statement in statements:
            await server.execute(statement)
    finally:
        await server.close()


async def new_postgres(name: str, *more: str) -> str:
    """The address of a new, empty PostgreSQL database, once the statements `more` are run; skips where there is none."""
    try:
        await on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}", *more)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
    return f"{POSTGRES}/{name}"


@pytest.fixture(scope="session")
def postgres_database(worker_id: str) -> Iterator[str]:
    """The address of a migrated PostgreSQL database of this worker's own; skips where there is no server."""
    name = f"rattache_test_{worker_id}_{os.getpid()}"  # runs beside each other don't meet
    asyncio.run(new_postgres(name, f"ALTER DATABASE {name} SET synchronous_commit = off"))
    asyncio.run(database.migrate(f"{POSTGRES}/{name}"))
    yield f"{POSTGRES}/{name}"
    asyncio.run(on_server(f"DROP DATABASE {name} WITH (FORCE)"))


async def _empty(url: str) -> None:
    server = await asyncpg.connect(url)
    try:
        tables = await server.fetch(
            f"SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ({TABLES_KEPT})"
        )
        # TRUNCATE waits for the disk; deleting a test's few rows doesn't
        deletions = "; ".join(f"DELETE FROM {row[0]}" for row in tables)
        await server.execute(f"SET session_replication_role = replica; {deletions}")
    finally:
        await server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty migrated database; the test runs once on each engine."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "rattache.db")
        return f"sqlite://{tmp_path / 'rattache.db'}?synchronous=OFF"
    url: str = request.getfixturevalue("postgres_database")
    asyncio.run(_empty(url))
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[str]:
    """An empty migrated database, connected."""
    await database.connect(database_url)
    yield database_url
    await database.close()


@pytest.fixture
def clock() -> Clock:
    """The application's clock: 15 March 2027, 10:00 in Paris, until moved."""
    return Clock()


@pytest.fixture
def office(clock: Clock) -> Office:
    """What operations share, with the test's clock."""
    return Office(sealer=Sealer("a secret key for tests only", "rattache.example"), clock=clock)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3, alone in its process's memory."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty store of documents; the test runs once on each kind."""
    if request.param == "folder":
        return (tmp_path / "documents").as_uri()
    for name, value in s3_environment(request.getfixturevalue("s3_server")).items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{secrets.token_hex(8)}"
    httpx.put(f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}").raise_for_status()
    return f"s3://{bucket}/documents"


def s3_environment(address: str) -> dict[str, str]:
    """What tells a program where the S3 server is and who it may be."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture
def scope_of(office: Office) -> Callable[..., Scope]:
    """A new operation's scope: of an account, or of nobody."""

    def make(account: Account | None = None, *, language: Language = Language.EN) -> Scope:
        actor = Actor(account.id, 0, account.platform_role) if account else None
        return Scope(office=office, actor=actor, language=language)

    return make
