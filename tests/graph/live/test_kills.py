"""Twenty writers, five readers that come and go, two processes, one of them killed: each reads all, once, in order.

One round on PostgreSQL; RATTACHE_LIVE_ROUNDS=10 for the full proof, whose figures `pytest -s` shows.
RATTACHE_LIVE_SEED repeats who disconnects when, and the moment of each kill.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment
from models.db import database
from models.events.changes import Position
from models.structures.structures import Structure
from schema.base import ids
from schema.changes import text_of
from tests.graph.support.live import STATUS, Reader, ask, token_for
from tests.graph.support.processes import two_servers
from tests.graph.support.servers import Server
from tests.support import factories

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("RATTACHE_LIVE_ROUNDS", "1"))
SEED = int(os.environ.get("RATTACHE_LIVE_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
WRITERS, READERS = 20, 5
CHANGES = 12  # that each writer brings about
LATE = 15  # transactions that write first and commit long after
PATIENCE_SECONDS = 60
FLIP = "mutation ($id: ID!) {{ done: {act}(ids: [$id]) {{ results {{ errors {{ code }} }} }} }}"
ACTS = [FLIP.format(act=act) for act in ("deactivateAttachments", "reactivateAttachments")]


@dataclass
class Follower:
    """A reader that is anywhere, for a while, and takes up again where it was."""

    token: str
    cursor: str
    seen: list[str] = field(default_factory=list)
    connections: int = 0

    async def follow(
        self, servers: Sequence[Server], structure: str, wanted: "asyncio.Event", chance: random.Random, most: list[int]
    ) -> None:
        """Read until as many were seen as there are in the end."""
        while not (wanted.is_set() and len(self.seen) >= most[0]):
            try:
                async with Reader.at(
                    chance.choice(servers).url, self.token, open_timeout=2, close_timeout=0.2
                ) as reader:
                    self.connections += 1
                    await reader.subscribe(STATUS, structure=structure, after=self.cursor)
                    await self._read(reader, chance.randint(1, 60))
                    if chance.random() < 0.5:
                        reader.connection.transport.abort()  # as a cable that is pulled
            except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake):
                await asyncio.sleep(0.05)  # killed, starting, or nothing to read for now

    async def _read(self, reader: Reader, most: int) -> None:
        for _ in range(most):
            self.cursor = (await reader.delivery(1.0))["cursor"]
            self.seen.append(self.cursor)


@dataclass
class Writer:
    """Somebody who has an attachment deactivated and reactivated by turns, through whichever server lives."""

    token: str
    attachment: Attachment
    failed: int = 0

    async def write(self, servers: Sequence[Server], chance: random.Random) -> None:
        """Bring about the changes asked for; of one that got no answer nobody knows yet whether it was done."""
        id, act = ids.encode("Attachment", self.attachment.id), 0
        async with httpx.AsyncClient(timeout=20) as http:
            done = 0
            while done < CHANGES:
                url = chance.choice(servers).url
                try:
                    sent = {"query": ACTS[act], "variables": {"id": id}}
                    answer = await http.post(
                        f"{url}/graphql", json=sent, headers={"Authorization": f"Bearer {self.token}"}
                    )
                except httpx.TransportError:
                    self.failed += 1
                    await asyncio.sleep(0.05)
                    continue
                errors = answer.json()["data"]["done"]["results"][0]["errors"]
                # what a killed server had done without telling is refused now, and counts as well
                assert [error["code"] for error in errors] in ([], ["INVALID_TRANSITION"]), answer.text
                act, done = 1 - act, done + 1


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[str, Server, Server]]:
    """A PostgreSQL database that keeps every promise, and two processes that serve it."""
    with two_servers(tmp_path, "rattache_live_kills") as found:
        yield found


async def _commit_late(address: str, made: Attachment, chance: random.Random) -> None:
    """Events that are written long before they commit, in between all the others."""
    server = await asyncpg.connect(address)
    for _ in range(LATE):
        async with server.transaction():
            await server.execute(
                "INSERT INTO events (type, occurred_at, subject_id, structure_id, attachment_id, before, after)"
                " VALUES ('AttachmentRefused', now(), $1, $2, $3, '{\"status\": \"PENDING\"}', '{\"status\": \"REFUSED\", \"role\": \"SIMPLE_USER\"}')",
                made.user_id, made.structure_id, made.id,
            )  # fmt: skip
            await asyncio.sleep(chance.uniform(0, 0.3))
        await asyncio.sleep(chance.uniform(0, 0.1))
    await server.close()


async def _order(address: str, structure: Structure) -> list[str]:
    """The cursors of all changes of the structure's attachments, in the order of commits."""
    server = await asyncpg.connect(address)
    rows = await server.fetch(
        "SELECT epoch, transaction_id::text::bigint, id FROM events WHERE structure_id = $1 AND attachment_id IS NOT NULL"
        " AND subscription_id IS NULL ORDER BY epoch, transaction_id, id", structure.id
    )  # fmt: skip
    await server.close()
    return [text_of(Position(*row)) for row in rows]


async def test_readers_of_two_processes_see_every_event_once_and_in_order_though_one_is_killed(
    servers: tuple[str, Server, Server],
) -> None:
    address, *places = servers
    chance, begun, figures = random.Random(SEED), time.monotonic(), []
    for number in range(ROUNDS):
        figures.append(await _round(address, places, chance))
        print(f"round {number + 1} of seed {SEED}: {figures[-1]}")  # noqa: T201
    print(f"{ROUNDS} rounds, {time.monotonic() - begun:.0f} s")  # noqa: T201


async def _round(address: str, places: list[Server], chance: random.Random) -> dict[str, Any]:
    await database.connect(address)
    try:
        structure, followers, writers, late = await _people()
    finally:
        await database.close()
    cursor = (await ask(places[0].url, "{ liveCursor }", followers[0].token))["liveCursor"]
    for follower in followers:
        follower.cursor = cursor
    finished, most = asyncio.Event(), [0]
    structure_id = ids.encode("Structure", structure.id)
    reading = [
        asyncio.create_task(follower.follow(places, structure_id, finished, random.Random(chance.random()), most))
        for follower in followers
    ]
    writing = [asyncio.create_task(writer.write(places, random.Random(chance.random()))) for writer in writers]
    writing.append(asyncio.create_task(_commit_late(address, late, random.Random(chance.random()))))
    await asyncio.sleep(chance.uniform(0.5, 2.0))
    victim = chance.choice(places)
    victim.kill()
    await asyncio.sleep(chance.uniform(0.2, 1.0))
    await asyncio.to_thread(victim.start)
    await asyncio.gather(*writing)
    expected = await _order(address, structure)
    most[0] = len(expected)
    finished.set()
    _, late_readers = await asyncio.wait(reading, timeout=PATIENCE_SECONDS)
    for task in late_readers:  # they wait for what was lost: which is told below
        task.cancel()
    for follower in followers:
        assert follower.seen == expected, f"seed {SEED}"
    return {
        "events": len(expected),
        "connections": sum(follower.connections for follower in followers),
        "tries without an answer": sum(writer.failed for writer in writers),
    }


async def _people() -> tuple[Structure, list[Follower], list[Writer], Attachment]:
    manager = await factories.person()
    structure = await factories.structure(manager)

    async def follower(account: Account) -> Follower:
        return Follower(await token_for(account), "")

    managers = [manager, *[await factories.person() for _ in range(READERS - 1)]]
    for one in managers[1:]:
        await factories.attachment(one, structure, role="SECONDARY_MANAGER")
    attached = [await factories.attachment(await factories.person(), structure) for _ in range(WRITERS + 1)]
    writers = [Writer(await token_for(manager), made) for made in attached[1:]]
    return structure, [await follower(one) for one in managers], writers, attached[0]
