"""How mails leave: one SMTP connection that serves many of them, and what each of the server's refusals means."""

import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from mailer.folders import FolderTransport

CONNECT_SECONDS = 15
STEP_SECONDS = 60  # each command and its answer; servers that look into a mail take their time after DATA
FRESH_SECONDS = 5  # after so long a silence the server is asked whether it is still there
IDLE_SECONDS = 30  # after so long a silence the connection is given back
_DEFAULT_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_WANTS_LOGIN = {530, 534, 535, 538}


class TransportFailure(Exception):
    """A mail didn't leave; `code` is the server's answer when it gave one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class TemporaryFailure(TransportFailure):
    """The same mail may leave later."""


class ServerAway(TemporaryFailure):
    """The server can't be reached, or doesn't let this installation in: no mail would leave now."""


class PermanentFailure(TransportFailure):
    """The server will never take this mail."""


class Transport(Protocol):
    """What the courier needs: one mail sent when `send` returns, a refusal when it raises."""

    async def send(self, message: EmailMessage) -> None:
        """Hand one mail over.

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

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None = None) -> None:
        encrypted = server.scheme != "smtp"
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",
            tls_context=(tls or ssl.create_default_context()) if encrypted else None,
            timeout=STEP_SECONDS,
        )
        self._used_at = 0.0

    async def send(self, message: EmailMessage) -> None:
        """Hand one mail over to the server.

        Raises:
            ServerAway: when there is no connection to be had.
            TemporaryFailure: when the server refused it for now, or the connection was lost on the way.
            PermanentFailure: when the server refused it for good.
        """
        reused = await self._connect()
        try:
            await self._attempt(lambda: self._client.send_message(message))
        except TemporaryFailure as failure:
            if not (reused and failure.code == 421 and isinstance(failure.__cause__, aiosmtplib.SMTPSenderRefused)):
                raise
            self._client.close()  # the server takes so many mails a connection and no more
            await self._connect()
            await self._attempt(lambda: self._client.send_message(message))

    async def check(self) -> None:
        """Reach the server and be let in.

        Raises:
            ServerAway: when that fails.
        """
        await self._connect()
        await self._quit()

    async def rest(self) -> None:
        """Leave the server when nothing was sent for half a minute."""
        if self._client.is_connected and time.monotonic() - self._used_at > IDLE_SECONDS:
            await self._quit()

    async def close(self) -> None:
        """Leave the server."""
        if self._client.is_connected:
            await self._quit()

    async def _connect(self) -> bool:
        """Be connected; True when that connection was there before."""
        if self._client.is_connected and time.monotonic() - self._used_at > FRESH_SECONDS:
            await self._sound_out()
        if self._client.is_connected:
            return True
        try:
            await self._client.connect(timeout=CONNECT_SECONDS)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ServerAway(_said(error), _code(error)) from error
        self._used_at = time.monotonic()
        return False

    async def _sound_out(self) -> None:
        try:
            await self._client.noop(timeout=CONNECT_SECONDS)
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()  # it went away in the meantime, as servers may: a new connection follows

    async def _attempt(self, dialogue: Callable[[], Awaitable[object]]) -> None:
        finished = False
        try:
            await dialogue()
            finished = True
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            finished = isinstance(error, aiosmtplib.SMTPResponseException | aiosmtplib.SMTPRecipientsRefused)
            raise _classified(error) from error
        finally:
            self._used_at = time.monotonic()
            if not finished:
                self._client.close()  # no next mail may land in the middle of this one's dialogue

    async def _quit(self) -> None:
        try:
            await self._client.quit(timeout=CONNECT_SECONDS)
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()  # leaving without goodbye is leaving too


def open_transport(smtp_url: str | None, folder: Path) -> Transport:
    """The way out that the settings name: the mail server, or the folder when there is none.

    Raises:
        ValueError: when the address of the mail server can't be read.
    """
    return SmtpTransport(SmtpServer.parse(smtp_url)) if smtp_url else FolderTransport(folder)


def _classified(error: Exception) -> TransportFailure:
    """What a refusal means for the mail; a sender or login that isn't accepted is no fault of the mail's."""
    code = _code(error)
    if isinstance(error, aiosmtplib.SMTPNotSupported) or type(error) is ValueError:
        return PermanentFailure(_said(error))
    about_mail = isinstance(error, aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPDataError)
    if about_mail and code is not None and 500 <= code < 600 and code not in _WANTS_LOGIN:
        return PermanentFailure(_said(error), code)
    return TemporaryFailure(_said(error), code)


def _code(error: Exception) -> int | None:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return error.recipients[0].code
    return error.code if isinstance(error, aiosmtplib.SMTPResponseException) else None


def _said(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{type(error).__name__}: {error.code} {error.message}"
    return f"{type(error).__name__}: {error}"
