"""What a refusal tells people: its words, in their language, filled in with what it carries."""

from collections.abc import Mapping
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime

from models.accounts.accounts import Language
from models.errors.errors import DatabaseAway, DomainError, OperationTimedOut, RateLimited, Refusals, Unauthenticated
from models.errors.stream_endings import StreamEnded
from schema.words.refusals import RULES, WORDS

Refusal = DomainError | Unauthenticated | RateLimited | OperationTimedOut | DatabaseAway | StreamEnded

_FINER = {"Invalid": "rule", "WeakPassword": "reason", "InvalidIdentifier": "type", "ConfirmationRequired": "what"}
_PARIS = ZoneInfo("Europe/Paris")


def explain(error: Refusal, language: Language) -> str:
    """What to tell the person, in their language; several refusals at once are told one after the other."""
    if isinstance(error, Refusals):
        return " ".join(explain(single, language) for single in error.each())
    name = type(error).__name__
    data: Mapping[str, object] = error.data if isinstance(error, DomainError) else vars(error)
    finer = f"{name}.{data.get(_FINER.get(name, ''))}"
    words = RULES.get(finer) or WORDS[name]
    return words[language is Language.EN].format(**{key: _said(value, language) for key, value in data.items()})


def refused_address(answer: str, at: datetime, language: Language) -> str:
    """Why mails don't reach the person's address: when its server refused one, and in which words."""
    when = _said(at, language)
    if language is Language.EN:
        return f"The mail server of this address refused a message on {when}: {answer}"
    return f"Le serveur de messagerie de cette adresse a refusé un message le {when} : {answer}"


def _said(value: object, language: Language) -> object:
    if isinstance(value, datetime):
        said = format_datetime(value, "d MMMM y, HH:mm", tzinfo=_PARIS, locale=language.lower())
        return _first(said, language)
    if isinstance(value, date):
        return _first(format_date(value, "d MMMM y", locale=language.lower()), language)
    if value is None:
        return "un autre gestionnaire" if language is Language.FR else "another manager"
    return value


def _first(said: str, language: Language) -> str:
    """French writes the first of a month as an ordinal, which the locale data leave out."""
    return f"1er{said[1:]}" if language is Language.FR and said.startswith("1 ") else said
