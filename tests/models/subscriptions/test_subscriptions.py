"""From which status a space subscription may be decided or removed, and what is kept of it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from models.errors.errors import RequestAlreadyDecided, TransitionNotAllowed
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus
from tests.support.factories import LONG_AGO

PENDING, VALIDATED, REFUSED, REMOVED = SpaceSubscriptionStatus
NOW = LONG_AGO + timedelta(days=30)
DECISIONS: tuple[Callable[[SpaceSubscription], object], ...] = (
    lambda row: row.validate(7, NOW), lambda row: row.refuse(7, "not needed", NOW)
)  # fmt: skip


def subscription(status: SpaceSubscriptionStatus, decided_at: datetime | None) -> SpaceSubscription:
    return SpaceSubscription(
        user_id=1, structure_id=1, space=SpaceCode.COMMITMENTS, status=status, decided_at=decided_at,
        effective_from=date(2026, 2, 1), requested_at=LONG_AGO,
    )  # fmt: skip


def test_request_is_decided_once_by_whom_and_when() -> None:
    row = subscription(PENDING, None)
    row.validate(7, NOW)
    assert (row.status, row.decided_by_id, row.decided_at, row.ended_at) == (VALIDATED, 7, NOW, None)
    other = subscription(PENDING, None)
    other.refuse(7, "not needed", NOW)
    assert (other.status, other.decided_by_id, other.decided_at, other.ended_at) == (REFUSED, 7, NOW, NOW)
    assert other.refusal_reason == "not needed"


@pytest.mark.parametrize("status", [VALIDATED, REFUSED, REMOVED])
def test_decided_request_tells_since_when_it_is(status: SpaceSubscriptionStatus) -> None:
    for decide in DECISIONS:
        row = subscription(status, LONG_AGO)
        with pytest.raises(RequestAlreadyDecided) as refusal:
            decide(row)
        assert refusal.value.data["at"] == LONG_AGO
        assert (row.status, row.decided_at) == (status, LONG_AGO)


def test_request_taken_back_is_decided_by_nobody() -> None:
    for decide in DECISIONS:
        row = subscription(REMOVED, None)
        with pytest.raises(TransitionNotAllowed):
            decide(row)
        assert (row.status, row.decided_at) == (REMOVED, None)


@pytest.mark.parametrize("status", SpaceSubscriptionStatus)
def test_what_is_live_is_removed_and_nothing_else(status: SpaceSubscriptionStatus) -> None:
    row = subscription(status, None)
    if status in (PENDING, VALIDATED):
        row.remove(NOW)
        assert (row.status, row.ended_at) == (REMOVED, NOW)
    else:
        with pytest.raises(TransitionNotAllowed):
            row.remove(NOW)
        assert (row.status, row.ended_at) == (status, None)
