"""HTTP as it goes over a socket: requests written byte by byte, answers read until the server closes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

PATIENCE = 60.0


@dataclass
class Wire:
    """One connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["Wire"]:
        """A new connection, closed at the end."""
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Write this; a server that has closed is found out when it is read from."""
        self.writer.write(data)
        with suppress(OSError):
            await self.writer.drain()

    async def rest(self) -> bytes:
        """All that comes until the server closes, be it by a reset."""
        found = bytearray()
        async with asyncio.timeout(PATIENCE):
            with suppress(OSError):
                while data := await self.reader.read(65536):
                    found += data
        return bytes(found)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the body of the next answer, which tells its length."""
        async with asyncio.timeout(PATIENCE):
            line, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines if each)
            }
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(line.split()[1]), headers, body


def head(*lines: str, method: str = "GET", path: str = "/healthz") -> bytes:
    """The head of a request, its host named."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode("latin-1")
