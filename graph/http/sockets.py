"""What the server grants a connection that has become a WebSocket: so many frames a second, read as they are taken.

A frame may have 6 bytes, so that one read of the network holds 40,000 of them, and a message as many of them as it
likes. They are parsed a few at a time, none while the application hasn't taken those before, and at a pace: who sends
faster is read more slowly, and loses nothing.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.frames import Frame

from graph.http.connections import Connections, source_of
from graph.http.protocols import WebSocketProtocol

PIECE_BYTES: Final = 2 * 1024
FRAMES_AT_ONCE: Final = 1_500  # a page may ask a thousand questions as it opens
FRAMES_A_SECOND: Final = 100.0
MOST_FRAGMENTS: Final = 1_000  # frames that one message may come in


@dataclass(slots=True)
class Pace:
    """How many of something may come: `at_once` of them, and `a_second` more as time goes by."""

    at_once: float
    a_second: float
    left: float = field(init=False)
    at: float = field(init=False)

    def __post_init__(self) -> None:
        self.left, self.at = self.at_once, time.monotonic()

    def spend(self, number: int) -> None:
        """Count so many that came, be it more than might."""
        now = time.monotonic()
        self.left = min(self.at_once, self.left + (now - self.at) * self.a_second) - number
        self.at = now

    def wait(self) -> float:
        """The seconds until one more may come, 0 when it may now."""
        self.spend(0)
        return 0.0 if self.left >= 1 else (1 - self.left) / self.a_second


class SocketConnection(WebSocketProtocol):
    """One connection that has become a WebSocket, counted as it was."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all: Connections = app_state.get("connections") or Connections()
        self._source: str | None = None
        self._pace = Pace(FRAMES_AT_ONCE, FRAMES_A_SECOND)
        self._held = bytearray()  # read, and not parsed yet
        self._again: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        source = source_of(transport)
        if self._all.enter(source):  # it has just left as HTTP: there is room
            self._source = source

    def connection_lost(self, exc: Exception | None) -> None:
        if self._source is not None:
            self._all.leave(self._source)
            self._source = None
        if self._again is not None:
            self._again.cancel()
        self._held.clear()
        super().connection_lost(exc)

    # -------------------------------------------------------------- what comes in
    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:
            super().data_received(data)
            if not self.handshake_initiated:  # the head came whole: what isn't understood of it now never will be
                self.transport.close()
            return
        self._held += data
        if self._again is None:
            self._take()
        else:
            self.transport.pause_reading()

    def _take(self) -> None:
        """Parse what was read as far as it may be, a piece at a time; nothing more is read until the rest is parsed."""
        self._again = None
        while self._held and not self.read_paused and not self.transport.is_closing():
            if wait := self._pace.wait():
                self._take_later(wait)
                return
            piece = bytes(self._held[:PIECE_BYTES])
            del self._held[:PIECE_BYTES]
            super().data_received(piece)
        if self.transport.is_closing():
            self._held.clear()
        elif self._held:
            self.transport.pause_reading()
        elif not self.read_paused:
            self.transport.resume_reading()

    def _take_later(self, seconds: float) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()
        self._again = self.loop.call_later(seconds, self._take)

    async def receive(self) -> Any:
        message = await super().receive()
        self._go_on()
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent:
            self._go_on()

    def _go_on(self) -> None:
        """Take more, now that the application has taken what there was; whatever else waits has its turn first."""
        if self._again is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        elif self._again is None and self._held and not self.read_paused:
            self._take_later(0)

    def handle_events(self) -> None:
        self._pace.spend(len(self.conn.events))
        super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MOST_FRAGMENTS and not self.close_sent:
            self.conn.fail(1009, "Too many fragments")
            self.handle_parser_exception()
        elif not self.close_sent:
            super().handle_cont(event)
