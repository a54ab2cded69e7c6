"""kill -9 in the middle of a burst: what was acknowledged is there, what is there is whole, and its mails arrive.

Two rounds on each engine; RATTACHE_KILL_ROUNDS=20 for the full proof, whose figures `pytest -s` shows.
RATTACHE_KILL_SEED repeats the order of a burst and the number of answers before each kill.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from models.accounts.wishes import Wish
from models.db import database
from models.mail.outbox import Mail, MailState
from tests.conftest import new_postgres
from tests.graph.support import bursts
from tests.graph.support.bursts import DONE, Call, Change
from tests.graph.support.remains import Post, Remains
from tests.graph.support.servers import Server, free_port

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("RATTACHE_KILL_ROUNDS", "2"))
SEED = int(os.environ.get("RATTACHE_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
MOST_ANSWERS = 40 if ROUNDS <= 2 else 100  # before the kill: the ordinary suite is spared the longer bursts
BURST_SECONDS = 20
DRAIN_SECONDS = 40
SETTINGS = {"RATE_LIMITS": "off", "COURIER_LEASE": "2s", "LOG_FORMAT": "json"}


@dataclass
class Figures:
    """What the rounds came to."""

    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    unanswered_yet_committed: int = 0
    mails: int = 0
    doubles: int = 0
    waiting_at_return: list[int] = field(default_factory=list)

    def count(self, changes: Sequence[Change], committed: set[str]) -> None:
        """Add one round's changes."""
        unanswered = [change for change in changes if change.sent and change.answered is None]
        self.acknowledged += sum(change.answered == DONE for change in changes)
        self.refused += sum(change.answered not in {None, DONE} for change in changes)
        self.unanswered += len(unanswered)
        self.unanswered_yet_committed += sum(change.marker in committed for change in unanswered)

    def count_mails(self, post: Post) -> None:
        """Add what arrived."""
        self.mails = len({mail["Message-ID"] for _, mail in post.taken})
        self.doubles = len(post.taken) - self.mails


@pytest.fixture
def post() -> Iterator[tuple[Post, str]]:
    """A real SMTP server and its address."""
    handler, port = Post(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture(params=["sqlite", "postgres"])
async def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own that keeps every promise to write: nothing is relaxed for speed."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'kills.db'}"
    return await new_postgres("rattache_kills")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[None]:
    """Our own connection, closed before each kill: the server alone must bring the files back in order."""
    await database.connect(url)
    try:
        yield
    finally:
        await database.close()


async def test_server_killed_in_a_burst_loses_nothing_acknowledged_and_mails_what_was_committed(
    lasting_url: str, post: tuple[Post, str], tmp_path: Path
) -> None:
    chance, figures, begun = random.Random(SEED), Figures(), time.monotonic()
    changes: list[Change] = []
    await database.migrate(lasting_url)
    with Server(tmp_path, {**SETTINGS, "DATABASE_URL": lasting_url, "SMTP_URL": post[1]}) as server:
        for number in range(ROUNDS):
            async with opened(lasting_url):
                burst = await bursts.calls(await bursts.cast(), chance)
            await _kill_within(server, burst, chance)
            fresh = [change for call in burst for change in call.changes]
            changes += fresh
            await asyncio.to_thread(server.start)
            async with opened(lasting_url):
                figures.waiting_at_return.append(await _waiting())
                await _drain()
                remains = await Remains.read()
            figures.count(fresh, remains.check(changes, post[0].taken, f"round {number + 1} of seed {SEED}"))
    figures.count_mails(post[0])
    print(f"\n{lasting_url.partition(':')[0]}, seed {SEED}, {time.monotonic() - begun:.0f} s: {figures}")  # noqa: T201
    assert figures.acknowledged >= ROUNDS
    assert figures.unanswered >= ROUNDS  # the kills fell into the bursts


async def _kill_within(server: Server, burst: Sequence[Call], chance: random.Random) -> None:
    """Fire the burst and kill the server once it has answered some of it, at no moment in particular."""
    answers, enough = 0, asyncio.Event()
    wanted, pause = chance.randint(5, MOST_ANSWERS), chance.uniform(0, 0.05)

    def answered() -> None:
        nonlocal answers
        answers += 1
        if answers == wanted:
            enough.set()

    firing = asyncio.create_task(bursts.fire(server.url, burst, answered))
    with suppress(TimeoutError):
        await asyncio.wait_for(enough.wait(), BURST_SECONDS)
    await asyncio.sleep(pause)
    server.kill()
    await firing


async def _waiting() -> int:
    """How many wishes wait to be granted, and mails to be sent."""
    return await Wish.all().count() + await Mail.filter(state=MailState.PENDING).count()


async def _drain() -> None:
    """Return once no wish and no mail waits any more."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while left := await _waiting():
        assert time.monotonic() < deadline, f"{left} wishes and mails still wait after {DRAIN_SECONDS} s"
        await asyncio.sleep(0.1)
