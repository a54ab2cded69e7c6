"""What becomes of mails: sent once, tried again, given up; whatever server, database or another courier do."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailer import folders, messages, outbox
from mailer.courier import Courier, delay
from mailer.digests import ActivityDigest
from mailer.facts import LinkToken, Message
from mailer.failures import HoldLost, PermanentFailure, RecipientRefused, ServerAway, ServerCrowded
from mailer.outbox import Recipient
from mailer.samples import NOW, TOKEN
from mailer.seals import Sealer
from mailer.transport import SmtpServer, SmtpTransport, Transport
from models.db import database
from models.mail import mail_attempts
from models.mail import outbox as rows
from models.mail.mail_attempts import Try
from models.mail.outbox import Mail, MailState
from tests.mailer.conftest import Server
from tests.mailer.support.letters import LETTERHEAD, SEALER, bodies
from tests.support import factories

pytestmark = pytest.mark.usefixtures("db")

LEA = Recipient("lea@demo.example", "FR", account_id=7, name="Léa Martin")
CHANGED = messages.PasswordChanged(at=NOW)


def link(minutes: int = 60) -> Message:
    return messages.PasswordReset(token=LinkToken(TOKEN), expires_at=NOW + timedelta(minutes=minutes))


def by_smtp(port: int) -> SmtpTransport:
    return SmtpTransport(SmtpServer("smtp", "127.0.0.1", port))


def courier_over(transport: Transport, **options: Any) -> Courier:
    chance = random.Random(1)
    return Courier(transport, LETTERHEAD, SEALER, owner="test", chance=chance, **options)


async def put(message: Message = CHANGED, to: Recipient = LEA, **options: Any) -> bool:
    return await outbox.enqueue(message, to=to, sealer=SEALER, now=NOW, **options)


async def only() -> Mail:
    (mail,) = await outbox.listed()
    return mail


# ------------------------------------------------------------------ putting mails in
async def test_change_that_commits_leaves_its_mail_and_one_that_fails_leaves_none() -> None:
    async with database.transaction():
        assert await put(link()) is True

    async def fail() -> None:
        async with database.transaction():
            await put()
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    mail = await only()
    assert (mail.message, mail.address, mail.language, mail.account_id) == ("password_reset", LEA.address, "fr", 7)
    assert (mail.created_at, mail.due_at, mail.give_up_at) == (NOW, NOW, NOW + timedelta(days=3))
    assert mail.expires_at == NOW + timedelta(minutes=60)
    assert mail.message_id.endswith("@rattache.example>")
    assert TOKEN not in str(mail.payload)


async def test_mail_of_the_same_key_is_put_once() -> None:
    assert await put(key="digest:7:2026-11-24") is True
    assert await put(key="digest:7:2026-11-24") is False
    assert await put(key="digest:7:2026-11-25") is True
    assert len(await outbox.listed()) == 2


async def test_address_with_a_line_break_is_never_put() -> None:
    with pytest.raises(ValueError, match="control character"):
        await put(to=Recipient("lea@demo.example\r\nBcc: x@example.org", "FR"))
    assert await outbox.listed() == []


# ------------------------------------------------------------------ sending
async def test_server_takes_many_mails_over_one_connection(smtp: Server) -> None:
    for _ in range(3):
        await put()
    transport = by_smtp(smtp.port)
    assert await courier_over(transport).run_once(NOW) == 3
    await transport.close()
    assert len(smtp.taken) == 3
    assert len(smtp.sessions) == 1
    mails = await outbox.listed(MailState.SENT)
    assert {mail.message_id for mail in mails} == {mail["Message-ID"] for mail in smtp.taken}
    assert [(mail.attempts, mail.lease_owner) for mail in mails] == [(1, None)] * 3
    assert [address.addr_spec for address in smtp.taken[0]["To"].addresses] == ["lea@demo.example"]
    assert bodies(smtp.taken[0])[0].startswith("Bonjour Léa Martin, Le mot de passe de votre compte")


async def test_mail_waits_for_its_day(smtp: Server) -> None:
    await put(not_before=NOW + timedelta(hours=1))
    transport = by_smtp(smtp.port)
    courier = courier_over(transport)
    assert await courier.run_once(NOW + timedelta(minutes=59)) == 0
    assert await courier.run_once(NOW + timedelta(minutes=60)) == 1
    await transport.close()


@pytest.mark.parametrize("where", ["rcpt_answers", "data_answers"])
async def test_mail_refused_for_now_is_tried_again_under_the_same_message_id(smtp: Server, where: str) -> None:
    setattr(smtp, where, ["451 later", "452 later still"])
    await put()
    transport = by_smtp(smtp.port)
    courier = courier_over(transport)
    assert await courier.run_once(NOW) == 1
    mail = await only()
    assert (mail.state, mail.attempts, mail.lease_owner) == (MailState.PENDING, 1, None)
    assert NOW + timedelta(seconds=48) <= mail.due_at <= NOW + timedelta(seconds=73)
    assert "451 later" in (mail.last_error or "")
    assert await courier.run_once(NOW + timedelta(seconds=47)) == 0
    assert await courier.run_once(mail.due_at) == 1
    assert await courier.run_once(NOW + timedelta(hours=1)) == 1
    await transport.close()
    mail = await only()
    assert (mail.state, mail.attempts, mail.last_error) == (MailState.SENT, 3, None)
    assert [taken["Message-ID"] for taken in smtp.taken] == [mail.message_id]


@pytest.mark.parametrize("where", ["rcpt_answers", "data_answers"])
async def test_mail_refused_for_good_is_given_up_at_once_and_its_neighbour_is_sent(smtp: Server, where: str) -> None:
    setattr(smtp, where, ["550 no such mailbox"])
    await put()
    await put()
    transport = by_smtp(smtp.port)
    courier = courier_over(transport)
    assert await courier.run_once(NOW) == 2
    assert await courier.run_once(NOW + timedelta(days=1)) == 0
    await transport.close()
    (dead,) = await outbox.dead_letters()
    assert (dead.state, dead.attempts) == (MailState.REFUSED, 1)
    assert "550 no such mailbox" in (dead.last_error or "")
    assert len(smtp.taken) == 1


async def test_connection_lost_on_the_way_is_a_reason_to_try_again(smtp: Server) -> None:
    smtp.drops = 1
    await put()
    await put()
    transport = by_smtp(smtp.port)
    courier = courier_over(transport)
    assert await courier.run_once(NOW) == 2
    assert len(smtp.taken) == 1
    assert await courier.run_once(NOW + timedelta(minutes=2)) == 1
    await transport.close()
    assert Counter(mail["Message-ID"] for mail in smtp.taken) == {
        mail.message_id: 1 for mail in await outbox.listed(MailState.SENT)
    }


async def test_server_that_is_away_postpones_the_whole_batch(unused_tcp_port: int) -> None:
    for _ in range(3):
        await put()
    assert await courier_over(by_smtp(unused_tcp_port)).run_once(NOW) == 3
    mails = await outbox.listed()
    assert [(mail.state, mail.attempts, mail.lease_owner) for mail in mails] == [(MailState.PENDING, 1, None)] * 3
    assert all(NOW < mail.due_at < NOW + timedelta(seconds=75) for mail in mails)
    assert len({mail.due_at for mail in mails}) == 3


async def test_mail_that_fails_for_three_days_is_given_up_and_sent_on_command(smtp: Server) -> None:
    smtp.rcpt_answers = ["451 later"] * 1000
    await put()
    transport = by_smtp(smtp.port)
    courier = courier_over(transport)
    while (mail := await only()).state is MailState.PENDING:
        await courier.run_once(mail.due_at)
    assert mail.state is MailState.EXHAUSTED
    assert 18 <= mail.attempts <= 24
    smtp.rcpt_answers = []
    later = NOW + timedelta(days=4)
    assert await outbox.retry(None, now=later) == 1
    assert await courier.run_once(later) == 1
    await transport.close()
    assert (await only()).state is MailState.SENT


async def test_dead_link_is_never_sent_nor_retried(smtp: Server) -> None:
    await put(link(minutes=10))
    await put(link(minutes=30))
    smtp.rcpt_answers = ["451 later"]
    transport = by_smtp(smtp.port)
    courier = courier_over(transport)
    assert await courier.run_once(NOW + timedelta(minutes=29, seconds=30)) == 2
    await transport.close()
    assert smtp.taken == []
    assert [mail.state for mail in await outbox.dead_letters()] == [MailState.EXPIRED] * 2
    assert await outbox.retry(None, now=NOW + timedelta(minutes=31)) == 0


async def test_mail_that_cannot_be_composed_does_not_hold_up_the_next(smtp: Server) -> None:
    other = Sealer("a key that was replaced", "rattache.example")
    await outbox.enqueue(link(), to=LEA, sealer=other, now=NOW)
    await put()
    transport = by_smtp(smtp.port)
    assert await courier_over(transport).run_once(NOW) == 2
    await transport.close()
    assert [(mail.state, mail.last_error) for mail in await outbox.dead_letters()] == [
        (MailState.UNRENDERABLE, "SealBroken: ")
    ]
    assert len(smtp.taken) == 1


async def test_deactivated_account_gets_no_mail_that_waited(smtp: Server) -> None:
    await put()
    await put(to=Recipient("samir@demo.example", "FR", account_id=8))
    assert await outbox.withdraw(7) == 1
    transport = by_smtp(smtp.port)
    assert await courier_over(transport).run_once(NOW) == 1
    await transport.close()
    assert [str(mail["To"]) for mail in smtp.taken] == ["samir@demo.example"]


async def test_operator_reads_one_mail_without_its_token() -> None:
    await put(link())
    mail = await outbox.shown((await only()).id)
    assert mail is not None
    assert mail.payload["expires_at"] == "2026-11-24T14:05:00+00:00"
    assert mail.payload["token"] != TOKEN
    assert await outbox.shown(999) is None


# ------------------------------------------------------------------ several couriers, crashes, stops
async def test_two_couriers_send_each_of_two_hundred_mails_once(smtp: Server) -> None:
    for _ in range(200):
        await put()

    async def work() -> int:
        transport = by_smtp(smtp.port)
        courier, handled = courier_over(transport, batch=7), 0
        while count := await courier.run_once(NOW):
            handled += count
        await transport.close()
        return handled

    shares = await asyncio.gather(work(), work())
    assert sum(shares) == 200
    assert min(shares) > 20
    taken = Counter(mail["Message-ID"] for mail in smtp.taken)
    assert taken == {mail.message_id: 1 for mail in await outbox.listed(MailState.SENT, limit=300)}
    assert len(taken) == 200


async def test_mails_of_a_courier_that_died_are_sent_once_its_lease_is_over_and_the_database_answered_all_along(
    smtp: Server,
) -> None:
    await put()
    (claimed,) = await rows.claim(owner="dead", now=NOW, until=NOW + timedelta(seconds=30), limit=5)
    assert claimed.lease_owner == "dead"
    transport = by_smtp(smtp.port)
    courier = courier_over(transport, lease=timedelta(seconds=0.5))
    assert await courier.run_once(NOW + timedelta(seconds=30)) == 0  # its first look, which tells nothing of before
    looked_on = time.monotonic()
    while time.monotonic() - looked_on < 1:
        assert await courier.run_once(NOW + timedelta(seconds=29)) == 0
        await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        while not await courier.run_once(NOW + timedelta(seconds=30)):
            await asyncio.sleep(0.02)
    await transport.close()
    assert (await only()).attempts == 2
    assert len(smtp.taken) == 1


class Slow:
    """A way out that takes its time and remembers what went through it."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.sent = seconds, list[str]()

    async def send(self, message: EmailMessage, may_finish: Callable[[], bool]) -> str:
        await asyncio.sleep(self.seconds)
        self.sent.append(message["Message-ID"])
        return "taken"

    async def check(self) -> None: ...
    async def rest(self) -> None: ...
    async def close(self) -> None: ...


class Held(Slow):
    """A way out through which nothing goes until it is released."""

    def __init__(self) -> None:
        super().__init__(0)
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    async def send(self, message: EmailMessage, may_finish: Callable[[], bool]) -> str:
        self.reached.set()
        await self.released.wait()
        return await super().send(message, may_finish)


async def test_courier_that_is_slow_keeps_its_mails_from_others() -> None:
    for _ in range(4):
        await put()
    slow = Held()
    work = asyncio.create_task(courier_over(slow, lease=timedelta(seconds=2)).run_once(NOW))
    await asyncio.sleep(3)  # longer than its lease, which it prolongs
    assert await courier_over(Slow(0)).run_once(NOW + timedelta(seconds=3)) == 0
    slow.released.set()
    assert await work == 4
    assert len(set(slow.sent)) == 4


class Failing(Slow):
    """A way out that nothing passes."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(0)
        self.failure, self.tries = failure, 0

    async def send(self, message: EmailMessage, may_finish: Callable[[], bool]) -> str:
        self.tries += 1
        raise self.failure


async def test_server_that_is_away_is_tried_once_for_the_whole_batch() -> None:
    for _ in range(3):
        await put()
    failing = Failing(ServerAway("nobody there"))
    assert await courier_over(failing).run_once(NOW) == 3
    assert failing.tries == 1
    assert [mail.last_error for mail in await outbox.listed()] == ["nobody there"] * 3


async def test_mail_whose_lease_is_lost_on_the_way_is_given_back_untried() -> None:
    await put()
    failing = Failing(HoldLost())
    assert await courier_over(failing).run_once(NOW) == 1
    mail = await only()
    assert (failing.tries, mail.state, mail.attempts, mail.lease_owner) == (1, MailState.PENDING, 0, None)


async def test_mail_whose_lease_is_lost_before_its_turn_is_not_begun() -> None:
    await put()
    slow = Slow(0)
    assert await courier_over(slow, lease=timedelta(0)).run_once(NOW) == 1
    mail = await only()
    assert (slow.sent, mail.state, mail.attempts, mail.lease_owner) == ([], MailState.PENDING, 0, None)


async def test_mail_of_a_crowded_server_ends_with_its_time() -> None:
    await put()
    crowded = courier_over(Failing(ServerCrowded("too many connections")))
    assert await crowded.run_once(NOW + timedelta(days=2, hours=23)) == 1
    mail = await only()
    assert (mail.state, mail.attempts) == (MailState.PENDING, 0)
    assert await crowded.run_once(NOW + timedelta(days=3)) == 1
    assert (await only()).state is MailState.EXHAUSTED


async def test_address_that_a_server_refuses_is_marked_and_told_in_the_history() -> None:
    lea = await factories.person(contact_email=LEA.address)
    await put(to=Recipient(LEA.address, "FR", account_id=lea.id))
    await courier_over(Failing(PermanentFailure("552 too much", 552))).run_once(NOW)
    assert await factories.event_types() == []
    await put(to=Recipient(LEA.address, "FR", account_id=lea.id))
    await courier_over(Failing(RecipientRefused("550 no such mailbox", 550))).run_once(NOW)
    await lea.refresh_from_db()
    assert lea.contact_email_refusal == "550 no such mailbox"
    assert await factories.event_types() == ["ContactEmailRefused"]


async def test_digest_that_concerns_its_reader_no_more_is_not_sent() -> None:
    reader = await factories.person()
    await put(ActivityDigest(until=NOW, total=1, ids=(1,)), to=Recipient(LEA.address, "FR", account_id=reader.id))
    slow = Slow(0)
    assert await courier_over(slow).run_once(NOW) == 1
    assert (slow.sent, (await only()).state) == ([], MailState.WITHDRAWN)


async def test_stopped_courier_finishes_the_mail_in_hand_and_gives_the_others_back() -> None:
    for _ in range(3):
        await put()
    slow, wake = Held(), asyncio.Event()
    courier = courier_over(slow)
    work = asyncio.create_task(courier.run(wake, lambda: NOW))
    await slow.reached.wait()
    work.cancel()
    await asyncio.sleep(0)
    slow.released.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert len(slow.sent) == 1
    mails = await outbox.listed(MailState.PENDING)
    assert [(mail.attempts, mail.lease_owner) for mail in mails] == [(0, None)] * 2
    assert [mail.message_id for mail in await outbox.listed(MailState.SENT)] == slow.sent


async def test_courier_wakes_at_once_and_survives_a_database_that_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, wake = Slow(0), asyncio.Event()
    courier = courier_over(quick)
    claim, away = rows.claim, [OSError("away")]

    async def claim_or_fail(**options: Any) -> list[Mail]:
        if away:
            raise away.pop()
        return await claim(**options)

    monkeypatch.setattr(rows, "claim", claim_or_fail)
    work = asyncio.create_task(courier.run(wake, lambda: NOW))
    await put()
    wake.set()
    for _ in range(100):
        await asyncio.sleep(0.03)
        if quick.sent:
            break
    courier.stop()
    await work
    assert len(quick.sent) == 1


async def test_mail_whose_record_failed_is_recorded_later_and_never_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    await put()
    quick = Slow(0)
    courier = courier_over(quick)
    record, away = mail_attempts.sent, [OSError("away")]

    async def record_or_fail(tries: Sequence[Try], **more: Any) -> None:
        if away:
            raise away.pop()
        await record(tries, **more)

    monkeypatch.setattr(mail_attempts, "sent", record_or_fail)
    with pytest.raises(OSError, match="away"):
        await courier.run_once(NOW)
    assert (await only()).state is MailState.PENDING
    other = Slow(0)
    assert await courier_over(other).run_once(NOW + timedelta(seconds=5)) == 0  # it wasn't given back
    assert await courier.run_once(NOW + timedelta(minutes=5)) == 0
    assert (await only()).state is MailState.SENT
    assert len(quick.sent) == 1


async def test_mails_land_in_the_folder_when_there_is_no_server(tmp_path: Path) -> None:
    await put(link())
    assert folders.letters(tmp_path / "mails") == []
    assert await courier_over(folders.FolderTransport(tmp_path / "mails")).run_once(NOW) == 1
    (line,) = folders.letters(tmp_path / "mails")
    assert (line.subject, line.recipient, line.date) == (
        "Choisissez un nouveau mot de passe",
        "Léa Martin <lea@demo.example>",
        NOW,
    )
    opened = folders.letter(tmp_path / "mails", line.name)
    assert opened is not None
    assert f"https://portail.example/account/reset-password?token={TOKEN}" in bodies(opened)[0]


def test_waits_double_from_a_minute_to_six_hours() -> None:
    chance = random.Random(3)
    for attempts, minutes in ((1, 1), (2, 2), (3, 4), (9, 256), (10, 360), (40, 360)):
        waits = [delay(attempts, chance) for _ in range(200)]
        assert timedelta(minutes=minutes) * 0.8 <= min(waits)
        assert max(waits) <= timedelta(minutes=minutes) * 1.2
        assert len(set(waits)) > 100
