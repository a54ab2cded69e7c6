"""The scanner's client against a server that speaks clamd's INSTREAM: its verdicts, and every way it can fail."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from graph.files import clamav
from graph.files.clamav import Clamd
from models.errors.errors import NoVerdict, StorageAway
from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


async def clamd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The INSTREAM command as clamd's manual has it, with one signature and a limit of 1 MB."""
    command = await reader.readuntil(b"\0")
    if command == b"zPING\0":
        writer.write(b"PONG\0")
        return
    assert command == b"zINSTREAM\0"
    content = b""
    while length := struct.unpack("!I", await reader.readexactly(4))[0]:
        content += await reader.readexactly(length)
    reply = b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0"
    writer.write(b"INSTREAM size limit exceeded. ERROR\0" if len(content) > 1_000_000 else reply)
    await writer.drain()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything, says nothing."""
    await reader.read()


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ends before it has said all."""
    await reader.read(20)
    writer.write(b"stream: O")


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never comes to an end."""
    writer.write(b"x" * 100_000)
    await reader.read()


@asynccontextmanager
async def listening(talk: Talk, path: Path | None = None) -> AsyncIterator[Clamd]:
    """A scanner that talks so, on a port or a socket; every connection to it is over at the end."""
    talks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass  # the client had enough
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.ensure_future(serve(reader, writer)))

    if path is not None:
        server = await asyncio.start_unix_server(begin, path)
    else:
        server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server:
        yield Clamd(f"unix://{path}" if path else f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.wait_for(asyncio.gather(*talks), 5)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_clean_content_in_pieces_is_clean() -> None:
    async with listening(clamd) as scanner:
        assert await scanner(_pieces(b"all", b" is", b" well")) is None


async def test_what_is_found_is_named_even_across_pieces() -> None:
    async with listening(clamd) as scanner:
        assert await scanner(_pieces(b"x" * 70_000 + EICAR[:20], EICAR[20:])) == "Eicar-Test-Signature"


async def test_a_socket_in_the_file_system_serves_as_well(tmp_path: Path) -> None:
    async with listening(clamd, tmp_path / "clamd.sock") as scanner:
        assert await scanner(_pieces(EICAR)) == "Eicar-Test-Signature"


@pytest.mark.parametrize("talk", [silent, hanging_up, babbling])
async def test_no_verdict_is_not_a_clean_one(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamav, "SECONDS", 0.5)
    async with listening(talk) as scanner:
        with pytest.raises(StorageAway):
            await scanner(_pieces(b"x" * 30))


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Thinks for a while before each verdict."""
    command = await reader.readuntil(b"\0")
    if command == b"zINSTREAM\0":
        await asyncio.sleep(1)
    writer.write(b"PONG\0" if command == b"zPING\0" else b"stream: OK\0")


async def test_a_slow_scanner_that_answers_pings_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamav, "DOUBT_SECONDS", 0.1)
    async with listening(slow) as scanner:
        assert await scanner(_pieces(b"x" * 30)) is None


async def test_a_scanner_that_falls_silent_is_given_up_and_asked_again_afterwards() -> None:
    async with listening(clamd) as behind:
        with Proxy.to(behind.url) as proxy:
            scanner = Clamd(proxy.url(behind.url))
            proxy.pause()
            began = asyncio.get_running_loop().time()
            with pytest.raises(StorageAway):
                await scanner(_pieces(EICAR))
            # given up by the ping that isn't answered, not by the bound of a scan that goes on
            assert asyncio.get_running_loop().time() - began < clamav.SECONDS
            proxy.resume()
            assert await scanner(_pieces(EICAR)) == "Eicar-Test-Signature"


async def test_an_error_of_the_scanner_is_not_a_clean_verdict() -> None:
    async with listening(clamd) as scanner:
        with pytest.raises(NoVerdict, match="size limit"):
            await scanner(_pieces(b"x" * 500_000, b"x" * 500_001))


async def choking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers pings, and hangs up on every document."""
    if await reader.readuntil(b"\0") == b"zPING\0":
        writer.write(b"PONG\0")


async def test_a_scanner_that_is_there_and_hangs_up_has_no_verdict_on_this_document() -> None:
    async with listening(choking) as scanner:
        with pytest.raises(NoVerdict):
            await scanner(_pieces(b"x" * 30))


async def test_a_document_that_takes_too_long_has_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clamav, "SECONDS", 0.3)
    async with listening(slow) as scanner:
        with pytest.raises(NoVerdict):
            await scanner(_pieces(b"x" * 30))


async def test_nobody_listening_is_away(tmp_path: Path) -> None:
    for url in ("tcp://127.0.0.1:9", f"unix://{tmp_path}/none.sock"):
        with pytest.raises(StorageAway):
            await Clamd(url)(_pieces(b"x"))


def test_no_address_is_no_scanner() -> None:
    assert clamav.scanner_of(None) is None
    assert clamav.scanner_of("tcp://h:1") == Clamd("tcp://h:1")
