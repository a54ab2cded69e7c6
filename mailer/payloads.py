"""Between a typed message and the plain JSON that the outbox stores: dates as ISO text, tokens sealed."""

from dataclasses import fields
from datetime import date, datetime
from types import UnionType
from typing import Any, get_args, get_type_hints

from mailer.catalogues import FORMER_FACTS, FORMER_NAMES, MESSAGES
from mailer.facts import LinkToken, Message, Reader
from mailer.seals import Sealer
from models.attachments.attachments import Role
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SubscriptionMode


class UnknownMessage(Exception):
    """A stored mail is of a kind, or holds a fact, that this version of the program doesn't know."""


def encode(message: Message, *, sealer: Sealer, bound_to: str) -> dict[str, Any]:
    """The message's facts as JSON values; its token is sealed and opens for `bound_to` only."""
    return {fact.name: _stored(getattr(message, fact.name), sealer, bound_to) for fact in fields(message)}


def decode(name: str, payload: dict[str, Any], *, sealer: Sealer, bound_to: str) -> Message:
    """The typed message again.

    Raises:
        UnknownMessage: when this version of the program doesn't know the message, or its facts differ.
        SealBroken: when the token can't be opened.
    """
    kind = MESSAGES.get(FORMER_NAMES.get(name, name))
    if kind is None:
        raise UnknownMessage(name)
    types = get_type_hints(kind)
    facts = {fact if fact in types else FORMER_FACTS.get(fact, fact): value for fact, value in payload.items()}
    try:
        return kind(**{fact: _typed(value, types[fact], sealer, bound_to) for fact, value in facts.items()})
    except (KeyError, TypeError) as error:
        raise UnknownMessage(name) from error


def _stored(value: object, sealer: Sealer, bound_to: str) -> object:
    if isinstance(value, LinkToken):
        return sealer.seal(value.value, bound_to)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _typed(value: Any, kind: Any, sealer: Sealer, bound_to: str) -> object:
    if isinstance(kind, UnionType):
        if value is None:
            return None
        kind = next(part for part in get_args(kind) if part is not type(None))
    if kind is LinkToken:
        return LinkToken(sealer.open(value, bound_to))
    if kind in (datetime, date):
        return kind.fromisoformat(value)
    if kind in (Reader, Role, SpaceCode, SubscriptionMode):
        return kind(value)
    return tuple(value) if isinstance(value, list) else value
