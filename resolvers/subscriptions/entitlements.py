"""Entitlements: the space subscriptions that an attachment brings with it and takes along. Source: DOMAIN 3 and 5."""

from models.attachments.attachments import Attachment
from models.events.events import SpaceSubscriptionEnded
from models.subscriptions import spaces, subscriptions
from models.subscriptions.spaces import SpaceCode
from resolvers.scope import Record, Scope


async def give(scope: Scope, attachment: Attachment) -> None:
    """The default spaces that come with a validated attachment of its role."""
    codes = spaces.GIVEN_TO_ALL | spaces.GIVEN_TO_MANAGERS if attachment.is_manager else spaces.GIVEN_TO_ALL
    await _give(scope, attachment, codes)


async def follow_role(scope: Scope, attachment: Attachment) -> None:
    """A manager's own space given with the role, and withdrawn with it."""
    if attachment.is_manager:
        await _give(scope, attachment, spaces.GIVEN_TO_MANAGERS)
    else:
        user, structure, codes = attachment.user_id, attachment.structure_id, spaces.GIVEN_TO_MANAGERS
        await subscriptions.end(user, structure, at=scope.now(), codes=codes)


async def follow_start(attachment: Attachment) -> None:
    """The default spaces begin no later than the attachment, when its first day has moved."""
    await subscriptions.begin_with(attachment.user_id, attachment.structure_id, since=attachment.valid_from)


async def end(scope: Scope, record: Record, attachment: Attachment) -> None:
    """All subscriptions on the structure ended with the attachment.

    Those given by default go without an event of their own: the attachment's tells of them.
    """
    ended = await subscriptions.end(attachment.user_id, attachment.structure_id, at=scope.now())
    for row in ended:
        if row.decided_at is not None or row.status is subscriptions.SpaceSubscriptionStatus.PENDING:
            await record(
                SpaceSubscriptionEnded(
                    subject_id=row.user_id,
                    structure_id=row.structure_id,
                    attachment_id=attachment.id,
                    subscription_id=row.id,
                    before={"status": row.status, "space": row.space},
                    after={"status": subscriptions.SpaceSubscriptionStatus.REMOVED, "space": row.space},
                )
            )


async def _give(scope: Scope, attachment: Attachment, codes: frozenset[SpaceCode]) -> None:
    user, structure = attachment.user_id, attachment.structure_id
    await subscriptions.give(user, structure, codes, since=attachment.valid_from, at=scope.now())
    await follow_start(attachment)
