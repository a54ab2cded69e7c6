"""What every field of one operation shares: its scope, its batches, and its cookies."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import strawberry
from strawberry.dataloader import DataLoader

from models.accounts.accounts import Language
from models.db.query import Selection
from resolvers.scope import Scope

Batch = Callable[..., Awaitable[Sequence[Any]]]


class Cookies(Protocol):
    """The cookies of the operation's response; `are_kept` is False where there is none to put them on."""

    are_kept: bool

    def set_session(self, token: str, expires_at: datetime) -> None:
        """The session that was opened, until it ends."""

    def set_device(self, token: str) -> None:
        """The device by which it was opened, for as long as a browser keeps a cookie."""

    def sign_out(self) -> None:
        """Take the session's away, and what the browser kept of this place; the device's stays."""


class NoCookies:
    """Where there is no response to put a cookie on."""

    are_kept = False

    def set_session(self, token: str, expires_at: datetime) -> None:
        """Nothing."""

    def set_device(self, token: str) -> None:
        """Nothing."""

    def sign_out(self) -> None:
        """Nothing."""


async def _admit_all(operation: str) -> None:
    """Where no limits per source are set."""


@dataclass
class Context:
    """The context of one operation; over a long-lived connection each operation has its own."""

    scope: Scope
    cookies: Cookies = field(default_factory=NoCookies)
    admit: Callable[[str], Awaitable[None]] = _admit_all
    selections: dict[tuple[tuple[int, ...], str | None], Selection] = field(default_factory=dict)
    _loaders: dict[tuple[object, ...], DataLoader[Any, Any]] = field(default_factory=dict)

    @property
    def language(self) -> Language:
        """The reader's language."""
        return self.scope.language

    @property
    def is_known(self) -> bool:
        """Is it a person or an integration who asks, rather than nobody?"""
        return self.scope.actor is not None or self.scope.integration is not None

    async def load(self, batch: Batch, key: object, *arguments: object) -> Any:
        """What `batch(scope, keys, *arguments)` gives for this key; all keys asked for on one level go in one call."""
        loader = self._loaders.get((batch, *arguments))
        if loader is None:

            async def together(keys: list[Any]) -> Sequence[Any]:
                return await batch(self.scope, keys, *arguments)

            # no cache: a later mutation of the same document must read anew
            loader = self._loaders[(batch, *arguments)] = DataLoader(load_fn=together, cache=False)
        return await loader.load(key)


Info = strawberry.Info[Context, None]
