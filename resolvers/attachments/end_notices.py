"""Notices that an attachment is about to end, to its user and to the managers: 14 days before, and the day before."""

from datetime import timedelta

from mailer.messages import AttachmentEnding
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.attachments import attachments, reminders
from models.attachments.attachments import Attachment, AttachmentStatus
from models.attachments.reminders import Due
from models.mail import idempotency_keys
from models.structures import structures
from resolvers import jobs
from resolvers.scope import Scope

EARLY_NOTICE_DAYS = 14
LAST_NOTICE_DAYS = 1
JOB = "attachment-endings"


async def announce_ends(scope: Scope) -> int:
    """Users and managers are told of an attachment's end 14 days and 1 day before; of a shorter one, the day before."""
    return await _announce(scope, EARLY_NOTICE_DAYS, LAST_NOTICE_DAYS + 1) + await _announce(scope, LAST_NOTICE_DAYS, 0)


async def _announce(scope: Scope, days: int, least: int) -> int:
    """The notice of so many days, of the attachments whose last day is so far away, but not nearer than `least`."""
    today = scope.today()
    first, last = today + timedelta(days=least), today + timedelta(days=days)

    async def act(row: Due) -> bool:
        return await _announce_one(scope, row, days)

    return await jobs.each(JOB, await reminders.ending(JOB, days, first=first, last=last), act)


async def _announce_one(scope: Scope, due: Due, days: int) -> bool:
    async with scope.transaction():
        structure = await structures.lock(due.structure_id)
        managers = await attachments.managers_of(due.structure_id, scope.today())
        people = await accounts.lock_all({due.user_id} | {manager.user_id for manager in managers})
        attachment = await attachments.lock(due.id)
        if structure is None or attachment is None or attachment.status is not AttachmentStatus.VALIDATED:
            return False  # stopped since it was looked for
        left = (attachment.valid_until - scope.today()).days if attachment.valid_until else None
        readers = [person for person in people.values() if person.state is AccountState.ACTIVE]
        if left is None or not 0 <= left <= days or not readers:
            return False  # its end was moved
        assert attachment.valid_until is not None
        if not await idempotency_keys.take(
            JOB, reminders.end_key(due.id, attachment.valid_until, days), at=scope.now()
        ):
            return False
        if days == EARLY_NOTICE_DAYS and not _was_longer(scope, attachment, days):
            return False
        user = people[due.user_id]
        for reader in readers:
            named = None if reader.id == user.id else user.display_name
            message = AttachmentEnding(structure=structure.name, last_day=attachment.valid_until, user=named)
            await scope.mail(message, reader)
    return True


def _was_longer(scope: Scope, attachment: Attachment, days: int) -> bool:
    """Did the attachment's last day lie so far ahead as it began, and as it was given? Else it was known from then."""
    given = (attachment.decided_at or attachment.requested_at).astimezone(scope.office.time_zone).date()
    assert attachment.valid_until is not None
    return attachment.valid_until - max(attachment.valid_from, given) >= timedelta(days=days)
