"""What is on its way to one connection: a bounded buffer, and a task that writes it while there is something."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

MOST_FRAMES = 256
MOST_CHARACTERS = 1024 * 1024
LINGER_SECONDS = 10.0  # for how long a reader that is cut off may still read why

Frame = TypeVar("Frame")


class Reader(Generic[Frame]):
    """Frames go out whole and in order. One that leaves too much unread makes `overflow` be called, once.

    `gone` is called when nothing more can be written: the connection broke, or its last frame wasn't read in time.
    """

    __slots__ = ("_buffer", "_characters", "_gone", "_overflow", "_room", "_send", "_timer", "_writing", "is_ending")

    def __init__(
        self, send: Callable[[Frame], Awaitable[None]], overflow: Callable[[], None], gone: Callable[[], None]
    ) -> None:
        self._send = send
        self._overflow = overflow
        self._gone = gone
        self._buffer: deque[tuple[Frame, int]] | None = None
        self._characters = 0
        self._writing: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.is_ending = False

    def put(self, frame: Frame, size: int = 0) -> None:
        """Let the frame follow what is on its way; after the last one nothing more."""
        if self.is_ending:
            return
        if self._buffer is None:  # most connections are idle most of the time
            self._buffer = deque()
        self._buffer.append((frame, size))
        self._characters += size
        if len(self._buffer) > MOST_FRAMES or (self._characters > MOST_CHARACTERS and len(self._buffer) > 1):
            self._overflow()
        else:
            self._write()

    def end(self, *frames: Frame, drop: bool = False) -> None:
        """Let these be the last frames; `drop` takes the place of all that isn't written yet."""
        if self.is_ending:
            return
        self.is_ending = True
        if self._buffer is None or drop:
            self._buffer = deque()
        self._buffer.extend((frame, 0) for frame in frames)
        self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._gone)
        self._write()

    def abandon(self) -> None:
        """Write nothing more."""
        self.is_ending = True
        self._buffer = None
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()
        if self._room is not None:
            self._room.set()

    async def room(self) -> None:
        """Return once half of the buffer is free: whoever replays much waits for the reader."""
        while not self.is_ending and self._buffer and len(self._buffer) > MOST_FRAMES // 2:
            self._room = self._room or asyncio.Event()
            self._room.clear()
            await self._room.wait()

    def _write(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._written())

    async def _written(self) -> None:
        try:
            while self._buffer:
                frame, size = self._buffer.popleft()
                await self._send(frame)
                self._characters -= size
                if self._room is not None and len(self._buffer or ()) <= MOST_FRAMES // 2:
                    self._room.set()
            self._buffer = None
        except Exception:  # whatever a server raises once its client is gone
            self._gone()
        finally:
            self._writing = None
