"""A folder in place of a mail server: each mail is one `.eml` file, so that its links can be followed without SMTP."""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from mailer.failures import HoldLost

_NAME = re.compile(r"[\w@+-][\w.@+-]*\.eml")


class FolderTransport:
    """Writes mails where `letters` and `letter` find them; a mail that is sent again overwrites itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage, may_finish: Callable[[], bool]) -> str:
        """Write the mail, whole or not at all; that it was written. Written again it is the same file.

        Raises:
            HoldLost: when it may not be finished any more.
            OSError: when the folder can't be written.
        """
        if not may_finish():
            raise HoldLost
        await asyncio.to_thread(self._write, message)
        return "written to a file"

    async def check(self) -> None:
        """Make sure that the folder is there and can be written.

        Raises:
            OSError: when it can't.
        """
        await asyncio.to_thread(self._prepare)

    async def rest(self) -> None:
        """Nothing is held between two mails."""

    async def close(self) -> None:
        """Nothing is held open."""

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # mails hold live links: nobody else reads them
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise PermissionError(f"{self._folder} can't be written")

    def _write(self, message: EmailMessage) -> None:
        self._prepare()
        name = re.sub(r"[^\w.@+-]", "_", message["Message-ID"].strip("<>")).lstrip(".")
        whole, partial = self._folder / f"{name}.eml", self._folder / f".{name}.{os.getpid()}.part"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(message.as_bytes())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(whole)


@dataclass(frozen=True)
class Letter:
    """A line of the list of mails; `name` is the file's and opens it with `letter`."""

    name: str
    subject: str
    recipient: str
    date: datetime


def letters(folder: Path, *, limit: int = 200) -> list[Letter]:
    """The folder's newest mails, newest first; none when there is no folder yet."""
    files = sorted(folder.glob("[!.]*.eml"), key=lambda file: file.stat().st_mtime_ns, reverse=True)[:limit]
    return [_listed(file) for file in files]


def letter(folder: Path, name: str) -> EmailMessage | None:
    """One mail by its file's name; None when there is none of that name in this very folder."""
    if not _NAME.fullmatch(name) or not (folder / name).is_file():
        return None
    return _parsed(folder / name, headers_only=False)


def _listed(file: Path) -> Letter:
    headers = _parsed(file, headers_only=True)
    return Letter(file.name, str(headers["Subject"]), str(headers["To"]), headers["Date"].datetime)


def _parsed(file: Path, *, headers_only: bool) -> EmailMessage:
    with file.open("rb") as content:
        return BytesParser(policy=policy.default).parse(content, headersonly=headers_only)
