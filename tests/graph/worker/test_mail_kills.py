"""kill -9 of a real courier at each step of the dialogue: no mail is lost, and one comes twice only after its last dot.

Two kills at each step on each engine; RATTACHE_MAIL_KILLS=50 for the full proof, whose figures `pytest -s` shows.
"""

import asyncio
import os
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from mailer import messages, outbox
from mailer.outbox import Recipient
from mailer.seals import Sealer
from models.mail.outbox import Mail, MailState
from tests.graph.worker.test_jobs import PATIENCE, environment, started, until
from tests.mailer.support import posts
from tests.mailer.support.letters import bodies
from tests.mailer.support.posts import Post

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("RATTACHE_MAIL_KILLS", "2"))
# The post stops answering at these; before the claim and before the record, the database stops instead.
HELD_BY_THE_POST = ("greeting", "MAIL", "RCPT", "DATA", "content", "end")
STEPS = ("claim", *HELD_BY_THE_POST, "record")
AFTER_THE_LAST_DOT = ("end", "record")
SEALER = Sealer("a key that seals nothing here", "rattache.example")
WAITS_FOR_A_LOCK = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"


@asynccontextmanager
async def held(url: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Nobody writes to the outbox until the block ends; what is given returns once somebody wants to."""
    if url.startswith("sqlite"):

        async def a_while() -> None:
            await asyncio.sleep(0.5)  # nobody tells who waits for SQLite's only writer's place

        with closing(sqlite3.connect(url.removeprefix("sqlite://").partition("?")[0], isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            yield a_while
        return
    server = await asyncpg.connect(url)

    async def wanted() -> None:
        while not await server.fetchval(WAITS_FOR_A_LOCK):
            await asyncio.sleep(0.01)

    try:
        async with server.transaction():
            await server.execute("LOCK TABLE outbox IN EXCLUSIVE MODE")
            yield wanted
    finally:
        await server.close()


@contextmanager
def courier(folder: Path, url: str, post: Post) -> Iterator[subprocess.Popen[bytes]]:
    """`rattache worker`, killed when the block ends."""
    settings = environment(folder, url, SMTP_URL=f"smtp://127.0.0.1:{post.port}", COURIER_LEASE="1s", JOB_PERIOD="5m")
    process = started(folder, settings, "worker")
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def kill_before_the_claim(folder: Path, url: str, post: Post) -> None:
    """A courier killed as it wants to claim mails."""
    log = folder / "workers.log"
    log.touch()
    begun = log.read_text().count("worker_started")
    async with asyncio.timeout(PATIENCE), held(url) as wanted:
        with courier(folder, url, post):
            while log.read_text().count("worker_started") == begun:
                await asyncio.sleep(0.02)
            await wanted()


async def kill_at(step: str, recipient: str, folder: Path, url: str, post: Post) -> None:
    """A courier killed at this step of its dialogue for the recipient, or as it wants to record what came of it."""
    last_heard = "end" if step == "record" else step
    post.holds = lambda at, of: at == last_heard and (of == recipient or at in ("greeting", "MAIL"))
    post.reached.clear()
    post.release.clear()
    async with asyncio.timeout(PATIENCE):
        with courier(folder, url, post) as process:
            await post.reached.wait()
            await until(lambda: _all_but(recipient, post))
            if step == "record":
                async with held(url) as wanted:
                    post.release.set()
                    await wanted()
                    process.kill()
    post.holds = lambda at, of: False
    post.hang_up()


@pytest.mark.parametrize("step", STEPS)
async def test_a_courier_killed_at_a_step_loses_no_mail(tmp_path: Path, db: str, step: str) -> None:
    async with posts.opened(Post(offers=())) as post:
        for number in range(KILLS):
            await until(_unclaimed)
            recipient = f"{step.lower()}-{number}@kills.example"
            now = datetime.now(UTC)
            changed = messages.PasswordChanged(at=now)
            await outbox.enqueue(changed, to=Recipient(recipient, "EN"), sealer=SEALER, now=now)
            if step == "claim":
                await kill_before_the_claim(tmp_path, db, post)
            else:
                await kill_at(step, recipient, tmp_path, db, post)
        with courier(tmp_path, db, post):
            await until(_all_sent)
    mails = {mail.message_id: mail.address for mail in await Mail.all()}
    arrived: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for mail, (recipient, _) in zip(post.mails, post.taken, strict=True):
        arrived[mail["Message-ID"]].append((recipient, bodies(mail)[0]))
    assert {id: copies[0][0] for id, copies in arrived.items()} == mails
    doubles = [copies for copies in arrived.values() if len(copies) > 1]
    assert all(len(copies) == 2 and copies[0] == copies[1] for copies in doubles)
    assert len(doubles) == (KILLS if step in AFTER_THE_LAST_DOT else 0)
    print(f"\n{db.partition(':')[0]}, {step}: {KILLS} kills, {len(mails)} mails, {len(doubles)} doubles")  # noqa: T201
    assert "Traceback" not in (tmp_path / "workers.log").read_text(encoding="utf-8")


async def _all_but(recipient: str, post: Post) -> bool:
    """Is everything recorded that was taken for others? It would come again for a reason other than the step's."""
    others = {address for address, _ in post.taken} - {recipient}
    return await Mail.filter(address__in=others, state=MailState.SENT).count() == len(others)


async def _unclaimed() -> bool:
    """Have the leases of those killed before lapsed, so that the next courier takes their mails first?"""
    return await Mail.filter(state=MailState.PENDING, lease_until__gt=datetime.now(UTC)).count() == 0


async def _all_sent() -> bool:
    return await Mail.exclude(state=MailState.SENT).count() == 0
