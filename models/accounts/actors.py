"""Who is acting: the value that rules and visibility are asked about; a person, or a program from outside."""

from dataclasses import dataclass, field
from enum import StrEnum

from models.accounts.profiles import Language


class PlatformRole(StrEnum):
    """Rights over the whole platform, apart from any structure; ADMIN stands above SUPPORT."""

    SUPPORT = "SUPPORT"
    ADMIN = "ADMIN"


@dataclass(frozen=True)
class Actor:
    """A signed-in person: the account, the session they came by, and their platform role if any."""

    account_id: int
    session_id: int
    platform_role: PlatformRole | None = None
    language: Language | None = field(default=None, compare=False)  # the account's, for whoever names none

    @property
    def is_support(self) -> bool:
        """May this person do what support does? Administrators may too."""
        return self.platform_role is not None


@dataclass(frozen=True)
class Integration:
    """A program outside that came with an API key: nobody's account, so nothing that needs a session is open to it."""

    key_id: int
    name: str
