"""The courier of a process: inside `rattache serve`, or alone as `rattache worker`."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from datetime import datetime

import structlog

from graph import starting
from graph.settings import Settings
from mailer.courier import Courier
from mailer.rendering import Letterhead
from mailer.seals import Sealer
from mailer.transport import open_transport
from models import database

log = structlog.get_logger(__name__)


class Bell:
    """Wakes the courier of this process, from whatever thread; where there is none, nobody hears it."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def hang(self) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake whoever waits."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake.set)


def courier(settings: Settings, sealer: Sealer) -> Courier:
    """The courier that the settings ask for."""
    transport = open_transport(settings.smtp, settings.mails)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    return Courier(transport, letterhead(settings), sealer, owner=owner, lease=settings.courier_lease)


def letterhead(settings: Settings) -> Letterhead:
    """Who mails come from and where their links lead."""
    return Letterhead(settings.mail_from, settings.public_url, settings.account_app_url)


async def work(settings: Settings, sealer: Sealer, clock: Callable[[], datetime]) -> None:
    """Send the outbox's mails until the process is told to stop (SIGINT, SIGTERM)."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    opening = asyncio.create_task(starting.opened(settings.database, migrate=False))
    ended = asyncio.create_task(stopping.wait())
    await asyncio.wait((opening, ended), return_when=asyncio.FIRST_COMPLETED)
    if not opening.done():
        opening.cancel()
        return
    opening.result()
    sender = courier(settings, sealer)
    working = asyncio.create_task(sender.run(asyncio.Event(), clock))
    log.info("worker_started")
    await asyncio.wait((working, ended), return_when=asyncio.FIRST_COMPLETED)
    sender.stop()
    await working
    await database.close()
    log.info("worker_stopped")
