"""One filled-in message of every kind: what previews show, and what tests render."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from mailer import messages
from mailer.digests import ActivityDigest, WeeklyRecap
from mailer.facts import LinkToken, Message, Reader, name_of
from models.activities.activities import ActivityKind
from models.attachments.attachments import Role
from models.db.query import Row
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SubscriptionMode

NOW = datetime(2026, 11, 24, 13, 5, tzinfo=UTC)
TOKEN = "tok-_en1234567890"  # noqa: S105 - opens nothing
NAME = "Ateliers Delmas & Fils"
_LINK: dict[str, Any] = {"token": LinkToken(TOKEN), "expires_at": NOW + timedelta(minutes=60)}
_TERM: dict[str, Any] = {"valid_from": date(2026, 12, 1), "valid_until": date(2027, 11, 30)}
_BY: dict[str, Any] = {"structure": NAME, "by": "Claire Dupont"}
_SERVICES: dict[str, Any] = {"services": ("COMPTA - Comptabilité", "ACHATS - Achats")}
_LIMIT: dict[str, Any] = {"reactivable_until": NOW + timedelta(days=60)}

SAMPLES: tuple[Message, ...] = (
    messages.AccountActivation(**_LINK),
    messages.AddressAlreadyKnown(at=NOW),
    messages.PasswordReset(**_LINK),
    messages.PasswordChanged(at=NOW),
    messages.SecretQuestionChanged(at=NOW),
    messages.NewDevice(at=NOW, device="Firefox (Windows)", source="203.0.113.7"),
    messages.NewDevice(at=NOW, device=None, source=None),
    messages.SessionsEnded(at=NOW, reason="Appareil perdu, signalé par téléphone"),
    messages.ContactEmailConfirmation(**_LINK),
    messages.ContactEmailChanged(new_address="claire@ailleurs.example", at=NOW),
    messages.AccountDeactivated(at=NOW, **_LIMIT, handed_over=("Alpha - Samir Haddad", "Beta - Léa Martin")),
    messages.ReactivationLink(**_LINK, **_LIMIT),
    messages.AccountReactivated(at=NOW),
    messages.AccountReopened(**_LINK, **_LIMIT),
    messages.AccountSuspended(at=NOW),
    messages.DocumentRefused(designation="RIB des Ateliers Delmas", filename="rib & mandat.pdf"),
    messages.AttachmentRequested(
        structure=NAME,
        requester="Léa Martin",
        **_TERM,
        **_SERVICES,
        comment="Bonjour,\nmerci",
        on_behalf_of="Alpha SARL",
    ),
    messages.AttachmentValidated(**_BY, **_TERM, **_SERVICES),
    messages.AttachmentRefused(**_BY, reason="Vous n'êtes pas du service"),
    messages.AttachmentDeactivated(**_BY, reason="Congé longue durée"),
    messages.AttachmentReactivated(**_BY, **_TERM),
    messages.AttachmentRemoved(**_BY),
    messages.UserAttached(**_BY, role=Role.SECONDARY_MANAGER, **_TERM, **_SERVICES),
    messages.AttachmentUpdated(**_BY, valid_from=date(2026, 12, 1), valid_until=None, **_SERVICES),
    messages.RoleChanged(**_BY, role=Role.SIMPLE_USER),
    *(
        messages.PrincipalManagerTransferred(structure=NAME, former="Claire", successor="Samir", reader=reader)
        for reader in Reader
    ),
    *(messages.PrincipalManagerAppointed(structure=NAME, appointed="Samir", reader=reader) for reader in Reader),
    messages.SpaceSubscriptionRequested(
        structure=NAME,
        requester="Léa",
        space=SpaceCode.COMMITMENTS,
        mode=SubscriptionMode.READ,
        effective_from=date(2026, 12, 1),
        services=("S1 - Achats",),
        comment="Pour décembre",
    ),
    *(
        messages.SpaceSubscriptionValidated(
            **_BY,
            space=SpaceCode.COMMITMENTS,
            mode=SubscriptionMode.WRITE,
            effective_from=date(2026, 12, 1),
            services=("S1 - Achats",),
            given=given,
        )
        for given in (False, True)
    ),
    messages.SpaceSubscriptionRefused(**_BY, space=SpaceCode.COMMITMENTS, reason="Sans objet"),
    messages.SpaceSubscriptionRemoved(**_BY, space=SpaceCode.COMMITMENTS),
    messages.RequestReminder(structure=NAME, requester="Léa Martin", since=date(2026, 11, 17)),
    messages.RequestReminder(structure=NAME, requester="Léa Martin", since=date(2026, 11, 17), space="Factures émises"),
    messages.AttachmentEscalated(
        structure=NAME,
        identifier="11000201100044",
        requester="Léa Martin",
        by="Claire Dupont",
        since=date(2026, 10, 25),
        comment="Personne\nne répond",
    ),
    messages.AttachmentEnding(structure=NAME, last_day=date(2026, 12, 8)),
    messages.AttachmentEnding(structure=NAME, last_day=date(2026, 12, 8), user="Léa Martin"),
    *(
        messages.PrincipalManagerClaimable(
            structure=NAME,
            principal_manager="Claire",
            claimant="Samir",
            claimable_from=NOW,
            absent=absent,
            reader=reader,
        )
        for absent in (False, True)
        for reader in (Reader.SUCCESSOR, Reader.MANAGER)
    ),
    messages.PrincipalManagerAbsent(structure=NAME, last_seen=NOW - timedelta(days=90), until=NOW + timedelta(days=14)),
    *(
        messages.PrincipalManagerClaimed(structure=NAME, former="Claire", claimant="Samir", reader=reader)
        for reader in Reader
    ),
    messages.PrincipalManagerOffered(structure=NAME, principal_manager="Claire", expires_at=NOW + timedelta(days=14)),
    messages.PrincipalManagerOfferDeclined(structure=NAME, successor="Samir"),
    messages.PrincipalManagerOfferExpired(structure=NAME, successor="Samir"),
    messages.StructureRegistered(structure=NAME, identifier="11000201100044"),
    messages.StructureEnded(**_BY),
    messages.StructureKindCorrected(structure=NAME, public=True, reason="Collectivité territoriale"),
    messages.StructureKindCorrected(structure=NAME, public=False, reason="Société d'économie mixte"),
    *(
        messages.StructureIdentifierFreed(
            structure=NAME, identifier="11000201100044", new_identifier=new, reason="Identifiant d'un ministère"
        )
        for new in (None, "73282932000074")
    ),
    ActivityDigest(until=NOW, total=4, ids=(1, 2, 3)),
    WeeklyRecap(until=NOW, total=4, ids=(4, 5, 6, 7)),
)


# ------------------------------------------------------------------ what the periodical ones tell
def _activity(id: int, title: str, kind: ActivityKind, **more: Any) -> Any:
    bare: dict[str, Any] = {"structure": NAME, "service": None, "space": None, "url": None, "asks": False}
    return SimpleNamespace(id=id, title=title, kind=kind, at=NOW - timedelta(hours=20 - id), **bare | more)


def _movement(id: int, type: str, **more: Any) -> Any:
    bare: dict[str, Any] = {"structure": NAME, "subject": None, "actor": "Claire Delmas", "after": {}}
    return SimpleNamespace(id=id, type=type, at=NOW - timedelta(days=8 - id), **bare | more)


_ROWS: Mapping[str, tuple[Row, ...]] = {
    name_of(ActivityDigest): (
        _activity(1, "Un nouveau modèle de facture est proposé", ActivityKind.EVENT, structure="Commune de Valombre"),
        _activity(
            2, "Facture 2026-0117 mise en paiement", ActivityKind.INVOICE_PROGRESS, service="Comptabilité",
            space=SpaceCode.INVOICES_ISSUED, url="https://portail.example/factures/2026-0117",
        ),
        _activity(
            3, "Facture 2026-0121 rejetée : numéro d'engagement absent", ActivityKind.INVOICE_REJECTED, asks=True,
            space=SpaceCode.INVOICES_ISSUED, url="https://portail.example/factures/2026-0121/rejet",
        ),
    ),
    name_of(WeeklyRecap): (
        _movement(4, "AttachmentRequested", subject="Léa Marchand", actor="Léa Marchand"),
        _movement(5, "AttachmentValidated", subject="Léa Marchand"),
        _movement(6, "ServiceSaved", after={"name": "Comptabilité"}),
        _movement(7, "SpacesOpened", after={"spaces": ["WORKS_INVOICES", "COMMITMENTS"]}),
    ),
}  # fmt: skip


def rows_of(message: Message) -> tuple[Row, ...]:
    """What a sample tells besides its own facts."""
    return _ROWS.get(name_of(type(message)), ())
