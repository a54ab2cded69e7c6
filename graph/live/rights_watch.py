"""Rights looked at again though no event says so: dates pass, and rows may be changed by hand."""

import asyncio
from collections.abc import Iterator
from itertools import islice

import structlog

from graph.live.broadcast import POLL_SECONDS, Broadcast
from models.errors.errors import DatabaseAway

MOST_AT_ONCE = 100  # people in one question, so that what has to be delivered never waits long for it
MOST_IN_A_SECOND = 1_000

log = structlog.get_logger(__name__)


class RightsWatch:
    """Looks at everybody once a second, or, where there are more than a thousand, at a thousand of them by turns.

    Whose session is over is hung up on at once; whose right is lost is left to the broadcast, which first delivers the
    change that took it.
    """

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._turn: Iterator[int] = iter(())

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            bites = min(len(self._broadcast.people), MOST_IN_A_SECOND) // MOST_AT_ONCE + 1
            for _ in range(bites):
                await asyncio.sleep(POLL_SECONDS / bites)
                try:
                    await self._look(self._next())
                except DatabaseAway:
                    continue
                except Exception:
                    log.exception("patrol_failed")

    async def _look(self, account_ids: set[int]) -> None:
        await self._broadcast.check_sessions(account_ids)
        fallen = await self._broadcast.fallen(account_ids)
        if fallen:
            self._broadcast.suspect(fallen)

    def _next(self) -> set[int]:
        taken = set(islice(self._turn, MOST_AT_ONCE))
        if len(taken) < MOST_AT_ONCE:
            self._turn = iter(list(self._broadcast.people))
            taken |= set(islice(self._turn, MOST_AT_ONCE - len(taken)))
        return taken
