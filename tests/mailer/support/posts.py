"""A real SMTP server whose every answer is scripted: it says no, goes away in the middle, or stops answering."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from enum import Enum

from tests.mailer.support.letters import parsed

OFFERS = ("PIPELINING", "SIZE 35882577", "8BITMIME", "SMTPUTF8")
GOOD = {"greeting": "220 ready", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "end": "250 2.0.0 taken"}


class Act(Enum):
    """What may be done in place of an answer."""

    DROP = "close the connection"
    HANG = "say nothing any more"


class Post:
    """The steps are `greeting`, `MAIL`, `RCPT`, `DATA`, `content` (what follows, half read) and `end` (its last dot).

    `script` holds what is said or done at each step, the first thing first; then, and elsewhere, all is well. `holds`
    decides at which step of whose mail it stops answering, which `reached` then tells.
    """

    def __init__(self, offers: tuple[str, ...] = OFFERS) -> None:
        self.offers = offers
        self.script: dict[str, list[str | Act]] = defaultdict(list)
        self.holds: Callable[[str, str], bool] = lambda step, recipient: False
        self.reached: asyncio.Event = asyncio.Event()
        self.release: asyncio.Event = asyncio.Event()
        self.taken: list[tuple[str, bytes]] = []
        self.connections = 0
        self.most_open: int | None = None  # so many connections at once, and no more
        self.together = 0  # how many times DATA came without waiting for the answer to MAIL
        self.port = 0
        self._open: set[asyncio.Task[None]] = set()

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, as mail programs read it."""
        return [parsed(content) for _, content in self.taken]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if self.most_open is not None and len(self._open) > self.most_open:
                writer.write(b"421 4.7.0 too many connections\r\n")
                await writer.drain()
                raise EOFError
            await _Conversation(self, reader, writer).hold()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    def hang_up(self) -> None:
        """Close every connection."""
        for task in self._open:
            task.cancel()

    async def hung_up(self) -> None:
        """Close every connection, and see it closed."""
        self.hang_up()
        await asyncio.gather(*self._open, return_exceptions=True)


class _Conversation:
    def __init__(self, post: Post, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._post, self._reader, self._writer = post, reader, writer
        self._begun, self._recipient = False, ""

    async def hold(self) -> None:
        await self._say("greeting")
        while True:
            line = await self._reader.readuntil(b"\r\n")
            verb = line[:4].decode().strip().upper()
            if verb == "EHLO":
                lines = ["post", *self._post.offers]
                said = [f"250{' ' if line is lines[-1] else '-'}{line}" for line in lines]
                self._writer.write("".join(f"{line}\r\n" for line in said).encode())
            elif verb == "RCPT":
                self._recipient = line.decode().partition("<")[2].partition(">")[0]
                if not self._begun:
                    self._writer.write(b"503 5.5.1 whose is it?\r\n")
                    self._recipient = ""
                elif not (await self._say("RCPT")).startswith("250"):
                    self._recipient = ""
            elif verb == "DATA":
                await self._data()
            elif verb == "QUIT":
                self._writer.write(b"221 bye\r\n")
                await self._writer.drain()
                return
            elif verb == "MAIL":
                await asyncio.sleep(0)
                self._post.together += b"DATA\r\n" in self._waiting()
                self._begun = (await self._say("MAIL")).startswith("250")
            else:
                self._writer.write(b"250 ok\r\n")
            await self._writer.drain()

    def _waiting(self) -> bytes:
        return bytes(self._reader._buffer)  # type: ignore[attr-defined]  # what came and wasn't read

    async def _data(self) -> None:
        if not self._recipient:
            self._writer.write(b"503 5.5.1 nobody to take it for\r\n")
            return
        if not (await self._say("DATA")).startswith("354"):
            return
        await self._writer.drain()
        lines: list[bytes] = []
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            if not lines:
                await self._act("content", None)
            lines.append(line[1:] if line.startswith(b".") else line)
        planned = self._post.script["end"][0] if self._post.script["end"] else GOOD["end"]
        if not isinstance(planned, str) or planned.startswith("250"):
            self._post.taken.append((self._recipient, b"".join(lines)))
        await self._say("end")
        self._begun, self._recipient = False, ""

    async def _say(self, step: str) -> str:
        return await self._act(step, GOOD[step])

    async def _act(self, step: str, good: str | None) -> str:
        if self._post.holds(step, self._recipient):
            await self._writer.drain()
            self._post.reached.set()
            await self._post.release.wait()
        planned = self._post.script[step].pop(0) if self._post.script[step] else good
        if planned is Act.DROP:
            raise EOFError
        if planned is Act.HANG:
            await asyncio.sleep(3600)
        if isinstance(planned, str):
            self._writer.write(f"{planned}\r\n".encode())
        return str(planned)


@asynccontextmanager
async def opened(post: Post, port: int = 0) -> AsyncIterator[Post]:
    """The server, listening."""
    server = await asyncio.start_server(post.serve, "127.0.0.1", port, limit=2**20)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        await asyncio.sleep(0.05)  # who was let in just now is served, and hung up on like the others
        await post.hung_up()
        await server.wait_closed()
