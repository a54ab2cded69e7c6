"""The jobs at work: in a server, in workers beside each other, by an operator's command, under a clock moved outside."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from graph.worker.jobs import JOBS, Job, Runner
from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db import database
from models.errors.errors import DatabaseAway
from models.events.events import Event
from models.mail.idempotency_keys import IdempotencyKey
from models.mail.outbox import Mail
from models.structures.structures import Structure
from resolvers.scope import Office, Scope
from schema.base import ids
from tests.conftest import Clock
from tests.graph.cli.test_commands import run
from tests.graph.support.apps import SIGN_IN, served, settings_of
from tests.graph.support.servers import COMMAND, ROOT, Server
from tests.support import factories

pytestmark = pytest.mark.slow

SECOND = timedelta(seconds=1)
SOON = timedelta(milliseconds=20)
PATIENCE = 30
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
CLAIM = "mutation ($id: ID!) { claimPrincipalManager(structureId: $id) { errors { code message } } }"
ESCALATE = "mutation ($id: ID!) { escalateAttachment(id: $id) { errors { code message } } }"
IN_EFFECT = "{ me { attachments(first: 1) { edges { node { inEffect } } } } }"


async def request_since(days: int, now: datetime, structure: Structure | None = None) -> Attachment:
    """A request made so many days ago, to a structure that has a manager."""
    place = structure or await factories.structure(await factories.person())
    return await factories.attachment(
        await factories.person(), place, status=AttachmentStatus.PENDING, requested_at=now - timedelta(days=days)
    )


async def until(found: Callable[[], Any]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await found():
            await asyncio.sleep(0.05)


# ------------------------------------------------------------------ the runner
class Ticks:
    """A job that counts its runs, and does on each what it is told to."""

    def __init__(self, *answers: Exception | int) -> None:
        self.answers = list(answers)
        self.runs = 0

    async def act(self, scope: Scope) -> int:
        """Count."""
        assert scope.actor is None
        self.runs += 1
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def reach(self, runs: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.runs < runs:
                await asyncio.sleep(0.005)


async def test_every_job_runs_at_once_and_again_on_its_period(office: Office) -> None:
    often, rare = Ticks(), Ticks()
    jobs = {"often": Job(often.act, SOON), "rare": Job(rare.act, timedelta(hours=1))}
    runner = Runner(office, jobs=jobs)
    running = asyncio.create_task(runner.run())
    await often.reach(5)
    assert rare.runs == 1
    runner.stop()
    async with asyncio.timeout(5):
        await running
    assert running.exception() is None


async def test_a_period_that_is_set_stands_for_all(office: Office) -> None:
    rare = Ticks()
    runner = Runner(office, jobs={"rare": Job(rare.act, timedelta(hours=1))}, period=SOON)
    running = asyncio.create_task(runner.run())
    await rare.reach(3)
    runner.stop()
    await running


async def test_a_job_that_fails_is_logged_and_runs_again_beside_the_others(office: Office) -> None:
    bad, good = Ticks(ValueError("broken"), DatabaseAway("gone"), 2), Ticks()
    runner = Runner(office, jobs={"bad": Job(bad.act, SOON), "good": Job(good.act, SOON)})
    with capture_logs() as lines:
        running = asyncio.create_task(runner.run())
        await bad.reach(4)
        await good.reach(4)
        runner.stop()
        await running
    told = [(line["event"], line["job"]) for line in lines if line["log_level"] != "debug"]
    assert told == [("job_failed", "bad"), ("job_delayed", "bad"), ("job_done", "bad")]


async def test_jobs_of_one_process_take_turns(office: Office) -> None:
    at_work: list[int] = []
    most = 0

    async def act(_: Scope) -> int:
        nonlocal most
        at_work.append(1)
        most = max(most, len(at_work))
        await asyncio.sleep(0.01)
        at_work.pop()
        return 0

    runner = Runner(office, jobs={str(number): Job(act, SOON) for number in range(4)})
    running = asyncio.create_task(runner.run())
    await asyncio.sleep(0.2)
    runner.stop()
    await running
    assert most == 1


def test_every_job_says_what_it_does() -> None:
    assert [name for name, job in JOBS.items() if not job.purpose.endswith(".")] == []
    assert all(job.period <= timedelta(days=1) for job in JOBS.values())


# ------------------------------------------------------------------ in the server
async def test_the_server_runs_the_jobs_and_sends_what_they_write(
    tmp_path: Path, database_url: str, clock: Clock
) -> None:
    settings = settings_of(tmp_path, database_url, job_period=SECOND)
    async with served(settings, clock=clock):
        request = await request_since(6, clock.now)
        await asyncio.sleep(1.5)
        assert await IdempotencyKey.all().count() == 0
        clock.advance(days=1)
        await until(IdempotencyKey.all().exists)
        assert [row.key for row in await IdempotencyKey.all()] == [f"{request.id}:7"]
        async with asyncio.timeout(PATIENCE):
            while not list(settings.mails.glob("*.eml")):
                await asyncio.sleep(0.05)


async def test_a_server_without_a_worker_runs_no_job(tmp_path: Path, database_url: str, clock: Clock) -> None:
    async with served(settings_of(tmp_path, database_url, job_period=SECOND), clock=clock, sends=False):
        await request_since(7, clock.now)
        await asyncio.sleep(1.5)
        assert await IdempotencyKey.all().count() == 0


async def test_a_server_stops_in_the_middle_of_its_jobs(tmp_path: Path, database_url: str, clock: Clock) -> None:
    settings = settings_of(tmp_path, database_url, job_period=SECOND)
    async with served(settings, clock=clock, sends=False):
        place = await factories.structure(await factories.person())
        for _ in range(100):
            await request_since(7, clock.now, place)
    with capture_logs() as lines:
        async with asyncio.timeout(PATIENCE), served(settings, clock=clock):
            await until(IdempotencyKey.all().exists)
    assert [line for line in lines if line["log_level"] in {"error", "critical"}] == []
    await database.connect(database_url)
    try:
        assert await IdempotencyKey.all().count() == await Mail.filter(message="request_reminder").count() > 0
    finally:
        await database.close()


# ------------------------------------------------------------------ processes beside each other
def environment(folder: Path, url: str, **more: str) -> dict[str, str]:
    """What a process of the installation in this folder is started with."""
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data"), "DATABASE_URL": url,
        "JOB_PERIOD": "1s", "LOG_FORMAT": "json", **more,
    }  # fmt: skip


def started(folder: Path, variables: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """`rattache ARGUMENTS` as a process beside."""
    with (folder / "workers.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments], cwd=folder, env=dict(variables), stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip


async def test_two_workers_act_once_on_each_occasion_and_stop_when_asked(tmp_path: Path, db: str) -> None:
    now = datetime.now(UTC)
    place = await factories.structure(await factories.person())
    for _ in range(30):
        await request_since(7, now, place)
        await factories.attachment(await factories.person(), place, valid_until=now.date() + timedelta(days=10))
    workers = [started(tmp_path, environment(tmp_path, db), "worker") for _ in range(2)]
    try:

        async def all_done() -> bool:
            return await IdempotencyKey.all().count() == 60

        await until(all_done)
        await asyncio.sleep(2.5)  # every job comes round again
        reminded = await Mail.filter(message="request_reminder").count()
        announced = await Mail.filter(message="attachment_ending").count()
        assert (await IdempotencyKey.all().count(), reminded, announced) == (60, 30, 60)
    finally:
        for worker in workers:
            worker.terminate()
        codes = [await asyncio.to_thread(worker.wait, PATIENCE) for worker in workers]
    written = (tmp_path / "workers.log").read_text(encoding="utf-8")
    assert codes == [0, 0], written
    assert "Traceback" not in written
    assert written.count("worker_stopped") == 2


async def test_an_operator_runs_a_job_once(tmp_path: Path, db: str) -> None:
    await request_since(7, datetime.now(UTC))
    settings = {"DATABASE_URL": db}
    told = [(await asyncio.to_thread(run, tmp_path, "jobs", "run", "attachment-reminders", **settings)).stdout]
    told += [(await asyncio.to_thread(run, tmp_path, "jobs", "run", "attachment-reminders", **settings)).stdout]
    assert told == ["attachment-reminders: 1 acted on.\n", "attachment-reminders: 0 acted on.\n"]
    assert [mail.message for mail in await Mail.all()] == ["request_reminder"]


def test_jobs_are_listed_with_their_period_and_purpose(tmp_path: Path) -> None:
    listed = run(tmp_path, "jobs", "list").stdout
    for name, job in JOBS.items():
        (line,) = [line for line in listed.splitlines() if name in line]
        assert str(job.period) in line
        assert job.purpose in line
    assert "0:00:10" in run(tmp_path, "jobs", "list", JOB_PERIOD="10s").stdout


# ------------------------------------------------------------------ the machine's own clock moved
class Moved:
    """The clock of another process, set from outside while it runs: 15 March 2027, 10:00 in Paris, and days later."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.start = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)
        self.set(0)

    def set(self, day: int) -> None:
        ahead = self.start + timedelta(days=day) - datetime.now(UTC)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{ahead.total_seconds():+.0f}\n", encoding="ascii")
        fresh.replace(self.file)

    async def reach(self, day: int, server: Server) -> None:
        """Move the clock, and return once the server reads it so."""
        self.set(day)
        due = self.start + timedelta(days=day, minutes=-1)
        async with asyncio.timeout(PATIENCE):
            while parsedate_to_datetime(httpx.get(f"{server.url}/healthz").headers["date"]) < due:
                await asyncio.sleep(0.2)

    def settings(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        }  # fmt: skip


def ask(server: Server, person: Account, query: str, **variables: str) -> Any:
    """The data of an operation by somebody who signs in for it: sessions don't last for days."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        entry = {"query": SIGN_IN, "variables": {"email": person.login_email, "password": factories.PASSWORD}}
        token = client.post("/graphql", json=entry).json()["data"]["signIn"]["token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.post("/graphql", json={"query": query, "variables": variables}, headers=headers).json()
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime (Debian: apt install faketime)")
async def test_a_running_server_whose_machines_clock_is_moved_does_each_thing_on_its_day(
    tmp_path: Path, db: str
) -> None:
    moved = Moved(tmp_path)
    lea, guest = await factories.person(), await factories.person()
    place = await factories.structure(await factories.person())
    request = await factories.attachment(lea, place, status=AttachmentStatus.PENDING, requested_at=moved.start)
    stay = await factories.attachment(guest, place, valid_until=date(2027, 4, 4))
    support = await factories.person(platform_role="SUPPORT")
    last = f"{stay.id}:2027-04-04"
    days = {
        6: f"{last}:14",
        7: f"{request.id}:7",
        14: f"{request.id}:14",
        19: f"{last}:1",
        20: "",
        21: f"{request.id}:21",
    }
    expected = [key for key in days.values() if key]
    effect: dict[int, bool] = {}
    with Server(tmp_path, environment(tmp_path, db) | moved.settings()) as server:
        for day, key in days.items():
            await moved.reach(day, server)
            if key:
                await until(IdempotencyKey.filter(key=key).exists)
            await asyncio.sleep(1.5)  # every job comes round again
            keys = [row.key for row in await IdempotencyKey.all().order_by("id")]
            assert keys == expected[: len(keys)]
            assert not key or keys[-1] == key
            (edge,) = ask(server, guest, IN_EFFECT)["me"]["attachments"]["edges"]
            effect[day] = edge["node"]["inEffect"]
        id = ids.encode("Attachment", request.id)
        await moved.reach(29, server)
        early = ask(server, lea, ESCALATE, id=id)["escalateAttachment"]["errors"]
        await moved.reach(30, server)
        done = ask(server, lea, ESCALATE, id=id)["escalateAttachment"]["errors"]
    assert effect == {day: day <= 20 for day in days}
    told = "This request can be brought before support from 14 April 2027 on."
    assert (early, done) == ([{"code": "INVALID_TRANSITION", "message": told}], [])
    counted = [await Mail.filter(message=name).count() for name in ("request_reminder", "attachment_ending")]
    assert counted == [3, 4]
    assert (await Mail.get(message="attachment_escalated")).address == support.contact_email


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime (Debian: apt install faketime)")
async def test_a_seat_whose_holder_stays_away_is_claimed_on_its_day_beside_a_worker(tmp_path: Path, db: str) -> None:
    moved = Moved(tmp_path)
    holder = await factories.person(last_signed_in_at=moved.start - timedelta(days=60))
    senior = await factories.person()
    place = await factories.structure(holder)
    await factories.attachment(senior, place, role=Role.SECONDARY_MANAGER)
    await factories.attachment(await factories.person(), place, status=AttachmentStatus.PENDING)
    id = ids.encode("Structure", place.id)
    codes: dict[int, list[str]] = {}
    settings = environment(tmp_path, db) | moved.settings()
    with Server(tmp_path, settings) as server, started(tmp_path, settings, "worker") as worker:
        for day in (29, 31, 44, 46):
            await moved.reach(day, server)
            if day == 31:
                await until(Event.filter(type="HolderFoundAbsent").exists)
            await asyncio.sleep(1.5)  # every job comes round again, in both processes
            errors = ask(server, senior, CLAIM, id=id)["claimPrincipalManager"]["errors"]
            codes[day] = [error["code"] for error in errors]
        worker.terminate()
    assert codes == {29: ["CONFLICT"], 31: ["INVALID_TRANSITION"], 44: ["INVALID_TRANSITION"], 46: []}
    assert await Event.filter(type="HolderFoundAbsent").count() == 1
    assert await Mail.filter(message="principal_manager_absent").count() == 1
    seat = await Attachment.get(structure=place, role=Role.PRINCIPAL_MANAGER)
    assert seat.user_id == senior.id
