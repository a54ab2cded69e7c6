"""The buffer of one connection: in order, with room or not, given up when nothing of it is read, or its client gone."""

import asyncio

import pytest

from graph.live import send_queue
from graph.live.send_queue import Reader


class Client:
    """The other end: reads when it is let, and notes what happened."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.lets = asyncio.Event()
        self.stalled = self.gone = self.unread = 0
        self.breaks = False
        self.reader: Reader[str] = Reader(self._send, self._stalled, self._gone, lambda: self.unread)

    async def _send(self, frame: str) -> None:
        await self.lets.wait()
        if self.breaks:
            raise ConnectionError
        self.read.append(frame)

    def _stalled(self) -> None:
        self.stalled += 1
        self.reader.end("too slow", drop=True)

    def _gone(self) -> None:
        self.gone += 1
        self.reader.abandon()


async def test_frames_arrive_whole_and_in_order_and_none_after_the_last() -> None:
    client = Client()
    client.lets.set()
    for number in range(100):
        client.reader.put(str(number), 1)
        if number % 7 == 0:
            await asyncio.sleep(0)
    client.reader.end("end")
    client.reader.put("too late", 1)
    await asyncio.sleep(0.01)
    assert client.read == [*map(str, range(100)), "end"]
    client.reader.abandon()


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of a second for a client to take something."""
    monkeypatch.setattr(send_queue, "STALL_SECONDS", 0.2)


@pytest.mark.usefixtures("short_patience")
async def test_a_burst_before_the_writer_could_run_is_nobodys_fault() -> None:
    client = Client()
    client.lets.set()
    for number in range(10_000):
        client.reader.put(str(number), 1_000)
    await asyncio.sleep(0.5)
    assert (client.stalled, len(client.read)) == (0, 10_000)


@pytest.mark.usefixtures("short_patience")
async def test_one_who_leaves_what_waits_unread_is_told_once_and_gets_only_that() -> None:
    client = Client()
    for number in range(3):
        client.reader.put(str(number), 1)
    await asyncio.sleep(0.7)
    assert client.stalled == 1
    client.lets.set()
    await asyncio.sleep(0.01)
    assert client.read == ["0", "too slow"]  # the first was on its way already
    client.reader.abandon()


@pytest.mark.usefixtures("short_patience")
async def test_one_who_takes_a_large_frame_little_by_little_is_reading() -> None:
    client = Client()
    client.unread = 1_000
    client.reader.put("large", 2 * send_queue.MOST_CHARACTERS)
    for _ in range(16):
        await asyncio.sleep(0.05)
        client.unread -= 1
    assert client.stalled == 0
    await asyncio.sleep(0.7)
    assert client.stalled == 1
    client.reader.abandon()


@pytest.mark.parametrize(
    ("frames", "size"), [(send_queue.MOST_FRAMES + 1, 1), (9, send_queue.MOST_CHARACTERS // 8 + 1)]
)
async def test_one_to_whom_much_is_on_its_way_is_full_until_it_is_read(frames: int, size: int) -> None:
    client = Client()
    for number in range(frames):
        client.reader.put(str(number), size)
        await asyncio.sleep(0)
    assert client.reader.is_full
    client.lets.set()
    await asyncio.wait_for(client.reader.room(), 60)
    assert not client.reader.is_full


async def test_one_large_frame_alone_leaves_room() -> None:
    client = Client()
    client.reader.put("large", 2 * send_queue.MOST_CHARACTERS)
    await asyncio.sleep(0.01)
    assert not client.reader.is_full
    client.reader.abandon()


async def test_a_replay_waits_for_room() -> None:
    client = Client()
    for number in range(200):
        client.reader.put(str(number), 1)
    waiting = asyncio.create_task(client.reader.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    client.lets.set()
    await asyncio.wait_for(waiting, 1)


async def test_a_broken_connection_is_told_once_and_lets_the_replay_go() -> None:
    client = Client()
    client.breaks = True
    for number in range(200):
        client.reader.put(str(number), 1)
    waiting = asyncio.create_task(client.reader.room())
    await asyncio.sleep(0.01)
    client.lets.set()
    await asyncio.wait_for(waiting, 1)
    assert client.gone == 1


async def test_a_last_frame_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_queue, "LINGER_SECONDS", 0.05)
    client = Client()
    client.reader.end("end")
    await asyncio.sleep(0.1)
    assert (client.gone, client.read) == (1, [])
