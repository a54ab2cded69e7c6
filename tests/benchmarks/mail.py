"""What two real couriers send in a second and hold in memory, beside a bare aiosmtplib loop over one connection.

    python -m tests.benchmarks.mail sqlite
    python -m tests.benchmarks.mail postgres --mails 10000

The same mails, to the same server, in a process of its own, in the same run: the loop has them composed beforehand,
the couriers compose them and keep the outbox. PostgreSQL is that of TEST_POSTGRES_URL.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiosmtplib
import orjson

from mailer import outbox, rendering
from mailer.messages import AttachmentValidated
from mailer.outbox import Letter, Recipient
from mailer.rendering import Letterhead
from mailer.seals import Sealer
from models.db import database
from models.mail.outbox import Mail, MailState
from tests.benchmarks.exports import filled
from tests.graph.support.servers import free_port
from tests.graph.worker.test_jobs import environment, started
from tests.mailer.support import posts
from tests.mailer.support.letters import parsed
from tests.mailer.support.posts import Post

SEALER = Sealer("a key that seals nothing here", "rattache.example")
LETTERHEAD = Letterhead("rattache <no-reply@rattache.example>", "http://127.0.0.1:8000")
SOON = timedelta(seconds=8)


# ------------------------------------------------------------------ the server
async def sink(port: int) -> None:
    """Take mails until told to stop, then print when the first and the last came, and how often each did."""
    times: list[float] = []
    post, stopping = Post(), asyncio.Event()

    def came(step: str, recipient: str) -> bool:
        if step == "end":
            times.append(time.time())
        return False

    post.holds = came
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with posts.opened(post, port):
        await stopping.wait()
    arrived = Counter(mail["Message-ID"] for mail in post.mails)
    figures = {"first": times[0], "last": times[-1], "mails": len(arrived), "doubles": len(times) - len(arrived)}
    sys.stdout.write(orjson.dumps(figures | {"connections": post.connections}).decode())


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """A server in a process of its own, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.mail", "--sink", str(port)]
    server = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    while True:
        try:
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            break
        except OSError:
            await asyncio.sleep(0.05)
    try:
        yield port, server
    finally:
        if server.returncode is None:
            server.kill()
            await server.wait()


async def told(server: asyncio.subprocess.Process) -> dict[str, float]:
    """What the server saw; it ends."""
    server.terminate()
    printed, _ = await server.communicate()
    figures: dict[str, float] = orjson.loads(printed)
    return figures


# ------------------------------------------------------------------ the two ways
async def written(mails: int, due_at: datetime) -> None:
    """So many mails in the outbox, due at that instant."""
    said = AttachmentValidated(
        structure="Ateliers Delmas & Fils", by="Claire Delmas", valid_from=due_at.date(), valid_until=None,
        services=("COMPTA - Comptabilité", "ACHATS - Achats"),
    )  # fmt: skip
    letters = [Letter(said, Recipient(f"reader{n}@people.example", "FR", name=f"Lea {n}")) for n in range(mails)]
    async with database.transaction():
        for first in range(0, mails, 500):
            await outbox.enqueue_all(letters[first : first + 500], sealer=SEALER, now=due_at)


async def bare() -> dict[str, float]:
    """The same mails, composed beforehand, by one loop over one connection."""
    composed = [
        parsed(rendering.compose(mail, letterhead=LETTERHEAD, sealer=SEALER).as_bytes())
        for mail in await Mail.all().order_by("id")
    ]
    async with listening() as (port, server):
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port)
        await client.connect()
        for mail in composed:
            await client.send_message(mail)
        await client.quit()
        return await told(server)


async def couriers(number: int, folder: Path, url: str, due_at: datetime) -> tuple[dict[str, float], list[int]]:
    """The same mails by so many `rattache worker` processes, and the most bytes that each held."""
    async with listening() as (port, server):
        settings = environment(folder, url, SMTP_URL=f"smtp://127.0.0.1:{port}", JOB_PERIOD="1h")
        workers = [started(folder, settings, "worker") for _ in range(number)]
        while await Mail.filter(state=MailState.PENDING).exists():
            assert datetime.now(UTC) < due_at + timedelta(minutes=20)
            await asyncio.sleep(0.5)
        memory = [most(worker.pid) for worker in workers]
        for worker in workers:
            worker.terminate()
            worker.wait()
        return await told(server), memory


def most(process: int) -> int:
    """The most bytes of resident memory that a process ever held."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(process)


async def run(engine: str, mails: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as place:
        async with filled(engine, 0, Path(place)) as url:
            await database.connect(url)
            due_at = datetime.now(UTC) + SOON
            await written(mails, due_at)
            loop = await bare()
            due_at = max(due_at, datetime.now(UTC) + SOON)
            await Mail.all().update(due_at=due_at)
            many, memory = await couriers(2, Path(place), url, due_at)
            sent = await Mail.filter(state=MailState.SENT, attempts=1).count()
            await database.close()
    rates = [figures["mails"] / (figures["last"] - figures["first"]) for figures in (loop, many)]
    sys.stdout.write(
        f"{engine}, {mails:,} mails, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n"
        f"  bare loop, one connection:  {rates[0]:.0f} a second, {loop['doubles']} doubles\n"
        f"  two couriers:               {rates[1]:.0f} a second, {many['doubles']} doubles, {many['mails']} arrived,"
        f" {sent} recorded as sent at the first try, {many['connections'] - 1:.0f} connections,"
        f" at most {' and '.join(f'{held / 2**20:.0f}' for held in memory)} MiB\n"
        f"  ratio:                      {rates[1] / rates[0]:.2f}\n"
    )


def main() -> None:
    """Run as said on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=("sqlite", "postgres"), nargs="?", default="sqlite")
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--sink", type=int, help="be the server at this port; what the benchmark itself runs")
    chosen = parser.parse_args()
    asyncio.run(sink(chosen.sink) if chosen.sink else run(chosen.engine, chosen.mails))


if __name__ == "__main__":
    main()
