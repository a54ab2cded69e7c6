"""Hearing that the process is told to stop, before the server waits for its connections: streams have to be ended."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def heard(tell: Callable[[], None]) -> Iterator[None]:
    """Inside, the first signal to stop also calls `tell` in the running loop; the server's own handler goes first.

    Where nobody handles signals, such as in tests, or another thread does, nothing is changed.
    """
    loop = asyncio.get_running_loop()
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in SIGNALS}

    def handler(number: int, frame: FrameType | None) -> None:
        before[signal.Signals(number)](number, frame)
        loop.call_soon_threadsafe(tell)

    taken = [number for number, by in before.items() if callable(by) and by is not signal.default_int_handler]
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is handler:
                signal.signal(number, before[number])
