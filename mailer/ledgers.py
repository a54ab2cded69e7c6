"""What was sent and isn't recorded yet: recorded in groups while the next mails go out, and never sent again."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from models import deliveries
from models.deliveries import Try

# A commit waits for the disk, a mail server on the same network hardly: while one group is being recorded the next is
# sent. If the process dies, what stands here arrives twice, so little may.
MOST_UNRECORDED = 5


class Ledger:
    """The mails of one courier that its server took, until the database has it in writing."""

    def __init__(self) -> None:
        self._unrecorded: dict[int, Try] = {}
        self._refused: Collection[int] = ()
        self._writing: asyncio.Task[None] | None = None

    def begin(self, refused: Collection[int]) -> None:
        """A new batch is in hand, of which the addresses of these accounts were refused lately."""
        self._refused = refused

    async def sent(self, tried: Try) -> None:
        """Note that the server took a mail; it waits only while too many aren't recorded.

        Raises:
            DatabaseAway: when what was sent before couldn't be recorded: nothing more should be sent.
        """
        self._unrecorded[tried.mail.id] = tried
        if self._writing is not None and self._writing.done():
            await self._finish()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        if len(self._unrecorded) >= MOST_UNRECORDED:
            await self.settle()

    async def settle(self) -> None:
        """Return once everything that was sent is recorded.

        Raises:
            DatabaseAway: when it couldn't be; it stays here, and the next call tries again.
        """
        if self._writing is not None:
            await self._finish()
        if self._unrecorded:
            await self._write()

    async def _finish(self) -> None:
        writing, self._writing = self._writing, None
        assert writing is not None
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            with suppress(Exception):
                await writing
            raise

    async def _write(self) -> None:
        while group := list(self._unrecorded.values()):
            await deliveries.sent(group, refused=self._refused)
            for tried in group:
                self._unrecorded.pop(tried.mail.id, None)
