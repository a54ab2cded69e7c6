"""What every mail is: typed facts under a stable name, some of them with a link that dies."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar


@dataclass(frozen=True)
class LinkToken:
    """The clear one-time token of a mailed link; it is sealed before it is stored and never shown."""

    value: str = field(repr=False)


class Reader(StrEnum):
    """Whose copy a mail about the principal management is: who left it, who took it, or another manager."""

    FORMER = "FORMER"
    SUCCESSOR = "SUCCESSOR"
    MANAGER = "MANAGER"


@dataclass(frozen=True, kw_only=True)
class Message:
    """The facts of one mail: names as people read them, calendar days, aware instants."""


@dataclass(frozen=True, kw_only=True)
class LinkMessage(Message):
    """A mail whose sense is its link: past `expires_at` it isn't sent any more."""

    page: ClassVar[str]
    token: LinkToken
    expires_at: datetime


def name_of(message: type[Message]) -> str:
    """The name a message is stored under, which is also its template folder: `account_activation`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", message.__name__).lower()
