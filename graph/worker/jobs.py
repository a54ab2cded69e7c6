"""The jobs by name, and what runs them: each at once as the process starts, then again and again on its period."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import structlog

from models.errors.errors import DatabaseAway
from resolvers.accounts import digests
from resolvers.attachments import end_notices, offers, reminders, vacancies
from resolvers.documents import scans, sweeps
from resolvers.scope import Office, Scope

# What a job does falls on a day, not on a minute: it looks often because looking is cheap, and days begin at midnight.
FEW_MINUTES = timedelta(minutes=5)
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=15)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Job:
    """Something that happens by the clock alone: `act` does what is due, and gives the number of occasions."""

    act: Callable[[Scope], Awaitable[int]]
    period: timedelta = FEW_MINUTES

    @property
    def purpose(self) -> str:
        """What it does, in a sentence."""
        return (self.act.__doc__ or "").partition("\n")[0]


JOBS: Mapping[str, Job] = {
    "attachment-reminders": Job(reminders.remind_of_attachments),
    "subscription-reminders": Job(reminders.remind_of_subscriptions),
    "attachment-endings": Job(end_notices.announce_ends),
    "absent-holders": Job(vacancies.tell_absent_principal_managers),
    "expired-offers": Job(offers.tell_expired_offers),
    scans.JOB: Job(scans.scan, timedelta(seconds=5)),
    sweeps.ROW_JOB: Job(sweeps.sweep_rows),
    sweeps.OBJECT_JOB: Job(sweeps.sweep_objects, timedelta(days=1)),
    "daily-digest": Job(digests.send_digests),
    "weekly-recap": Job(digests.send_recaps),
}


class Runner:
    """Runs every job of a process on its period, one at a time, so that people's requests keep their connections."""

    def __init__(
        self,
        office: Office,
        *,
        jobs: Mapping[str, Job] = JOBS,
        period: timedelta | None = None,
        count: Callable[[str, str], object] = lambda job, outcome: None,
    ) -> None:
        """`count` takes each run's job and outcome: done, failed or delayed."""
        self._office = office
        self._count = count
        self._jobs = jobs
        self._period = period
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Work until `stop` is called or the task is cancelled, which lets the row in hand be finished."""
        self._tasks = [asyncio.create_task(self._repeat(name, job)) for name, job in self._jobs.items()]
        try:
            await asyncio.wait(self._tasks)
        finally:
            self.stop()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def stop(self) -> None:
        """Make `run` return once the row in hand is finished."""
        for task in self._tasks:
            task.cancel()

    async def _repeat(self, name: str, job: Job) -> None:
        pause = FIRST_PAUSE
        period = self._period or job.period
        while True:
            try:
                async with self._turn:
                    occasions = await job.act(Scope(self._office))
            except DatabaseAway as away:
                self._count(name, "delayed")
                log.warning("job_delayed", job=name, reason=str(away), next_try_in_seconds=pause.total_seconds())
                await asyncio.sleep(min(pause, period).total_seconds())
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            except Exception:
                self._count(name, "failed")
                log.exception("job_failed", job=name)
            else:
                self._count(name, "done")
                (log.info if occasions else log.debug)("job_done", job=name, occasions=occasions)
            pause = FIRST_PAUSE
            await asyncio.sleep(period.total_seconds())
