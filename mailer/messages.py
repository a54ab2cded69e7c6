"""What the application can say by mail: one typed class per message, holding the facts that its template tells."""

from dataclasses import dataclass
from datetime import date, datetime

from mailer.facts import LinkMessage, Message, Reader
from models.attachments.attachments import Role
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SubscriptionMode


# ------------------------------------------------------------------ the account
@dataclass(frozen=True, kw_only=True)
class AccountActivation(LinkMessage):
    """To whoever signed up: set password and secret question."""

    page = "activate"


@dataclass(frozen=True, kw_only=True)
class AddressAlreadyKnown(Message):
    """To the owner of an account: somebody signed up with its login e-mail."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class PasswordReset(LinkMessage):
    """To whoever forgot the password."""

    page = "reset-password"


@dataclass(frozen=True, kw_only=True)
class PasswordChanged(Message):
    """To the owner, so that a change by somebody else is noticed."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class SecretQuestionChanged(Message):
    """To the owner, so that a change by somebody else is noticed."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class NewDevice(Message):
    """To the owner: somebody signed in by a device that never did; `device` is of words that we chose."""

    at: datetime
    device: str | None
    source: str | None


@dataclass(frozen=True, kw_only=True)
class SessionsEnded(Message):
    """To the owner whose sessions support ended, with the reason."""

    at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class ContactEmailConfirmation(LinkMessage):
    """To the new contact e-mail, which takes effect by the link."""

    page = "confirm-email"


@dataclass(frozen=True, kw_only=True)
class ContactEmailChanged(Message):
    """To the old contact e-mail; the new one is shown masked."""

    new_address: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class AccountDeactivated(Message):
    """To whoever deactivated their account; `handed_over` names each structure with its new principal manager."""

    at: datetime
    reactivable_until: datetime
    handed_over: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReactivationLink(LinkMessage):
    """To the owner of a deactivated account who asked for it."""

    page = "reactivate"
    reactivable_until: datetime


@dataclass(frozen=True, kw_only=True)
class AccountReactivated(Message):
    """To whoever reactivated their account."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class AccountReopened(LinkMessage):
    """To the owner of a closed account that support reopened: it can be reactivated again."""

    page = "reactivate"
    reactivable_until: datetime


@dataclass(frozen=True, kw_only=True)
class AccountSuspended(Message):
    """To the owner of an account that support suspended."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class DocumentRefused(Message):
    """To the owner of a document in which the virus scanner found something."""

    designation: str
    filename: str


# ------------------------------------------------------------------ attachments
@dataclass(frozen=True, kw_only=True)
class AttachmentRequested(Message):
    """To the managers of a structure: somebody asks to be attached."""

    structure: str
    requester: str
    valid_from: date
    valid_until: date | None
    services: tuple[str, ...] = ()
    comment: str | None = None
    on_behalf_of: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttachmentValidated(Message):
    """To the requester, with what was granted."""

    structure: str
    by: str
    valid_from: date
    valid_until: date | None
    services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AttachmentRefused(Message):
    """To the requester, with the manager's reason."""

    structure: str
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class AttachmentDeactivated(Message):
    """To the user whose attachment a manager deactivated."""

    structure: str
    by: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttachmentReactivated(Message):
    """To the user whose attachment a manager reactivated."""

    structure: str
    by: str
    valid_from: date
    valid_until: date | None


@dataclass(frozen=True, kw_only=True)
class AttachmentRemoved(Message):
    """To the user whose attachment a manager removed."""

    structure: str
    by: str


@dataclass(frozen=True, kw_only=True)
class UserAttached(Message):
    """To the user whom a manager attached on their own initiative."""

    structure: str
    by: str
    role: Role
    valid_from: date
    valid_until: date | None
    services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AttachmentUpdated(Message):
    """To the user whose dates or services a manager changed; the facts are the new ones."""

    structure: str
    by: str
    valid_from: date
    valid_until: date | None
    services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RoleChanged(Message):
    """To the user whose role changed; `role` is the new one."""

    structure: str
    by: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerTransferred(Message):
    """To both sides of a transfer of the principal management and to the secondary managers."""

    structure: str
    former: str
    successor: str
    reader: Reader


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerAppointed(Message):
    """To everyone concerned by support's naming of a principal manager."""

    structure: str
    appointed: str
    reader: Reader


@dataclass(frozen=True, kw_only=True)
class RequestReminder(Message):
    """To those who can decide a request that waits; `space` is the label, in their language, of one asked for."""

    structure: str
    requester: str
    since: date
    space: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttachmentEscalated(Message):
    """To support: a request that nobody has decided since that day; `by` is whoever escalated it."""

    structure: str
    identifier: str
    requester: str
    by: str
    since: date
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class AttachmentEnding(Message):
    """To the user whose attachment ends and, with the `user` named, to the managers who can move its end."""

    structure: str
    last_day: date
    user: str | None = None


# ------------------------------------------------------------------ principal managements that change hands
@dataclass(frozen=True, kw_only=True)
class PrincipalManagerClaimable(Message):
    """To the secondary managers: the principal one can't act or is absent; the senior (SUCCESSOR) may claim it."""

    structure: str
    principal_manager: str
    claimant: str
    claimable_from: datetime
    absent: bool
    reader: Reader


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerAbsent(Message):
    """To a principal manager who stayed away while requests wait: they lose the principal management unless they sign
    in until then."""

    structure: str
    last_seen: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerClaimed(Message):
    """To the former principal manager if they can act, to the new one who claimed it, and to the other managers."""

    structure: str
    former: str
    claimant: str
    reader: Reader


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerOffered(Message):
    """To whom the principal manager offers the principal management."""

    structure: str
    principal_manager: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerOfferDeclined(Message):
    """To the principal manager: the successor declined."""

    structure: str
    successor: str


@dataclass(frozen=True, kw_only=True)
class PrincipalManagerOfferExpired(Message):
    """To the principal manager: the successor didn't answer within 14 days."""

    structure: str
    successor: str


# ------------------------------------------------------------------ space subscriptions
@dataclass(frozen=True, kw_only=True)
class SpaceSubscriptionRequested(Message):
    """To the managers: somebody asks for a space."""

    structure: str
    requester: str
    space: SpaceCode
    mode: SubscriptionMode
    effective_from: date
    services: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class SpaceSubscriptionValidated(Message):
    """To the subscriber: a manager accepted the request, or gave the space unasked (`given`)."""

    structure: str
    by: str
    space: SpaceCode
    mode: SubscriptionMode
    effective_from: date
    services: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True, kw_only=True)
class SpaceSubscriptionRefused(Message):
    """To the requester, with the manager's reason."""

    structure: str
    by: str
    space: SpaceCode
    reason: str


@dataclass(frozen=True, kw_only=True)
class SpaceSubscriptionRemoved(Message):
    """To the subscriber whose space a manager withdrew."""

    structure: str
    by: str
    space: SpaceCode


# ------------------------------------------------------------------ structures
@dataclass(frozen=True, kw_only=True)
class StructureRegistered(Message):
    """To the first principal manager of a public structure that support registered."""

    structure: str
    identifier: str


@dataclass(frozen=True, kw_only=True)
class StructureEnded(Message):
    """To everyone whose attachment was in effect when a manager made the structure inactive."""

    structure: str
    by: str


@dataclass(frozen=True, kw_only=True)
class StructureKindCorrected(Message):
    """To the managers of a structure that support made public or private."""

    structure: str
    public: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class StructureIdentifierFreed(Message):
    """To everyone attached, or waiting to be, where support took an identifier away: with another one, or the end."""

    structure: str
    identifier: str
    new_identifier: str | None
    reason: str
