"""Attachments that exist: deactivated, reactivated, removed, updated, given by a manager; and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mailer.messages import AttachmentDeactivated as DeactivatedMail
from mailer.messages import AttachmentReactivated as ReactivatedMail
from mailer.messages import AttachmentRemoved as RemovedMail
from mailer.messages import AttachmentUpdated as UpdatedMail
from models.attachments import attachments
from models.attachments.attachments import Attachment, AttachmentStatus, DecisionAct, Role
from models.db import texts
from models.errors.errors import (
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    StructureInactive,
    SuccessorRequired,
    TransitionNotAllowed,
    collected,
    refuse_if_any,
)
from models.events.events import AttachmentDeactivated, AttachmentReactivated, AttachmentRemoved, AttachmentUpdated
from models.structures import structures
from models.structures.structures import Structure
from resolvers import periods
from resolvers.asked_services import entitled
from resolvers.attachments import principal_manager
from resolvers.attachments.requests import LONGEST_COMMENT
from resolvers.attachments.targets import keep, locked, service_names, state_of, tell
from resolvers.bulk import Outcome, each
from resolvers.policy import Right, has, may_act, may_manage, require
from resolvers.scope import Record, Scope
from resolvers.subscriptions import entitlements

UPDATABLE = frozenset({AttachmentStatus.VALIDATED, AttachmentStatus.DEACTIVATED})


async def deactivate(scope: Scope, ids: Sequence[int | None], reason: str | None) -> list[Outcome]:
    """Each attachment stopped by a manager, with its subscriptions; one outcome per id, in order.

    Raises:
        TooLong, Invalid: when the reason isn't good; then nothing is done.
        TooMany: for more than 100.
    """
    scope.signed_in()
    problems: list[DomainError] = []
    told = texts.optional(problems, reason, "reason", most=LONGEST_COMMENT, multiline=True)
    refuse_if_any(problems)

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            attachment, structure = await _managed(scope, id, DecisionAct.DEACTIVATE, path)
            before = state_of(attachment)
            attachment.deactivate(scope.today())
            await entitlements.end(scope, record, attachment)
            await keep(record, AttachmentDeactivated, attachment, before, **({"reason": told} if told else {}))
            message = DeactivatedMail(structure=structure.name, by=await scope.actor_name(), reason=told)
            await tell(scope, attachment, message)
        return attachment.id

    return await each(ids, "ids", act)


async def reactivate(scope: Scope, ids: Sequence[int | None]) -> list[Outcome]:
    """Each deactivated attachment brought back by a manager, its dates as they are; one outcome per id, in order.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    scope.signed_in()

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            attachment, structure = await _managed(scope, id, DecisionAct.REACTIVATE, path)
            before = state_of(attachment)
            if not structure.is_active:
                raise StructureInactive(*path)
            attachment.reactivate(scope.today())
            await entitlements.give(scope, attachment)
            await keep(record, AttachmentReactivated, attachment, before)
            message = ReactivatedMail(
                structure=structure.name,
                by=await scope.actor_name(),
                valid_from=attachment.valid_from,
                valid_until=attachment.valid_until,
            )
            await tell(scope, attachment, message)
        return attachment.id

    return await each(ids, "ids", act)


async def remove(scope: Scope, ids: Sequence[int | None], successors: dict[int, tuple[int, int]]) -> list[Outcome]:
    """Each attachment ended for good, by its user or a manager; one outcome per id, in order.

    A principal manager's own is a transfer: whom `successors` names for the structure, with the place in the list that
    was sent, takes the principal management, and the former one stays as a simple user.

    Raises:
        TooMany: for more than 100; then nothing is done.
        NotFound: when a succession names a structure that doesn't exist; likewise.
    """
    actor = scope.signed_in()
    await _must_exist(successors)

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            attachment, structure = await locked(scope, id, *path)
            own = attachment.user_id == actor.account_id
            if own and attachment.role is Role.PRINCIPAL_MANAGER:
                await _leave_principal_management(scope, record, attachment, structure, successors)
                return attachment.id
            await _must(scope, DecisionAct.REMOVE, attachment, path)
            before = state_of(attachment)
            attachment.remove(scope.today())
            await entitlements.end(scope, record, attachment)
            await keep(record, AttachmentRemoved, attachment, before)
            if not own:
                await tell(scope, attachment, RemovedMail(structure=structure.name, by=await scope.actor_name()))
        return attachment.id

    return await each(ids, "ids", act)


async def _must_exist(successors: dict[int, tuple[int, int]]) -> None:
    """Nothing, when every structure exists. People are looked at only where one takes over: not all are visible."""
    places = await structures.existing(set(successors))
    refuse_if_any(
        NotFound("successions", str(place), "structure_id")
        for structure_id, (_, place) in successors.items()
        if structure_id not in places
    )


async def _leave_principal_management(
    scope: Scope,
    record: Record,
    principal_attachment: Attachment,
    structure: Structure,
    successors: dict[int, tuple[int, int]],
) -> None:
    if structure.id not in successors:
        raise SuccessorRequired("successions", structure=structure.name)
    require(has(await scope.role_on(structure.id), Right.HAND_OVER))  # stopped while the removal was on its way
    successor_id, place = successors[structure.id]
    await principal_manager.hand_over(
        scope, record, structure, principal_attachment, successor_id, "successions", str(place), "successor_id"
    )


@dataclass(frozen=True)
class Change:
    """What a manager changes of an attachment; `end_given` tells an end cleared from an end left alone."""

    valid_from: date | None = None
    valid_until: date | None = None
    end_given: bool = False
    service_ids: frozenset[int | None] | None = None


async def update(scope: Scope, id: int | None, change: Change) -> int:
    """Other dates or services for an attachment, by a manager; what is absent stays. Moving a past end brings it back.

    Raises:
        NotFound, Forbidden, TransitionNotAllowed: when the actor can't change it.
        StructureInactive: when it would bring an ended one back to a structure that has ended.
        Invalid, ServiceNotEntitled: all that is wrong with dates and services at once.
    """
    async with scope.transaction() as record:
        attachment, structure = await locked(scope, id, "id")
        await _must_update(scope, attachment, change)
        services = await attachments.service_ids_of(attachment.id)
        before, was_over = state_of(attachment), attachment.is_ended(scope.today())
        chosen = await _changed(scope, attachment, change, services)
        if was_over and not attachment.is_ended(scope.today()) and not structure.is_active:
            raise StructureInactive("id")
        if state_of(attachment) == before and chosen == services:
            return attachment.id
        await attachments.set_services(attachment, chosen)
        before |= {"services": sorted(services)}
        await keep(record, AttachmentUpdated, attachment, before, services=sorted(chosen))
        await entitlements.follow_start(attachment)
        message = UpdatedMail(
            structure=structure.name,
            by=await scope.actor_name(),
            valid_from=attachment.valid_from,
            valid_until=attachment.valid_until,
            services=await service_names(attachment.id),
        )
        if attachment.user_id != scope.signed_in().account_id:
            await tell(scope, attachment, message)
    return attachment.id


async def _must_update(scope: Scope, attachment: Attachment, change: Change) -> None:
    """Nothing, when the actor may make this change: as the person's manager, or as the principal one of their own."""
    role = await scope.role_on(attachment.structure_id)
    if attachment.user_id != scope.signed_in().account_id:
        require(may_manage(role, attachment.role), "id")
    else:  # whoever holds the principal management gets to hear that it has no end, and can't put off its beginning
        require(role is Role.PRINCIPAL_MANAGER and change.valid_from is None, "id")
    with_status = attachment.status_on(scope.today())
    if with_status not in UPDATABLE:
        raise TransitionNotAllowed("id", status=with_status, act="UPDATE")


async def _changed(scope: Scope, attachment: Attachment, change: Change, services: set[int]) -> set[int]:
    """The services from now on, the dates being set; all that is wrong with both at once."""
    problems: list[DomainError] = []
    attachment.valid_from = change.valid_from or attachment.valid_from
    if change.end_given:
        attachment.valid_until = change.valid_until
        if attachment.role is Role.PRINCIPAL_MANAGER and change.valid_until is not None:
            problems.append(Invalid("valid_until", rule="principal_has_no_end"))
    # an end that stays may be past already
    since = scope.today() if change.end_given else attachment.valid_from
    periods.check(problems, attachment.valid_from, attachment.valid_until, since)
    if change.service_ids is not None:
        with collected(problems):
            services = await entitled(scope, attachment.structure_id, set(change.service_ids), "service_ids")
    refuse_if_any(problems)
    return services


# ------------------------------------------------------------------ shared by the acts
async def _managed(
    scope: Scope, id: int | None, act: DecisionAct, path: tuple[str, ...]
) -> tuple[Attachment, Structure]:
    attachment, structure = await locked(scope, id, *path)
    await _must(scope, act, attachment, path)
    return attachment, structure


async def _must(scope: Scope, act: DecisionAct, attachment: Attachment, path: tuple[str, ...]) -> None:
    own = attachment.user_id == scope.signed_in().account_id
    role = await scope.role_on(attachment.structure_id)
    if not may_act(act, role=role, target=attachment.role, own=own):
        raise Forbidden(*path)
