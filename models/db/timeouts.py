"""Waits: how long anybody waits for a server that says nothing, one that is slow told from one that is gone."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

PROOF_SECONDS = 2.0  # for the server to answer the question whether it is there
PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Patience:
    """After `doubt` seconds of waiting the server must show that it is there; `most` is waited for one that is."""

    doubt: float
    most: float
    fails_fast: bool = False  # while the server is known to be silent, nothing is asked of it


# Of people who look at a screen; what works by itself has time.
REQUEST = Patience(doubt=2.0, most=15.0, fails_fast=True)
WORK = Patience(doubt=10.0, most=60.0)
LONG_WORK = Patience(doubt=20.0, most=3600.0)

_patience: ContextVar[Patience] = ContextVar("patience", default=REQUEST)


@contextmanager
def patient(patience: Patience) -> Iterator[None]:
    """Whatever is asked in the block, and by the tasks that it starts, is waited for with this patience."""
    before = _patience.set(patience)
    try:
        yield
    finally:
        _patience.reset(before)


def current() -> Patience:
    """The patience of whoever runs."""
    return _patience.get()


class Vigil:
    """Watches over the waits for one server: `probe` asks it, on a way of its own, whether it is there.

    A wait that lasts is doubted. A probe that gets no answer ends the waits in doubt, each with a TimeoutError, and
    while the server stays silent hasty ones end at once; it is asked again every second, so that nothing has to be
    restarted. A wait for a server that answers the probe goes on.
    """

    def __init__(self, probe: Callable[[], Awaitable[object]], silenced: Callable[[], Awaitable[object]]) -> None:
        self._probe = probe
        self._silenced = silenced
        self._doubted: set[asyncio.Timeout] = set()
        self._proof: asyncio.Task[None] | None = None
        self.is_silent = False

    def wait(self) -> "Wait":
        """A context that waits for the server with the patience of whoever enters it.

        Raises:
            TimeoutError: when the server has fallen silent, or takes longer than anybody waits.
        """
        return Wait(self, _patience.get())

    def close(self) -> None:
        """Watch no more."""
        if self._proof is not None:
            self._proof.cancel()
            self._proof = None

    def doubt(self, limit: asyncio.Timeout) -> None:
        """A wait has lasted: find out whether the server is there."""
        self._doubted.add(limit)
        if self._proof is None or self._proof.done():
            self._proof = asyncio.get_running_loop().create_task(self._prove())

    def forget(self, limit: asyncio.Timeout) -> None:
        """A wait has ended."""
        self._doubted.discard(limit)

    async def _prove(self) -> None:
        while self._doubted or self.is_silent:
            try:
                async with asyncio.timeout(PROOF_SECONDS):
                    await self._probe()
            except OSError:  # TimeoutError is one
                self.is_silent = True
                now = asyncio.get_running_loop().time()
                for limit in self._doubted:
                    limit.reschedule(now)
                self._doubted.clear()
                await self._silenced()
            else:
                self.is_silent = False
            await asyncio.sleep(PAUSE_SECONDS)


class Wait:
    """One wait for a server, between `async with` and the end of its block."""

    __slots__ = ("_limit", "_patience", "_timer", "_vigil")

    def __init__(self, vigil: Vigil, patience: Patience) -> None:
        self._vigil = vigil
        self._patience = patience

    async def __aenter__(self) -> None:
        if self._vigil.is_silent and self._patience.fails_fast:
            raise TimeoutError("it gives no answer")
        self._limit = asyncio.timeout(self._patience.most)
        await self._limit.__aenter__()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._patience.doubt, self._vigil.doubt, self._limit)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._vigil.forget(self._limit)
        await self._limit.__aexit__(kind, error, trace)
