"""What an export of a million structures costs a real server, and what other requests feel of it meanwhile.

    python -m tests.benchmarks.exports sqlite
    python -m tests.benchmarks.exports postgres --rows 1000000

PostgreSQL is that of TEST_POSTGRES_URL; the database is made, filled and dropped.
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx

from models.db import database
from models.db.normalisation import normalise_name
from models.structures.identifiers import IdentifierType, check
from tests.conftest import POSTGRES
from tests.graph.support.servers import Server
from tests.support import factories

COLUMNS = (
    "identifier_type", "identifier", "name", "folded_name", "kind", "status", "managed", "line1", "line2", "postcode",
    "city", "folded_city", "country", "email", "phone", "service_code_required", "engagement_number_required",
    "created_at",
)  # fmt: skip
FIRST = ("Société", "Ateliers", "Établissements", "Compagnie", "Garage", "Boulangerie", "Cabinet", "Coopérative")
SECOND = ("Générale", "du Midi", "des Ormes", "Léon & Fils", "de l'Étang", "Bœuf", "Saint-Éloi", "Vallée d'Ossau")
TOWNS = (("75011", "Paris"), ("69003", "Lyon"), ("31000", "Toulouse"), ("97400", "Saint-Denis"), ("22000", "Évreux"))
SMALL = "{ me { firstName attachments(first: 5) { edges { node { role structure { name } } } } } }"
SEARCHES = {"everything": "{kind: PRIVATE}", "an eighth, by name": '{name: "societe"}'}
PAUSE_SECONDS = 0.05  # between two small requests
BEFORE_SECONDS = 10.0


# ------------------------------------------------------------------ a million structures
def siret(number: int) -> str:
    """The SIRET of this rank: 13 digits and the one that makes Luhn's sum a multiple of 10."""
    body = f"{300_000_000_000_0 + number}"
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(body, start=1))
    return f"{body}{-total % 10}"


def structures(rows: int) -> Iterator[tuple[object, ...]]:
    """Generated structures, in an order that isn't that of their names."""
    chance = random.Random(1)
    at = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
    check(IdentifierType.SIRET, siret(1))  # refuses what is no SIRET
    for number in range(rows):
        name = f"{chance.choice(FIRST)} {chance.choice(SECOND)} {chance.randrange(rows):x}"
        postcode, town = chance.choice(TOWNS)
        yield (
            "SIRET", siret(number), name, normalise_name(name), "PRIVATE", "ACTIVE", False, f"{number % 200} rue des Écoles",
            "Bâtiment B" if number % 3 == 0 else None, postcode, town, normalise_name(town), "FR",
            f"contact{number}@structures.example", "+33123456789", False, False, at,
        )  # fmt: skip


def fill_sqlite(path: Path, rows: int) -> None:
    """Write the structures into a migrated SQLite file."""
    with sqlite3.connect(path) as file:
        places = ", ".join("?" * len(COLUMNS))
        made = ((*row[:-1], row[-1].isoformat(" ")) for row in structures(rows))  # type: ignore[attr-defined]
        file.executemany(f"INSERT INTO structures ({', '.join(COLUMNS)}) VALUES ({places})", made)
    file.execute("ANALYZE")
    file.close()


async def fill_postgres(url: str, rows: int) -> None:
    """Write the structures into a migrated PostgreSQL database."""
    server = await asyncpg.connect(url)
    await server.copy_records_to_table("structures", records=structures(rows), columns=COLUMNS)
    await server.execute("VACUUM ANALYZE structures")
    await server.close()


@asynccontextmanager
async def filled(engine: str, rows: int, folder: Path) -> AsyncIterator[str]:
    """The address of a migrated database with so many structures."""
    if engine == "sqlite":
        url = f"sqlite://{folder / 'rattache.db'}"
        await database.migrate(url)
        fill_sqlite(folder / "rattache.db", rows)
        yield url
        return
    name = f"rattache_benchmark_{os.getpid()}"
    server = await asyncpg.connect(f"{POSTGRES}/postgres")
    await server.execute(f"CREATE DATABASE {name}")
    try:
        await database.migrate(f"{POSTGRES}/{name}")
        await fill_postgres(f"{POSTGRES}/{name}", rows)
        yield f"{POSTGRES}/{name}"
    finally:
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.close()


# ------------------------------------------------------------------ measuring
@dataclass
class Measures:
    """Milliseconds of small requests, and bytes of the server's resident memory."""

    milliseconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def told(self) -> str:
        """Median, 99th percentile and the slowest."""
        cuts = statistics.quantiles(self.milliseconds, n=100, method="inclusive")
        return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, slowest {max(self.milliseconds):.1f} ms"


def resident(process: int) -> int:
    """The bytes of resident memory of a process."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(process)


async def watch(client: httpx.AsyncClient, process: int, until: asyncio.Future[Any]) -> Measures:
    """Ask small questions one after the other, and look at the memory after each, until told to stop."""
    found = Measures()
    while not until.done():
        began = time.perf_counter()
        answer = await client.post("/graphql", json={"query": SMALL})
        found.milliseconds.append((time.perf_counter() - began) * 1000)
        assert answer.json()["data"]["me"]["firstName"] == "Ada", answer.text
        found.memory.append(resident(process))
        await asyncio.sleep(PAUSE_SECONDS)
    return found


def download(url: str) -> None:
    """Read the whole file and print its lines, its bytes and the seconds it took; run as a process of its own."""
    parts = urlsplit(url)
    began = time.perf_counter()
    connection = HTTPConnection(parts.netloc, timeout=120)
    connection.request("GET", f"{parts.path}?{parts.query}")
    response = connection.getresponse()
    assert response.status == 200, response.read()
    lines = size = 0
    while piece := response.read(256 * 1024):  # raises IncompleteRead where the transfer breaks
        size += len(piece)
        lines += piece.count(b"\n")
    sys.stdout.write(f"{lines} {size} {time.perf_counter() - began}\n")


async def measure(client: httpx.AsyncClient, process: int, search: str) -> str:
    """One export, and what was felt of it."""
    before = await watch(client, process, asyncio.ensure_future(asyncio.sleep(BEFORE_SECONDS)))
    query = f"{{ structures(search: {search}, first: 1) {{ exportUrl }} }}"
    answer = await client.post("/graphql", json={"query": query})
    url = answer.json()["data"]["structures"]["exportUrl"]
    command = [sys.executable, "-m", "tests.benchmarks.exports", "--download", url]
    reading = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    ended = asyncio.ensure_future(reading.communicate())
    during = await watch(client, process, ended)
    lines, size, seconds = (await ended)[0].split()
    growth = max(during.memory) - before.memory[-1]
    return (
        f"  rows {int(lines) - 1:,}, {int(size) / 1e6:.1f} MB in {float(seconds):.1f} s;"
        f" memory {before.memory[-1] / 2**20:.1f} MiB, grew by {growth / 2**20:.1f} MiB\n"
        f"  small requests before: {before.told()}\n"
        f"  small requests during: {during.told()} ({len(during.milliseconds)} asked)"
    )


async def run(engine: str, rows: int) -> Sequence[str]:
    """The figures of each search."""
    told = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        began = time.perf_counter()
        async with filled(engine, rows, folder) as url:
            await database.connect(url)
            ada = await factories.person()
            await database.close()
            told.append(f"{engine}: {rows:,} structures written in {time.perf_counter() - began:.0f} s")
            told.append(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            with Server(folder, {"DATABASE_URL": url, "RATE_LIMITS": "off"}, "--no-worker") as server:
                process = server.process_id
                async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
                    given = f'{{loginEmail: "{ada.login_email}", password: "{factories.PASSWORD}"}}'
                    query = f"mutation {{ signIn(input: {given}) {{ token }} }}"
                    answer = await client.post("/graphql", json={"query": query})
                    client.headers["authorization"] = f"Bearer {answer.json()['data']['signIn']['token']}"
                    for name, search in SEARCHES.items():
                        told += [f"{engine}, {name}:", await measure(client, process, search)]
    return told


def main() -> None:
    """Run as said on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("sqlite", "postgres"), nargs="?")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--download", help="read this address and tell its size; what the benchmark itself runs")
    chosen = parser.parse_args()
    if chosen.download:
        download(chosen.download)
        return
    sys.stdout.write("\n".join(asyncio.run(run(chosen.engine or "sqlite", chosen.rows))) + "\n")


if __name__ == "__main__":
    main()
