"""The hold that a courier keeps on mails it claimed: lengthened while it works, given up for those it didn't get to."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import structlog

from models import outbox

log = structlog.get_logger(__name__)


class Lease:
    """An asynchronous context over claimed mails; its clock goes on from the instant of the claim."""

    def __init__(self, ids: Iterable[int], *, owner: str, now: datetime, length: timedelta) -> None:
        self._held = set(ids)
        self._owner = owner
        self._from, self._started = now, time.monotonic()
        self._length = length
        self._until = now + length

    async def __aenter__(self) -> Self:
        self._heart = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.cancel()
        with suppress(asyncio.CancelledError):
            await self._heart
        if not self._held:
            return
        try:
            await outbox.release(sorted(self._held), owner=self._owner)
        except Exception:
            log.exception("lease_not_released", mails=len(self._held))  # it lapses by itself

    def now(self) -> datetime:
        """The present instant on the clock of the claim."""
        return self._from + timedelta(seconds=time.monotonic() - self._started)

    def holds(self, mail_id: int) -> bool:
        """May the mail still be sent by this courier, and by no other?"""
        return mail_id in self._held and self.now() < self._until

    def settle(self, mail_id: int) -> None:
        """The mail's outcome is known: there is nothing left to hold or to give back."""
        self._held.discard(mail_id)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._length.total_seconds() / 3)
            until = self.now() + self._length
            try:
                still = await outbox.renew(sorted(self._held), owner=self._owner, until=until)
            except Exception:
                log.exception("lease_not_renewed", mails=len(self._held))
            else:
                self._held &= still
                self._until = until
