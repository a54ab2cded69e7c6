"""A TCP proxy between the program and a server it needs, that falls silent, or hangs up, when a test says so."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

PIECE_BYTES = 64 * 1024
RESET = struct.pack("ii", 1, 0)  # close without a farewell: what waits to be sent is dropped, the peer gets a reset


class Proxy:
    """Carries bytes both ways over real sockets, in a thread of its own: for tests with or without an event loop.

    `pause` holds every byte, as a network that drops packets does: connections stay, nothing comes, new ones are
    accepted and get no answer. `resume` delivers what was held. `cut` resets the connections that there are.
    """

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._pairs: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.host, self.port = "127.0.0.1", 0
        self.accepted = 0

    @classmethod
    def to(cls, url: str, default_port: int = 5432) -> Self:
        """A proxy to the server that an address names."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", parts.port or default_port)

    def url(self, upstream: str) -> str:
        """The address of the server, led through the proxy."""
        parts = urlsplit(upstream)
        user, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{self.host}:{self.port}"))

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._accept, self.host, 0, limit=PIECE_BYTES), self._loop
        ).result(30)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def pause(self) -> None:
        """Hold every byte from now on."""
        self._do(self._flows.clear)

    def resume(self) -> None:
        """Deliver what was held, and carry on."""
        self._do(self._flows.set)

    def cut(self) -> None:
        """Reset the connections that there are; new ones are served as `pause` and `resume` left it."""
        self._do(self._reset)

    @property
    def connections(self) -> int:
        """How many connections there are now."""
        return len(self._pairs)

    def _do(self, act: Callable[[], object]) -> None:
        async def done() -> None:
            act()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        ends = self._pairs[task] = [writer]
        try:
            await self._flows.wait()
            upstream_reader, upstream = await asyncio.open_connection(*self._upstream, limit=PIECE_BYTES)
            ends.append(upstream)
            await asyncio.gather(self._carry(reader, upstream), self._carry(upstream_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._pairs[task]
            for end in ends:
                end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE_BYTES):
            await self._flows.wait()
            writer.write(piece)
            await writer.drain()
        await self._flows.wait()
        with suppress(OSError):
            writer.write_eof()

    def _reset(self) -> None:
        for task, ends in self._pairs.items():
            for end in ends:
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.transport.abort()
            task.cancel()

    async def _close(self) -> None:
        self._server.close()
        tasks = list(self._pairs)
        self._reset()
        await asyncio.gather(*tasks, return_exceptions=True)
