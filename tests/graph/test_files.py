"""The SQLite file: one that is none, two servers that begin on one, a disk that is full."""

import asyncio
from pathlib import Path

import pytest

from models.db import database, disks
from models.errors.errors import DatabaseAway
from tests.graph.cli.test_commands import run
from tests.graph.support.apps import ask, served, settings_of
from tests.graph.support.servers import Server
from tests.support import factories

pytestmark = pytest.mark.slow

SIGN_UP_AS = """mutation ($email: String!) { signUp(input: {loginEmail: $email, firstName: "Noor", lastName: "V",
  language: EN, acceptTerms: true}) { acknowledged errors { code } } }"""


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_file_that_is_no_database_ends_the_command_with_a_sentence(tmp_path: Path, command: str) -> None:
    (tmp_path / "notes.db").write_text("These are notes, and no database, however much one looks at them.\n" * 40)
    done = run(tmp_path, command, DATABASE_URL="sqlite://notes.db")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "rattache: The database can't be used: file is not a database."


def test_a_file_that_cannot_be_opened_fails_the_check(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    done = run(tmp_path, "check", DATABASE_URL="sqlite://folder.db")
    failed = [line for line in done.stdout.splitlines() if "FAILED" in line]
    assert (done.returncode, done.stderr) == (1, "")
    assert failed[0] == "database       FAILED  unable to open database file"


def test_two_servers_that_begin_on_one_empty_file_both_serve(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite://{tmp_path / 'shared' / 'rattache.db'}"}
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (Server(folder, settings, "--no-worker") for folder in folders)

    async def start() -> None:
        await asyncio.gather(asyncio.to_thread(one.start), asyncio.to_thread(two.start))

    try:
        asyncio.run(start())
    finally:
        one.stop()
        two.stop()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_full_disk_is_told_and_the_server_is_ready_again_once_there_is_room(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disks, "HELD_SECONDS", 0.0)
    async with served(settings_of(tmp_path, database_url, rate_limits=False), sends=False) as client:
        await factories.person()
        rows = await database.fetch("PRAGMA page_count", {})
        await database.fetch(f"PRAGMA max_page_count = {rows[0]['page_count']}", {})
        with pytest.raises(DatabaseAway):
            await _filled()
        for number in range(100):  # the last pages have room for a few small rows
            answer = await ask(client, SIGN_UP_AS, email=f"guest{number}@people.example")
            if "errors" in answer:
                break
        full = await client.get("/readyz")
        await database.fetch("PRAGMA max_page_count = 1000000", {})
        ready = await client.get("/readyz")
        later = await ask(client, SIGN_UP_AS, email="later@people.example")
    assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert full.status_code == 503
    assert ready.status_code == 200
    assert "errors" not in later


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_full_disk_of_postgresql_makes_the_server_not_ready_for_a_while(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse = """CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse()"""
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        async with database.transaction():
            with pytest.raises(DatabaseAway):
                await _refused(refuse)
        full = await client.get("/readyz")
        monkeypatch.setattr(disks, "HELD_SECONDS", 0.0)
        ready = await client.get("/readyz")
    assert (full.status_code, ready.status_code) == (503, 200)


async def _refused(sql: str) -> None:
    async with database.transaction():
        await database.connection().execute_script(sql)
        await factories.person()


async def _filled() -> None:
    for _ in range(5000):
        async with database.transaction():
            await factories.person()
