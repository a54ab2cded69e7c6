"""What acts on attachments share: the row found, seen, locked; its event kept and its user told."""

from mailer.facts import Message
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment
from models.errors.errors import NotFound
from models.events.events import Fact
from models.structures import services, structures
from models.structures.structures import Structure
from resolvers.scope import Record, Scope


async def locked(scope: Scope, attachment_id: int | None, *path: str) -> tuple[Attachment, Structure]:
    """The attachment and its structure, held until the transaction ends, the structure first.

    Raises:
        NotFound: when there is no such attachment for the actor.
    """
    actor = scope.signed_in()
    known = await attachments.by_id(attachment_id) if attachment_id is not None else None
    if known is None or not await attachments.visible_to(actor, known, scope.today()):
        raise NotFound(*path)
    structure = await structures.lock(known.structure_id)
    attachment = await attachments.lock(known.id)
    assert structure is not None  # rows are never deleted
    assert attachment is not None
    if not await attachments.visible_to(actor, attachment, scope.today()):
        raise NotFound(*path)  # the actor stopped being a manager while waiting for the lock
    return attachment, structure


def state_of(attachment: Attachment) -> dict[str, object]:
    """What events keep of an attachment, as plain JSON values."""
    return {
        "status": attachment.status,
        "role": attachment.role,
        "valid_from": attachment.valid_from.isoformat(),
        "valid_until": attachment.valid_until.isoformat() if attachment.valid_until else None,
    }


async def keep(
    record: Record, fact: type[Fact], attachment: Attachment, before: dict[str, object], **more: object
) -> None:
    """Save the attachment with the event of its change, which keeps `more` beside the new state."""
    await attachment.save()
    await record(
        fact(
            subject_id=attachment.user_id,
            structure_id=attachment.structure_id,
            attachment_id=attachment.id,
            before=before,
            after=state_of(attachment) | more,
        )
    )


async def tell(scope: Scope, attachment: Attachment, message: Message) -> None:
    """Mail the attachment's user, if the account is active: held, so that nobody is written to after leaving."""
    user = await accounts.lock(attachment.user_id)
    if user.state is AccountState.ACTIVE:
        await scope.mail(message, user)


async def service_names(attachment_id: int) -> tuple[str, ...]:
    """The services that the attachment entitles to, as mails name them."""
    found = await services.all_of(await attachments.service_ids_of(attachment_id))
    return tuple(f"{service.code} - {service.name}" for service in found)
