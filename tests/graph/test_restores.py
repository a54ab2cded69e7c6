"""A dump restored into another PostgreSQL cluster, whose transaction ids begin anew: live order and cursors hold."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from models.events import changes
from tests.graph.live.test_broadcast import CURSOR, House, house
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.live import STATUS, Reader, ask, codes
from tests.support import clusters

# The first cluster is ahead of any new one, whatever else ran on it.
AHEAD = """DO $$ BEGIN FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"""
PATIENCE = 60.0
pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture(scope="module")
def other_cluster() -> Iterator[str]:
    """The address of another cluster, in which nothing has happened yet."""
    with clusters.running() as address:
        yield address


async def restored(file: Path, cluster: str, name: str) -> str:
    """The address of a new database of the cluster, filled with the dump."""
    server = await asyncpg.connect(f"{cluster}/postgres")
    await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    await asyncio.to_thread(clusters.restore, file, f"{cluster}/{name}")
    return f"{cluster}/{name}"


async def lived(address: str, folder: Path) -> tuple[House, list[str]]:
    """A house with four changes in the database at the address, and the cursors before, between and after them."""
    async with live.served(settings_of(folder, address, rate_limits=False)) as url:
        home = await house()
        server = await asyncpg.connect(address)
        await server.execute("SET synchronous_commit = off")
        await server.execute(AHEAD)
        await server.close()
        seen = [(await ask(url, CURSOR, home.token))["liveCursor"]]
        async with Reader.at(url, home.token) as reader:
            await reader.subscribe(STATUS)
            await reader.settled()
            await home.flip(url, 4)
            seen += [(await reader.delivery(PATIENCE))["cursor"] for _ in range(4)]
    return home, seen


async def test_a_restored_database_delivers_what_is_new_and_takes_the_cursors_of_before(
    database_url: str, other_cluster: str, tmp_path: Path
) -> None:
    home, cursors = await lived(database_url, tmp_path / "first")
    clusters.dump(database_url, tmp_path / "dump")
    async with (
        live.served(settings_of(tmp_path / "first", database_url, rate_limits=False)) as url,
        Reader.at(url, home.token) as reader,
    ):
        await reader.subscribe(STATUS, after=cursors[-1])
        await home.flip(url, 2)  # after the dump: the restored database never had these
        lost = [(await reader.delivery(PATIENCE))["cursor"] for _ in range(2)]
    address = await restored(tmp_path / "dump", other_cluster, "restored")
    async with (
        live.served(settings_of(tmp_path / "second", address, rate_limits=False)) as url,
        Reader.at(url, home.token) as fresh,
        Reader.at(url, home.token) as back,
        Reader.at(url, home.token) as last,
    ):
        assert (await ask(url, CURSOR, home.token))["liveCursor"] == cursors[-1]
        await fresh.subscribe(STATUS)
        await back.subscribe(STATUS, after=cursors[1])
        assert [(await back.delivery(PATIENCE))["cursor"] for _ in range(3)] == cursors[2:]
        await last.subscribe(STATUS, after=cursors[-1])
        await last.settled()
        await home.flip(url, 3)
        for reader in (fresh, back, last):
            found = [(await reader.delivery(PATIENCE))["status"] for _ in range(3)]
            assert found == ["DEACTIVATED", "VALIDATED", "DEACTIVATED"]
            await reader.silence()
        await fresh.subscribe(STATUS, after=lost[-1])
        assert codes(await fresh.read()) == ["REFETCH_NEEDED"]


async def test_an_event_that_commits_late_in_a_restored_database_is_in_its_place(
    database_url: str, other_cluster: str, tmp_path: Path
) -> None:
    home, cursors = await lived(database_url, tmp_path / "first")
    clusters.dump(database_url, tmp_path / "dump")
    address = await restored(tmp_path / "dump", other_cluster, "late")
    async with (
        live.served(settings_of(tmp_path / "second", address, rate_limits=False)) as url,
        Reader.at(url, home.token) as reader,
    ):
        await reader.subscribe(STATUS, after=cursors[-1])
        await reader.settled()
        late = await asyncpg.connect(address)
        held = late.transaction()
        await held.start()
        await late.execute(
            "INSERT INTO events (type, occurred_at, subject_id, structure_id, attachment_id, before, after)"
            " VALUES ('AttachmentRefused', now(), $1, $2, $3, '{\"status\": \"PENDING\"}', '{\"status\": \"REFUSED\", \"role\": \"SIMPLE_USER\"}')",
            home.user.id, home.structure.id, home.attachment.id,
        )  # fmt: skip
        await home.flip(url)
        await reader.silence(1.5)
        assert await changes.is_waiting()
        await held.commit()
        await late.close()
        assert [(await reader.delivery(PATIENCE))["status"] for _ in range(2)] == ["REFUSED", "DEACTIVATED"]


async def test_a_database_that_is_dumped_and_restored_again_and_again_keeps_its_order(
    database_url: str, other_cluster: str, tmp_path: Path
) -> None:
    home, cursors = await lived(database_url, tmp_path / "first")
    address = database_url
    for turn in range(2):
        clusters.dump(address, tmp_path / f"dump{turn}")
        address = await restored(tmp_path / f"dump{turn}", other_cluster, f"again{turn}")
        async with (
            live.served(settings_of(tmp_path / f"turn{turn}", address, rate_limits=False)) as url,
            Reader.at(url, home.token) as reader,
        ):
            await reader.subscribe(STATUS, after=cursors[0])
            assert [(await reader.delivery(PATIENCE))["cursor"] for _ in cursors[1:]] == cursors[1:]
            await home.flip(url, 2)
            cursors += [(await reader.delivery(PATIENCE))["cursor"] for _ in range(2)]
