"""What works behind a process, courier and jobs: inside `rattache serve`, or alone as `rattache worker`."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import structlog

from graph.http.metrics import Metrics
from graph.settings import Settings
from graph.worker import listener, starting
from graph.worker.jobs import Runner
from mailer.courier import Courier
from mailer.rendering import Letterhead
from mailer.seals import Sealer
from mailer.transport import open_transport
from models.db import database, timeouts
from models.errors.errors import DatabaseAway
from resolvers.accounts import wishes
from resolvers.scope import Office, Scope

WISHES_SECONDS = 1.0
AFTER_SECONDS = (0.1, 0.4)

log = structlog.get_logger(__name__)


class Bell:
    """Wakes the courier of this process, from whatever thread; where there is none, nobody hears it."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.wished = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def hang(self) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake whoever waits."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake.set)
            self._loop.call_soon_threadsafe(self.wished.set)


def courier(settings: Settings, sealer: Sealer, count: Callable[[str], object] = lambda outcome: None) -> Courier:
    """The courier that the settings ask for; `count` takes what becomes of each mail."""
    transport = open_transport(settings.smtp, settings.mails)
    owner = f"{socket.gethostname()}:{os.getpid()}"
    return Courier(
        transport, letterhead(settings), sealer,
        owner=owner, lease=settings.courier_lease, zone=settings.zone, count=count,
    )  # fmt: skip


def letterhead(settings: Settings) -> Letterhead:
    """Who mails come from and where their links lead."""
    return Letterhead(settings.mail_from, settings.public_url, settings.account_app_url)


class Crew:
    """The courier and the jobs of one process, with its database open."""

    def __init__(self, settings: Settings, office: Office, bell: Bell, metrics: Metrics) -> None:
        self._office = office
        self._bell = bell
        self._courier = courier(settings, office.sealer, metrics.mail)
        self._runner = Runner(office, period=settings.job_period, count=metrics.job)
        self._stopping = False

    async def run(self) -> None:
        """Send mails and run jobs until `stop` is called."""
        sending = self._courier.run(self._bell.wake, self._office.clock)
        await asyncio.gather(sending, self._runner.run(), self._grant_wishes())

    def stop(self) -> None:
        """Make `run` return once the mail and the row in hand are finished."""
        self._courier.stop()
        self._runner.stop()
        self._stopping = True
        self._bell.wished.set()

    async def _grant_wishes(self) -> None:
        """Grant what is wished for, a while after it was: nobody's answer may wait for what is done for somebody."""
        while not self._stopping:
            self._bell.wished.clear()
            try:
                await wishes.grant(Scope(self._office))
            except DatabaseAway as away:
                log.warning("wishes_delayed", reason=str(away))
            except Exception:
                log.exception("wishes_failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(WISHES_SECONDS):
                    await self._bell.wished.wait()
            if not self._stopping:
                await asyncio.sleep(random.uniform(*AFTER_SECONDS))  # noqa: S311 - it keeps no secret


async def work(settings: Settings, office: Office, bell: Bell) -> None:
    """Send the outbox's mails and run the jobs until the process is told to stop (SIGINT, SIGTERM).

    Raises:
        SettingsRefused: when WORKER_LISTEN is where nobody can listen.
    """
    bell.hang()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    metrics, is_open = Metrics(), asyncio.Event()
    office = replace(office, noted=metrics.note)

    def ready() -> None:
        if not is_open.is_set():
            raise DatabaseAway("the database isn't open yet")

    async with listener.answering(settings, metrics, ready, office.clock):
        opening = asyncio.create_task(starting.opened(settings.database, migrate=False))
        ended = asyncio.create_task(stopping.wait())
        await asyncio.wait((opening, ended), return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            return
        opening.result()
        is_open.set()
        crew = Crew(settings, office, bell, metrics)
        with timeouts.patient(timeouts.WORK):
            working = asyncio.create_task(crew.run())
        log.info("worker_started")
        await asyncio.wait((working, ended), return_when=asyncio.FIRST_COMPLETED)
        crew.stop()
        await working
        is_open.clear()
        await database.close()
    log.info("worker_stopped")
