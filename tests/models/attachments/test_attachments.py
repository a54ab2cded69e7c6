"""What the status of one attachment allows: every status, read on either side of its dates, against every act."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from models.attachments.attachments import (
    ALLOWED_FROM,
    Attachment,
    AttachmentFilter,
    AttachmentStatus,
    DecisionAct,
    Role,
)
from models.errors.errors import DomainError, Invalid, RequestAlreadyDecided, TransitionNotAllowed

TODAY = date(2027, 3, 15)
NOW = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)
BEFORE = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus

ACTS: dict[DecisionAct, Callable[[Attachment], None]] = {
    DecisionAct.VALIDATE: lambda row: row.validate(7, NOW),
    DecisionAct.REFUSE: lambda row: row.refuse(7, "unknown here", NOW),
    DecisionAct.WITHDRAW: lambda row: row.withdraw(),
    DecisionAct.DEACTIVATE: lambda row: row.deactivate(TODAY),
    DecisionAct.REACTIVATE: lambda row: row.reactivate(TODAY),
    DecisionAct.REMOVE: lambda row: row.remove(TODAY),
    DecisionAct.CHANGE_ROLE: lambda row: row.become(Role.SECONDARY_MANAGER, TODAY, NOW),
    DecisionAct.TRANSFER: lambda row: row.become(Role.PRINCIPAL_MANAGER, TODAY, NOW),
}
ALLOWED = {
    (PENDING, DecisionAct.VALIDATE): VALIDATED,
    (PENDING, DecisionAct.REFUSE): REFUSED,
    (PENDING, DecisionAct.WITHDRAW): REMOVED,
    (VALIDATED, DecisionAct.DEACTIVATE): DEACTIVATED,
    (VALIDATED, DecisionAct.REMOVE): REMOVED,
    (VALIDATED, DecisionAct.CHANGE_ROLE): VALIDATED,
    (VALIDATED, DecisionAct.TRANSFER): VALIDATED,
    (DEACTIVATED, DecisionAct.REACTIVATE): VALIDATED,
    (DEACTIVATED, DecisionAct.REMOVE): REMOVED,
}
DECIDING = (DecisionAct.VALIDATE, DecisionAct.REFUSE)


def row(status: AttachmentStatus, *, until: date | None = None, decided: bool | None = None) -> Attachment:
    """An attachment of this status since January, decided on unless it waits."""
    decided = status is not PENDING if decided is None else decided
    return Attachment(
        user_id=1, structure_id=1, status=status, valid_from=date(2027, 1, 1), valid_until=until,
        requested_at=BEFORE, decided_at=BEFORE if decided else None, decided_by_id=9 if decided else None,
    )  # fmt: skip


def refusal_of(status: AttachmentStatus, act: DecisionAct) -> type[DomainError]:
    return RequestAlreadyDecided if act in DECIDING and status is not PENDING else TransitionNotAllowed


@pytest.mark.parametrize("act", DecisionAct)
@pytest.mark.parametrize("status", AttachmentStatus)
def test_status_allows_the_acts_of_the_table_and_no_other(status: AttachmentStatus, act: DecisionAct) -> None:
    attachment = row(status)
    if (status, act) in ALLOWED:
        ACTS[act](attachment)
        assert attachment.status is ALLOWED[status, act]
    else:
        with pytest.raises(refusal_of(status, act)):
            ACTS[act](attachment)
        assert attachment.status is status
        assert attachment.role is Role.SIMPLE_USER


def test_table_of_acts_is_the_one_that_viewers_are_told() -> None:
    told = {(status, act) for act, statuses in ALLOWED_FROM.items() for status in statuses}
    assert told == set(ALLOWED)


@pytest.mark.parametrize("act", DecisionAct)
def test_validated_attachment_past_its_end_can_only_be_removed(act: DecisionAct) -> None:
    attachment = row(VALIDATED, until=date(2027, 3, 14))
    assert attachment.status_on(TODAY) is DEACTIVATED
    if act is DecisionAct.REMOVE:
        ACTS[act](attachment)
        assert attachment.status is REMOVED
    elif act is DecisionAct.REACTIVATE:
        with pytest.raises(Invalid) as refusal:
            ACTS[act](attachment)
        assert refusal.value.data["rule"] == "ended"
    else:
        with pytest.raises(refusal_of(VALIDATED, act)):
            ACTS[act](attachment)


@pytest.mark.parametrize("act", DECIDING)
def test_second_decision_is_told_when_the_first_was(act: DecisionAct) -> None:
    with pytest.raises(RequestAlreadyDecided) as refusal:
        ACTS[act](row(VALIDATED))
    assert refusal.value.data["at"] == BEFORE


@pytest.mark.parametrize("act", DECIDING)
def test_withdrawn_request_is_no_decided_one(act: DecisionAct) -> None:
    with pytest.raises(TransitionNotAllowed) as refusal:
        ACTS[act](row(REMOVED, decided=False))
    assert refusal.value.data == {"status": REMOVED, "act": act}


def test_decision_keeps_who_and_when_and_refusal_its_reason() -> None:
    validated, refused = row(PENDING), row(PENDING)
    validated.validate(7, NOW)
    refused.refuse(8, "unknown here", NOW)
    assert validated.role_since == NOW
    assert (validated.decided_by_id, validated.decided_at, validated.refusal_reason) == (7, NOW, None)
    assert (refused.decided_by_id, refused.decided_at, refused.refusal_reason) == (8, NOW, "unknown here")


@pytest.mark.parametrize(
    ("role", "until"), [(Role.PRINCIPAL_MANAGER, None), (Role.SECONDARY_MANAGER, date(2027, 6, 30))]
)
def test_principal_managers_seat_has_no_end(role: Role, until: date | None) -> None:
    attachment = row(VALIDATED, until=date(2027, 6, 30))
    attachment.become(role, TODAY, NOW)
    assert (attachment.role, attachment.valid_until) == (role, until)


@pytest.mark.parametrize(
    ("status", "first", "last", "read", "valid"),
    [
        (VALIDATED, date(2027, 3, 15), date(2027, 3, 15), VALIDATED, True),
        (VALIDATED, date(2027, 3, 16), None, VALIDATED, False),
        (VALIDATED, date(2027, 1, 1), date(2027, 3, 14), DEACTIVATED, False),
        (VALIDATED, date(2027, 1, 1), None, VALIDATED, True),
        (PENDING, date(2027, 1, 1), date(2027, 3, 14), PENDING, False),
        (DEACTIVATED, date(2027, 1, 1), None, DEACTIVATED, False),
        (REMOVED, date(2027, 1, 1), date(2027, 3, 14), REMOVED, False),
    ],
)
def test_dates_act_by_the_calendar_both_days_inclusive(
    status: AttachmentStatus, first: date, last: date | None, read: AttachmentStatus, valid: bool
) -> None:
    attachment = row(status, until=last)
    attachment.valid_from = first
    assert (attachment.status_on(TODAY), attachment.is_valid_on(TODAY)) == (read, valid)


def test_empty_filter_narrows_nothing_and_a_full_one_everything() -> None:
    assert AttachmentFilter().conditions() == []
    full = AttachmentFilter(statuses=(PENDING,), roles=(Role.SIMPLE_USER,), in_effect=False, structure_id=3)
    assert len(full.conditions()) == 4
    assert full.parameters() == {"statuses": ["PENDING"], "roles": ["SIMPLE_USER"], "only_structure": 3}
