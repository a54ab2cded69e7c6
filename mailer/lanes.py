"""How many dialogues a courier holds at once, so that mailboxes that keep silent hold up nobody else's mails.

One after the other over one connection is the rule. A dialogue that is late lets another one begin beside it, so their
number grows with the trouble and falls with it. An address that took long goes apart, into few places of its own. When
every place is taken, the longest silence is broken off.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass

from mailer.failures import TemporaryFailure

MOST_REMEMBERED = 10_000
REMEMBERED_SECONDS = 12 * 3600
SLOW_ADDRESSES_OF_A_DOMAIN = 3  # so many, and all of the domain's mails go apart until one of them is answered
NARROW_SECONDS = 600
MUCH_QUICKER = 4
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Pace:
    """How many dialogues there may be, how many of them apart, and after how many seconds one is what.

    `late`: another one begins beside it. `slow`: its address goes apart. `hopeless`: it may be broken off for others.
    All have `grace` to end when the courier is stopped.
    """

    most: int = 50
    most_apart: int = 25
    late: float = 0.25
    slow: float = 2
    hopeless: float = 5
    grace: float = 15


class Place:
    """One dialogue's place, from its first command to its last answer."""

    def __init__(self, address: str, *, apart: bool) -> None:
        self.address = address
        self.apart = apart
        self.finishing = False  # the last dot was said: the server may have the mail, whether it answers or not
        self._begun = time.monotonic()
        self._talking: asyncio.Task[object] | None = None
        self.is_broken_off = False

    @property
    def age(self) -> float:
        """For how many seconds it has been taken."""
        return time.monotonic() - self._begun

    async def talk(self, dialogue: Awaitable[str]) -> str:
        """What the dialogue comes to.

        Raises:
            TemporaryFailure: when it was broken off.
        """
        self._talking = asyncio.current_task()
        try:
            return await dialogue
        except asyncio.CancelledError as error:
            if self._talking is None or not self.is_broken_off:
                raise
            while self._talking.uncancel():
                pass
            raise TemporaryFailure(f"broken off after {self.age:.0f} seconds, as the server said nothing") from error
        finally:
            self._talking = None

    def break_off(self) -> None:
        """End the dialogue if it is under way; said again where it goes on, as connecting may not hear it."""
        if self._talking is not None:
            self.is_broken_off = True
            self._talking.cancel()


class Lanes:
    """The places of one courier's dialogues."""

    def __init__(self, pace: Pace = Pace()) -> None:
        self._pace = pace
        self._taken: list[Place] = []
        self._memory = Memory()
        self._changed = asyncio.Event()
        self._last_answer = 0.0  # how long the last dialogue took that was answered
        self._narrow: tuple[int, float] | None = None

    async def place(self, address: str) -> Place | None:
        """The next dialogue's place, once there is one; None when the address is slow, and there is none apart."""
        if self._is_slow(address):
            return self._take(address, apart=True) if self._apart < self._most_apart else None
        while (pause := self._wait()) > 0:
            await self._change(pause)
        return self._take(address, apart=False)

    def leave(self, place: Place, *, answered: bool | None = None) -> None:
        """Give a place back: the mail was `answered`, or wasn't; None when that tells nothing of its address."""
        self._taken.remove(place)
        self._changed.set()
        if answered is None or (answered and place.age < self._pace.slow):
            self._memory.forget(place.address)
        elif place.age >= self._pace.slow:
            self._memory.note(place.address)
        if answered:
            self._last_answer = place.age
            self._memory.answered(place.address)

    def narrow(self) -> None:
        """The server takes no more connections than there are: hold no more dialogues for ten minutes."""
        self._narrow = max(1, len(self._taken)), time.monotonic() + NARROW_SECONDS

    async def close(self) -> None:
        """Return once every place was left, those under way after the grace being broken off."""
        begun = time.monotonic()
        while self._taken:
            if time.monotonic() - begun >= self._pace.grace:
                for place in self._taken:
                    place.break_off()
            await self._change(LOOK_SECONDS)

    async def _change(self, seconds: float) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    # ------------------------------------------------------------------ the rules
    @property
    def _most(self) -> int:
        if self._narrow is not None and time.monotonic() >= self._narrow[1]:
            self._narrow = None
        return min(self._pace.most, self._narrow[0]) if self._narrow is not None else self._pace.most

    @property
    def _most_apart(self) -> int:
        return max(1, min(self._pace.most_apart, self._most // 2))

    @property
    def _apart(self) -> int:
        return sum(place.apart for place in self._taken)

    def _take(self, address: str, *, apart: bool) -> Place:
        place = Place(address, apart=apart)
        self._taken.append(place)
        return place

    def _is_slow(self, address: str) -> bool:
        for place in self._taken:
            if place.age >= self._pace.slow:
                self._memory.note(place.address)
        return self._memory.is_slow(address)

    def _wait(self) -> float:
        """For how many seconds to wait at most before a mail of no slow address may go; 0 when it may now."""
        if len(self._taken) >= self._most:
            self._make_room()
            return LOOK_SECONDS
        young = late = 0
        oldest = 0.0
        for place in self._taken:
            age = place.age
            if place.apart or age >= self._pace.slow:
                continue
            if age >= self._pace.late:
                late += 1
            else:
                young += 1
                oldest = max(oldest, age)
        return 0 if young <= late else self._pace.late - oldest

    def _make_room(self) -> None:
        """Break off the dialogue that kept silent longest, rather one that the server has no mail of yet.

        Of those past the last dot only one for which others, who are answered meanwhile, would wait in vain: where the
        server takes its time for everybody, patience costs nothing, and the mail would come twice.
        """
        broken_off = [place for place in self._taken if place.is_broken_off]
        for place in broken_off:
            place.break_off()
        if broken_off:
            return
        patience = max(self._pace.hopeless, MUCH_QUICKER * self._last_answer)
        silent = [place for place in self._taken if place.age >= (patience if place.finishing else self._pace.hopeless)]
        if silent:
            min(silent, key=lambda place: (place.finishing, -place.age)).break_off()


class Memory:
    """Which addresses took long lately, and which domains have several that weren't answered at all."""

    def __init__(self) -> None:
        self._addresses: dict[str, float] = {}
        self._domains: dict[str, set[str]] = defaultdict(set)

    def is_slow(self, address: str) -> bool:
        """Did the address, or its whole domain, take long lately?"""
        if not self._addresses:
            return False
        noted = self._addresses.get(address)
        if noted is not None and time.monotonic() - noted > REMEMBERED_SECONDS:
            self.forget(address)
        return address in self._addresses or len(self._domains.get(_domain(address), ())) >= SLOW_ADDRESSES_OF_A_DOMAIN

    def note(self, address: str) -> None:
        """The address takes long."""
        if address not in self._addresses:
            self._domains[_domain(address)].add(address)
            while len(self._addresses) >= MOST_REMEMBERED:
                self.forget(next(iter(self._addresses)))
        self._addresses[address] = time.monotonic()

    def forget(self, address: str) -> None:
        """The address doesn't take long, or not any more."""
        self._addresses.pop(address, None)
        self._domains.get(_domain(address), set()).discard(address)

    def answered(self, address: str) -> None:
        """A mail to the address's domain was answered, sooner or later: its other addresses aren't under suspicion."""
        self._domains.pop(_domain(address), None)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
