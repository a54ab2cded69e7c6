"""The answer to "may I?", against a day-by-day evaluation of the rules written out the long way."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.accounts.accounts import AccountState
from models.attachments.attachments import AttachmentStatus
from models.structures.structures import StructureStatus
from models.subscriptions.access import AccessReason, Situation
from models.subscriptions.subscriptions import SpaceSubscriptionStatus

pytestmark = pytest.mark.slow

START = date(2027, 1, 1)
HORIZON = 90
days = st.integers(0, 60).map(lambda number: START + timedelta(days=number))
worlds = st.builds(
    Situation,
    account=st.sampled_from([*AccountState, *[AccountState.ACTIVE] * 12]),
    structure=st.sampled_from([*StructureStatus, *[StructureStatus.ACTIVE] * 6]),
    space_open=st.sampled_from([True, True, True, False]),
    attachment=st.sampled_from([None, *AttachmentStatus, *[AttachmentStatus.VALIDATED] * 10]),
    valid_from=days,
    valid_until=st.none() | days,
    subscription=st.sampled_from([None, *SpaceSubscriptionStatus, *[SpaceSubscriptionStatus.VALIDATED] * 8]),
    effective_from=days,
)


def reason_the_long_way(world: Situation, day: date) -> str:
    """The rules of DOMAIN 5, each as a sentence of its own, outermost first."""
    over = world.valid_until is not None and (day - world.valid_until).days > 0
    in_the_way = {
        "ACCOUNT_INACTIVE": world.account != "ACTIVE",
        "STRUCTURE_INACTIVE": world.structure == "INACTIVE",
        "NO_ATTACHMENT": world.attachment in (None, "REFUSED", "REMOVED"),
        "ATTACHMENT_PENDING": world.attachment == "PENDING",
        "ATTACHMENT_DEACTIVATED": world.attachment == "DEACTIVATED",
        "ATTACHMENT_ENDED": over,
        "ATTACHMENT_NOT_STARTED": (world.valid_from - day).days > 0,
        "SPACE_NOT_OPEN": not world.space_open,
        "NO_SUBSCRIPTION": world.subscription in (None, "REFUSED", "REMOVED"),
        "SUBSCRIPTION_PENDING": world.subscription == "PENDING",
        "SUBSCRIPTION_NOT_STARTED": (world.effective_from - day).days > 0,
    }
    return next((reason for reason, holds in in_the_way.items() if holds), "GRANTED")


@settings(max_examples=10_000, deadline=None)
@given(world=worlds, day=days)
def test_answer_and_its_next_change_are_those_of_walking_through_the_days(world: Situation, day: date) -> None:
    present = reason_the_long_way(world, day)
    assert world.reason_on(day) == AccessReason(present)
    walk = (day + timedelta(days=step) for step in range(1, HORIZON))
    assert world.changes_after(day) == next(
        (then for then in walk if reason_the_long_way(world, then) != present), None
    )


def test_answer_that_lasts_to_the_end_of_the_calendar_changes_never() -> None:
    world = Situation(
        AccountState.ACTIVE, StructureStatus.ACTIVE, True, AttachmentStatus.VALIDATED, START, date.max,
        SpaceSubscriptionStatus.VALIDATED, START,
    )  # fmt: skip
    assert world.changes_after(START) is None
