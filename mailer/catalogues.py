"""Every message by the name under which it is stored: what a row of the outbox is read back with."""

from mailer import digests, messages
from mailer.facts import Message, name_of

_EVERY: tuple[type[Message], ...] = (
    messages.AccountActivation,
    messages.AddressAlreadyKnown,
    messages.PasswordReset,
    messages.PasswordChanged,
    messages.SecretQuestionChanged,
    messages.NewDevice,
    messages.SessionsEnded,
    messages.ContactEmailConfirmation,
    messages.ContactEmailChanged,
    messages.AccountDeactivated,
    messages.ReactivationLink,
    messages.AccountReactivated,
    messages.AccountReopened,
    messages.AccountSuspended,
    messages.DocumentRefused,
    messages.AttachmentRequested,
    messages.AttachmentValidated,
    messages.AttachmentRefused,
    messages.AttachmentDeactivated,
    messages.AttachmentReactivated,
    messages.AttachmentRemoved,
    messages.UserAttached,
    messages.AttachmentUpdated,
    messages.RoleChanged,
    messages.PrincipalManagerTransferred,
    messages.PrincipalManagerAppointed,
    messages.RequestReminder,
    messages.AttachmentEscalated,
    messages.AttachmentEnding,
    messages.PrincipalManagerClaimable,
    messages.PrincipalManagerAbsent,
    messages.PrincipalManagerClaimed,
    messages.PrincipalManagerOffered,
    messages.PrincipalManagerOfferDeclined,
    messages.PrincipalManagerOfferExpired,
    messages.SpaceSubscriptionRequested,
    messages.SpaceSubscriptionValidated,
    messages.SpaceSubscriptionRefused,
    messages.SpaceSubscriptionRemoved,
    messages.StructureRegistered,
    messages.StructureEnded,
    messages.StructureKindCorrected,
    messages.StructureIdentifierFreed,
    digests.ActivityDigest,
    digests.WeeklyRecap,
)
MESSAGES: dict[str, type[Message]] = {name_of(message): message for message in _EVERY}

# The names of before: rows written by a version that had them are read as what they are called now.
FORMER_NAMES: dict[str, str] = {
    "seat_claimable": "principal_manager_claimable",
    "holder_absent": "principal_manager_absent",
    "seat_offered": "principal_manager_offered",
    "seat_offer_declined": "principal_manager_offer_declined",
    "seat_offer_expired": "principal_manager_offer_expired",
    "attached_by_manager": "user_attached",
}
FORMER_FACTS: dict[str, str] = {"holder": "principal_manager"}
