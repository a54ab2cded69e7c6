"""What was sent and isn't recorded yet: recorded in groups while the next mails go out, and never sent again."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from models.mail import mail_attempts
from models.mail.mail_attempts import Try

# A commit waits for the disk, a mail server on the same network hardly: while one group is being recorded the next is
# sent. If the process dies, what stands here arrives twice, so little may.
MOST_UNRECORDED = 5


class Ledger:
    """The mails of one courier that its server took, until the database has it in writing and `recorded` is told."""

    def __init__(self, recorded: Callable[[int], None]) -> None:
        self._recorded = recorded
        self._unrecorded: dict[int, Try] = {}
        self._refused: set[int] = set()
        self._writing: asyncio.Task[None] | None = None
        self._uncertain = False  # a write failed, and may have come through all the same

    def expect(self, refused: Collection[int]) -> None:
        """The addresses of these accounts, which mails are about to go to, were refused lately."""
        self._refused |= set(refused)

    def sent(self, tried: Try) -> None:
        """Note that the server took a mail; it is being recorded from now on."""
        self._unrecorded[tried.mail.id] = tried
        if self._writing is not None and self._writing.done() and self._writing.exception() is None:
            self._writing = None
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def room(self) -> None:
        """Return once few enough mails wait to be recorded that another one may be sent.

        Raises:
            DatabaseAway: when they can't be recorded: nothing more should be sent.
        """
        if self._writing is not None and self._writing.done():
            await self._finish()
        if len(self._unrecorded) >= MOST_UNRECORDED:
            await self.settle()

    async def settle(self) -> None:
        """Return once everything that was sent is recorded.

        Raises:
            DatabaseAway: when it couldn't be; it stays here, and the next call tries again.
        """
        while self._unrecorded or self._writing is not None:
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            await self._finish()

    async def _finish(self) -> None:
        writing = self._writing
        assert writing is not None
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            with suppress(Exception):
                await writing
            raise
        finally:
            if self._writing is writing:
                self._writing = None

    async def _write(self) -> None:
        while group := list(self._unrecorded.values()):
            again, self._uncertain = self._uncertain, True
            await mail_attempts.sent(group, refused=self._refused, again=again)
            self._uncertain = False
            for tried in group:
                self._unrecorded.pop(tried.mail.id, None)
                self._recorded(tried.mail.id)
            self._refused -= {tried.mail.account_id for tried in group}
