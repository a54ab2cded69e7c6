"""Mailboxes that keep silent or take long hold up nobody else's mails, at the first try and at each other one.

RATTACHE_MAILS=1000 for the full round, whose figures `pytest -s` shows.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer import messages, outbox
from mailer.courier import Courier
from mailer.dialogues import Patience
from mailer.lanes import Lanes, Pace
from mailer.outbox import Letter, Recipient
from mailer.samples import NOW
from mailer.transport import SmtpServer, SmtpTransport
from models.mail.outbox import Mail, MailState
from tests.mailer.support import posts
from tests.mailer.support.letters import LETTERHEAD, SEALER, parsed
from tests.mailer.support.posts import Post

pytestmark = pytest.mark.slow

MAILS = int(os.environ.get("RATTACHE_MAILS", "200"))
LONG = 60  # for which a test waits; mailboxes keep silent longer, unless they are told to speak
SILENCE = Patience(connect=300, step=300, end=300)
QUICK = Pace(late=0.1, slow=0.5, hopeless=1, grace=0)
SILENT, SLOW = "silent@people.example", "slow@people.example"


class Boxes:
    """An aiosmtpd handler: one mailbox says nothing after DATA until `speak`, another takes three seconds."""

    def __init__(self) -> None:
        self.speak = asyncio.Event()
        self.arrived: dict[str, float] = {}
        self.taken: list[EmailMessage] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        (address,) = envelope.rcpt_tos
        if address == SILENT:
            await self.speak.wait()
        if address == SLOW:
            await asyncio.sleep(3)
        self.arrived.setdefault(address, time.monotonic())
        self.taken.append(parsed(envelope.content))  # type: ignore[arg-type]
        return "250 OK"


async def put(addresses: list[str]) -> None:
    """A mail to each address, due now."""
    now = datetime.now(UTC)
    changed = messages.PasswordChanged(at=NOW)
    letters = [Letter(changed, Recipient(address, "EN")) for address in addresses]
    await outbox.enqueue_all(letters, sealer=SEALER, now=now - timedelta(seconds=1))


@asynccontextmanager
async def working(port: int, patience: Patience = SILENCE, pace: Pace = Pace(grace=0)) -> AsyncIterator[Courier]:
    """A courier at work."""
    transport = SmtpTransport(SmtpServer("smtp", "127.0.0.1", port), patience=patience)
    courier = Courier(transport, LETTERHEAD, SEALER, owner="test", pace=pace)
    work = asyncio.create_task(courier.run(asyncio.Event(), lambda: datetime.now(UTC)))
    try:
        yield courier
    finally:
        courier.stop()
        await work


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LONG):
        while not await found():
            await asyncio.sleep(0.05)


async def test_others_get_their_mails_while_one_mailbox_keeps_silent_and_another_is_slow(
    db: str, unused_tcp_port: int
) -> None:
    boxes = Boxes()
    controller = Controller(boxes, hostname="127.0.0.1", port=unused_tcp_port)
    controller.start()
    others = [f"reader{number}@people.example" for number in range(MAILS - 2)]
    await put([*others[: MAILS // 10], SILENT, *others[MAILS // 10 : MAILS // 5], SLOW, *others[MAILS // 5 :]])
    begun = time.monotonic()

    async def others_served() -> bool:
        return set(others) <= set(boxes.arrived)

    async def all_sent() -> bool:
        return await Mail.filter(state=MailState.SENT).count() == MAILS

    try:
        async with working(unused_tcp_port):
            await until(others_served)
            assert SILENT not in boxes.arrived
            times = sorted(boxes.arrived[address] - begun for address in others)
            controller.loop.call_soon_threadsafe(boxes.speak.set)
            await until(all_sent)
    finally:
        controller.stop()
    print(f"\n{db.partition(':')[0]}, {MAILS} mails: others after {times[0]:.2f} to {times[-1]:.2f} s")  # noqa: T201
    assert len(boxes.taken) == len({mail["Message-ID"] for mail in boxes.taken}) == MAILS
    assert {mail.attempts for mail in await Mail.all()} == {1}


@pytest.mark.parametrize("step", ["RCPT", "end"])
async def test_fifty_silent_mailboxes_hold_up_nobody_at_the_first_try_nor_at_the_next(db: str, step: str) -> None:
    silent = [f"silent{number}@silent{number % 7}.example" for number in range(50)]
    async with posts.opened(Post()) as post, working(post.port, SILENCE, QUICK):
        post.holds = lambda at, recipient: at == step and recipient.startswith("silent")
        for attempt in (1, 2):
            others = [f"reader{number}-{attempt}@people.example" for number in range(50)]
            if attempt == 1:
                await put([address for pair in zip(silent, others, strict=True) for address in pair])
            else:
                post.hang_up()  # each of the fifty fails, and is tried again at once
                await until(lambda: _waiting_again(silent))
                await Mail.filter(address__in=silent).update(due_at=datetime.now(UTC))
                await put(others)
            await until(lambda others=others: _sent(others))  # type: ignore[misc]
            assert await Mail.filter(address__in=silent, state=MailState.SENT).count() == 0


async def _sent(addresses: list[str]) -> bool:
    return await Mail.filter(address__in=addresses, state=MailState.SENT).count() == len(addresses)


async def _waiting_again(addresses: list[str]) -> bool:
    return await Mail.filter(address__in=addresses, last_error__isnull=False).count() > len(addresses) // 2


async def test_a_mailbox_that_answers_late_gets_its_mail_once(db: str) -> None:
    async with posts.opened(Post()) as post, working(post.port, pace=Pace(late=0.05, slow=0.1, hopeless=0.2)):
        post.holds = lambda at, recipient: at == "end" and recipient == SILENT
        await put([SILENT, "reader@people.example"])
        await until(lambda: _sent(["reader@people.example"]))
        await asyncio.sleep(0.5)
        post.release.set()
        await until(lambda: _sent([SILENT]))
    assert sorted(recipient for recipient, _ in post.taken) == ["reader@people.example", SILENT]
    assert {mail.attempts for mail in await Mail.all()} == {1}


async def test_a_server_of_few_connections_serves_others_beside_a_silent_mailbox(db: str) -> None:
    others = [f"reader{number}@people.example" for number in range(20)]
    async with posts.opened(Post()) as post, working(post.port, pace=Pace(late=0.01, hopeless=0.3, grace=0)):
        post.most_open = 2
        post.holds = lambda at, recipient: at == "end" and recipient == SILENT
        await put([SILENT, *others])
        await until(lambda: _sent(others))
    assert [recipient for recipient, _ in post.taken].count(SILENT) == 1


async def test_a_courier_that_is_stopped_leaves_a_silent_mailbox_for_another_time(db: str) -> None:
    async with posts.opened(Post()) as post:
        post.holds = lambda at, recipient: at == "DATA"
        await put([SILENT])
        async with working(post.port):
            await post.reached.wait()
        (mail,) = await Mail.all()
        assert (mail.state, mail.attempts, mail.lease_owner) == (MailState.PENDING, 1, None)
        assert (mail.last_error or "").startswith("broken off after")
        assert post.taken == []


# ------------------------------------------------------------------ the rules of places
async def test_an_address_that_took_long_waits_for_a_place_apart_and_no_other_does() -> None:
    lanes = Lanes(Pace(slow=0, most_apart=1))
    first = await lanes.place(SILENT)
    assert first is not None
    lanes.leave(first, answered=False)
    apart = await lanes.place(SILENT)
    assert apart is not None
    assert apart.apart
    assert await lanes.place(SILENT) is None
    other = await lanes.place("reader@people.example")
    assert other is not None
    assert not other.apart


async def test_a_domain_goes_apart_once_three_of_its_addresses_kept_silent_until_one_is_answered() -> None:
    lanes = Lanes(Pace(slow=0.01))

    async def keep(address: str, *, answered: bool, seconds: float) -> bool:
        place = await lanes.place(address)
        assert place is not None
        await asyncio.sleep(seconds)
        lanes.leave(place, answered=answered)
        return place.apart

    assert [await keep(f"{n}@people.example", answered=False, seconds=0.02) for n in range(4)] == [False] * 3 + [True]
    assert await keep("5@people.example", answered=True, seconds=0.02) is True
    assert await keep("6@people.example", answered=True, seconds=0) is False


async def test_a_mail_past_its_last_dot_is_broken_off_after_one_that_the_server_has_nothing_of() -> None:
    lanes = Lanes(Pace(most=2, hopeless=0.01, late=0))
    ended: list[str] = []

    async def talk(address: str, *, finishing: bool) -> None:
        place = await lanes.place(address)
        assert place is not None
        place.finishing = finishing
        try:
            await place.talk(_never())
        except Exception:
            ended.append(address)
            lanes.leave(place)

    tasks = [asyncio.create_task(talk("dot@a.example", finishing=True))]
    await asyncio.sleep(0.01)
    tasks.append(asyncio.create_task(talk("no-dot@a.example", finishing=False)))
    await asyncio.sleep(0.05)
    for number in range(2):
        tasks.append(asyncio.create_task(talk(f"next{number}@a.example", finishing=True)))
        async with asyncio.timeout(LONG):
            while len(ended) <= number:
                await asyncio.sleep(0.01)
    assert ended == ["no-dot@a.example", "dot@a.example"]
    for task in tasks:
        task.cancel()


async def _never() -> str:
    await asyncio.sleep(3600)
    return ""
