"""What an act on an attachment starts from: the row found, seen, locked; and what events keep of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from models import attachments, services, structures
from models.attachments import Attachment
from models.errors import DomainError, Invalid, NotFound, ServiceNotEntitled, TooMany
from models.structures import Structure
from resolvers.scope import Scope

MOST_AT_ONCE = 100


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
    known = await attachments.by_id(attachment_id) if attachment_id is not None else None
    if known is None or not await attachments.visible_to(scope.signed_in(), known, scope.today()):
        raise NotFound(*path)
    structure = await structures.lock(known.structure_id)
    attachment = await attachments.lock(known.id)
    assert structure is not None  # rows are never deleted
    assert attachment is not None
    if not await attachments.visible_to(scope.signed_in(), attachment, scope.today()):
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


async def each(
    ids: Sequence[int | None], argument: str, act: Callable[[int | None, tuple[str, ...]], Awaitable[int]]
) -> list[Outcome]:
    """The act on every element, each in its own transaction: one that is refused doesn't undo the others.

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
                raise Invalid(*path, rule="twice")
            outcomes.append(Outcome(await act(id, path)))
        except DomainError as error:
            outcomes.append(Outcome(None, error if error.path else error.under(*path)))
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
    good = {
        id for id, service in found.items() if service.active and not (service.valid_until and service.valid_until < today)
    }
    if None in service_ids or wanted - good or (among is not None and wanted - among):
        raise ServiceNotEntitled(*path)
    return wanted


async def service_names(attachment_id: int) -> tuple[str, ...]:
    """The services that the attachment entitles to, as mails name them."""
    found = await services.all_of(await attachments.service_ids_of(attachment_id))
    return tuple(f"{service.code} - {service.name}" for service in found)
