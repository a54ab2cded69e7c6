"""Terms of a space subscription: what it is for, whether they hold, and what all acts on subscriptions share."""

from dataclasses import dataclass
from datetime import date

from mailer.facts import Message
from mailer.messages import SpaceSubscriptionValidated as ValidatedMail
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment, AttachmentStatus
from models.errors.errors import (
    AlreadySubscribed,
    AttachmentNeeded,
    NotFound,
    PersonUnavailable,
    SpaceGivenByDefault,
    SpaceNotOpen,
    StructureInactive,
)
from models.events.events import Fact
from models.structures import services, structures
from models.structures.structures import Structure
from models.subscriptions import spaces, subscriptions
from models.subscriptions.spaces import ALWAYS_THERE, DEFAULTS, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus, SubscriptionMode
from resolvers.scope import Record, Scope


@dataclass(frozen=True)
class Terms:
    """What somebody is subscribed to: a space of a structure, for which services, how, from which day."""

    structure_id: int | None
    space: SpaceCode
    effective_from: date
    service_ids: frozenset[int | None] = frozenset()
    mode: SubscriptionMode = SubscriptionMode.READ
    comment: str | None = None


def must_be_entitled(scope: Scope, structure: Structure, attachment: Attachment | None, *path: str) -> None:
    """Nothing, when the structure is active and the attachment validated, in effect or to come.

    Raises:
        StructureInactive, AttachmentNeeded: otherwise.
    """
    if not structure.is_active:
        raise StructureInactive(*path)
    if attachment is None or attachment.status_on(scope.today()) is not AttachmentStatus.VALIDATED:
        raise AttachmentNeeded(*path)


async def must_be_usable(user_id: int, *path: str) -> None:
    """Nothing, when the account, held until the transaction ends, is active or waits for its activation.

    Raises:
        PersonUnavailable: otherwise.
    """
    user = await accounts.lock(user_id)
    if user.state not in {AccountState.ACTIVE, AccountState.PENDING_ACTIVATION}:
        raise PersonUnavailable(*path)


async def must_be_open(structure: Structure, space: SpaceCode, *path: str) -> None:
    """Nothing, when the space can be subscribed to on the structure.

    Raises:
        SpaceGivenByDefault, SpaceNotOpen: otherwise.
    """
    if space in ALWAYS_THERE:
        raise SpaceGivenByDefault(*path)
    if space not in DEFAULTS and space not in await spaces.opened(structure.id):
        raise SpaceNotOpen(*path)


async def services_of(attachment: Attachment | None) -> set[int] | None:
    """The services the attached person may choose among; None for any, as a manager may."""
    if attachment is None or attachment.is_manager:
        return None
    return await attachments.service_ids_of(attachment.id)


async def must_be_free(user_id: int, given: Terms, path: tuple[str, ...]) -> None:
    assert given.structure_id is not None  # found before
    if await subscriptions.live_of(user_id, given.structure_id, frozenset({given.space})):
        raise AlreadySubscribed(*path)


def of_terms(scope: Scope, given: Terms, user_id: int, comment: str | None = None) -> SpaceSubscription:
    return SpaceSubscription(
        user_id=user_id,
        structure_id=given.structure_id,
        space=given.space,
        mode=given.mode,
        status=SpaceSubscriptionStatus.PENDING,
        effective_from=given.effective_from,
        comment=comment,
        requested_at=scope.now(),
    )


# ------------------------------------------------------------------ acting on one
async def locked(
    scope: Scope, subscription_id: int | None, *path: str
) -> tuple[SpaceSubscription, Structure, Attachment | None]:
    """The subscription, its structure and its user's live attachment, held until the transaction ends.

    Raises:
        NotFound: when there is no such subscription for the actor.
    """
    actor = scope.signed_in()
    known = await subscriptions.by_id(subscription_id) if subscription_id is not None else None
    if known is None or not await subscriptions.visible_to(actor, known, scope.today()):
        raise NotFound(*path)
    structure = await structures.lock(known.structure_id)
    assert structure is not None  # rows are never deleted
    attachment = await attachments.lock_live(known.user_id, known.structure_id)
    row = await subscriptions.lock(known.id)
    if row is None or not await subscriptions.visible_to(actor, row, scope.today()):
        raise NotFound(*path)  # the actor stopped being a manager while waiting for the lock
    return row, structure, attachment


async def state_of(row: SpaceSubscription) -> dict[str, object]:
    """What events keep of a subscription, as plain JSON values."""
    return {
        "status": row.status,
        "space": row.space,
        "mode": row.mode,
        "effective_from": row.effective_from.isoformat(),
        "services": sorted(await subscriptions.service_ids_of(row.id)),
    }


async def keep(
    record: Record,
    fact: type[Fact],
    row: SpaceSubscription,
    before: dict[str, object],
    services: set[int] | None = None,
    **more: object,
) -> None:
    """Save the subscription with the event of its change, which keeps `more` beside the new state."""
    await row.save()
    after = await state_of(row) | ({"services": sorted(services)} if services is not None else {}) | more
    await record(
        fact(
            subject_id=row.user_id,
            structure_id=row.structure_id,
            subscription_id=row.id,
            before=before,
            after=after,
        )
    )


async def tell(scope: Scope, row: SpaceSubscription, message: Message) -> None:
    """Mail the subscription's user, if the account is active and somebody else acted."""
    user = await accounts.lock(row.user_id)
    if user.state is AccountState.ACTIVE and user.id != scope.signed_in().account_id:
        await scope.mail(message, user)


async def validated(
    scope: Scope, row: SpaceSubscription, structure: Structure, *, given: bool = False
) -> ValidatedMail:
    return ValidatedMail(
        structure=structure.name,
        space=row.space,
        mode=row.mode,
        by=await scope.actor_name(),
        effective_from=row.effective_from,
        services=await service_names(row),
        given=given,
    )


async def service_names(row: SpaceSubscription) -> tuple[str, ...]:
    found = await services.all_of(await subscriptions.service_ids_of(row.id))
    return tuple(f"{service.code} - {service.name}" for service in found)
