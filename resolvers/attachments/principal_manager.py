"""Managers: the principal one handed over or appointed by support, secondary ones named and dismissed."""

from mailer.facts import Reader
from mailer.messages import PrincipalManagerAppointed as AppointedMail
from mailer.messages import PrincipalManagerTransferred as TransferredMail
from mailer.messages import RoleChanged as RoleChangedMail
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.attachments import attachments, deciders, offers, vacancies
from models.attachments.attachments import ALLOWED_FROM, Attachment, AttachmentStatus, DecisionAct, Role
from models.attachments.offers import OfferStatus
from models.attachments.vacancies import VacancyReason
from models.db import texts
from models.errors.errors import (
    AlreadyPrincipalManager,
    DomainError,
    Invalid,
    NotFound,
    PrincipalManagerPresent,
    StructureInactive,
    SuccessorNotEligible,
    SuccessorRequired,
    TransitionNotAllowed,
    refuse_if_any,
)
from models.events.events import (
    AttachmentCreated,
    PrincipalManagerAppointed,
    PrincipalManagerOfferExpired,
    PrincipalManagerOfferWithdrawn,
    PrincipalManagerTransferred,
    RoleChanged,
)
from models.structures import structures
from models.structures.structures import Structure
from resolvers.attachments.targets import keep, locked, state_of, tell
from resolvers.policy import Right, has, may_act, require
from resolvers.scope import Record, Scope
from resolvers.subscriptions import entitlements

LONGEST_REASON = 255


async def change_role(scope: Scope, attachment_id: int, role: Role) -> None:
    """A secondary manager named or dismissed by the principal one; the same role again changes nothing.

    Raises:
        NotFound: when the actor doesn't see the attachment.
        Invalid: for PRINCIPAL_MANAGER, which is named by a transfer.
        SuccessorRequired: on the principal manager's own attachment.
        Forbidden: to anyone but the principal manager.
        TransitionNotAllowed: when the attachment isn't VALIDATED.
    """
    if role is Role.PRINCIPAL_MANAGER:
        raise Invalid("role", rule="role_given")
    async with scope.transaction() as record:
        attachment, structure = await locked(scope, attachment_id, "id")
        own = attachment.user_id == scope.signed_in().account_id
        if own and attachment.role is Role.PRINCIPAL_MANAGER:
            raise SuccessorRequired("id", structure=structure.name)
        mine = await scope.role_on(structure.id)
        require(may_act(DecisionAct.CHANGE_ROLE, role=mine, target=attachment.role, own=own), "id")
        status = attachment.status_on(scope.today())
        if status not in ALLOWED_FROM[DecisionAct.CHANGE_ROLE]:
            raise TransitionNotAllowed("id", status=status, act=DecisionAct.CHANGE_ROLE)
        if attachment.role is role:
            return
        before = state_of(attachment)
        await _set_role(scope, attachment, role)
        await keep(record, RoleChanged, attachment, before)
        await tell(scope, attachment, RoleChangedMail(structure=structure.name, by=await scope.actor_name(), role=role))


async def transfer(scope: Scope, structure_id: int, successor_id: int) -> None:
    """The principal management handed to the successor at once; the former one stays as a simple user.

    Raises:
        NotFound: when there is no such structure.
        Forbidden: to anyone but the principal manager in effect.
        Invalid: when the successor is the actor.
        SuccessorNotEligible: when nobody active and attached there in effect is meant.
    """
    actor = scope.signed_in()
    async with scope.transaction() as record:
        structure = await structures.lock(structure_id)
        if structure is None:
            raise NotFound("structure_id")
        principal_attachment = await attachments.lock_live(actor.account_id, structure_id)
        require(has(await scope.role_on(structure_id), Right.HAND_OVER), "structure_id")
        assert principal_attachment is not None  # who has the right is principal manager
        await hand_over(scope, record, structure, principal_attachment, successor_id, "successor_id")


async def hand_over(
    scope: Scope,
    record: Record,
    structure: Structure,
    principal_attachment: Attachment,
    successor_id: int,
    *path: str,
    farewell: bool = True,
) -> Account:
    """The principal management handed over, inside a transaction on the locked structure; who the successor is.

    `farewell` tells the former principal manager by mail that they stay a simple user.

    Raises:
        Invalid: when the successor is the principal manager.
        SuccessorNotEligible: when the successor isn't active or not attached there in effect, or is nobody: whoever
            hands over sees only the people who are attached there.
    """
    if successor_id == principal_attachment.user_id:
        raise Invalid(*path, rule="same_person")
    told = await deciders.secondary_managers_of([structure.id])
    people = await accounts.lock_all({successor_id, principal_attachment.user_id} | told)
    successor = people.get(successor_id)
    theirs = await attachments.lock_live(successor_id, structure.id)
    able = successor is not None and successor.state is AccountState.ACTIVE
    if successor is None or theirs is None or not able or not theirs.is_valid_on(scope.today()):
        raise SuccessorNotEligible(*path, structure=structure.name)
    before = state_of(theirs)
    former = people[principal_attachment.user_id]
    await change_hands(scope, record, principal_attachment, theirs)
    before |= {"principal_id": former.id}
    await keep(record, PrincipalManagerTransferred, theirs, before, principal_id=successor_id)
    await _tell_transfer(scope, structure, former, successor, farewell)
    return successor


async def appoint(scope: Scope, structure_id: int, user_id: int, reason: str) -> None:
    """Support names the principal manager of a structure that has none able to act; a former one becomes a simple user.

    Raises:
        Forbidden: to anyone but support.
        Missing, TooLong, Invalid: when the reason isn't good.
        NotFound: when there is no such structure or person.
        StructureInactive: when the structure has ended.
        AlreadyPrincipalManager: when the person is the principal manager.
        PrincipalManagerPresent: when the present principal manager can act.
        SuccessorNotEligible: when the person isn't active.
    """
    require(scope.signed_in().is_support)
    problems: list[DomainError] = []
    reason = texts.required(problems, reason, "reason", most=LONGEST_REASON, multiline=True)
    refuse_if_any(problems)
    async with scope.transaction() as record:
        structure = await structures.lock(structure_id)
        if structure is None:
            raise NotFound("structure_id")
        if not structure.is_active:
            raise StructureInactive("structure_id")
        principal_attachment = await attachments.principal_of(structure_id)
        told = await deciders.secondary_managers_of([structure_id])
        people = await accounts.lock_all(
            {user_id} | ({principal_attachment.user_id} if principal_attachment else set()) | told
        )
        if user_id not in people:
            raise NotFound("user_id")
        if principal_attachment is not None and principal_attachment.user_id == user_id:
            raise AlreadyPrincipalManager("structure_id")
        if principal_attachment is not None and not await _is_vacant(
            scope, people[principal_attachment.user_id], principal_attachment
        ):
            raise PrincipalManagerPresent("structure_id")
        if people[user_id].state is not AccountState.ACTIVE:
            raise SuccessorNotEligible("user_id", structure=structure.name)
        former = people[principal_attachment.user_id] if principal_attachment else None
        if principal_attachment is not None:
            await _vacate(scope, record, principal_attachment)
        attachment, before = await install(scope, record, structure, people[user_id])
        before |= {"principal_id": former.id if former else None}
        await keep(record, PrincipalManagerAppointed, attachment, before, principal_id=user_id, reason=reason)
        await _tell_appointment(scope, structure, people[user_id], former)


async def _is_vacant(scope: Scope, principal: Account, principal_attachment: Attachment) -> bool:
    """Can't the principal manager act, or were they away for 14 days after being told, with nobody able to claim?"""
    if principal.state is not AccountState.ACTIVE:
        return True
    if vacancies.reason_of(principal, principal_attachment, scope.now()) is None:
        return False
    assert principal_attachment.absence_told_at is not None  # whoever is away was told
    if scope.now() < vacancies.claimable_from(VacancyReason.ABSENT, principal_attachment.absence_told_at):
        return False
    return await vacancies.senior_on(principal_attachment.structure_id, scope.now(), scope.today()) is None


async def install(
    scope: Scope, record: Record, structure: Structure, user: Account
) -> tuple[Attachment, dict[str, object]]:
    """Make the person principal manager of the locked structure, which has none; the attachment, and what it was."""
    attachment = await attachments.lock_live(user.id, structure.id)
    before = state_of(attachment) if attachment else {}
    if attachment is None:
        attachment = Attachment(user=user, structure=structure, valid_from=scope.today(), requested_at=scope.now())
    attachment.status, attachment.role = AttachmentStatus.VALIDATED, Role.PRINCIPAL_MANAGER
    attachment.role_since = scope.now()
    attachment.valid_from, attachment.valid_until = min(attachment.valid_from, scope.today()), None
    attachment.decided_at = attachment.decided_at or scope.now()
    await attachment.save()
    await entitlements.give(scope, attachment)
    structure.managed = True
    await structure.save()
    if not before:
        await keep(record, AttachmentCreated, attachment, {})
    return attachment, before


async def change_hands(scope: Scope, record: Record, principal_attachment: Attachment, theirs: Attachment) -> None:
    """The present principal manager leaves first: a structure never has two, not even between two statements."""
    await _vacate(scope, record, principal_attachment)
    await _set_role(scope, theirs, Role.PRINCIPAL_MANAGER)


async def _vacate(scope: Scope, record: Record, principal_attachment: Attachment) -> None:
    """Make the principal manager a simple user; what they had offered to somebody is theirs no more."""
    await end_offer(scope, record, principal_attachment.structure_id)
    before = state_of(principal_attachment)
    await _set_role(scope, principal_attachment, Role.SIMPLE_USER)
    await keep(record, RoleChanged, principal_attachment, before)


async def end_offer(scope: Scope, record: Record, structure_id: int) -> None:
    """Withdraw the structure's open offer, if there is one: what was offered is no longer so."""
    offer = await offers.lock_open(structure_id)
    if offer is None:
        return
    lapsed = offer.status_at(scope.now()) is OfferStatus.EXPIRED
    offer.end(OfferStatus.EXPIRED if lapsed else OfferStatus.WITHDRAWN, scope.now())
    await offer.save()
    fact = PrincipalManagerOfferExpired if lapsed else PrincipalManagerOfferWithdrawn
    await record(fact(subject_id=offer.successor_id, structure_id=structure_id))


async def _set_role(scope: Scope, attachment: Attachment, role: Role) -> None:
    """Give the attachment the role and the default spaces that go with it."""
    attachment.become(role, scope.today(), scope.now())
    await attachment.save()
    await entitlements.follow_role(scope, attachment)


async def _tell_transfer(
    scope: Scope, structure: Structure, former: Account, successor: Account, farewell: bool
) -> None:
    names = {"structure": structure.name, "former": former.display_name, "successor": successor.display_name}
    if farewell:
        await scope.mail(TransferredMail(**names, reader=Reader.FORMER), former)
    await scope.mail(TransferredMail(**names, reader=Reader.SUCCESSOR), successor)
    for manager in await secondary_managers(scope, structure.id):
        await scope.mail(TransferredMail(**names, reader=Reader.MANAGER), manager)


async def _tell_appointment(scope: Scope, structure: Structure, appointed: Account, former: Account | None) -> None:
    names = {"structure": structure.name, "appointed": appointed.display_name}
    if former is not None and former.state is AccountState.ACTIVE:  # away, not stopped
        await scope.mail(AppointedMail(**names, reader=Reader.FORMER), former)
    await scope.mail(AppointedMail(**names, reader=Reader.SUCCESSOR), appointed)
    for manager in await secondary_managers(scope, structure.id):
        await scope.mail(AppointedMail(**names, reader=Reader.MANAGER), manager)


async def secondary_managers(scope: Scope, structure_id: int) -> list[Account]:
    """The secondary managers who can act on the structure now; their accounts are held, so that none has left."""
    return [
        row.user
        for row in await attachments.managers_of(structure_id, scope.today())
        if row.role is Role.SECONDARY_MANAGER and row.user.state is AccountState.ACTIVE
    ]
