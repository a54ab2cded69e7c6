"""The hold that a courier has on the mails it claimed, and when it may take over what another one let lapse."""

import asyncio
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from models.mail import outbox

BEATS = 4  # in the length of a lease: how often it is lengthened
# A mail is finished only while the lease has this share of its length before it; and leases that lapsed are taken over
# only after as long as one lasts in which the database was never away for longer than the smaller share. So whoever
# finished a mail just before the database fell silent for everybody still has its lease when it answers again.
NEEDED = 0.6
LONGEST_GAP = 0.5

log = structlog.get_logger(__name__)


class Holds:
    """One courier's claims: lengthened while it works, given back for the mails it didn't get to."""

    def __init__(self, owner: str, length: timedelta) -> None:
        self._owner = owner
        self._length = length
        self._ends: dict[int, float] = {}  # by the mail's id, on the machine's steady clock
        self._now, self._at = datetime.min.replace(tzinfo=UTC), time.monotonic()
        self._answering_since: float | None = None
        self._answered_at = 0.0
        self._heart: asyncio.Task[None] | None = None

    async def claim(self, now: datetime, limit: int) -> list[outbox.Mail]:
        """At most so many due mails, held from now on.

        Raises:
            DatabaseAway: when the database can't be reached.
        """
        self._now, self._at = now, time.monotonic()  # before the question: the answer may take longer than the lease
        mails = await outbox.claim(
            owner=self._owner,
            now=now,
            until=now + self._length,
            limit=limit,
            lapsed=now if self._may_take_over() else None,
            held=sorted(self._ends),
        )
        self._answered()
        ends = self._at + self._length.total_seconds()
        self._ends |= {mail.id: ends for mail in mails}
        if self._ends and self._heart is None:
            self._heart = asyncio.create_task(self._beat())
        return mails

    def now(self) -> datetime:
        """The present instant on the clock of the last claim."""
        return self._now + timedelta(seconds=time.monotonic() - self._at)

    def may_finish(self, mail_id: int) -> bool:
        """Will the mail be this courier's for long enough to record what comes of it?"""
        needed = NEEDED * self._length.total_seconds()
        return self._ends.get(mail_id, 0.0) - time.monotonic() > needed

    def forget(self, mail_id: int) -> None:
        """The mail's outcome is recorded: there is nothing left to hold."""
        self._ends.pop(mail_id, None)

    async def release(self, ids: Iterable[int]) -> None:
        """Give back mails that weren't tried; if that can't be said now, their leases lapse."""
        given = [id for id in ids if self._ends.pop(id, None) is not None]
        if given:
            try:
                await outbox.release(given, owner=self._owner)
            except Exception:
                log.exception("lease_not_released", mails=len(given))

    async def set_apart(self, ids: Iterable[int], due_at: datetime) -> None:
        """Give back mails that weren't tried, due at another instant.

        Raises:
            DatabaseAway: when the database can't be reached; then their leases lapse.
        """
        given = [id for id in ids if self._ends.pop(id, None) is not None]
        if given:
            await outbox.release(given, owner=self._owner, due_at=due_at)

    async def rest(self) -> None:
        """Lengthen nothing any more, until the next claim."""
        heart, self._heart = self._heart, None
        if heart is not None:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._length.total_seconds() / BEATS)
            if self._ends:
                await self._lengthen(list(self._ends))

    async def _lengthen(self, ids: Collection[int]) -> None:
        at = time.monotonic()
        try:
            still = await outbox.renew(ids, owner=self._owner, until=self.now() + self._length)
        except Exception:
            log.exception("lease_not_renewed", mails=len(ids))
            return
        self._answered()
        for id in ids:
            if id in still and id in self._ends:
                self._ends[id] = at + self._length.total_seconds()
            else:
                self._ends.pop(id, None)

    # ------------------------------------------------------------------ whether the database was there all along
    def _answered(self) -> None:
        at = time.monotonic()
        gap = LONGEST_GAP * self._length.total_seconds()
        if self._answering_since is None or at - self._answered_at > gap:
            self._answering_since = at
        self._answered_at = at

    def _may_take_over(self) -> bool:
        """Has the database answered for so long that whoever lives has had the time to lengthen its leases?"""
        if self._answering_since is None:
            return False
        at, length = time.monotonic(), self._length.total_seconds()
        return at - self._answered_at <= LONGEST_GAP * length and at - self._answering_since >= length
