"""What is on its way to one connection: frames in order, written while the client reads, and how long it hasn't.

A frame counts as unread once the writer could run: what is piled up between two awaits says nothing about the client.
Nothing here drops a frame. Whoever makes many of them looks at `is_full`, or waits for `room`; so the buffer stays
bounded however slowly a client reads, and one that reads nothing for `STALL_SECONDS` is told to go.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

MOST_FRAMES = 256
MOST_CHARACTERS = 1024 * 1024
STALL_SECONDS = 20.0  # for how long a client may leave what waits for it untouched
LINGER_SECONDS = 10.0  # the same once its last frame is on its way; in all, for why it is cut off

Frame = TypeVar("Frame")


class Reader(Generic[Frame]):
    """Frames go out whole and in order. `stalled` is called, once, when the client leaves them without progress.

    `unread` counts the bytes that were written and that the client hasn't taken; without it, a frame that could be
    written is progress. `gone` is called when nothing more can be written: the connection broke, or its last frame
    wasn't read in time.
    """

    __slots__ = (
        "_buffer", "_characters", "_gone", "_left", "_room", "_send", "_stalled", "_taken", "_unread", "_watch",
        "_writing", "is_ending",
    )  # fmt: skip

    def __init__(
        self,
        send: Callable[[Frame], Awaitable[None]],
        stalled: Callable[[], None],
        gone: Callable[[], None],
        unread: Callable[[], int] = lambda: 0,
    ) -> None:
        self._send = send
        self._stalled = stalled
        self._gone = gone
        self._unread = unread
        self._buffer: deque[tuple[Frame, int]] | None = None
        self._characters = 0
        self._taken = False  # a frame could be written since the last look
        self._left = 0  # what was unread then
        self._writing: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.is_ending = False

    @property
    def is_full(self) -> bool:
        """Does so much wait that whoever has more should come back later?"""
        return self._buffer is not None and (
            len(self._buffer) >= MOST_FRAMES or (self._characters > MOST_CHARACTERS and len(self._buffer) > 0)
        )

    def put(self, frame: Frame, size: int = 0) -> None:
        """Let the frame follow what is on its way; after the last one nothing more."""
        if self.is_ending:
            return
        if self._buffer is None:  # most connections are idle most of the time
            self._buffer = deque()
        self._buffer.append((frame, size))
        self._characters += size
        self._write()
        if self._watch is None:
            self._look_later(STALL_SECONDS)

    def end(self, *frames: Frame, drop: bool = False) -> None:
        """Let these be the last frames; `drop` takes the place of all that isn't written yet."""
        if self.is_ending:
            return
        self.is_ending = True
        if self._buffer is None or drop:
            self._buffer = deque()
        self._buffer.extend((frame, 0) for frame in frames)
        self._forget_watch()
        if drop:
            self._watch = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._gone)
        else:
            self._look_later(LINGER_SECONDS)
        self._write()
        self._make_room()

    def abandon(self) -> None:
        """Write nothing more."""
        self.is_ending = True
        self._buffer = None
        self._forget_watch()
        if self._writing is not None:
            self._writing.cancel()
        self._make_room()

    async def room(self) -> None:
        """Return once half of the buffer is free: whoever has much to write waits for the client."""
        while not self.is_ending and not self._is_roomy():
            self._room = self._room or asyncio.Event()
            self._room.clear()
            await self._room.wait()

    def _is_roomy(self) -> bool:
        waiting = len(self._buffer) if self._buffer else 0
        return waiting <= MOST_FRAMES // 2 and (self._characters <= MOST_CHARACTERS // 2 or not waiting)

    def _make_room(self) -> None:
        if self._room is not None:
            self._room.set()

    # -------------------------------------------------------------- writing
    def _write(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._written())

    async def _written(self) -> None:
        try:
            while self._buffer:
                frame, size = self._buffer.popleft()
                await self._send(frame)
                self._taken = True
                self._characters -= size
                if self._room is not None and self._is_roomy():
                    self._room.set()
            self._buffer = None
        except Exception:  # whatever a server raises once its client is gone
            self._gone()
        finally:
            self._writing = None

    # -------------------------------------------------------------- whether the client reads
    def _look_later(self, seconds: float) -> None:
        self._taken, self._left = False, self._unread()
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._watch = None
        unread = self._unread()
        if self._writing is None and not unread:
            return
        if self._taken or unread < self._left:
            self._look_later(LINGER_SECONDS if self.is_ending else STALL_SECONDS)
        elif self.is_ending:
            self._gone()
        else:
            self._stalled()

    def _forget_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
