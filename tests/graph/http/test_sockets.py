"""Frames of a WebSocket within their bounds: read at a pace and as they are taken, none lost of those that come fast."""

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graph.cli import serve
from graph.http import sockets
from graph.http.sockets import Pace
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.servers import ROOT
from tests.graph.support.wire import Wire, head

PING = b"\x89\x80\x00\x00\x00\x00"  # a frame of the protocol itself, masked with nothing
PONG = b"\x8a\x00"
MESSAGE = b'\x81\x8f\x00\x00\x00\x00{"type":"ping"}'
ANSWER = b'\x81\x0f{"type":"pong"}'
AT_ONCE, PIECE = 20, 10 * len(PING)


@pytest.fixture
async def url(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server."""
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    database = f"sqlite://{tmp_path / 'rattache.db'}?synchronous=OFF"
    async with live.served(settings_of(tmp_path, database, rate_limits=False)) as url:
        yield url


@asynccontextmanager
async def upgraded(url: str) -> AsyncIterator[Wire]:
    """A connection that has become a WebSocket, its bytes as they are."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
             "Sec-WebSocket-Protocol: graphql-transport-ws")  # fmt: skip
    async with Wire.to(url) as wire:
        await wire.send(head(*lines, path="/graphql"))
        assert (await wire.answer())[0] == 101
        yield wire


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty frames at once, and twenty more in each second."""
    monkeypatch.setattr(sockets, "FRAMES_AT_ONCE", AT_ONCE)
    monkeypatch.setattr(sockets, "FRAMES_A_SECOND", 20.0)
    monkeypatch.setattr(sockets, "PIECE_BYTES", PIECE)


@pytest.mark.parametrize(("frame", "answer"), [(PING, PONG), (MESSAGE, ANSWER)])
async def test_frames_that_come_faster_are_read_more_slowly_and_all_are_answered(
    slow: None, url: str, frame: bytes, answer: bytes
) -> None:
    async with upgraded(url) as wire, asyncio.timeout(60):
        began = asyncio.get_running_loop().time()
        await wire.send(frame * 60)
        first = await wire.reader.readexactly(len(answer) * AT_ONCE)
        rest = await wire.reader.readexactly(len(answer) * (60 - AT_ONCE))
        assert (first, rest) == (answer * AT_ONCE, answer * (60 - AT_ONCE))
        # what is over of a piece is owed: of sixty frames, thirty at the least wait for their time
        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_a_client_leaves_while_its_frames_wait(slow: None, url: str) -> None:
    async with upgraded(url) as wire:
        await wire.send(PING * 200)
        await wire.reader.readexactly(len(PONG) * AT_ONCE)
    async with upgraded(url) as wire:
        await wire.send(PING)
        assert await wire.reader.readexactly(2) == PONG


async def test_a_burst_of_frames_is_answered_whole(url: str) -> None:
    async with upgraded(url) as wire, asyncio.timeout(60):
        await wire.send(MESSAGE * 1_500)
        assert await wire.reader.readexactly(len(ANSWER) * 1_500) == ANSWER * 1_500


@pytest.mark.parametrize("number", [999, 1_001])
async def test_a_message_comes_in_so_many_frames_and_no_more(url: str, number: int) -> None:
    empty, last = b"\x00\x80\x00\x00\x00\x00", b"\x80\x80\x00\x00\x00\x00"
    async with upgraded(url) as wire, asyncio.timeout(60):
        await wire.send(b'\x01\x8f\x00\x00\x00\x00{"type":"ping"}' + empty * (number - 1) + last)
        if number < sockets.MOST_FRAGMENTS:
            assert await wire.reader.readexactly(len(ANSWER)) == ANSWER
        else:
            assert (await wire.rest())[2:4] == (1009).to_bytes(2, "big")


async def test_messages_wait_unparsed_while_the_application_is_busy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    queued: list[int] = []
    taking = sockets.SocketConnection.handle_events

    def counted(connection: sockets.SocketConnection) -> None:
        taking(connection)
        queued.append(connection.queue.qsize())

    monkeypatch.setattr(sockets.SocketConnection, "handle_events", counted)
    async with upgraded(url) as wire, asyncio.timeout(60):
        await wire.send(MESSAGE * 1_000)
        await wire.reader.readexactly(len(ANSWER) * 1_000)
    assert max(queued) <= sockets.PIECE_BYTES // len(MESSAGE) + 1


def test_a_pace_lets_so_many_through_and_more_as_time_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pace = Pace(at_once=10, a_second=2)
    pace.spend(9)
    assert pace.wait() == 0
    pace.spend(4)  # three more than might come
    assert pace.wait() == 2.0
    now = 102.0
    assert pace.wait() == 0
    now = 1000.0
    pace.spend(10)
    assert pace.wait() == 0.5


def test_the_collector_passes_over_what_stays_for_good(tmp_path: Path) -> None:
    look = """if True:
        import asyncio, gc
        from graph.cli import serve
        async def started(app):
            async with app.router.lifespan_context(app):
                print(gc.get_freeze_count(), len(gc.get_objects()))
        asyncio.run(started(serve.application()))
    """
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path)} | {
        serve.OPTIONS: "127.0.0.1 8000 no-worker"
    }
    found = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    kept, walked = map(int, found.stdout.splitlines()[-1].split())
    assert kept > 100_000
    assert walked < 1_000
