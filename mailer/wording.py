"""The words all mails share, in each language, and how days, instants, roles and addresses are written in them."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from models.activities.activities import ActivityKind
from models.attachments.attachments import Role
from models.db import texts
from models.subscriptions.subscriptions import SubscriptionMode

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
        "attest": "Attestez que vous en avez pris connaissance :",
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
        "attest": "Please attest that you have read it:",
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
# What mail programs turn into links or calls by themselves: dots (those that IDNA reads as dots too) and at signs
# within a word, schemes, slashes, and telephone numbers.
_DOTS = ".\u2024\u3002\uff0e\uff61"
_ATS = "@\ufe6b\uff20"
_INITIAL = rf"[^\W\d_](?:[{_DOTS}\s,;)]|$)"  # no domain ends in one letter
_WITHIN = re.compile(rf"(?<=\S)(?:[{_ATS}](?=\S)|[{_DOTS}](?=\S)(?!{_INITIAL}))")
_SCHEME = re.compile(r"(?<=[^\W\d])[:\uff1a](?=\S)|[/\\\u2044\u2215\uff0f\uff3c](?=[/\\\u2044\u2215\uff0f\uff3c])")
_TELEPHONE = re.compile(r"(?<!\w)(?:\+|\(|0)[\d ().\-/]{6,}\d|(?<!\w)\d{3}[ .\-]\d{3}[ .\-]\d{4}(?!\w)")
_BREAK = "\u2060"  # the word joiner: nobody sees it, and no address, scheme or number goes on across it
_LINK = re.compile(rf"://|\bwww[{_DOTS}]|[{_ATS}]|\b[\w-]+[{_DOTS}][^\W\d_]{{2,}}(?=$|[\s/?#:{_DOTS}])", re.IGNORECASE)


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
    return f"{local[:1]}…{_BREAK}@{_BREAK}{domain.lstrip(_BREAK)}"


def one_line(text: str) -> str:
    """What somebody typed, on one line and without the invisible characters that could disguise it."""
    if texts.is_visible(text):
        return " ".join(text.split())
    kept = (" " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in text)
    visible = (sign for sign in kept if sign in _JOINERS or texts.is_visible(sign))
    return " ".join("".join(visible).split())


@lru_cache(maxsize=4096)
def harmless(text: str) -> str:
    """What somebody typed, as mails show it: on one line, reading as it was typed, never a link, a call or an address.

    Anybody's name or comment can reach anybody by mail, and mail programs make links of bare words with a dot. Word
    joiners stand around such dots and signs: they aren't seen, so `S.A.R.L. Dupont` and `Node.js` read as ever.
    """
    text = one_line(text)
    for found in (_WITHIN, _SCHEME):
        text = found.sub(lambda match: f"{_BREAK}{match[0]}{_BREAK}", text)
    return _TELEPHONE.sub(lambda match: re.sub(r"(?<=\d)(?=.)", _BREAK, match[0]), text)


def joined(values: Iterable[str]) -> str:
    """Several names in one line."""
    return ", ".join(values)


def greeted(name: str) -> str:
    """The name to greet by; empty when it would read as a link: strangers get it too, and nobody is called so."""
    name = one_line(name)
    return "" if _LINK.search(name) or _TELEPHONE.search(name) else harmless(name)


def typeset(text: str, language: str) -> str:
    """French texts with the unbreakable spaces their punctuation takes; others unchanged."""
    if language != "fr":
        return text
    return re.sub(r" (?=[;:!?»])|(?<=«) ", "\u00a0", text)
