"""One filled-in message of every kind, and what a rendered mail says once it is parsed back."""

import re
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

from mailer import messages
from mailer.facts import LinkToken, Message, Reader
from mailer.rendering import Letterhead
from mailer.seals import Sealer
from models.attachments import Role
from models.spaces import SpaceCode
from models.subscriptions import SubscriptionMode

NOW = datetime(2026, 11, 24, 13, 5, tzinfo=UTC)
SEALER = Sealer("a secret key of the tests", "rattache.example")
LETTERHEAD = Letterhead("Portail Rattache <ne-pas-repondre@rattache.example>", "https://portail.example")
TOKEN = "tok-_en1234567890"
NAME = "Mairie de Saint-Étienne & <fils>"
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
    messages.ContactEmailConfirmation(**_LINK),
    messages.ContactEmailChanged(new_address="claire@ailleurs.example", at=NOW),
    messages.AccountDeactivated(at=NOW, **_LIMIT, handed_over=("Alpha - Samir Haddad", "Beta - Léa Martin")),
    messages.ReactivationLink(**_LINK, **_LIMIT),
    messages.AccountReactivated(at=NOW),
    messages.AccountReopened(**_LINK, **_LIMIT),
    messages.AccountSuspended(at=NOW),
    messages.DocumentRefused(designation="RIB de la mairie", filename="rib & mandat.pdf"),
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
    messages.AttachedByManager(**_BY, role=Role.SECONDARY_MANAGER, **_TERM, **_SERVICES),
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
        messages.SeatClaimable(
            structure=NAME, holder="Claire", claimant="Samir", claimable_from=NOW, absent=absent, reader=reader
        )
        for absent in (False, True)
        for reader in (Reader.SUCCESSOR, Reader.MANAGER)
    ),
    messages.HolderAbsent(structure=NAME, last_seen=NOW - timedelta(days=90), until=NOW + timedelta(days=14)),
    *(
        messages.PrincipalManagerClaimed(structure=NAME, former="Claire", claimant="Samir", reader=reader)
        for reader in Reader
    ),
    messages.SeatOffered(structure=NAME, holder="Claire", expires_at=NOW + timedelta(days=14)),
    messages.SeatOfferDeclined(structure=NAME, successor="Samir"),
    messages.SeatOfferExpired(structure=NAME, successor="Samir"),
    messages.StructureRegistered(structure=NAME, identifier="11000201100044"),
    messages.StructureEnded(**_BY),
)


def parsed(raw: bytes) -> EmailMessage:
    """The mail as a mail program reads it."""
    return message_from_bytes(raw, policy=policy.default)


def bodies(mail: EmailMessage) -> tuple[str, str]:
    """The text part, and the HTML part's visible text; both with single spaces."""
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    reader = _Visible()
    reader.feed(html.get_content())
    return _spaced(plain.get_content()), _spaced(" ".join(reader.said))


def _spaced(text: str) -> str:
    return re.sub(r"[\s\u00a0]+", " ", text)


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in {"style", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.said.append(data)
