"""Behind PgBouncer in transaction mode: migrations are seen, people served, and notices done without."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from models.db import database
from models.errors.errors import DatabaseAway
from tests.conftest import POSTGRES, new_postgres, on_server
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.graph.support.servers import free_port
from tests.support import factories

pytestmark = pytest.mark.slow

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
CONFIGURATION = """[databases]
* = user={user} host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
"""


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, through PgBouncer, of a new, empty database."""
    if PGBOUNCER is None:
        pytest.skip("no pgbouncer")
    name = f"rattache_pooled_{os.getpid()}"
    asyncio.run(new_postgres(name))
    server, port = urlsplit(POSTGRES), free_port()
    file = tmp_path_factory.mktemp("pgbouncer") / "pgbouncer.ini"
    values = {"host": server.hostname, "port": server.port or 5432, "own": port, "user": server.username}
    file.write_text(CONFIGURATION.format(**values))
    for path in (file.parent, file):
        path.chmod(0o755)
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    with (file.parent / "log").open("w") as log:
        process = subprocess.Popen([PGBOUNCER, *user, str(file)], stdout=log, stderr=log)
    url = f"postgres://{server.username}@127.0.0.1:{port}/{name}"
    try:
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        asyncio.run(on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _wait_for(url: str) -> None:
    async def connected() -> None:
        await (await asyncpg.connect(url, timeout=5)).close()

    deadline = time.monotonic() + 30
    while True:
        try:
            asyncio.run(connected())
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


async def test_a_database_behind_a_pooler_is_migrated_once_and_serves(pooled: str, tmp_path: Path) -> None:
    for _ in range(2):
        await database.migrate(pooled)
    async with served(settings_of(tmp_path, pooled)) as client:
        assert await database.pending_migrations() == []
        assert database.is_through_pooler()
        ada = await factories.person()
        entry = await ask(client, SIGN_IN, email=ada.login_email, password=factories.PASSWORD)
        headers = {"authorization": f"Bearer {entry['data']['signIn']['token']}"}
        query = "{ me { firstName attachments(first: 5) { totalCount } } }"
        answers = await asyncio.gather(*(ask(client, query, headers) for _ in range(60)))
    assert [each.get("errors") for each in answers] == [None] * 60
    assert {each["data"]["me"]["firstName"] for each in answers} == {"Ada"}


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_table_of_migrations_that_cannot_be_read_is_an_error(database_url: str) -> None:
    await database.connect(database_url)
    try:
        await database.connection().execute_script("ALTER TABLE tortoise_migrations RENAME COLUMN name TO title")
        with pytest.raises(Exception, match="name") as refused:
            await database.pending_migrations()
        assert not isinstance(refused.value, DatabaseAway)
    finally:
        await database.connection().execute_script("ALTER TABLE tortoise_migrations RENAME COLUMN title TO name")
        await database.close()
