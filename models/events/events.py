"""Events: every change as one fact, written in the transaction of the change and never altered after."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.activities.activities import Activity
from models.attachments.attachments import Attachment
from models.db.query import Column, Order, Source, document, moment
from models.structures.structures import Structure
from models.subscriptions.subscriptions import SpaceSubscription


class Event(Model):
    """One stored fact: who (`actor`), what (`type`), on whom (`subject`), where, when, before and after."""

    id = fields.BigIntField(primary_key=True)
    type = fields.CharField(max_length=60)
    occurred_at = fields.DatetimeField()
    actor: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, null=True, related_name="events_as_actor"
    )
    actor_id: int | None
    subject: fields.ForeignKeyNullableRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, null=True, related_name="events_as_subject"
    )
    subject_id: int | None
    structure: fields.ForeignKeyNullableRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT, null=True, related_name="events"
    )
    structure_id: int | None
    attachment: fields.ForeignKeyNullableRelation[Attachment] = fields.ForeignKeyField(
        "models.Attachment", on_delete=fields.RESTRICT, null=True, related_name="events"
    )
    subscription: fields.ForeignKeyNullableRelation[SpaceSubscription] = fields.ForeignKeyField(
        "models.SpaceSubscription", on_delete=fields.RESTRICT, null=True, related_name="events"
    )
    activity: fields.ForeignKeyNullableRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", on_delete=fields.RESTRICT, null=True, related_name="events"
    )
    before: fields.JSONField[dict[str, Any]] = fields.JSONField()
    after: fields.JSONField[dict[str, Any]] = fields.JSONField()

    class Meta:
        table = "events"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What happened. `before` and `after` hold plain JSON values, never a secret.

    `type` is the name under which it is stored and which clients know, for good: the class's own name, unless the class
    was renamed since.
    """

    type: ClassVar[str]

    def __init_subclass__(cls, type: str | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.type = type or cls.__name__

    subject_id: int | None = None
    structure_id: int | None = None
    attachment_id: int | None = None
    subscription_id: int | None = None
    activity_id: int | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


async def append(*facts: Fact, actor_id: int | None, at: datetime) -> None:
    """Store the facts in the running transaction, in their order, by one statement."""
    await Event.bulk_create(
        [
            Event(
                type=fact.type,
                occurred_at=at,
                actor_id=actor_id,
                subject_id=fact.subject_id,
                structure_id=fact.structure_id,
                attachment_id=fact.attachment_id,
                subscription_id=fact.subscription_id,
                activity_id=fact.activity_id,
                before=fact.before,
                after=fact.after,
            )
            for fact in facts
        ]
    )


# ------------------------------------------------------------------ on an account
class AccountSignedUp(Fact):
    """Somebody asked for an account."""


class ActivationResent(Fact):
    """A new activation link was asked for."""


class AccountActivated(Fact):
    """The person chose a password and the account became active."""


class SignedIn(Fact):
    """The person opened a session; `after` says from where and by which device."""


class SignInsFailed(Fact):
    """Sign-ins failed since the last that didn't; `after` holds how many, told as the person comes in again."""


class OldestSessionEnded(Fact):
    """The session longest unused gave way to a new one, there being 20; `before` says which it was."""


class SessionsEnded(Fact):
    """Support ended the person's sessions; `after` holds how many and the reason."""


class SignedOut(Fact):
    """The person ended the session they were in."""


class SessionsRevoked(Fact):
    """The person ended sessions."""


class PasswordResetRequested(Fact):
    """A link to choose a new password was asked for."""


class PasswordReset(Fact):
    """The person chose a new password by a mailed link."""


class PasswordChanged(Fact):
    """The person changed their password, knowing the present one."""


class SecretQuestionChanged(Fact):
    """The person changed their secret question and answer."""


class ProfileUpdated(Fact):
    """The person changed their profile; `before` and `after` hold the fields that changed."""


class ActivityNotificationsStopped(Fact):
    """The person stopped the periodical mails by the link in one of them."""


class ContactEmailRefused(Fact):
    """The mail server of the contact address refused it for good; `after` holds its answer."""


class ContactEmailReached(Fact):
    """The contact address that had been refused took a mail again."""


class ContactEmailChangeRequested(Fact):
    """The person asked for another contact address, which waits to be confirmed."""


class ContactEmailConfirmed(Fact):
    """The new contact address was confirmed and took effect."""


class StructureRefused(Fact):
    """The person won't be attached by the managers of a structure any more; `after` names it, for the person alone."""


class StructureAccepted(Fact):
    """The person may be attached again by the managers of a structure they had refused; `before` names it."""


class AccountDeactivated(Fact):
    """The person deactivated their account."""


class ReactivationRequested(Fact):
    """A link to reactivate the account was asked for."""


class AccountReactivated(Fact):
    """The person came back by the mailed link."""


class AccountReopened(Fact):
    """Support opened a closed or suspended account again."""


class AccountSuspended(Fact):
    """Support suspended the account."""


class PlatformRoleGiven(Fact):
    """An operator gave a person the platform role of support or administrator."""


# ------------------------------------------------------------------ on a structure
class StructureCreated(Fact):
    """Somebody created the structure and became its principal manager."""


class StructureAdopted(Fact):
    """An imported structure got its first principal manager."""


class PublicStructureRegistered(Fact):
    """Support registered a public structure with its first principal manager."""


class StructureUpdated(Fact):
    """The structure's particulars changed; `before` and `after` hold the fields that did."""


class StructureKindCorrected(Fact):
    """Support made a private structure public, or the reverse; `after` holds the reason."""


class StructureIdentifierFreed(Fact):
    """Support took an identifier from a structure that had it wrongly; `before` holds it, `after` the reason."""


class StructureEnded(Fact):
    """The structure became inactive."""


class StructureRevived(Fact):
    """The structure became active again."""


class ServiceSaved(Fact):
    """A service was added or changed."""


class SpacesOpened(Fact):
    """Spaces were opened on the structure."""


class SpacesClosed(Fact):
    """Spaces were closed on the structure."""


# ------------------------------------------------------------------ on an attachment
class AttachmentRequested(Fact):
    """The person asked to be attached."""


class UserAttached(Fact, type="AttachmentGiven"):
    """A manager attached the person on their own initiative."""


class AttachmentCreated(Fact):
    """An attachment came with the structure itself or by support's appointment."""


class AttachmentValidated(Fact):
    """A manager accepted the request."""


class AttachmentRefused(Fact):
    """A manager refused the request."""


class AttachmentWithdrawn(Fact):
    """The requester withdrew the request, or it went with the account's deactivation."""


class AttachmentEscalated(Fact):
    """The requester or a manager brought a request that nobody decides before support; `after` holds their message."""


class AttachmentReplaced(Fact):
    """An ended attachment gave way to a new request."""


class AttachmentDeactivated(Fact):
    """A manager deactivated the attachment."""


class AttachmentReactivated(Fact):
    """A manager reactivated the attachment."""


class AttachmentRemoved(Fact):
    """The attachment was removed."""


class AttachmentUpdated(Fact):
    """A manager changed the attachment's dates or services."""


class RoleChanged(Fact):
    """The principal manager changed the person's role."""


class PrincipalManagerTransferred(Fact):
    """The principal manager handed over to `subject`; `before` names the old one."""


class PrincipalManagerAppointed(Fact):
    """Support named a principal manager; `after` holds the reason."""


# ------------------------------------------------------------------ on the principal management
class VacancyOpened(Fact, type="SeatVacated"):
    """Support stopped the principal manager (`subject`): the senior secondary manager may take over."""


class PrincipalManagerFoundAbsent(Fact, type="HolderFoundAbsent"):
    """The principal manager (`subject`) was told that the principal management may be claimed unless they sign in."""


class PrincipalManagerClaimed(Fact):
    """The senior secondary manager (`subject`) claimed the principal management; `before` names the former one."""


class PrincipalManagerOffered(Fact, type="SeatOffered"):
    """The principal manager offered the principal management to `subject`."""


class PrincipalManagerOfferAccepted(Fact, type="SeatOfferAccepted"):
    """The person accepted the principal management they were offered."""


class PrincipalManagerOfferDeclined(Fact, type="SeatOfferDeclined"):
    """The person declined the principal management they were offered."""


class PrincipalManagerOfferWithdrawn(Fact, type="SeatOfferWithdrawn"):
    """The offer to `subject` was withdrawn, or it or the structure came to an end another way."""


class PrincipalManagerOfferExpired(Fact, type="SeatOfferExpired"):
    """The 14 days of the offer to `subject` passed without an answer."""


# ------------------------------------------------------------------ on a space subscription
class SpaceSubscriptionRequested(Fact):
    """The person asked for a space."""


class SpaceSubscriptionGiven(Fact):
    """A manager gave the space, or took it themselves."""


class SpaceSubscriptionValidated(Fact):
    """A manager accepted the request."""


class SpaceSubscriptionRefused(Fact):
    """A manager refused the request."""


class SpaceSubscriptionRemoved(Fact):
    """The person or a manager ended the subscription, or the person took the request back."""


class SpaceSubscriptionEnded(Fact):
    """The subscription ended with the attachment."""


# ------------------------------------------------------------------ on an activity
class ActivityRecorded(Fact):
    """An integration recorded an activity; `after` names the integration."""


class ActivityAcknowledged(Fact):
    """The person acknowledged having read an activity that asks for it."""


# ------------------------------------------------------------------ on a document
class DocumentAdded(Fact):
    """The person keeps a file; what they and nobody else see of it stands in `after`."""


class DocumentUpdated(Fact):
    """The person changed a document's designation or type."""


class DocumentRemoved(Fact):
    """The person removed a document."""


class DocumentCleared(Fact):
    """The virus scanner found a document clean."""


class DocumentRefused(Fact):
    """The virus scanner found something in a document, whose content was deleted."""


# ------------------------------------------------------------------ on an API key
class ApiKeyCreated(Fact):
    """An operator made an API key; `after` holds its name and its end, if it has one."""


class ApiKeyRevoked(Fact):
    """An operator revoked an API key; `before` holds its name."""


# ------------------------------------------------------------------ reading
EVENTS = Source(
    "events ev",
    columns={
        name: Column(f"ev.{name}")
        for name in (
            "id",
            "type",
            "actor_id",
            "subject_id",
            "structure_id",
            "attachment_id",
            "subscription_id",
            "activity_id",
        )
    }
    | {"occurred_at": moment("ev.occurred_at"), "before": document("ev.before"), "after": document("ev.after")},
)
NEWEST_FIRST = Order(("id",), descending=True)
