"""What idle subscribers cost one process, and how soon a commit reaches those concerned, beside Node's graphql-ws on ws.

    RATTACHE_NODE_MODULES=.../node_modules python -m tests.benchmarks.live
    RATTACHE_NODE_MODULES=.../node_modules python -m tests.benchmarks.live --subscribers 2000 --concerned 20

The folder holds graphql, graphql-ws and ws. PostgreSQL is that of TEST_POSTGRES_URL; the database is made and dropped.
Node's process has nothing behind it: no database, no accounts, no rights, no resuming; its times begin at the publish.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from models.accounts import sessions
from models.accounts.accounts import Account
from models.accounts.sessions import Session
from models.attachments.attachments import Attachment, Role
from models.db import database
from models.db.notices import CHANNEL
from models.structures.structures import Structure
from tests.benchmarks.exports import resident
from tests.conftest import POSTGRES
from tests.graph.support.servers import Server, free_port
from tests.support import factories

SCRIPT = Path(__file__).with_suffix(".cjs")
CHANGES = 200
PAUSE_SECONDS = 0.05  # between two changes
HELD_BACK = "SELECT pg_snapshot_xmin(pg_current_snapshot()) <= $1::text::xid8"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Costs:
    """What one server's figures come to."""

    name: str
    memory: float
    connect: float
    idle: float
    since_commit: list[float]
    since_settled: list[float]

    def told(self) -> str:
        """One row."""
        return (
            f"{self.name:<17} {self.memory / 1024:5.1f} KiB a subscriber  {self.connect * 1e6:5.0f} us CPU a connect"
            f"  {self.idle * 100:4.1f} % CPU idle  since the commit: {_cuts(self.since_commit)}"
            f"  since it could be read in order: {_cuts(self.since_settled)}  ({len(self.since_commit)} deliveries)"
        )


def _cuts(milliseconds: list[float]) -> str:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"


def cpu(process: int) -> float:
    """The seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# ------------------------------------------------------------------ the people
@asynccontextmanager
async def people(subscribers: int, concerned: int) -> AsyncIterator[tuple[str, list[str], Attachment]]:
    """A database with so many signed-in people, the first of them managers of one structure; their tokens."""
    name = f"rattache_benchmark_{os.getpid()}"
    server = await asyncpg.connect(f"{POSTGRES}/postgres")
    await server.execute(f"CREATE DATABASE {name}")
    url = f"{POSTGRES}/{name}"
    try:
        await database.migrate(url)
        await database.connect(url)
        tokens, attachment = await _fill(subscribers, concerned)
        await database.close()
        filled = await asyncpg.connect(url)
        await filled.execute("VACUUM ANALYZE")
        await filled.close()
        yield url, tokens, attachment
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


async def _fill(subscribers: int, concerned: int) -> tuple[list[str], Attachment]:
    at = datetime.now(UTC)
    principal = await factories.person()
    structure: Structure = await factories.structure(principal)
    rows = [_person(principal, number) for number in range(subscribers - 1)]
    await Account.bulk_create(rows, batch_size=500)
    everybody = await Account.all().order_by("id")
    for one in everybody[1:concerned]:
        await factories.attachment(one, structure, role=Role.SECONDARY_MANAGER)
    tokens = [f"token-of-{one.id}" for one in everybody]
    made = [
        Session(account_id=one.id, token_hash=sessions.hashed(token), created_at=at, last_seen_at=at,
                expires_at=at + timedelta(days=7))
        for one, token in zip(everybody, tokens, strict=True)
    ]  # fmt: skip
    await Session.bulk_create(made, batch_size=500)
    watched = await factories.attachment(await factories.person(), structure)
    return tokens, watched


def _person(like: Account, number: int) -> Account:
    email = f"reader{number}@people.example"
    kept = {name: getattr(like, name) for name in like._meta.db_fields if name != "id"}
    return Account(**(kept | {"login_email": email, "login_key": email, "contact_email": email}))


# ------------------------------------------------------------------ measuring
class Readers:
    """The readers' process, and what it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def connected(cls, url: str, lines: list[str], folder: Path) -> "Readers":
        """All of them connected and subscribed."""
        file = folder / "readers"
        file.write_text("\n".join(lines), encoding="utf-8")
        process = await node("clients", f"{url.replace('http', 'ws')}/graphql", str(file))
        readers = cls(process)
        told = await readers.line(300)
        assert told == {"connected": len(lines)}, told
        return readers

    async def line(self, seconds: float = 20) -> Any:
        """The next thing that they tell."""
        assert self.process.stdout is not None
        return json.loads(await asyncio.wait_for(self.process.stdout.readline(), seconds))


async def node(*given: str) -> asyncio.subprocess.Process:
    """The script at work."""
    modules = {"NODE_PATH": os.environ["RATTACHE_NODE_MODULES"]}
    return await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), *given, stdout=subprocess.PIPE, env={**os.environ, **modules}
    )


async def measure(
    name: str,
    process: int,
    url: str,
    lines: list[str],
    concerned: int,
    publish: Callable[[str], Awaitable[tuple[int, int]]],
    settled: Callable[[], Awaitable[None]],
) -> Costs:
    """The figures of a server; `publish` brings about the change of a key, and tells when it was committed,
    and when no transaction older than its own was open any more, of whatever database of the same PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        memory, used = resident(process), cpu(process)
        readers = await Readers.connected(url, lines, Path(folder))
        try:
            await settled()
            connect = (cpu(process) - used) / len(lines)
            await asyncio.sleep(2)
            memory = (resident(process) - memory) // len(lines)
            used = cpu(process)
            await asyncio.sleep(10)
            idle = (cpu(process) - used) / 10
            times: list[tuple[float, float]] = []
            for number in range(CHANGES):
                key = (datetime(2027, 1, 1, tzinfo=UTC) + timedelta(seconds=number)).isoformat()
                committed, settled_at = await publish(key)
                for _ in range(concerned):
                    told = await readers.line()
                    assert told.get("key") == key, told
                    at = int(told["at"])
                    times.append(((at - committed) / 1e6, (at - max(committed, settled_at)) / 1e6))
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            readers.process.kill()
            await readers.process.wait()
    return Costs(name, memory, connect, idle, *map(list, zip(*times, strict=True)))


async def ours(subscribers: int, concerned: int) -> Costs:
    """rattache on PostgreSQL: the change is committed by another process, which gives notice after it."""
    async with people(subscribers, concerned) as (address, tokens, made):
        settings = {"DATABASE_URL": address, "RATE_LIMITS": "off", "CONNECTIONS_PER_SOURCE": "20000"}
        with tempfile.TemporaryDirectory() as place, Server(Path(place), settings, "--no-worker") as server:
            writer = await asyncpg.connect(address)

            async def publish(key: str) -> tuple[int, int]:
                place = await writer.fetchval(
                    "INSERT INTO events (type, occurred_at, actor_id, subject_id, structure_id, attachment_id, before, after)"
                    " VALUES ('AttachmentDeactivated', $1, $2, $2, $3, $4, '{\"status\": \"VALIDATED\"}',"
                    " '{\"status\": \"DEACTIVATED\", \"role\": \"SIMPLE_USER\"}') RETURNING transaction_id::text",
                    datetime.fromisoformat(key), made.user_id, made.structure_id, made.id,
                )  # fmt: skip
                committed = time.monotonic_ns()
                await writer.execute(f"NOTIFY {CHANNEL}")
                while await writer.fetchval(HELD_BACK, place):
                    await asyncio.sleep(0.001)
                return committed, time.monotonic_ns()

            async def settled() -> None:
                async with httpx.AsyncClient() as http:
                    while (
                        f"rattache_live_streams {subscribers}.0" not in (await http.get(f"{server.url}/metrics")).text
                    ):
                        await asyncio.sleep(0.2)

            lines = [f"Bearer {token}" for token in tokens]
            return await measure("rattache", server.process_id, server.url, lines, concerned, publish, settled)


async def theirs(subscribers: int, concerned: int) -> Costs:
    """graphql-ws on ws, publishing from memory."""
    port = free_port()
    server = await node("server", str(port))
    assert server.stdout is not None
    assert json.loads(await server.stdout.readline()) == "ready"
    lines = ["0" if number < concerned else str(number) for number in range(subscribers)]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def publish(key: str) -> tuple[int, int]:
            at = int((await http.post(f"/{key}")).text)
            return at, at

        async def settled() -> None:
            await asyncio.sleep(1)

        try:
            return await measure(
                "graphql-ws on ws", server.pid, f"http://127.0.0.1:{port}", lines, concerned, publish, settled
            )
        finally:
            server.kill()
            await server.wait()


def main() -> None:
    """Run as said on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--concerned", type=int, default=20)
    chosen = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load = os.getloadavg()[0]
    sys.stdout.write(
        f"{chosen.subscribers:,} subscribers, {CHANGES} changes that concern {chosen.concerned} of them;"
        f" load of the machine before: {load:.1f} on {os.cpu_count()} cores\n"
    )
    for run in (ours, theirs):
        sys.stdout.write(asyncio.run(run(chosen.subscribers, chosen.concerned)).told() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
