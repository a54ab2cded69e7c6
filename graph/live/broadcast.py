"""The broadcast of one process: changes read once, in order, and delivered to whom they concern while they may read.

Whatever wakes it, it only looks sooner: it looks every second anyway. A stream joins at the place it has replayed to,
under the lock that a delivery holds, so that nothing falls between replay and live, and nothing comes twice. One whose
reader has no room leaves the others, replays what follows at its reader's pace, and joins again.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from graph.http.metrics import Metrics
from graph.live.deliveries import Deliveries, Group
from models.accounts import sessions
from models.accounts.actors import Actor
from models.errors.errors import Conflict, DatabaseAway
from models.errors.stream_endings import RightLost, ServerStopping, SessionOver, StreamEnded
from models.events import changes
from models.events.changes import Change, Position, Stretch, Topic
from resolvers.live import Level, Watch, level_of
from resolvers.scope import Office, Scope

POLL_SECONDS = 1.0
WAITING_SECONDS = 0.05  # until the next look while an older transaction holds events back
MOST_EVENTS = 200
EXECUTED_AT_ONCE = 16  # whose texts wait in memory together

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """A connection with somebody at its end."""

    actor: Actor | None

    @property
    def streams(self) -> Collection["Stream"]:
        """Those that are open on it."""

    @property
    def is_full(self) -> bool:
        """Has it no room for more until the client reads?"""

    def deliver(self, stream: "Stream", text: str) -> None:
        """Let a response follow on the stream."""

    async def room(self) -> None:
        """Return once there is room for more."""

    def finish(self, stream: "Stream", ending: StreamEnded) -> None:
        """End one stream, saying why."""

    def hang_up(self, ending: StreamEnded) -> None:
        """End all of them, saying why."""


@dataclass(eq=False, slots=True)
class Stream:
    """One open subscription: whose, of which group, how far it has come and by which right."""

    listener: Listener
    id: str
    group: Group
    level: Level
    position: Position
    is_over: bool = False
    is_behind: bool = False  # it catches up at its reader's pace


class Broadcast:
    """All streams of this process, and the one task that reads changes for them."""

    def __init__(self, office: Office, deliveries: Deliveries, metrics: Metrics) -> None:
        self._office = office
        self._deliveries = deliveries
        self._metrics = metrics
        self._groups: dict[Any, Group] = {}
        self._suspects: set[int] = set()
        self._catching_up: set[asyncio.Task[None]] = set()
        self.people: dict[int, set[Listener]] = {}
        self._delivering = asyncio.Lock()
        self._woken = asyncio.Event()
        self.position = Position()
        self.is_stopping = False

    # -------------------------------------------------------------- those who listen
    def enter(self, listener: Listener) -> None:
        """Watch over a connection whose reader is known: it is hung up on as soon as the session is over."""
        assert listener.actor is not None
        self.people.setdefault(listener.actor.account_id, set()).add(listener)
        self._metrics.live_connections.inc()

    def leave(self, listener: Listener) -> None:
        """Forget a connection and its streams."""
        for stream in list(listener.streams):
            self.part(stream)
        if listener.actor is not None:
            present = self.people.get(listener.actor.account_id, set())
            if listener in present:
                present.remove(listener)
                self._metrics.live_connections.dec()
            if not present:
                self.people.pop(listener.actor.account_id, None)

    def part(self, stream: Stream) -> None:
        """Deliver nothing more on the stream."""
        stream.is_over = True
        self._withdraw(stream)

    def _withdraw(self, stream: Stream) -> None:
        assert stream.listener.actor is not None
        account_id, group = stream.listener.actor.account_id, stream.group
        members = group.members.get(account_id)
        if members and stream in members:
            members.remove(stream)
            self._metrics.live_streams.dec()
            if not members:
                del group.members[account_id]
            if not group.members and self._groups.get(group.key) is group:
                del self._groups[group.key]

    async def join(self, stream: Stream, watch: Watch) -> None:
        """Replay what the stream missed, then let it be live.

        Raises:
            DatabaseAway: when what it missed can't be read for now.
        """
        while not stream.is_over:
            if stream.position >= self.position:
                async with self._delivering:
                    if stream.position >= self.position and not stream.is_over:
                        self._add(stream)
                        return
            until = max(self.position, await changes.head())
            await self._replay(stream, watch, until)

    def _fall_behind(self, stream: Stream) -> None:
        stream.is_behind = True
        self._withdraw(stream)
        task = asyncio.create_task(self._catch_up(stream))
        self._catching_up.add(task)
        task.add_done_callback(self._catching_up.discard)

    async def _catch_up(self, stream: Stream) -> None:
        """Replay at the reader's pace what the others were delivered meanwhile, then be live again."""
        while not stream.is_over:
            await stream.listener.room()
            group, actor = stream.group, stream.listener.actor
            scope = Scope(office=self._office, actor=actor, language=group.language)
            try:
                await self.join(stream, Watch(scope, group.topic, group.structure_id, stream.position, stream.level))
            except (DatabaseAway, Conflict) as away:
                log.warning("live_delayed", reason=type(away).__name__)
            except Exception:
                log.exception("live_failed")
            else:
                return
            await asyncio.sleep(POLL_SECONDS)

    def _add(self, stream: Stream) -> None:
        stream.is_behind = False
        assert stream.listener.actor is not None
        group = stream.group = self._groups.setdefault(stream.group.key, stream.group)
        group.members.setdefault(stream.listener.actor.account_id, set()).add(stream)
        self._metrics.live_streams.inc()

    async def _replay(self, stream: Stream, watch: Watch, until: Position) -> None:
        while stream.position < until and not stream.is_over:
            stretch = await watch.missed(stream.position, until)
            reader = stream.listener.actor
            assert reader is not None
            if stretch.changes and not await self._present({reader.session_id}):
                stream.listener.hang_up(SessionOver())
                return
            for change in stretch.changes:
                text, _ = await self._deliveries.text(stream.group, change, reader)
                if stream.is_over:
                    return
                stream.listener.deliver(stream, text)
                stream.position = change.position
                self._metrics.live_deliveries.inc()
                await stream.listener.room()
            stream.position = stretch.end

    # -------------------------------------------------------------- reading and delivering
    async def begin(self) -> None:
        """Take the present place as the one to read on from.

        Raises:
            DatabaseAway: when it can't be told.
        """
        self.position = max(self.position, await changes.head())

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    async def run(self, pause: Callable[[float], Any] = asyncio.sleep) -> None:
        """Read and deliver until told to stop."""
        looked, wait = 0.0, 0.0
        loop = asyncio.get_running_loop()
        while not self.is_stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):  # wait_for could swallow the cancellation of one who is just woken
                    await self._woken.wait()
            self._woken.clear()
            is_due = loop.time() - looked >= POLL_SECONDS
            try:
                is_waiting = await self._look(is_due)
            except (DatabaseAway, Conflict) as away:
                log.warning("live_delayed", reason=type(away).__name__)
                await pause(POLL_SECONDS)
                continue
            except Exception:
                log.exception("live_failed")
                await pause(POLL_SECONDS)
                continue
            looked = loop.time() if is_due else looked
            wait = WAITING_SECONDS if is_waiting else max(0.0, looked + POLL_SECONDS - loop.time())

    async def _look(self, is_due: bool) -> bool:
        """Deliver all there is; whether more waits for an older transaction."""
        if not self._groups and not self.people:
            if is_due:
                async with self._delivering:
                    self.position = max(self.position, await changes.head())
            return False
        touched: set[int] = set()
        suspects, self._suspects = self._suspects, set()
        if suspects and await changes.is_waiting():
            self._suspects |= suspects  # what took their right may be among what can't be delivered yet
            suspects = set()
        while True:
            stretch = await changes.after(self.position, zone=self._office.time_zone, most=MOST_EVENTS)
            if stretch.end != self.position:
                async with self._delivering:
                    await self._deliver(stretch)
                    self.position = stretch.end
                touched |= stretch.touched
            if stretch.is_last:
                break
        await self._end(touched | suspects)
        return await changes.is_waiting()

    async def _deliver(self, stretch: Stretch) -> None:
        topics = {group.topic for group in self._groups.values()}
        found = [change for change in stretch.changes if change.topic in topics]
        if not found:
            return
        people = await changes.concerned(found, self._today())
        await self._dismiss(found, people)
        plan = [
            (change, group, streams)
            for change in found
            for group in list(self._groups.values())
            if group.topic is change.topic and (streams := group.streams(change, people[change.position]))
        ]
        for start in range(0, len(plan), EXECUTED_AT_ONCE):
            part = plan[start : start + EXECUTED_AT_ONCE]
            texts = await asyncio.gather(
                *(self._deliveries.texts(group, change, _readers(streams)) for change, group, streams in part)
            )
            for (change, _, streams), text in zip(part, texts, strict=True):
                self._hand_out(change, streams, text)
                await asyncio.sleep(0)  # the writers run: what they can't write is the client's doing

    def _hand_out(self, change: Change, streams: Sequence[Stream], texts: dict[Actor, str]) -> None:
        for stream in streams:
            if stream.is_over or stream.is_behind or stream.listener.actor is None:
                continue
            if stream.listener.is_full:
                self._fall_behind(stream)
            else:
                stream.position = change.position
                stream.listener.deliver(stream, texts[stream.listener.actor])
                self._metrics.live_deliveries.inc()

    async def _dismiss(self, found: Sequence[Change], people: dict[Position, set[int]]) -> None:
        """Hang up on those about to get something whose session is over."""
        concerned: set[int] = set()
        for change in found:
            concerned |= people[change.position] & self.people.keys()
        supporters = {
            stream.listener.actor.account_id
            for group in self._groups.values()
            if group.structure_id is not None
            for streams in group.members.values()
            for stream in streams
            if stream.level is Level.SUPPORT and stream.listener.actor is not None
        }
        await self.check_sessions(concerned | supporters)

    # -------------------------------------------------------------- rights
    def suspect(self, account_ids: Collection[int]) -> None:
        """Look at the rights of these people, once what has happened is delivered."""
        self._suspects |= set(account_ids)
        self.wake()

    async def _end(self, account_ids: Collection[int]) -> None:
        """End what these people may no longer follow: all of it with the session, single streams with their right."""
        await self.check_sessions(account_ids)
        for streams in (await self.fallen(account_ids)).values():
            for stream in streams:
                self.part(stream)
                stream.listener.finish(stream, RightLost())

    async def fallen(self, account_ids: Collection[int]) -> dict[int, list[Stream]]:
        """Which streams of these people have lost their right, by person; a stronger one that was gained is kept."""
        present = {id for id in account_ids if id in self.people}
        standings = await changes.standings(present, self._today()) if present else {}
        found: dict[int, list[Stream]] = {}
        for id, standing in standings.items():
            for listener in list(self.people.get(id, ())):
                for stream in list(listener.streams):
                    if not stream.is_over and self._has_fallen(stream, standing):
                        found.setdefault(id, []).append(stream)
        return found

    def _has_fallen(self, stream: Stream, standing: changes.Standing) -> bool:
        actor, group = stream.listener.actor, stream.group
        if actor is None or group.topic is Topic.ACCOUNT:
            return False
        level = level_of(standing, group.structure_id, is_support=actor.is_support)
        stream.level = max(stream.level, level)
        return level < stream.level

    async def check_sessions(self, account_ids: Collection[int]) -> None:
        """Hang up on those of these people whose session is over."""
        listeners = [listener for id in account_ids for listener in self.people.get(id, ())]
        if not listeners:
            return
        good = await self._present({listener.actor.session_id for listener in listeners if listener.actor})
        for listener in listeners:
            if listener.actor is None:
                continue
            present = good.get(listener.actor.session_id)
            if present is None:
                self.leave(listener)
                listener.hang_up(SessionOver())
            elif present != listener.actor:
                listener.actor = present  # support given or taken

    async def _present(self, session_ids: Collection[int]) -> dict[int, Actor]:
        office = self._office
        return await sessions.actors_of(session_ids, now=office.clock(), idle=office.session_idle)

    def _today(self) -> Any:
        return self._office.clock().astimezone(self._office.time_zone).date()

    # -------------------------------------------------------------- the end
    def stop(self) -> None:
        """Tell all readers to connect again, elsewhere or later."""
        self.is_stopping = True
        for task in self._catching_up:
            task.cancel()
        for listeners in list(self.people.values()):
            for listener in list(listeners):
                self.leave(listener)
                listener.hang_up(ServerStopping())


def _readers(streams: Sequence[Stream]) -> list[Actor]:
    return list({stream.listener.actor for stream in streams if stream.listener.actor is not None})
