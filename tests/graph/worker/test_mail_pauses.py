"""Two couriers whose database falls silent for longer than their leases: every mail arrives, and none comes twice.

Two silences, RATTACHE_MAIL_PAUSES=20 for more.
"""

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailer import messages, outbox
from mailer.outbox import Letter, Recipient
from mailer.seals import Sealer
from models.db import database
from models.mail.outbox import Mail, MailState
from tests.conftest import new_postgres, on_server
from tests.graph.worker.test_jobs import environment, started, until
from tests.mailer.support import posts
from tests.mailer.support.posts import Post
from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow

SILENCES = int(os.environ.get("RATTACHE_MAIL_PAUSES", "2"))
LEASE_SECONDS = 1
SEALER = Sealer("a key that seals nothing here", "rattache.example")


async def put(addresses: list[str]) -> None:
    """A mail to each address, due now."""
    now = datetime.now(UTC)
    changed = messages.PasswordChanged(at=now)
    letters = [Letter(changed, Recipient(address, "EN")) for address in addresses]
    await outbox.enqueue_all(letters, sealer=SEALER, now=now - timedelta(seconds=1))


async def test_couriers_whose_database_is_silent_for_longer_than_a_lease_send_nothing_twice(tmp_path: Path) -> None:
    name = f"rattache_mail_pauses_{os.getpid()}"
    db = await new_postgres(name)
    await database.migrate(db)
    await database.connect(db)
    try:
        await _silences(tmp_path, db)
    finally:
        await database.close()
        await on_server(f"DROP DATABASE {name} WITH (FORCE)")


async def _silences(folder: Path, db: str) -> None:
    with Proxy.to(db) as proxy:
        async with posts.opened(Post()) as post:
            settings = environment(
                folder,
                proxy.url(db),
                SMTP_URL=f"smtp://127.0.0.1:{post.port}",
                COURIER_LEASE=f"{LEASE_SECONDS}s",
                JOB_PERIOD="5m",
            )
            couriers = [started(folder, settings, "worker") for _ in range(2)]
            try:
                async with asyncio.timeout(60 + 10 * SILENCES):
                    for number in range(SILENCES):
                        await _silence(number, proxy, post)
                    await until(_all_sent)
            finally:
                for process in couriers:
                    process.terminate()
                for process in couriers:
                    process.wait()
    arrived = Counter(mail["Message-ID"] for mail in post.mails)
    doubles = len(post.taken) - len(arrived)
    print(f"\n{SILENCES} silences, {len(arrived)} mails, {doubles} doubles")  # noqa: T201
    assert (len(arrived), doubles) == (11 * SILENCES, 0)


async def _silence(number: int, proxy: Proxy, post: Post) -> None:
    """The database falls silent while the server thinks about one mail's last dot, and others are under way."""
    post.reached.clear()
    post.release.clear()
    post.holds = lambda step, recipient: step == "end" and recipient.startswith(f"held{number}")
    await put([f"held{number}@people.example", *(f"reader{number}-{n}@people.example" for n in range(10))])
    await post.reached.wait()
    proxy.pause()
    await asyncio.sleep(3 * LEASE_SECONDS)
    proxy.resume()
    await asyncio.sleep(2)
    post.release.set()
    await until(_all_sent)


async def _all_sent() -> bool:
    return not await Mail.exclude(state=MailState.SENT).exists()
