"""Following changes live: who may follow what, from which place on, and when the right to it ends."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum

from models.errors.errors import NotFound
from models.errors.stream_endings import RefetchNeeded
from models.events import changes
from models.events.changes import Change, Position, Standing, Stretch, Topic
from resolvers.scope import Scope

MOST_AT_ONCE = 100


class Level(IntEnum):
    """By which right a stream is open, the stronger the greater: it ends when its person falls below it."""

    SIGNED_IN = 0
    ATTACHED = 1
    IN_EFFECT = 2
    MANAGER = 3
    SUPPORT = 4


def level_of(standing: Standing, structure_id: int | None, *, is_support: bool) -> Level:
    """By which right the person follows the structure, or everything that concerns them without one."""
    if structure_id is None:
        return Level.MANAGER if standing.manages else Level.IN_EFFECT if standing.in_effect else Level.SIGNED_IN
    if is_support:
        return Level.SUPPORT
    found = {
        Level.MANAGER: structure_id in standing.manages,
        Level.IN_EFFECT: structure_id in standing.in_effect,
        Level.ATTACHED: structure_id in standing.attached,
    }
    return next((level for level, holds in found.items() if holds), Level.SIGNED_IN)


@dataclass(frozen=True)
class Watch:
    """A right to follow: what about, on which structure if on one, from where on, by which right.

    Iterated by itself, it gives what was missed up to now; going on from there is the broadcast's.
    """

    scope: Scope
    topic: Topic
    structure_id: int | None
    since: Position
    level: Level

    async def missed(self, after: Position, until: Position) -> Stretch:
        """What concerns the person, by their rights now, between two positions: at most 100 changes at once."""
        return await changes.missed(
            self.topic,
            self.structure_id,
            self.scope.viewing(),
            after=after,
            until=until,
            zone=self.scope.office.time_zone,
            most=MOST_AT_ONCE,
        )

    async def __aiter__(self) -> AsyncIterator[Change]:
        position, until = self.since, await changes.head()
        while position < until:
            stretch = await self.missed(position, until)
            for change in stretch.changes:
                yield change
            position = stretch.end


async def follow(scope: Scope, topic: Topic, structure_id: int | None, after: Position | None) -> Watch:
    """The viewer's watch, from `after` on, or from now.

    Raises:
        Unauthenticated: when nobody is signed in.
        NotFound: when the viewer is nothing on the structure, or there is none.
        RefetchNeeded: when something after the position is older than what is kept for replay.
    """
    actor = scope.signed_in()
    level = Level.SIGNED_IN
    if topic is not Topic.ACCOUNT:
        standing = (await changes.standings({actor.account_id}, scope.today()))[actor.account_id]
        level = level_of(standing, structure_id, is_support=actor.is_support)
        if structure_id is not None and level is Level.SIGNED_IN:
            raise NotFound("structure_id")
    since = await changes.head() if after is None else await _resumed(scope, after)
    return Watch(scope, topic, structure_id, since, level)


async def _resumed(scope: Scope, after: Position) -> Position:
    if not await changes.is_known(after):
        raise RefetchNeeded  # a cursor of another log, or of what a restore took back
    first = await changes.first_after(after)
    if first is not None and first < scope.now() - scope.office.replay:
        raise RefetchNeeded
    return after


async def now(scope: Scope) -> Position:
    """The present place in the order of changes.

    Raises:
        Unauthenticated: when nobody is signed in.
    """
    scope.signed_in()
    return await changes.head()


class Witness(Scope):
    """A scope that remembers whether who acts was asked for: if not, others would have got the same answer."""

    asked = False

    def __getattribute__(self, name: str) -> object:
        if name in ("actor", "integration"):
            object.__setattr__(self, "asked", True)
        return super().__getattribute__(name)
