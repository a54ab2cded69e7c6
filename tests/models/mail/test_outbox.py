"""Rows of the outbox: whose they are, in which order they go, and what operators and leavers change of them."""

import asyncio
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from mailer.samples import NOW
from models.db import database
from models.mail import outbox
from models.mail.outbox import Mail, MailState

pytestmark = pytest.mark.usefixtures("db")
MINUTE = timedelta(minutes=1)
_numbers = count(1)


async def mail(**changes: Any) -> Mail:
    """A mail that is due, of no account, unless said otherwise."""
    values: dict[str, Any] = {
        "message": "password_changed", "payload": {}, "message_id": f"<{next(_numbers)}@rattache.example>",
        "address": "lea@demo.example", "recipient_name": "Léa Martin", "language": "fr", "time_zone": "Europe/Paris",
        "created_at": NOW, "due_at": NOW, "give_up_at": NOW + timedelta(days=3),
    }  # fmt: skip
    values |= {"sent_at": NOW} if changes.get("state") is MailState.SENT else {}
    return await Mail.create(**values | changes)


async def claimed(owner: str = "a", limit: int = 10, **options: Any) -> list[int]:
    mails = await outbox.claim(owner=owner, now=NOW, until=NOW + MINUTE, limit=limit, **options)
    return [int(each.id) for each in mails]


async def test_longest_due_go_first_and_no_more_than_asked_for() -> None:
    last, first, second = [await mail(due_at=NOW - ago * MINUTE) for ago in (0, 2, 1)]
    await mail(due_at=NOW + timedelta(microseconds=1))
    assert await claimed(limit=2) == [first.id, second.id]
    assert await claimed() == [last.id]
    assert await claimed() == []


async def test_lapsed_lease_is_taken_over_but_by_whoever_holds_the_mail_already() -> None:
    row = await mail()
    assert await claimed("a") == [row.id]
    end = NOW + MINUTE
    assert await claimed("b") == await claimed("b", lapsed=end - timedelta(microseconds=1)) == []
    assert await claimed("a", lapsed=end, held=[row.id]) == []
    assert await claimed("b", lapsed=end) == [row.id]


async def test_lease_is_lengthened_and_given_back_by_its_owner_alone() -> None:
    row = await mail()
    await claimed("a")
    later = NOW + 5 * MINUTE
    assert await outbox.renew([row.id], owner="b", until=later) == set()
    await outbox.release([row.id], owner="b", due_at=later)
    await row.refresh_from_db()
    assert (row.lease_owner, row.lease_until, row.due_at, row.attempts) == ("a", NOW + MINUTE, NOW, 1)
    assert await outbox.renew([row.id], owner="a", until=later) == {row.id}
    await outbox.release([row.id], owner="a")
    await row.refresh_from_db()
    assert (row.lease_owner, row.lease_until, row.due_at, row.attempts) == (None, None, NOW, 0)


async def test_couriers_do_not_wait_for_each_others_claims() -> None:
    first, second = await mail(), await mail()
    go = asyncio.Event()

    async def apart() -> list[int]:
        await go.wait()
        return await claimed("b")

    other = asyncio.create_task(apart())  # before the transaction, which it isn't part of
    async with database.transaction():
        assert await claimed("a", limit=1) == [first.id]
        go.set()
        if not database.is_sqlite():  # which has one writer at a time
            assert await asyncio.wait_for(asyncio.shield(other), 10) == [second.id]
    assert await other == [second.id]


@pytest.mark.parametrize("state", MailState)
async def test_only_what_waits_is_withdrawn_from_who_leaves(state: MailState) -> None:
    row, others = await mail(account_id=7, state=state), await mail(account_id=8)
    assert await outbox.withdraw(7) == int(state is MailState.PENDING)
    await row.refresh_from_db()
    await others.refresh_from_db()
    assert row.state is (MailState.WITHDRAWN if state is MailState.PENDING else state)
    assert others.state is MailState.PENDING


@pytest.mark.parametrize("state", MailState)
async def test_all_dead_letters_are_tried_anew_and_nothing_else(state: MailState) -> None:
    row = await mail(state=state, attempts=9)
    dead = state not in (MailState.PENDING, MailState.SENT, MailState.WITHDRAWN)
    later = NOW + timedelta(days=1)
    assert await outbox.requeue(None, now=later, give_up_at=later + timedelta(days=3)) == int(dead)
    await row.refresh_from_db()
    assert (row.state, row.attempts) == ((MailState.PENDING, 0) if dead else (state, 9))


async def test_newest_mails_are_listed_first() -> None:
    rows = [await mail() for _ in range(3)]
    await mail(state=MailState.SENT)
    assert [each.id for each in await outbox.listed((MailState.PENDING,), limit=2)] == [rows[2].id, rows[1].id]


async def test_mail_in_a_couriers_hands_is_not_made_due_again() -> None:
    row = await mail()
    await claimed()
    assert await outbox.requeue([row.id], now=NOW + MINUTE - timedelta(microseconds=1), give_up_at=NOW) == 0
    assert await outbox.requeue([row.id], now=NOW + MINUTE, give_up_at=NOW + MINUTE) == 1
