"""What acts on attachments share: the row found, seen, locked; many at once; its event kept and its user told."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailer.facts import Message
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment
from models.errors.errors import DomainError, Invalid, NotFound, ServiceNotEntitled, TooMany
from models.events.events import Fact
from models.structures import services, structures
from models.structures.structures import Structure
from resolvers.scope import Record, Scope

MOST_AT_ONCE = 100
Key = TypeVar("Key", bound=int | None)


@dataclass(frozen=True)
class Outcome:
    """What became of one element of a bulk act: the attachment it was done on, or why it was refused."""

    id: int | None
    error: DomainError | None = None


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


async def each(
    ids: Sequence[Key], argument: str, act: Callable[[Key, tuple[str, ...]], Awaitable[int]], *below: str
) -> list[Outcome]:
    """The act on every element, each in its own transaction: one that is refused doesn't undo the others.

    A refusal with no path of its own is about the id, which stands `below` the element.

    Raises:
        TooMany: when there are more than 100; then nothing is done.
    """
    if len(ids) > MOST_AT_ONCE:
        raise TooMany(argument, most=MOST_AT_ONCE)
    outcomes: list[Outcome] = []
    seen: set[int] = set()
    for place, id in enumerate(ids):
        path = (argument, str(place))
        try:
            if id is not None and id in seen:
                raise Invalid(rule="twice")
            outcomes.append(Outcome(await act(id, path)))
        except DomainError as error:
            for single in error.each():
                single.path = single.path or (*path, *below)
            outcomes.append(Outcome(None, error))
        if id is not None:
            seen.add(id)
    return outcomes


async def entitled(
    scope: Scope, structure_id: int, service_ids: set[int | None], *path: str, among: set[int] | None = None
) -> set[int]:
    """The ids, once every one is an active service of the structure, and one of `among` when given.

    Raises:
        ServiceNotEntitled: otherwise.
    """
    wanted = {id for id in service_ids if id is not None}
    found = await services.of_structure(structure_id, wanted)
    today = scope.today()
    good = {id for id, service in found.items() if service.is_active_on(today)}
    if None in service_ids or wanted - good or (among is not None and wanted - among):
        raise ServiceNotEntitled(*path)
    return wanted


async def service_names(attachment_id: int) -> tuple[str, ...]:
    """The services that the attachment entitles to, as mails name them."""
    found = await services.all_of(await attachments.service_ids_of(attachment_id))
    return tuple(f"{service.code} - {service.name}" for service in found)
