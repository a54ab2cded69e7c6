"""Attachments given on a manager's initiative, with no request before."""

from dataclasses import dataclass
from datetime import date, timedelta

from mailer.messages import UserAttached as AttachedMail
from models.accounts import accounts, throttle
from models.accounts.accounts import Account, AccountState
from models.accounts.profiles import email_key
from models.attachments import attachments, refused_structures
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import (
    AlreadyAttached,
    DomainError,
    Invalid,
    Missing,
    NotFound,
    StructureInactive,
    TooMany,
    collected,
    refuse_if_any,
)
from models.events.events import UserAttached
from models.structures import structures
from models.structures.structures import Structure
from resolvers import mail_limits, periods
from resolvers.asked_services import entitled
from resolvers.attachments.requests import make_room
from resolvers.attachments.targets import keep, service_names, state_of
from resolvers.policy import Right, has, may_manage, require
from resolvers.scope import Record, Scope
from resolvers.subscriptions import entitlements

UNKNOWN_ADDRESSES_A_DAY = 20
ATTACHABLE = frozenset({AccountState.ACTIVE, AccountState.PENDING_ACTIVATION})


@dataclass(frozen=True)
class NewAttachment:
    """An attachment that a manager gives to the owner of a login e-mail."""

    structure_id: int | None
    login_email: str
    role: Role
    valid_from: date
    valid_until: date | None = None
    service_ids: frozenset[int | None] = frozenset()


async def attach(scope: Scope, new: NewAttachment) -> int:
    """A validated attachment, on a manager's initiative, for somebody with an account; it decides a request of theirs.

    That this tells a manager whether an address has an account is a known exception (DOMAIN 4), limited to 20 unknown
    addresses a day.

    Raises:
        NotFound: when there is no such structure, or no usable account of the address, or its owner refused the
            structure: managers can't tell one from the other.
        Forbidden: to anyone without the right, and for a secondary manager to anyone but the principal one.
        TooMany: after 20 unknown addresses in a day, or when too many mails went from the actor or to the person.
        AlreadyAttached: when the person is attached already, the actor themselves among them.
        DomainError: all that is wrong with dates, role and services at once.
    """
    scope.signed_in()
    structure = await structures.by_id(new.structure_id) if new.structure_id is not None else None
    if structure is None:
        raise NotFound("structure_id")
    await _must_give(scope, structure.id, new.role)
    user = await _checked_recipient(scope, new, structure)
    async with scope.transaction() as record:
        locked_structure = await structures.lock(structure.id)
        assert locked_structure is not None  # rows are never deleted
        await _must_give(scope, structure.id, new.role)
        user = await accounts.lock(user.id)
        if user.state not in ATTACHABLE or await refused_structures.find(user.id, structure.id) is not None:
            raise NotFound("login_email")
        services = await _check_new(scope, new, locked_structure)
        attachment = await _given(scope, record, new, user, services)
        await attachments.set_services(attachment, services)
        await entitlements.give(scope, attachment)
        message = AttachedMail(
            structure=structure.name,
            by=await scope.actor_name(),
            role=new.role,
            valid_from=new.valid_from,
            valid_until=new.valid_until,
            services=await service_names(attachment.id),
        )
        await mail_limits.count(scope, "attachment", str(user.id), "login_email")
        await scope.mail(message, user)
    return attachment.id


async def _must_give(scope: Scope, structure_id: int, role: Role) -> None:
    mine = await scope.role_on(structure_id)
    require(has(mine, Right.DECIDE), "structure_id")
    require(role is not Role.SECONDARY_MANAGER or has(mine, Right.MANAGE_SECONDARY_MANAGERS), "role")


async def _checked_recipient(scope: Scope, new: NewAttachment, structure: Structure) -> Account:
    """Whose login e-mail it is, once nothing else is wrong either: all that is wrong at once."""
    problems: list[DomainError] = []
    user: Account | None = None
    if not new.login_email.strip():
        problems.append(Missing("login_email"))
    else:
        with collected(problems):
            user = await _account_of(scope, new.login_email, structure.id)
    with collected(problems):
        await _check_new(scope, new, structure)
    refuse_if_any(problems)
    assert user is not None  # or it would have been refused
    return user


async def _account_of(scope: Scope, login_email: str, structure_id: int) -> Account:
    """The account; to a structure that its owner refused it is none.

    An unknown address is counted before it is looked at, so that parallel tries don't pass.
    """
    key = throttle.key_of("attach-unknown", str(scope.signed_in().account_id))
    if not await throttle.take(key, scope.now(), most=UNKNOWN_ADDRESSES_A_DAY, per=timedelta(days=1)):
        raise TooMany("login_email", most=UNKNOWN_ADDRESSES_A_DAY)
    user = await accounts.by_login(email_key(login_email))
    if user is None or user.state not in ATTACHABLE or await refused_structures.find(user.id, structure_id) is not None:
        raise NotFound("login_email")
    await throttle.give_back(key)
    return user


async def _check_new(scope: Scope, new: NewAttachment, structure: Structure) -> set[int]:
    problems: list[DomainError] = []
    services: set[int] = set()
    if not structure.is_active:
        problems.append(StructureInactive("structure_id"))
    if new.role is Role.PRINCIPAL_MANAGER:
        problems.append(Invalid("role", rule="role_given"))
    periods.check(problems, new.valid_from, new.valid_until, scope.today())
    with collected(problems):
        services = await entitled(scope, structure.id, set(new.service_ids), "service_ids")
    refuse_if_any(problems)
    return services


async def _given(scope: Scope, record: Record, new: NewAttachment, user: Account, services: set[int]) -> Attachment:
    """The new attachment, or the person's own pending request decided by it."""
    assert new.structure_id is not None  # found before
    attachment = await attachments.lock_live(user.id, new.structure_id)
    before: dict[str, object] = {}
    if attachment is not None and attachment.status is AttachmentStatus.PENDING:
        before = state_of(attachment) | {"services": sorted(await attachments.service_ids_of(attachment.id))}
    else:
        if attachment is not None and not may_manage(await scope.role_on(new.structure_id), attachment.role):
            raise AlreadyAttached("login_email")  # an ended one of a secondary manager isn't another's to replace
        await make_room(scope, record, user.id, new.structure_id, ("login_email",))
        attachment = Attachment(user=user, structure_id=new.structure_id, requested_at=scope.now())
    attachment.status, attachment.role = AttachmentStatus.VALIDATED, new.role
    attachment.valid_from, attachment.valid_until = new.valid_from, new.valid_until
    attachment.decided_by_id, attachment.decided_at = scope.signed_in().account_id, scope.now()
    attachment.role_since = scope.now()
    await keep(record, UserAttached, attachment, before, services=sorted(services))
    return attachment
