"""Which requests a job of reminders looks at: those of the span that somebody can decide and nobody was reminded of."""

from datetime import UTC, datetime, timedelta

import pytest

from models.accounts.accounts import AccountState
from models.attachments import reminders
from models.attachments.attachments import AttachmentStatus
from models.mail import idempotency_keys
from tests.support import factories

SINCE, BEFORE = datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 8, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
JOB = "attachment-reminders"


async def found() -> list[int]:
    rows = await reminders.attachments_waiting(JOB, 7, since=SINCE, before=BEFORE, today=BEFORE.date())
    return [row.id for row in rows]


async def waiting(at: datetime = SINCE, *, managed: bool = True, state: AccountState = AccountState.ACTIVE) -> int:
    structure = await factories.structure(await factories.person() if managed else None)
    asking = await factories.person(state=state)
    row = await factories.attachment(asking, structure, status=AttachmentStatus.PENDING, requested_at=at)
    return row.id


@pytest.mark.parametrize(
    ("at", "expected"), [(SINCE - INSTANT, False), (SINCE, True), (BEFORE - INSTANT, True), (BEFORE, False)]
)
async def test_span_begins_with_its_first_instant_and_ends_before_its_last(
    db: str, at: datetime, expected: bool
) -> None:
    request = await waiting(at)
    assert await found() == ([request] if expected else [])


async def test_only_what_can_be_decided_and_was_not_reminded_of_is_looked_at(db: str) -> None:
    await waiting(managed=False)
    await waiting(state=AccountState.SUSPENDED)
    reminded, left = await waiting(), await waiting()
    assert await found() == [reminded, left]
    assert await idempotency_keys.take(JOB, reminders.request_key(reminded, 7), at=BEFORE)
    assert await found() == [left]
