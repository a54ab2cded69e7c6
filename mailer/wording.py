"""The words all mails share, in each language, and how days, instants, roles and addresses are written in them."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from models.activities import ActivityKind
from models.attachments import Role
from models.subscriptions import SubscriptionMode

PHRASES = {
    "fr": {
        "greeting": "Bonjour",
        "product": "Mon compte",
        "colon": "\u00a0:",
        "link": "Ce lien ne sert qu'une fois, jusqu'au",
        "paste": "Si le bouton ne répond pas, copiez cette adresse dans votre navigateur :",
        "open": "Ouvrir Mon compte :",
        "automatic": "Ce message est automatique, merci de ne pas y répondre.",
        "no_end": "sans date de fin",
        "by": "par",
        "asks": "accusé de lecture demandé",
        "stop": "Vous recevez ce message parce que vous avez demandé les notifications d'activité.",
        "stop_action": "Ne plus les recevoir",
    },
    "en": {
        "greeting": "Hello",
        "product": "My account",
        "colon": ":",
        "link": "This link works once, until",
        "paste": "If the button does nothing, copy this address into your browser:",
        "open": "Open My account:",
        "automatic": "This message is automatic, please do not reply to it.",
        "no_end": "no end date",
        "by": "by",
        "asks": "acknowledgement asked for",
        "stop": "You receive this message because you asked for activity notifications.",
        "stop_action": "Stop receiving them",
    },
}
ROLES = {
    "fr": {
        Role.PRINCIPAL_MANAGER: "gestionnaire principal",
        Role.SECONDARY_MANAGER: "gestionnaire secondaire",
        Role.SIMPLE_USER: "utilisateur simple",
    },
    "en": {
        Role.PRINCIPAL_MANAGER: "principal manager",
        Role.SECONDARY_MANAGER: "secondary manager",
        Role.SIMPLE_USER: "simple user",
    },
}
MODES = {
    "fr": {SubscriptionMode.READ: "consultation", SubscriptionMode.WRITE: "consultation et saisie"},
    "en": {SubscriptionMode.READ: "reading", SubscriptionMode.WRITE: "reading and writing"},
}
KINDS = {
    "fr": {
        ActivityKind.EVENT: "événement",
        ActivityKind.INVOICE_PROGRESS: "suivi de facture",
        ActivityKind.INVOICE_REJECTED: "facture rejetée",
    },
    "en": {
        ActivityKind.EVENT: "event",
        ActivityKind.INVOICE_PROGRESS: "progress of an invoice",
        ActivityKind.INVOICE_REJECTED: "rejected invoice",
    },
}
_JOINERS = "\u200c\u200d"
_LINK = re.compile(r"://|\bwww\.|\b[\w-]+\.[a-z]{2,}(?=$|[\s/?#:])", re.IGNORECASE)


def day(value: date, language: str) -> str:
    """A calendar day in full, such as `24 novembre 2026`."""
    return _first(format_date(value, "long", locale=language), language)


def instant(value: datetime, language: str, time_zone: str) -> str:
    """An instant on the reader's clock, to the minute, with the zone said."""
    here = value.astimezone(ZoneInfo(time_zone))
    between = "'à'" if language == "fr" else "'at'"
    said = format_datetime(here, f"d MMMM y {between} HH:mm (z)", locale=language, tzinfo=ZoneInfo(time_zone))
    return _first(said, language)


def moment(value: datetime, language: str, time_zone: str) -> str:
    """An instant on the clock of a reader who needs not be told the zone, such as `24 novembre 2026 à 14:05`."""
    between = "'à'" if language == "fr" else "'at'"
    return _first(
        format_datetime(value, f"d MMMM y {between} HH:mm", locale=language, tzinfo=ZoneInfo(time_zone)), language
    )


def _first(said: str, language: str) -> str:
    """French writes the first of a month as an ordinal, which the locale data leave out."""
    return f"1er{said[1:]}" if language == "fr" and said.startswith("1 ") else said


def masked(address: str) -> str:
    """An address of which only its owner recognises the rest: `m…@example.org`."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def one_line(text: str) -> str:
    """What somebody typed, on one line and without the invisible characters that could disguise it."""
    kept = (" " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in text)
    visible = (sign for sign in kept if unicodedata.category(sign) != "Cf" or sign in _JOINERS)
    return " ".join("".join(visible).split())


def joined(values: Iterable[str]) -> str:
    """Several names in one line."""
    return ", ".join(values)


def greeted(name: str) -> str:
    """The name to greet by; empty when it would read as a link, which mails must not carry to strangers."""
    name = one_line(name)
    return "" if _LINK.search(name) else name


def typeset(text: str, language: str) -> str:
    """French texts with the unbreakable spaces their punctuation takes; others unchanged."""
    if language != "fr":
        return text
    return re.sub(r" (?=[;:!?»])|(?<=«) ", "\u00a0", text)
