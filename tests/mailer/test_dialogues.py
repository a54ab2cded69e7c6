"""What becomes of mails whatever the server does: it refuses, drops, hangs, is down for an hour; each arrives once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mailer import messages, outbox
from mailer.courier import Courier
from mailer.dialogues import Patience
from mailer.failures import RecipientRefused
from mailer.outbox import Recipient
from mailer.samples import NOW
from mailer.transport import SmtpServer, SmtpTransport
from models.accounts.accounts import Account
from models.events.events import Event
from models.mail import mail_attempts
from models.mail.mail_attempts import MailAttempt
from models.mail.outbox import Mail, MailState
from tests.graph.support.servers import free_port
from tests.mailer.support import posts
from tests.mailer.support.letters import LETTERHEAD, SEALER
from tests.mailer.support.posts import OFFERS, Act, Post
from tests.mailer.test_transports import a_mail, always
from tests.support import factories

CHANGED = messages.PasswordChanged(at=NOW)
QUICK = Patience(connect=0.3, step=0.3, end=0.3)


@pytest.fixture(params=["pipelining", "step by step"])
async def post(request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    offers = OFFERS if request.param == "pipelining" else ()
    async with posts.opened(Post(offers)) as opened:
        yield opened


TRANSPORTS: list[SmtpTransport] = []


@pytest.fixture(autouse=True)
async def hung_up() -> AsyncIterator[None]:
    """Every connection of the test is closed when it ends."""
    yield
    while TRANSPORTS:
        await TRANSPORTS.pop().close()


def transport_to(port: int) -> SmtpTransport:
    TRANSPORTS.append(SmtpTransport(SmtpServer("smtp", "127.0.0.1", port), patience=QUICK))
    return TRANSPORTS[-1]


def courier_to(port: int, seed: int = 1) -> Courier:
    return Courier(transport_to(port), LETTERHEAD, SEALER, owner="test", chance=random.Random(seed))


async def put(number: int = 1, account: Account | None = None) -> None:
    for index in range(number):
        to = Recipient(
            account.contact_email if account else f"reader{index}@people.example", "EN", account.id if account else None
        )
        await outbox.enqueue(CHANGED, to=to, sealer=SEALER, now=NOW)


async def drained(courier: Courier, days: float = 3.5) -> None:
    """Let the courier work by a clock that jumps to whatever is due next."""
    now, end = NOW, NOW + timedelta(days=days)
    while now < end and (waiting := await Mail.filter(state=MailState.PENDING).order_by("due_at").first()):
        now = max(now, waiting.due_at) + timedelta(seconds=1)
        await courier.run_once(now)


async def history() -> list[list[str]]:
    """The outcomes of the tries of each mail."""
    return [
        [attempt.outcome for attempt in await mail_attempts.attempts_of(mail.id)]
        for mail in await Mail.all().order_by("id")
    ]


def doubles(post: Post) -> int:
    return len(post.taken) - len({mail["Message-ID"] for mail in post.mails})


# ------------------------------------------------------------------ one dialogue
async def test_commands_go_together_where_the_server_allows_and_one_after_the_other_elsewhere(post: Post) -> None:
    transport = transport_to(post.port)
    for number in range(3):
        assert await transport.send(a_mail(f"<{number}@rattache.example>"), always) == "250 2.0.0 taken"
    assert post.connections == 1
    assert post.together == (3 if post.offers else 0)
    assert [mail["Message-ID"] for mail in post.mails] == [f"<{number}@rattache.example>" for number in range(3)]


async def test_a_line_that_begins_with_a_dot_arrives_as_it_was(post: Post) -> None:
    mail = a_mail()
    mail.set_content(".\n..\nend\n.")
    transport = transport_to(post.port)
    await transport.send(mail, always)
    assert post.mails[0].get_content().replace("\r\n", "\n") == ".\n..\nend\n.\n"


async def test_the_next_mail_goes_over_the_same_connection_after_a_refusal(post: Post) -> None:
    post.script["RCPT"] = ["550 5.1.1 no such user"]
    transport = transport_to(post.port)
    with pytest.raises(RecipientRefused, match=r"^550 5\.1\.1 no such user$"):
        await transport.send(a_mail("<1@rattache.example>"), always)
    await transport.send(a_mail("<2@rattache.example>"), always)
    assert (post.connections, len(post.taken)) == (1, 1)


async def test_a_server_that_counts_mails_is_called_again(post: Post) -> None:
    transport = transport_to(post.port)
    await transport.send(a_mail("<1@rattache.example>"), always)
    post.script["MAIL"] = ["421 4.7.0 too many over this connection"]
    await transport.send(a_mail("<2@rattache.example>"), always)
    assert (post.connections, len(post.taken)) == (2, 2)


# ------------------------------------------------------------------ what should arrive arrives once
@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "end"])
@pytest.mark.parametrize("what", ["451 4.3.0 later", Act.DROP, Act.HANG])
async def test_a_mail_arrives_once_after_a_failure_at_any_step(db: str, post: Post, step: str, what: str | Act) -> None:
    post.script[step] = [what, what]
    await put(3)
    courier = courier_to(post.port)
    await drained(courier)
    assert [mail.state for mail in await Mail.all()] == [MailState.SENT] * 3
    assert len({mail["Message-ID"] for mail in post.mails}) == 3
    # whoever took the mail and went away without a word gets it again, under its name
    assert doubles(post) == (2 if step == "end" and isinstance(what, Act) else 0)
    outcomes = await history()
    assert sorted(len(tries) for tries in outcomes) in ([1, 1, 3], [1, 2, 2])
    assert {tries[-1] for tries in outcomes} == {"SENT"}
    assert {outcome for tries in outcomes for outcome in tries[:-1]} == {"POSTPONED"}


async def test_a_connection_dropped_in_the_middle_of_the_content_leaves_nothing_behind(db: str, post: Post) -> None:
    post.script["content"] = [Act.DROP, Act.HANG]
    await put(2)
    await drained(courier_to(post.port))
    assert [mail.state for mail in await Mail.all()] == [MailState.SENT] * 2
    assert (len(post.taken), doubles(post)) == (2, 0)


@pytest.mark.parametrize("what", ["554 5.7.1 not from here", "421 4.3.2 closing", Act.DROP, Act.HANG])
async def test_a_server_that_does_not_let_us_in_costs_each_mail_one_try(db: str, post: Post, what: str | Act) -> None:
    post.script["greeting"] = [what]
    await put(5)
    courier = courier_to(post.port)
    assert await courier.run_once(NOW) == 5
    assert post.connections == 1  # what befalls one mail would befall them all
    await drained(courier)
    assert [mail.state for mail in await Mail.all()] == [MailState.SENT] * 5
    assert await history() == [["POSTPONED", "SENT"]] * 5
    assert doubles(post) == 0


@pytest.mark.parametrize("step", ["DATA", "end"])
async def test_a_mail_whose_content_is_refused_for_good_is_given_up_and_its_address_is_good(
    db: str, post: Post, step: str
) -> None:
    person = await factories.person()
    post.script[step] = ["554 5.7.1 looks like spam"]
    await put(1, person)
    await drained(courier_to(post.port))
    assert await history() == [["REFUSED"]]
    assert post.taken == []
    await person.refresh_from_db()
    assert person.contact_email_refusal is None


async def test_mails_of_an_hour_in_which_the_server_was_down_arrive_once_when_it_is_back(db: str) -> None:
    port = free_port()
    couriers = [courier_to(port, seed) for seed in range(2)]
    await put(30)
    for minute in range(0, 60, 2):
        for courier in couriers:
            await courier.run_once(NOW + timedelta(minutes=minute))
    tries = [len(outcomes) for outcomes in await history()]
    assert 5 <= min(tries) <= max(tries) <= 7  # a minute, two, four...: not hammered
    async with posts.opened(Post(), port) as post:
        for minute in range(60, 200):
            await asyncio.gather(*(courier.run_once(NOW + timedelta(minutes=minute)) for courier in couriers))
    arrived = Counter(mail["Message-ID"] for mail in post.mails)
    assert arrived == {mail.message_id: 1 for mail in await Mail.filter(state=MailState.SENT)}
    assert len(arrived) == 30
    waits = [mail.sent_at - NOW for mail in await Mail.all() if mail.sent_at]
    assert len(set(waits)) > 10  # they don't come all at once


# ------------------------------------------------------------------ addresses that are refused
async def test_a_person_whose_address_is_refused_is_told_until_a_mail_goes_through(db: str, post: Post) -> None:
    person = await factories.person()
    post.script["RCPT"] = ["550 5.1.1 no such user"] * 2
    courier = courier_to(post.port)
    for _ in range(2):
        await put(1, person)
        await courier.run_once(NOW)
    await person.refresh_from_db()
    assert person.contact_email_refusal == "550 5.1.1 no such user"
    assert abs((person.contact_email_refused_at or NOW) - NOW) < timedelta(seconds=5)
    assert await history() == [["REFUSED"]] * 2
    await put(1, person)
    await courier.run_once(NOW)
    await person.refresh_from_db()
    assert (person.contact_email_refusal, person.contact_email_refused_at) == (None, None)
    assert [event.type for event in await Event.all().order_by("id")] == ["ContactEmailRefused", "ContactEmailReached"]
    (attempt,) = await MailAttempt.filter(outcome="SENT")
    assert (attempt.code, attempt.answer) == (None, "250 2.0.0 taken")


async def test_a_refusal_of_another_address_of_the_person_says_nothing_of_the_contact_address(
    db: str, post: Post
) -> None:
    person = await factories.person(contact_email="elsewhere@people.example")
    post.script["RCPT"] = ["550 5.1.1 no such user"]
    to = Recipient(person.login_email, "EN", person.id)
    await outbox.enqueue(CHANGED, to=to, sealer=SEALER, now=NOW)
    await courier_to(post.port).run_once(NOW)
    await person.refresh_from_db()
    assert person.contact_email_refusal is None
    assert await Event.all().count() == 0


@pytest.mark.parametrize("answer", ["450 4.2.1 try later", "530 5.7.0 log in first", "535 5.7.8 wrong password"])
async def test_a_refusal_that_is_no_fault_of_the_address_is_no_reason_to_give_up(
    db: str, post: Post, answer: str
) -> None:
    person = await factories.person()
    post.script["RCPT"] = [answer]
    await put(1, person)
    await drained(courier_to(post.port))
    assert await history() == [["POSTPONED", "SENT"]]
    await person.refresh_from_db()
    assert person.contact_email_refusal is None
