"""Attachments that exist: deactivated, reactivated, removed, updated, given by a manager; and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mailer.messages import AttachedByManager as AttachedMail
from mailer.messages import AttachmentDeactivated as DeactivatedMail
from mailer.messages import AttachmentReactivated as ReactivatedMail
from mailer.messages import AttachmentRemoved as RemovedMail
from mailer.messages import AttachmentUpdated as UpdatedMail
from mailer.messages import Message
from models import accounts, attachments, brakes, structures, subscriptions, texts
from models.accounts import Account, AccountState
from models.attachments import Attachment, AttachmentStatus, DecisionAct, Role
from models.errors import (
    AlreadyAttached,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    StructureInactive,
    SuccessorRequired,
    TooMany,
    collected,
    refuse_if_any,
)
from models.events import (
    AttachmentDeactivated,
    AttachmentGiven,
    AttachmentReactivated,
    AttachmentRemoved,
    AttachmentUpdated,
    Fact,
)
from models.profiles import email_key
from models.structures import Structure
from resolvers import periods, seats
from resolvers.policy import Right, has, may_act, may_manage, require
from resolvers.requests import LONGEST_COMMENT, give_spaces, make_room
from resolvers.scope import Record, Scope
from resolvers.targets import Outcome, each, entitled, locked, service_names, state_of

UNKNOWN_ADDRESSES_A_DAY = 20


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
            await _end_spaces(scope, attachment)
            await _keep(scope, record, AttachmentDeactivated, attachment, before, {"reason": told} if told else {})
            await _tell(scope, attachment, DeactivatedMail(structure=structure.name, by=await scope.actor_name(), reason=told))
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
            if not structure.is_active:
                raise StructureInactive(*path)
            before = state_of(attachment)
            attachment.reactivate(scope.today())
            await give_spaces(scope, attachment)
            await _keep(scope, record, AttachmentReactivated, attachment, before)
            message = ReactivatedMail(
                structure=structure.name,
                by=await scope.actor_name(),
                valid_from=attachment.valid_from,
                valid_until=attachment.valid_until,
            )
            await _tell(scope, attachment, message)
        return attachment.id

    return await each(ids, "ids", act)


async def remove(scope: Scope, ids: Sequence[int | None], successors: dict[int, tuple[int, int]]) -> list[Outcome]:
    """Each attachment ended for good, by its user or a manager; one outcome per id, in order.

    A principal manager's own is a transfer to the successor named for the structure (`successors`: structure -> successor and
    its place in the list that was sent), who takes the seat; the former one stays as a simple user.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    actor = scope.signed_in()

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            attachment, structure = await locked(scope, id, *path)
            own = attachment.user_id == actor.account_id
            if own and attachment.role is Role.PRINCIPAL_MANAGER and attachment.is_live:
                await _leave_seat(scope, record, attachment, structure, successors)
                return attachment.id
            await _must(scope, DecisionAct.REMOVE, attachment, path)
            before = state_of(attachment)
            attachment.remove(scope.today())
            await _end_spaces(scope, attachment)
            await _keep(scope, record, AttachmentRemoved, attachment, before)
            if not own:
                await _tell(scope, attachment, RemovedMail(structure=structure.name, by=await scope.actor_name()))
        return attachment.id

    return await each(ids, "ids", act)


async def _leave_seat(
    scope: Scope, record: Record, seat: Attachment, structure: Structure, successors: dict[int, tuple[int, int]]
) -> None:
    if structure.id not in successors:
        raise SuccessorRequired("successions", structure=structure.name)
    successor_id, place = successors[structure.id]
    await seats.hand_over(scope, record, structure, seat, successor_id, "successions", str(place), "successor_id")


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
        Invalid, ServiceNotEntitled: all that is wrong with dates and services at once.
    """
    async with scope.transaction() as record:
        attachment, structure = await locked(scope, id, "id")
        await _must_update(scope, attachment)
        before = state_of(attachment)
        problems: list[DomainError] = []
        attachment.valid_from = change.valid_from or attachment.valid_from
        if change.end_given:
            attachment.valid_until = change.valid_until
            if attachment.role is Role.PRINCIPAL_MANAGER and change.valid_until is not None:
                problems.append(Invalid("valid_until", rule="principal_has_no_end"))
        checked_end = attachment.valid_until if change.end_given or change.valid_from else None
        periods.check(problems, attachment.valid_from, checked_end, scope.today())
        services = await attachments.service_ids_of(attachment.id)
        chosen = services
        if change.service_ids is not None:
            with collected(problems):
                chosen = await entitled(scope, structure.id, set(change.service_ids), "service_ids")
        refuse_if_any(problems)
        if state_of(attachment) == before and chosen == services:
            return attachment.id
        await attachments.set_services(attachment, chosen)
        after = {"services": sorted(chosen)} if chosen != services else {}
        await _keep(scope, record, AttachmentUpdated, attachment, before, after)
        message = UpdatedMail(
            structure=structure.name,
            by=await scope.actor_name(),
            valid_from=attachment.valid_from,
            valid_until=attachment.valid_until,
            services=await service_names(attachment.id),
        )
        await _tell(scope, attachment, message)
    return attachment.id


async def _must_update(scope: Scope, attachment: Attachment) -> None:
    actor = scope.signed_in()
    role = await scope.role_on(attachment.structure_id)
    own_seat = attachment.user_id == actor.account_id and attachment.role is Role.PRINCIPAL_MANAGER
    if not own_seat:  # a principal manager gets to hear that the seat has no end, and may set its other particulars
        require(attachment.user_id != actor.account_id and may_manage(role, attachment.role))
    attachment.must_allow(DecisionAct.REMOVE, scope.today())  # the same statuses: validated or deactivated


# ------------------------------------------------------------------ on a manager's initiative
@dataclass(frozen=True)
class Gift:
    """An attachment that a manager gives to the owner of a login e-mail."""

    structure_id: int | None
    login_email: str
    role: Role
    valid_from: date
    valid_until: date | None = None
    service_ids: frozenset[int | None] = frozenset()


async def give(scope: Scope, gift: Gift) -> int:
    """A validated attachment for somebody who has an account, on a manager's initiative; their own request counts as decided.

    That this tells a manager whether an address has an account is a known exception (DOMAIN 4), limited to 20 unknown
    addresses a day.

    Raises:
        NotFound: when there is no such structure, or no usable account of the address.
        Forbidden: to anyone without the right, and for a secondary manager to anyone but the principal one.
        TooMany: after 20 unknown addresses in a day.
        AlreadyAttached: when the person is attached already, the actor themselves among them.
        DomainError: all that is wrong with dates, role and services at once.
    """
    structure = await structures.by_id(gift.structure_id) if gift.structure_id is not None else None
    if structure is None:
        raise NotFound("structure_id")
    await _must_give(scope, structure.id, gift.role)
    user = await _account_of(scope, gift.login_email)
    async with scope.transaction() as record:
        locked_structure = await structures.lock(structure.id)
        assert locked_structure is not None
        await _must_give(scope, structure.id, gift.role)
        services = await _check_gift(scope, gift, locked_structure)
        attachment = await _given(scope, record, gift, user)
        await attachments.set_services(attachment, services)
        await give_spaces(scope, attachment)
        message = AttachedMail(
            structure=structure.name,
            by=await scope.actor_name(),
            role=gift.role,
            valid_from=gift.valid_from,
            valid_until=gift.valid_until,
            services=await service_names(attachment.id),
        )
        await scope.mail(message, user)
    return attachment.id


async def _must_give(scope: Scope, structure_id: int, role: Role) -> None:
    mine = await scope.role_on(structure_id)
    if role is Role.PRINCIPAL_MANAGER:
        require(has(mine, Right.DECIDE))
        raise Invalid("role", rule="role_given")
    require(has(mine, Right.MANAGE_SECONDARY_MANAGERS if role is Role.SECONDARY_MANAGER else Right.DECIDE))


async def _account_of(scope: Scope, login_email: str) -> Account:
    user = await accounts.by_login(email_key(login_email))
    if user is not None and user.state in {AccountState.ACTIVE, AccountState.PENDING_ACTIVATION}:
        return user
    key = brakes.key_of("unknown address", str(scope.signed_in().account_id))
    if not await brakes.take(key, scope.now(), most=UNKNOWN_ADDRESSES_A_DAY, per=timedelta(days=1)):
        raise TooMany("login_email", most=UNKNOWN_ADDRESSES_A_DAY)
    raise NotFound("login_email")


async def _check_gift(scope: Scope, gift: Gift, structure: Structure) -> set[int]:
    problems: list[DomainError] = []
    services: set[int] = set()
    if not structure.is_active:
        problems.append(StructureInactive("structure_id"))
    periods.check(problems, gift.valid_from, gift.valid_until, scope.today())
    with collected(problems):
        services = await entitled(scope, structure.id, set(gift.service_ids), "service_ids")
    refuse_if_any(problems)
    return services


async def _given(scope: Scope, record: Record, gift: Gift, user: Account) -> Attachment:
    """The new attachment, or the person's own pending request decided by it."""
    actor = scope.signed_in()
    assert gift.structure_id is not None
    attachment = await attachments.lock_live(user.id, gift.structure_id)
    before: dict[str, object] = {}
    if attachment is not None and attachment.status is AttachmentStatus.PENDING and user.id != actor.account_id:
        before = state_of(attachment)
    else:
        await make_room(scope, record, user.id, gift.structure_id, ("login_email",))
        attachment = Attachment(user=user, structure_id=gift.structure_id, requested_at=scope.now())
    attachment.status, attachment.role = AttachmentStatus.VALIDATED, gift.role
    attachment.valid_from, attachment.valid_until = gift.valid_from, gift.valid_until
    attachment.decided_by_id, attachment.decided_at = actor.account_id, scope.now()
    await _keep(scope, record, AttachmentGiven, attachment, before)
    return attachment


# ------------------------------------------------------------------ shared by the acts
async def _managed(scope: Scope, id: int | None, act: DecisionAct, path: tuple[str, ...]) -> tuple[Attachment, Structure]:
    attachment, structure = await locked(scope, id, *path)
    await _must(scope, act, attachment, path)
    return attachment, structure


async def _must(scope: Scope, act: DecisionAct, attachment: Attachment, path: tuple[str, ...]) -> None:
    own = attachment.user_id == scope.signed_in().account_id
    role = await scope.role_on(attachment.structure_id)
    if not may_act(act, role=role, target=attachment.role, own=own):
        raise Forbidden(*path)


async def _end_spaces(scope: Scope, attachment: Attachment) -> None:
    await subscriptions.end(attachment.user_id, attachment.structure_id, at=scope.now())


async def _keep(
    scope: Scope,
    record: Record,
    fact: type[Fact],
    attachment: Attachment,
    before: dict[str, object],
    more: dict[str, object] | None = None,
) -> None:
    """Save the attachment and the event of its change."""
    await attachment.save()
    await record(
        fact(
            subject_id=attachment.user_id,
            structure_id=attachment.structure_id,
            attachment_id=attachment.id,
            before=before,
            after=state_of(attachment) | (more or {}),
        )
    )


async def _tell(scope: Scope, attachment: Attachment, message: Message) -> None:
    user = await accounts.existing(attachment.user_id)
    if user.state is AccountState.ACTIVE:
        await scope.mail(message, user)
