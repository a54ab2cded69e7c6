"""Access: the answer to "may I use this space there, and why not?", in words."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import strawberry

from models.accounts.accounts import Language
from models.subscriptions.access import AccessReason
from schema.base.context import Info
from schema.base.fields import column

SENTENCES: Mapping[AccessReason, tuple[str, str]] = {
    AccessReason.GRANTED: ("Vous avez accès à cet espace.", "You have access to this space."),
    AccessReason.NO_ATTACHMENT: (
        "Vous n'êtes pas rattaché à cette structure : demandez d'abord à l'être.",
        "You are not attached to this structure: ask for that first.",
    ),
    AccessReason.ATTACHMENT_PENDING: (
        "Votre demande de rattachement attend la décision d'un gestionnaire.",
        "Your request to be attached waits for a manager's decision.",
    ),
    AccessReason.ATTACHMENT_NOT_STARTED: (
        "Votre rattachement n'a pas encore commencé.",
        "Your attachment has not begun yet.",
    ),
    AccessReason.ATTACHMENT_ENDED: (
        "Votre rattachement est arrivé à son terme : un gestionnaire peut le prolonger.",
        "Your attachment has ended: a manager can prolong it.",
    ),
    AccessReason.ATTACHMENT_DEACTIVATED: (
        "Un gestionnaire a désactivé votre rattachement.",
        "A manager has deactivated your attachment.",
    ),
    AccessReason.NO_SUBSCRIPTION: (
        "Vous n'êtes pas abonné à cet espace : vous pouvez le demander.",
        "You are not subscribed to this space: you can ask for it.",
    ),
    AccessReason.SUBSCRIPTION_PENDING: (
        "Votre demande d'abonnement attend la décision d'un gestionnaire.",
        "Your request for this space waits for a manager's decision.",
    ),
    AccessReason.SUBSCRIPTION_NOT_STARTED: (
        "Votre abonnement n'a pas encore commencé.",
        "Your subscription has not begun yet.",
    ),
    AccessReason.SPACE_NOT_OPEN: (
        "Cet espace n'est pas ouvert sur cette structure : un gestionnaire peut l'ouvrir.",
        "This space is not open on this structure: a manager can open it.",
    ),
    AccessReason.STRUCTURE_INACTIVE: ("Cette structure n'est plus active.", "This structure has ended."),
    AccessReason.ACCOUNT_INACTIVE: ("Votre compte n'est pas actif.", "Your account is not active."),
}


@strawberry.type(description="May the person use a space of a structure on a day, and why.")
class Access:
    allowed: bool = column("May the space be used on that day?")
    reason: AccessReason = column("Why, for programs: GRANTED, or the outermost thing in the way.")

    @strawberry.field(description="Why, in a sentence of the reader's language.")
    def explanation(self: Any, info: Info) -> str:
        return SENTENCES[self.reason][info.context.language is Language.EN]

    changes_on: date | None = column(
        "The first later day on which the answer is another one if nobody acts until then; null when it stays."
    )
