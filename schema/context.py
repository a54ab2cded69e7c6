"""What every field of one operation shares: its scope, its batches, and the way to set or clear the session cookie."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import strawberry
from strawberry.dataloader import DataLoader

from models.accounts import Language
from models.reading import Selection
from resolvers.scope import Scope

Batch = Callable[..., Awaitable[Sequence[Any]]]


def _no_cookie(token: str | None, expires_at: datetime | None) -> None:
    """Where there is no response to put a cookie on."""


async def _admit_all(operation: str) -> None:
    """Where no limits per source are set."""


@dataclass
class Context:
    """The context of one operation; over a long-lived connection each operation has its own."""

    scope: Scope
    set_cookie: Callable[[str | None, datetime | None], None] = _no_cookie
    admit: Callable[[str], Awaitable[None]] = _admit_all
    selections: dict[tuple[tuple[int, ...], str | None], Selection] = field(default_factory=dict)
    _loaders: dict[tuple[object, ...], DataLoader[Any, Any]] = field(default_factory=dict)

    @property
    def language(self) -> Language:
        """The reader's language."""
        return self.scope.language

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
