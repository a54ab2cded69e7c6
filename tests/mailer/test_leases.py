"""The hold on claimed mails: until when one may be finished, when another courier's lapsed lease is taken over."""

from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace

import pytest

from mailer import leases, messages, outbox
from mailer.leases import Holds
from mailer.outbox import Recipient
from mailer.samples import NOW
from models.mail import outbox as rows
from models.mail.outbox import Mail
from tests.mailer.support.letters import SEALER

LENGTH = timedelta(seconds=30)


class Steady:
    """The machine's steady clock, moved by hand."""

    at = 100.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    clock = Steady()
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture
async def holds(db: str, steady: Steady) -> AsyncIterator[Holds]:
    """The holds of a courier whose leases last 30 seconds, lengthened too seldom to be seen here."""
    made = Holds("mine", LENGTH)
    yield made
    await made.rest()


async def put() -> int:
    to = Recipient("lea@demo.example", "FR", name="Léa Martin")
    assert await outbox.enqueue(messages.PasswordChanged(at=NOW), to=to, sealer=SEALER, now=NOW)
    newest = await Mail.all().order_by("-id").first()
    assert newest is not None
    return int(newest.id)


async def test_mail_is_finished_only_with_more_than_three_fifths_of_the_lease_to_come(
    holds: Holds, steady: Steady
) -> None:
    mail = await put()
    assert [claimed.id for claimed in await holds.claim(NOW, 5)] == [mail]
    steady.at += 11.9
    assert holds.may_finish(mail)
    steady.at += 0.1
    assert not holds.may_finish(mail)
    assert not holds.may_finish(mail + 1)


async def test_mail_that_another_courier_has_by_now_is_not_finished(db: str) -> None:
    holds = Holds("mine", timedelta(seconds=2))
    mail = await put()
    await holds.claim(NOW, 5)
    await Mail.filter(id=mail).update(lease_owner="another")
    await holds._lengthen([mail])  # what the heart does at each beat
    assert not holds.may_finish(mail)
    await holds.rest()


@pytest.mark.parametrize(
    ("looks", "found_at"),
    [
        ([0, 15, 29.9, 30], 30),  # the database answered all along, as long as a lease lasts
        ([0, 15, 31, 46, 61], 61),  # it may have been away between the second and the third look
        ([0, 15, 29, 45, 60, 75], 75),
        ([0, 10, 26, 41, 55.9, 56], 56),
    ],
)
async def test_lapsed_lease_is_taken_over_once_the_database_answered_for_as_long_as_one_lasts(
    holds: Holds, steady: Steady, looks: list[float], found_at: float
) -> None:
    mail = await put()
    await rows.claim(owner="dead", now=NOW, until=NOW + LENGTH, limit=5)
    begun = steady.at
    for look in looks:
        steady.at = begun + look
        found = await holds.claim(NOW + LENGTH, 5)
        assert [claimed.id for claimed in found] == ([mail] if look == found_at else [])
