"""The dialogue of each mail over an open SMTP connection (RFC 5321), in one go where the server allows (RFC 2920)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from mailer.failures import (
    HoldLost,
    PermanentFailure,
    RecipientRefused,
    SenderRefused,
    TemporaryFailure,
    TransportFailure,
)

T = TypeVar("T")
LONGEST_REPLY = 64 * 1024
AT_ONCE = 64 * 1024  # what is longer takes time to leave, and whether it may be finished is known only then
_WANTS_LOGIN = {530, 534, 535, 538}
_STUFFED = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True)
class Patience:
    """How many seconds are waited for: a connection, each answer, and the last one, before which mails are looked into.

    A server that took the mail but says so too late gets it again: RFC 5321 4.5.3.2.6 wants the last wait to be long.
    """

    connect: float = 15
    step: float = 60
    end: float = 300


@dataclass(frozen=True)
class Envelope:
    """Who a mail is from and goes to, and the mail itself, its lines ended by CR LF."""

    sender: str
    recipient: str
    content: bytes

    @property
    def is_plain(self) -> bool:
        """Can both addresses be said in ASCII?"""
        return self.sender.isascii() and self.recipient.isascii()


@dataclass(frozen=True)
class Reply:
    """The server's answer to one command."""

    code: int
    text: str

    @property
    def is_good(self) -> bool:
        """Does it say that the command was followed?"""
        return 200 <= self.code < 300

    @property
    def is_final(self) -> bool:
        """Does it say no for good? That a login is wanted first says nothing of the mail."""
        return 500 <= self.code < 600 and self.code not in _WANTS_LOGIN

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Dialogue:
    """An SMTP connection past its greeting, TLS and login, over which mails go one after the other."""

    def __init__(self, transport: asyncio.Transport, extensions: frozenset[str], patience: Patience) -> None:
        loop = asyncio.get_running_loop()
        self._reader = asyncio.StreamReader(limit=LONGEST_REPLY, loop=loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)
        self._extensions = extensions
        self._patience = patience

    @property
    def is_open(self) -> bool:
        """Is the connection there, as far as this side knows?"""
        return not self._writer.is_closing() and not self._reader.at_eof()

    async def send(self, envelope: Envelope, may_finish: Callable[[], bool]) -> str:
        """Hand one mail over; the server's last words on it. The last dot is said only if `may_finish` says yes then.

        Raises:
            HoldLost: when the mail may not be finished any more; the server drops what it has of it.
            SenderRefused: when the server takes no mail from us now.
            RecipientRefused, PermanentFailure: when it will never take this one.
            TemporaryFailure: when it doesn't take it now, or went away on the way.
        """
        finished = False
        try:
            answer = await self._dialogue(envelope, may_finish)
            finished = True
        except TransportFailure as failure:
            finished = failure.code is not None and failure.code != 421  # else the connection is worth nothing more
            raise
        finally:
            if not finished:
                self.close()  # no next mail may land in the middle of this one's dialogue
        return answer

    async def noop(self) -> None:
        """Ask whether the server is still there; the connection is closed when it isn't."""
        there = False
        with suppress(TransportFailure):
            self._say(b"NOOP\r\n")
            try:
                there = (await self._reply(self._patience.connect)).is_good
            finally:
                if not there:
                    self.close()

    async def quit(self) -> None:
        """Take leave, and close the connection."""
        try:
            self._say(b"QUIT\r\n")
            await self._reply(self._patience.connect)
        except TransportFailure:
            pass  # leaving without goodbye is leaving too
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection at once."""
        self._writer.close()

    # ------------------------------------------------------------------ one mail
    async def _dialogue(self, envelope: Envelope, may_finish: Callable[[], bool]) -> str:
        begun, named, ready = await self._opening(self._commands(envelope))
        refusal = _refusal(begun, named, ready)
        if refusal is None:
            return await self._content(envelope.content, may_finish)
        if ready is not None and ready.code == 354:
            self.close()  # it awaits a mail to nobody: even an empty one must not reach anybody
        elif refusal.code != 421:
            self._say(b"RSET\r\n")
            await self._reply(self._patience.step)
        raise refusal

    async def _opening(self, commands: tuple[bytes, bytes, bytes]) -> tuple[Reply, Reply | None, Reply | None]:
        """The answers to MAIL, RCPT and DATA; None to those that weren't said."""
        if "pipelining" in self._extensions:
            self._say(b"".join(commands))
            return await self._step(), await self._step(), await self._step()
        replies: list[Reply | None] = []
        for command in commands:
            self._say(command)
            replies.append(reply := await self._step())
            if not reply.is_good:
                break
        begun, *rest = [*replies, None, None][:3]
        assert begun is not None
        return begun, rest[0], rest[1]

    async def _content(self, content: bytes, may_finish: Callable[[], bool]) -> str:
        stuffed = _STUFFED.sub(b"..", content)
        if len(stuffed) > AT_ONCE:
            self._say(stuffed)
            await self._within(self._writer.drain(), self._patience.end)
            stuffed = b""
        if not may_finish():
            raise HoldLost
        self._say(stuffed + b".\r\n")
        await self._within(self._writer.drain(), self._patience.end)
        taken = await self._reply(self._patience.end)
        if not taken.is_good:
            raise (PermanentFailure if taken.is_final else TemporaryFailure)(f"DATA: {taken}", taken.code)
        return str(taken)

    def _commands(self, envelope: Envelope) -> tuple[bytes, bytes, bytes]:
        options = ""
        if not envelope.is_plain:
            if "smtputf8" not in self._extensions:
                raise PermanentFailure("the server takes no address with accents (SMTPUTF8)", 553)
            options += " SMTPUTF8"
        if "size" in self._extensions:
            options += f" SIZE={len(envelope.content)}"
        lines = (f"MAIL FROM:<{envelope.sender}>{options}\r\n", f"RCPT TO:<{envelope.recipient}>\r\n", "DATA\r\n")
        begun, named, data = (line.encode() for line in lines)
        return begun, named, data

    # ------------------------------------------------------------------ lines
    def _say(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise TemporaryFailure("the connection was lost")
        self._writer.write(data)

    async def _step(self) -> Reply:
        return await self._reply(self._patience.step)

    async def _reply(self, seconds: float) -> Reply:
        return await self._within(self._read(), seconds)

    async def _read(self) -> Reply:
        said: list[str] = []
        while True:
            line = await self._reader.readuntil(b"\n")
            if not line[:3].isdigit():
                raise TemporaryFailure("the server doesn't speak SMTP")
            said.append(line[4:].decode("utf-8", "replace").strip())
            if line[3:4] != b"-":
                return Reply(int(line[:3]), " ".join(said))

    async def _within(self, act: Awaitable[T], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await act
        except TimeoutError as error:
            raise TemporaryFailure(f"the server said nothing for {seconds:g} seconds") from error
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise TemporaryFailure(f"the connection was lost: {type(error).__name__}") from error


def _refusal(begun: Reply, named: Reply | None, ready: Reply | None) -> TransportFailure | None:
    """What stands against sending the mail's content; what was refused first says why."""
    if not begun.is_good:
        return SenderRefused(f"MAIL: {begun}", begun.code)
    assert named is not None
    if not named.is_good:
        return (RecipientRefused if named.is_final else TemporaryFailure)(str(named), named.code)
    assert ready is not None
    if ready.code != 354:
        return (PermanentFailure if ready.is_final else TemporaryFailure)(f"DATA: {ready}", ready.code)
    return None
