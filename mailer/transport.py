"""How mails leave: through SMTP connections that each serve many of them, or into a folder."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol, Self, cast
from urllib.parse import unquote, urlsplit

import aiosmtplib

from mailer.dialogues import Dialogue, Envelope, Patience
from mailer.failures import SenderRefused, ServerAway, ServerCrowded
from mailer.folders import FolderTransport

FRESH_SECONDS = 5  # after so long a silence the server is asked whether it is still there
IDLE_SECONDS = 30  # after so long a silence the connection is given back
OPENING_SECONDS = 5  # connections are opened one at a time, unless one takes longer than this
_DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
EXTENSIONS = ("pipelining", "size", "smtputf8")


class Transport(Protocol):
    """What the courier needs: one mail sent when `send` returns, a refusal when it raises."""

    async def send(self, message: EmailMessage, may_finish: Callable[[], bool]) -> str:
        """Hand one mail over; what was said of it by whoever took it. It is asked just before there is no way back.

        Raises:
            HoldLost: when it may not be finished; then nobody gets it.
            TransportFailure: when it wasn't taken.
            OSError: when it couldn't be written.
        """

    async def check(self) -> None:
        """Make sure that mails could leave now.

        Raises:
            TransportFailure: when none would.
            OSError: when none could be written.
        """

    async def rest(self) -> None:
        """Give back what hasn't been used for a while."""

    async def close(self) -> None:
        """Give back everything."""


@dataclass(frozen=True)
class SmtpServer:
    """Where and how to reach a mail server; TLS certificates are always verified."""

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """The server that an `SMTP_URL` names.

        Raises:
            ValueError: when it isn't `smtp://`, `smtps://` or `smtp+starttls://` with a host.
        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("SMTP_URL must read smtp://, smtps:// or smtp+starttls://user:password@host:port")
        return cls(
            parts.scheme,
            parts.hostname,
            parts.port or _DEFAULT_PORTS[parts.scheme],
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )


class SmtpTransport:
    """Sends through SMTP connections, as many as there are dialogues at once, each used again for the next mails."""

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None = None, patience: Patience = Patience()) -> None:
        self._server = server
        encrypted = server.scheme != "smtp"
        self._tls = (tls or ssl.create_default_context()) if encrypted else None
        self._patience = patience
        self._idle: list[tuple[Dialogue, float]] = []  # with the instant they were last used, the latest last
        self._busy = 0
        self._opening: asyncio.Task[Dialogue] | None = None

    async def send(self, message: EmailMessage, may_finish: Callable[[], bool]) -> str:
        """Hand one mail over to the server; its last words on it.

        Raises:
            HoldLost: when the mail may not be finished any more.
            ServerAway: when there is no connection to be had.
            ServerCrowded: when there is none but those in use.
            TemporaryFailure: when the server refused it for now, or the connection was lost on the way.
            PermanentFailure: when the server refused it for good.
        """
        envelope = _envelope(message)
        dialogue = await self._reused()
        if dialogue is not None:
            try:
                return await self._send(dialogue, envelope, may_finish)
            except SenderRefused as failure:
                if failure.code != 421:
                    raise  # 421: the server takes so many mails a connection and no more
        return await self._send(await self._new(), envelope, may_finish)

    async def check(self) -> None:
        """Reach the server and be let in.

        Raises:
            ServerAway: when that fails.
        """
        dialogue = await self._opened()
        await dialogue.quit()

    async def rest(self) -> None:
        """Leave the connections over which nothing was sent for half a minute."""
        await self._leave(time.monotonic() - IDLE_SECONDS)

    async def close(self) -> None:
        """Leave the server."""
        await self._leave(time.monotonic())

    async def _leave(self, since: float) -> None:
        """Close the connections that nobody has used since that instant."""
        while self._idle and self._idle[0][1] <= since:
            dialogue, _ = self._idle.pop(0)
            if dialogue.is_open:
                await dialogue.quit()
            else:
                dialogue.close()

    async def _send(self, dialogue: Dialogue, envelope: Envelope, may_finish: Callable[[], bool]) -> str:
        self._busy += 1
        try:
            return await dialogue.send(envelope, may_finish)
        finally:
            self._busy -= 1
            if dialogue.is_open:
                self._idle.append((dialogue, time.monotonic()))
            else:
                dialogue.close()

    async def _reused(self) -> Dialogue | None:
        """The connection that was used last, if there is one that nobody uses and the server hasn't left."""
        while self._idle:
            dialogue, used_at = self._idle.pop()
            if dialogue.is_open and time.monotonic() - used_at > FRESH_SECONDS:
                await dialogue.noop()  # the server may have gone away in the meantime, as servers do
            if dialogue.is_open:
                return dialogue
            dialogue.close()  # the server's end of it is gone, ours may not be
        return None

    async def _new(self) -> Dialogue:
        """One more connection; who comes while another one is being opened waits to see what becomes of that one.

        Raises:
            ServerAway, ServerCrowded: as `send`.
        """
        while (under_way := self._opening) is not None:
            await asyncio.wait([under_way], timeout=OPENING_SECONDS)
            if not under_way.done():
                break
            self._opening = None if self._opening is under_way else self._opening
            if not under_way.cancelled():
                await self._outcome(under_way)  # what befell it would befall us
            if (dialogue := await self._reused()) is not None:
                return dialogue
        opening = self._opening = asyncio.ensure_future(self._opened())
        try:
            return await self._outcome(opening)
        finally:
            self._opening = None if self._opening is opening else self._opening

    async def _outcome(self, opening: asyncio.Task[Dialogue]) -> Dialogue:
        try:
            return await opening
        except ServerAway as away:
            if self._busy:
                raise ServerCrowded(str(away), away.code) from away
            raise

    async def _opened(self) -> Dialogue:
        """A new connection past greeting, TLS with a verified certificate, and login, which aiosmtplib sees to."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",
            tls_context=self._tls,
            timeout=self._patience.connect,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise ServerAway(f"{type(error).__name__}: {error}", getattr(error, "code", None)) from error
        assert client.transport is not None
        known = frozenset(name for name in EXTENSIONS if client.supports_extension(name))
        return Dialogue(cast(asyncio.Transport, client.transport), known, self._patience)


def open_transport(smtp_url: str | None, folder: Path) -> Transport:
    """The way out that the settings name: the mail server, or the folder when there is none.

    Raises:
        ValueError: when the address of the mail server can't be read.
    """
    return SmtpTransport(SmtpServer.parse(smtp_url)) if smtp_url else FolderTransport(folder)


def _envelope(message: EmailMessage) -> Envelope:
    """The addresses of a mail that `rendering` composed, and its bytes."""
    sender, recipient = (message[name].addresses[0].addr_spec for name in ("From", "To"))
    policy = message.policy if message.policy.linesep == "\r\n" else message.policy.clone(linesep="\r\n")
    return Envelope(sender, recipient, message.as_bytes(policy=policy))
