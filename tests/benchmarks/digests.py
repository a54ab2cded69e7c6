"""What a run of the periodical mails costs: statements for each batch of readers, seconds, memory; and whether it's right.

    python -m tests.benchmarks.digests sqlite
    python -m tests.benchmarks.digests postgres --people 10000 --structures 200 --activities 50000

A tenth of the world first, then all of it, each run in a process of its own. What every reader is told is held against
an evaluation row by row in plain Python. PostgreSQL is that of TEST_POSTGRES_URL.
"""

import argparse
import asyncio
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from mailer.seals import Sealer
from models.db import database
from models.mail.digests import MOST_TOLD
from models.mail.outbox import Mail
from resolvers.accounts import digests
from resolvers.scope import Office, Scope
from tests.benchmarks.exports import filled, resident
from tests.benchmarks.mail import most
from tests.resolvers.support import readers
from tests.resolvers.support.readers import Size, World
from tests.schema.test_statements import statements

SEALER = Sealer("a key that seals nothing here", "rattache.example")
JOBS = {"activity_digest": digests.send_digests, "weekly_recap": digests.send_recaps}


async def work(url: str, message: str, now: datetime) -> dict[str, float]:
    """One run of a job, and what it cost; in a process that does nothing else."""
    await database.connect(url)
    await database.ping()
    before = resident(os.getpid())
    began = time.perf_counter()
    with statements() as seen:
        mails = await JOBS[message](Scope(Office(sealer=SEALER, clock=lambda: now)))
    seconds = time.perf_counter() - began
    await database.close()
    held = {"before": before, "most": most(os.getpid())}
    return {"statements": len(seen), "seconds": seconds, "mails": mails, **held}


async def measured(url: str, message: str, now: datetime, expected: dict[int, list[int]], wanting: int) -> str:
    """The figures of one job, once what it wrote was found right."""
    command = [sys.executable, "-m", "tests.benchmarks.digests", "--work", url, message, now.isoformat()]
    working = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    figures = orjson.loads((await working.communicate())[0])
    mails = {mail.account_id: mail for mail in await Mail.filter(message=message)}
    assert len(mails) == figures["mails"] == len(expected)
    assert {user: (mail.payload["ids"], mail.payload["total"]) for user, mail in mails.items()} == {
        user: (ids[:MOST_TOLD], len(ids)) for user, ids in expected.items()
    }
    batches = math.ceil(wanting / digests.BATCH)
    return (
        f"  {message}: {figures['mails']:,} mails to {wanting:,} readers, all as evaluated, in {figures['seconds']:.1f} s;"
        f" {figures['statements']:,} statements, {figures['statements'] / batches:.1f} for each of {batches}"
        f" batches of {digests.BATCH};"
        f" memory {figures['before'] / 2**20:.0f} MiB, at most {figures['most'] / 2**20:.0f} MiB"
    )


async def world(engine: str, size: Size) -> None:
    """Make a world, run both jobs on it and print."""
    now = datetime.now(UTC)
    today = now.astimezone(ZoneInfo("Europe/Paris")).date()
    with tempfile.TemporaryDirectory() as place:
        async with filled(engine, 0, Path(place)) as url:
            await database.connect(url)
            await readers.build(size, now, random.Random(7))
            if engine == "postgres":
                await database.fetch("ANALYZE", {})
            known = await World.read()
            wanting = sum(
                bool(person.receive_activity_notifications) and person.state == "ACTIVE"
                for person in known.people.values()
            )
            sys.stdout.write(f"{engine}: {size}\n")
            for message, expected in (
                ("activity_digest", known.digests(now, today)), ("weekly_recap", known.recaps(now, today))
            ):  # fmt: skip
                sys.stdout.write(await measured(url, message, now, expected, wanting) + "\n")
                sys.stdout.flush()
            await database.close()


def main() -> None:
    """Run as said on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("sqlite", "postgres"), nargs="?", default="sqlite")
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--structures", type=int, default=200)
    parser.add_argument("--activities", type=int, default=50_000)
    parser.add_argument("--work", nargs=3, help="what the benchmark itself runs")
    chosen = parser.parse_args()
    if chosen.work:
        url, message, now = chosen.work
        sys.stdout.write(orjson.dumps(asyncio.run(work(url, message, datetime.fromisoformat(now)))).decode())
        return
    for share in (10, 1):
        size = Size(
            chosen.people // share, chosen.structures // share, chosen.activities // share, chosen.activities // share
        )
        asyncio.run(world(chosen.engine, size))


if __name__ == "__main__":
    main()
