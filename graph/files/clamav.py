"""The virus scanner behind `CLAMD_URL`: content streamed to clamd by its INSTREAM command, and its verdict read."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from models.errors.errors import NoVerdict, StorageAway

DEFAULT_PORT = 3310
SECONDS = 60.0  # for one document, to the verdict
DOUBT_SECONDS = 5.0  # of waiting, after which the scanner must show that it is there
PROOF_SECONDS = 2.0
MOST_REPLY = 4096
FAILURES = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


@dataclass(frozen=True)
class Clamd:
    """A clamd at `tcp://HOST:PORT` or `unix:///PATH`; each document has a connection of its own."""

    url: str

    async def __call__(self, content: AsyncIterator[bytes]) -> str | None:
        """The name of what was found in the content; None when it is clean.

        Raises:
            StorageAway: when it can't be asked.
            NoVerdict: when it is there and gives no verdict on this content.
        """
        try:
            async with asyncio.timeout(SECONDS):
                return _verdict(await self._answered(content))
        except FAILURES as error:
            await self._must_be_there()
            raise NoVerdict(f"the virus scanner gives no verdict: {type(error).__name__}") from error

    async def _must_be_there(self) -> None:
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                await self._prove()
        except FAILURES as error:
            raise StorageAway(f"the virus scanner can't be asked: {type(error).__name__}") from error

    async def _answered(self, content: AsyncIterator[bytes]) -> str:
        """What the scanner answers; one that is slow is waited for, one that doesn't say that it is there isn't."""
        asked = asyncio.ensure_future(self._asked(content))
        try:
            while not (await asyncio.wait({asked}, timeout=DOUBT_SECONDS))[0]:
                async with asyncio.timeout(PROOF_SECONDS):
                    await self._prove()
            return asked.result()
        finally:
            asked.cancel()

    async def _prove(self) -> None:
        reader, writer = await self._connected()
        try:
            writer.write(b"zPING\0")
            await reader.readuntil(b"\0")
        finally:
            writer.close()

    async def _asked(self, content: AsyncIterator[bytes]) -> str:
        reader, writer = await self._connected()
        try:
            writer.write(b"zINSTREAM\0")
            async for piece in content:
                writer.write(struct.pack("!I", len(piece)) + piece)
                await writer.drain()
            writer.write(struct.pack("!I", 0))
            await writer.drain()
            return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace")
        finally:
            writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        if parts.scheme == "unix":
            return await asyncio.open_unix_connection(parts.path, limit=MOST_REPLY)
        return await asyncio.open_connection(parts.hostname, parts.port or DEFAULT_PORT, limit=MOST_REPLY)


def _verdict(reply: str) -> str | None:
    if reply.endswith(" OK"):
        return None
    if reply.endswith(" FOUND"):
        return reply.removesuffix(" FOUND").partition(": ")[2]
    raise NoVerdict(f"the virus scanner gives no verdict: {reply[:200]}")


def scanner_of(url: str | None) -> Clamd | None:
    """The scanner of this address; None where none is set."""
    return Clamd(url) if url else None
