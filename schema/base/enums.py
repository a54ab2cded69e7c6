"""The domain's enumerations, described for client developers."""

from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from models.accounts.accounts import AccountState, Language
from models.activities.activities import ActivityKind
from models.attachments.attachments import AttachmentStatus, DecisionAct, Role
from models.attachments.offers import OfferStatus
from models.attachments.vacancies import VacancyReason
from models.documents.documents import DocumentState, DocumentType
from models.errors.codes import ErrorCode
from models.structures.identifiers import IdentifierType
from models.structures.structures import StructureKind, StructureStatus
from models.subscriptions.access import AccessReason
from models.subscriptions.spaces import WORDING, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus, SubscriptionMode

E = TypeVar("E", bound=Enum)


class EnumValueNotDescribed(Exception):
    """A value of an enumeration has no description: clients would read nothing of it."""


def _described(enumeration: type[E], description: str, values: dict[str, str]) -> type[E]:
    """Make a domain enumeration a GraphQL one, each of its values described.

    Raises:
        EnumValueNotDescribed: at import, when a value has no description.
    """
    strawberry.enum(enumeration, description=description)
    definition: StrawberryEnumDefinition = enumeration.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        if value.name not in values:
            raise EnumValueNotDescribed(
                f"{enumeration.__name__} has a value `{value.name}` that nothing describes: add a sentence for it where"
                f" schema/base/enums.py describes {enumeration.__name__}."
            )
        value.description = values[value.name]
    return enumeration


class SessionDelivery(Enum):
    """How the token of a session comes to the client."""

    BOTH = "BOTH"
    COOKIE = "COOKIE"
    TOKEN = "TOKEN"  # noqa: S105 - the name of a way


_described(SessionDelivery, "How the token of a session comes to the client.", {
    "BOTH": "In the body, and as a cookie that scripts can't read.",
    "COOKIE": "As the cookie alone: for pages, where no script should hold it.",
    "TOKEN": "In the body alone: for programs that keep no cookies.",
})  # fmt: skip
_described(AccountState, "Where an account stands.", {
    "PENDING_ACTIVATION": "Signed up; waits for the person to follow the mailed link.",
    "ACTIVE": "In use.",
    "DEACTIVATED": "Closed by the person; comes back by a mailed link for 60 days.",
    "CLOSED": "Deactivated for more than 60 days; only support can reopen it.",
    "SUSPENDED": "Stopped by support.",
})  # fmt: skip
_described(Language, "A language people can be addressed in.", {"FR": "French.", "EN": "English."})
_described(StructureKind, "Whether a structure is a public body.", {
    "PUBLIC": "A public body, registered by support.", "PRIVATE": "Any other entity, created by whoever acts for it.",
})  # fmt: skip
_described(StructureStatus, "Whether people can be attached to a structure.", {
    "ACTIVE": "It is in operation.", "INACTIVE": "It has ended; nobody can be attached any more.",
})  # fmt: skip
_described(IdentifierType, "What kind of identifier a structure has.", {
    "SIRET": "French establishment: 14 digits with a check digit.",
    "EU_VAT": "VAT number of an EU member state other than France: country prefix, then 2 to 12 letters or digits.",
    "NON_EU": "Entity outside the EU: country code, then up to 16 letters or digits.",
    "RIDET": "New Caledonia: 9 or 10 digits.",
    "TAHITI": "French Polynesia: 6 or 9 characters, the first may be a letter.",
    "INDIVIDUAL": "A natural person: 1 to 80 printable characters.",
    "OTHER": "Anything else: 1 to 80 printable characters.",
})  # fmt: skip
_described(Role, "What an attached person is on a structure.", {
    "PRINCIPAL_MANAGER": "Answers for the structure; exactly one at any time; names the secondary managers.",
    "SECONDARY_MANAGER": "Decides requests and manages simple users.",
    "SIMPLE_USER": "Uses the spaces given to them.",
})  # fmt: skip
_described(AttachmentStatus, "Where an attachment stands.", {
    "PENDING": "Asked for; nobody has decided.",
    "VALIDATED": "Accepted; in effect between its dates.",
    "REFUSED": "Refused, with a reason. Final.",
    "DEACTIVATED": "Stopped by a manager, or past its end date; it can come back.",
    "REMOVED": "Withdrawn or removed. Final.",
})  # fmt: skip
_described(DecisionAct, "An act on an attachment or a space subscription.", {
    "VALIDATE": "Accept a pending request.",
    "REFUSE": "Refuse a pending request, with a reason.",
    "WITHDRAW": "Take one's own pending request back.",
    "DEACTIVATE": "Stop an attachment that can come back.",
    "REACTIVATE": "Bring a deactivated attachment back.",
    "REMOVE": "End it for good; take one's own request for a space back.",
    "CHANGE_ROLE": "Name or dismiss a secondary manager.",
    "TRANSFER": "Hand the principal management over.",
})  # fmt: skip
_described(SpaceSubscriptionStatus, "Where a space subscription stands.", {
    "PENDING": "Asked for; nobody has decided.",
    "VALIDATED": "Accepted or given; in effect from its first day, while the attachment is.",
    "REFUSED": "Refused, with a reason. Final.",
    "REMOVED": "Taken back, removed, or ended with the attachment. Final.",
})  # fmt: skip
_described(SubscriptionMode, "What a subscriber may do in a space.", {
    "READ": "Look things up.", "WRITE": "Look things up and change them.",
})  # fmt: skip
_described(VacancyReason, "Why a structure's principal manager doesn't act.", {
    "SUSPENDED": "Support suspended the principal manager.",
    "CLOSED": "The principal manager's account is closed.",
    "ABSENT": "The principal manager was told, after 90 days away while a request waits, and hasn't signed in since.",
})  # fmt: skip
_described(OfferStatus, "Where an offer of the principal management stands; all but OPEN are final.", {
    "OPEN": "Waits for the successor's answer.",
    "ACCEPTED": "The successor took the principal management.",
    "DECLINED": "The successor declined.",
    "WITHDRAWN": "The principal manager took it back, or what was offered is no longer so.",
    "EXPIRED": "Nobody answered within 14 days.",
})  # fmt: skip
_described(AccessReason, "Why a space may be used or not.", {
    "GRANTED": "It may be used.",
    "NO_ATTACHMENT": "The person has no attachment to the structure.",
    "ATTACHMENT_PENDING": "The request to be attached is undecided.",
    "ATTACHMENT_NOT_STARTED": "The attachment begins later.",
    "ATTACHMENT_ENDED": "The attachment is past its last day.",
    "ATTACHMENT_DEACTIVATED": "A manager deactivated the attachment.",
    "NO_SUBSCRIPTION": "The person isn't subscribed to the space.",
    "SUBSCRIPTION_PENDING": "The request for the space is undecided.",
    "SUBSCRIPTION_NOT_STARTED": "The subscription begins later.",
    "SPACE_NOT_OPEN": "The space isn't open on the structure.",
    "STRUCTURE_INACTIVE": "The structure has ended.",
    "ACCOUNT_INACTIVE": "The person's account isn't active.",
})  # fmt: skip
_described(
    SpaceCode, "A space: a set of functions of the portal.", {code.name: WORDING[code].about_en for code in SpaceCode}
)
_described(ActivityKind, "What an activity reports.", {
    "EVENT": "Something that happened.",
    "INVOICE_PROGRESS": "An invoice went a step further.",
    "INVOICE_REJECTED": "An invoice was rejected: whoever it concerns is asked to acknowledge having read it.",
})  # fmt: skip
_described(DocumentType, "What a document is.", {
    "RIB": "Bank details.",
    "PURCHASE_ORDER": "A purchase order.",
    "SUPPORTING_DOCUMENT": "A supporting document.",
    "QUOTE": "A quote.",
    "VEHICLE_REGISTRATION": "A vehicle's registration certificate.",
    "MANDATE": "A mandate.",
    "CERTIFICATE": "A certificate.",
    "BROCHURE": "A brochure.",
    "OTHER": "Anything else.",
})  # fmt: skip
_described(DocumentState, "Whether a document can be downloaded.", {
    "AWAITING_SCAN": "Not yet: the virus scanner hasn't looked at it. Where there is no scanner, never the case.",
    "AVAILABLE": "It can.",
    "REFUSED": "No more: the virus scanner found something and its content was deleted. It takes no room.",
})  # fmt: skip
_described(ErrorCode, "Why an act was refused; stable, for programs. `message` says it to people.", {
    "REQUIRED": "A mandatory value is absent or blank.",
    "INVALID": "A value is not of the form its field takes.",
    "TOO_LONG": "A text is too long.",
    "TOO_SHORT": "A text is too short.",
    "NOT_FOUND": "Nothing of that id exists for the viewer.",
    "FORBIDDEN": "The viewer has no right to this act.",
    "CONFLICT": "The state of things doesn't allow it, or changed meanwhile.",
    "ALREADY_EXISTS": "The same thing exists already.",
    "ALREADY_DECIDED": "Somebody decided first; the message says who and when.",
    "INVALID_TRANSITION": "The present status doesn't allow this act.",
    "WRONG_CREDENTIALS": "The address and the password don't open an account.",
    "ACCOUNT_DEACTIVATED": "The account is deactivated: ask for its reactivation.",
    "ACCOUNT_UNAVAILABLE": "The account is suspended or closed: only support can help.",
    "WRONG_PASSWORD": "The current password is wrong.",
    "WEAK_PASSWORD": "The password is too easy to guess.",
    "REUSED_PASSWORD": "The password is one of the last five.",
    "WRONG_SECRET_ANSWER": "The answer to the secret question is wrong.",
    "INVALID_TOKEN": "The link is unknown, used, or replaced by a newer one.",
    "EXPIRED_TOKEN": "The link has outlived its 60 minutes.",
    "REACTIVATION_EXPIRED": "The 60 days of reactivation have passed.",
    "SUCCESSOR_REQUIRED": "A principal manager must name a successor.",
    "SUCCESSOR_NOT_ELIGIBLE": "The successor isn't active, or has no attachment in effect there.",
    "CONFIRMATION_REQUIRED": "The act must be confirmed explicitly.",
    "SPACE_NOT_OPEN": "The space isn't open on the structure.",
    "SERVICE_NOT_ENTITLED": "A service isn't one the person may have there.",
    "SELF_DECISION": "Nobody decides on their own request.",
    "TOO_MANY": "More items or tries than allowed.",
    "FILE_TOO_LARGE": "The file is larger than allowed.",
    "FILE_EMPTY": "The file is empty.",
    "FILE_TYPE_NOT_ALLOWED": "Files of this extension aren't taken.",
    "FILE_CONTENT_MISMATCH": "The content isn't what the extension says.",
    "QUOTA_EXCEEDED": "The account's room for documents is used up.",
    "INVALID_IDENTIFIER": "The identifier breaks the format of its type; the message gives the format.",
})  # fmt: skip
