"""Escalation: from which day a request that nobody decides may be brought before support, and that it was, once."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from models.attachments.attachments import Attachment, AttachmentStatus
from models.errors.errors import AttachmentAlreadyEscalated, EscalationTooEarly, TransitionNotAllowed

ESCALABLE_AFTER = timedelta(days=30)


def escalable_on(requested_at: datetime, zone: ZoneInfo) -> date:
    """The day, in the structures' time zone, from which a request made then may be escalated."""
    return requested_at.astimezone(zone).date() + ESCALABLE_AFTER


def escalate(attachment: Attachment, at: datetime, zone: ZoneInfo) -> None:
    """A request that waits is marked as brought before support.

    Raises:
        TransitionNotAllowed: when it isn't waiting any more.
        AttachmentAlreadyEscalated: the second time.
        EscalationTooEarly: before its day.
    """
    if attachment.status is not AttachmentStatus.PENDING:
        raise TransitionNotAllowed(status=attachment.status, act="ESCALATE")
    if attachment.escalated_at is not None:
        raise AttachmentAlreadyEscalated(at=attachment.escalated_at)
    due = escalable_on(attachment.requested_at, zone)
    if at.astimezone(zone).date() < due:
        raise EscalationTooEarly(on=due)
    attachment.escalated_at = at
