"""How mails leave: through one SMTP connection that serves many of them, or into a folder."""

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol, Self, cast
from urllib.parse import unquote, urlsplit

import aiosmtplib

from mailer.dialogues import Dialogue, Envelope, Patience
from mailer.failures import SenderRefused, ServerAway
from mailer.folders import FolderTransport

FRESH_SECONDS = 5  # after so long a silence the server is asked whether it is still there
IDLE_SECONDS = 30  # after so long a silence the connection is given back
_DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
EXTENSIONS = ("pipelining", "size", "smtputf8")


class Transport(Protocol):
    """What the courier needs: one mail sent when `send` returns, a refusal when it raises."""

    async def send(self, message: EmailMessage) -> str:
        """Hand one mail over; what was said of it by whoever took it.

        Raises:
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
    """Sends through one SMTP connection, opened when first needed and again whenever it was lost."""

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None = None, patience: Patience = Patience()) -> None:
        self._server = server
        encrypted = server.scheme != "smtp"
        self._tls = (tls or ssl.create_default_context()) if encrypted else None
        self._patience = patience
        self._dialogue: Dialogue | None = None
        self._used_at = 0.0

    async def send(self, message: EmailMessage) -> str:
        """Hand one mail over to the server; its last words on it.

        Raises:
            ServerAway: when there is no connection to be had.
            TemporaryFailure: when the server refused it for now, or the connection was lost on the way.
            PermanentFailure: when the server refused it for good.
        """
        envelope = _envelope(message)
        dialogue, reused = await self._connect()
        try:
            return await self._send(dialogue, envelope)
        except SenderRefused as failure:
            if not (reused and failure.code == 421):
                raise
        dialogue, _ = await self._connect()  # the server takes so many mails a connection and no more
        return await self._send(dialogue, envelope)

    async def check(self) -> None:
        """Reach the server and be let in.

        Raises:
            ServerAway: when that fails.
        """
        await self._connect()
        await self.close()

    async def rest(self) -> None:
        """Leave the server when nothing was sent for half a minute."""
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            await self.close()

    async def close(self) -> None:
        """Leave the server."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None and dialogue.is_open:
            await dialogue.quit()
        elif dialogue is not None:
            dialogue.close()

    async def _send(self, dialogue: Dialogue, envelope: Envelope) -> str:
        try:
            return await dialogue.send(envelope)
        finally:
            self._used_at = time.monotonic()

    async def _connect(self) -> tuple[Dialogue, bool]:
        """An open connection, and whether it was there before."""
        dialogue = self._dialogue
        if dialogue is not None and dialogue.is_open and time.monotonic() - self._used_at > FRESH_SECONDS:
            await dialogue.noop()  # it may have gone away in the meantime, as servers do: a new connection follows
        if dialogue is not None and dialogue.is_open:
            return dialogue, True
        if dialogue is not None:
            dialogue.close()  # the server's end of it is gone, ours may not be
        self._dialogue = dialogue = await self._opened()
        self._used_at = time.monotonic()
        return dialogue, False

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
