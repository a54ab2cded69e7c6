"""Requests: people ask to be attached, managers validate or refuse, requesters withdraw. Source: DOMAIN 4."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mailer.messages import AttachmentRefused as RefusedMail
from mailer.messages import AttachmentRequested as RequestedMail
from mailer.messages import AttachmentValidated as ValidatedMail
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment, AttachmentStatus, DecisionAct
from models.db import texts
from models.errors.errors import (
    AlreadyAttached,
    ConfirmationRequired,
    DomainError,
    Invalid,
    NotFound,
    OwnRequest,
    PersonUnavailable,
    RequestAlreadyDecided,
    StructureInactive,
    Unauthenticated,
    collected,
    refuse_if_any,
)
from models.events.events import (
    AttachmentRefused,
    AttachmentReplaced,
    AttachmentRequested,
    AttachmentValidated,
    AttachmentWithdrawn,
)
from models.structures import structures
from models.structures.structures import Structure
from resolvers import mail_limits, periods
from resolvers.asked_services import entitled
from resolvers.attachments.targets import keep, locked, service_names, state_of, tell
from resolvers.bulk import Outcome, each
from resolvers.policy import may_act, require
from resolvers.scope import Record, Scope
from resolvers.subscriptions import entitlements

LONGEST_COMMENT = 255


@dataclass(frozen=True)
class NewRequest:
    """One structure that a person asks to be attached to."""

    structure_id: int | None
    valid_from: date
    valid_until: date | None = None
    service_ids: frozenset[int | None] = frozenset()
    comment: str | None = None
    on_behalf_of_id: int | None = None
    on_behalf: bool = False
    confirm_public: bool = False


@dataclass(frozen=True)
class Validation:
    """A manager's yes to one request, maybe with other dates or fewer services; None keeps what was asked."""

    id: int | None
    valid_from: date | None = None
    valid_until: date | None = None
    end_given: bool = False
    service_ids: frozenset[int | None] | None = None


async def request(scope: Scope, requests: Sequence[NewRequest]) -> list[Outcome]:
    """A pending attachment as a simple user for each structure asked for; one outcome per request, in order.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    scope.signed_in()

    async def act(place: int, path: tuple[str, ...]) -> int:
        return await _request_one(scope, requests[place], path)

    return await each(range(len(requests)), "requests", act)


async def _request_one(scope: Scope, asked: NewRequest, path: tuple[str, ...]) -> int:
    actor = scope.signed_in()
    async with scope.transaction() as record:
        structure = await structures.lock(asked.structure_id) if asked.structure_id is not None else None
        managers = await attachments.managers_of(structure.id, scope.today()) if structure else []
        people = await accounts.lock_all({actor.account_id} | {manager.user_id for manager in managers})
        requester = people.pop(actor.account_id)
        if requester.state is not AccountState.ACTIVE:
            raise Unauthenticated  # deactivated or suspended while the request was on its way
        comment, services = await _check(scope, asked, structure, path)
        assert structure is not None  # checked
        await make_room(scope, record, actor.account_id, structure.id, (*path, "structure_id"))
        attachment = Attachment(
            user_id=actor.account_id,
            structure_id=structure.id,
            on_behalf_of_id=asked.on_behalf_of_id,
            valid_from=asked.valid_from,
            valid_until=asked.valid_until,
            comment=comment,
            requested_at=scope.now(),
        )
        await keep(record, AttachmentRequested, attachment, {}, services=sorted(services))
        await attachments.set_services(attachment, services)
        await mail_limits.count(scope, "request", f"{actor.account_id} {structure.id}", *path, "structure_id")
        message = await _announcement(attachment, structure, requester)
        for manager in people.values():
            if manager.state is AccountState.ACTIVE:
                await scope.mail(message, manager)
    return attachment.id


async def _check(
    scope: Scope, asked: NewRequest, structure: Structure | None, path: tuple[str, ...]
) -> tuple[str | None, set[int]]:
    """The tidied comment and the services, once everything asked for is right; all that is wrong at once otherwise."""
    problems: list[DomainError] = []
    services: set[int] = set()
    if structure is None:
        problems.append(NotFound(*path, "structure_id"))
    elif not structure.is_active:
        problems.append(StructureInactive(*path, "structure_id"))
    periods.check(problems, asked.valid_from, asked.valid_until, scope.today(), *path)
    comment = texts.optional(problems, asked.comment, *path, "comment", most=LONGEST_COMMENT, multiline=True)
    if structure is not None:
        if structure.is_public and not asked.confirm_public:
            problems.append(ConfirmationRequired(*path, "confirm_public_structure", what="public_structure"))
        with collected(problems):
            services = await entitled(scope, structure.id, set(asked.service_ids), *path, "service_ids")
    if asked.on_behalf:
        behalf = await structures.by_id(asked.on_behalf_of_id) if asked.on_behalf_of_id is not None else None
        if behalf is None:
            problems.append(NotFound(*path, "on_behalf_of_id"))
        elif behalf.id not in await scope.roles():
            problems.append(Invalid(*path, "on_behalf_of_id", rule="own_structure"))
    refuse_if_any(problems)
    return comment, services


async def make_room(scope: Scope, record: Record, user_id: int, structure_id: int, path: tuple[str, ...]) -> None:
    """An ended attachment gives way to a new one; any other live one stands in its way.

    Raises:
        AlreadyAttached: at the path, then.
    """
    present = await attachments.lock_live(user_id, structure_id)
    if present is None:
        return
    if present.status is AttachmentStatus.PENDING or not present.is_ended(scope.today()):
        raise AlreadyAttached(*path)
    before = state_of(present)
    present.remove(scope.today())
    await entitlements.end(scope, record, present)
    await keep(record, AttachmentReplaced, present, before)


async def _announcement(attachment: Attachment, structure: Structure, requester: Account) -> RequestedMail:
    behalf = await structures.by_id(attachment.on_behalf_of_id) if attachment.on_behalf_of_id else None
    return RequestedMail(
        structure=structure.name,
        requester=requester.display_name,
        valid_from=attachment.valid_from,
        valid_until=attachment.valid_until,
        services=await service_names(attachment.id),
        comment=attachment.comment,
        on_behalf_of=behalf.name if behalf else None,
    )


# ------------------------------------------------------------------ deciding
async def validate(scope: Scope, validations: Sequence[Validation]) -> list[Outcome]:
    """Each request accepted by a manager, maybe with fewer services or other dates; one outcome per request, in order.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    scope.signed_in()
    by_id: dict[int | None, Validation] = {}
    for validation in validations:
        by_id.setdefault(validation.id, validation)  # the same id again is refused in its place

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        return await _validate_one(scope, by_id[id], path)

    return await each([validation.id for validation in validations], "validations", act, "id")


async def _validate_one(scope: Scope, given: Validation, path: tuple[str, ...]) -> int:
    async with scope.transaction() as record:
        attachment, structure = await locked(scope, given.id, *path, "id")
        await _must_decide(scope, attachment, DecisionAct.VALIDATE, (*path, "id"))
        before = state_of(attachment) | {"services": sorted(await attachments.service_ids_of(attachment.id))}
        attachment.validate(scope.signed_in().account_id, scope.now())
        if not structure.is_active:
            raise StructureInactive(*path, "id")
        await _adjust(scope, attachment, given, path)
        user = await accounts.lock(attachment.user_id)
        if user.state not in {AccountState.ACTIVE, AccountState.PENDING_ACTIVATION}:
            raise PersonUnavailable(*path, "id")
        services = await attachments.service_ids_of(attachment.id)
        await keep(record, AttachmentValidated, attachment, before, services=sorted(services))
        await entitlements.give(scope, attachment)
        message = ValidatedMail(
            structure=structure.name,
            by=await scope.actor_name(),
            valid_from=attachment.valid_from,
            valid_until=attachment.valid_until,
            services=await service_names(attachment.id),
        )
        await tell(scope, attachment, message)
    return attachment.id


async def _adjust(scope: Scope, attachment: Attachment, given: Validation, path: tuple[str, ...]) -> None:
    """The dates and services the manager gives; services only among those asked for, any if none was."""
    problems: list[DomainError] = []
    attachment.valid_from = given.valid_from or attachment.valid_from
    attachment.valid_until = given.valid_until if given.end_given else attachment.valid_until
    periods.check(problems, attachment.valid_from, attachment.valid_until, scope.today(), *path)
    if given.service_ids is not None:
        asked = await attachments.service_ids_of(attachment.id)
        with collected(problems):
            among = asked or None
            chosen = await entitled(
                scope, attachment.structure_id, set(given.service_ids), *path, "service_ids", among=among
            )
            await attachments.set_services(attachment, chosen)
    refuse_if_any(problems)


async def refuse(scope: Scope, ids: Sequence[int | None], reason: str) -> list[Outcome]:
    """Each request refused, its requester told the reason; one outcome per id, in order.

    Raises:
        Missing, TooLong, Invalid: when the reason isn't good; then nothing is done.
        TooMany: for more than 100.
    """
    scope.signed_in()
    problems: list[DomainError] = []
    told = texts.required(problems, reason, "reason", most=LONGEST_COMMENT, multiline=True)
    refuse_if_any(problems)

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        return await _refuse_one(scope, id, told, path)

    return await each(ids, "ids", act)


async def _refuse_one(scope: Scope, id: int | None, reason: str, path: tuple[str, ...]) -> int:
    async with scope.transaction() as record:
        attachment, structure = await locked(scope, id, *path)
        await _must_decide(scope, attachment, DecisionAct.REFUSE, path)
        before = state_of(attachment)
        attachment.refuse(scope.signed_in().account_id, reason, scope.now())
        await keep(record, AttachmentRefused, attachment, before, reason=reason)
        await tell(scope, attachment, RefusedMail(structure=structure.name, by=await scope.actor_name(), reason=reason))
    return attachment.id


async def withdraw(scope: Scope, ids: Sequence[int | None]) -> list[Outcome]:
    """Each of one's own pending requests taken back; one outcome per id, in order.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    scope.signed_in()

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            attachment, _ = await locked(scope, id, *path)
            require(attachment.user_id == scope.signed_in().account_id, *path)
            before = state_of(attachment)
            attachment.withdraw()
            await keep(record, AttachmentWithdrawn, attachment, before)
        return attachment.id

    return await each(ids, "ids", act)


async def _must_decide(scope: Scope, attachment: Attachment, act: DecisionAct, path: tuple[str, ...]) -> None:
    """Nothing, when the actor may decide the request and nobody did before."""
    own = attachment.user_id == scope.signed_in().account_id
    if own:
        raise OwnRequest(*path)
    role = await scope.role_on(attachment.structure_id)
    require(may_act(act, role=role, target=attachment.role, own=own), *path)
    if attachment.status is not AttachmentStatus.PENDING and attachment.decided_at is not None:
        decider = await accounts.by_id(attachment.decided_by_id) if attachment.decided_by_id else None
        raise RequestAlreadyDecided(*path, by=decider.display_name if decider else None, at=attachment.decided_at)
