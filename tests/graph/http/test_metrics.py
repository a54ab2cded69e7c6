"""Each measure moves by what it measures, and has a fixed set of labels."""

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from graph.files.storage import store_of
from graph.http.metrics import Metrics
from graph.worker import workers
from graph.worker.jobs import Job, Runner
from mailer import messages, outbox
from mailer.outbox import Recipient
from models.db import database
from models.errors.errors import DatabaseAway, StorageAway
from resolvers import storage
from resolvers.scope import Office
from tests.conftest import s3_environment
from tests.graph.support.apps import settings_of
from tests.graph.worker.test_jobs import Ticks


def measures(metrics: Metrics, family: str) -> dict[str, float]:
    """The measures whose names begin so, without their beginning."""
    lines = (line.rpartition(" ") for line in metrics.text().decode().splitlines() if line.startswith(family))
    return {name.removeprefix(family): float(value) for name, _, value in lines if "_created" not in name}


async def test_the_use_of_the_database_is_seen(db: str) -> None:
    metrics, most = Metrics(), 1 if database.is_sqlite() else database.POOL_SIZE
    enough, leave = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            enough.release()
            await leave.wait()

    await database.ping()
    assert measures(metrics, "rattache_database") == {"_connections": 1, "_connections_in_use": 0, "_waiting": 0}
    holding = [asyncio.create_task(hold()) for _ in range(most + 2)]
    async with asyncio.timeout(60):
        for _ in range(most):
            await enough.acquire()
        while database.load().waiting < 2:
            await asyncio.sleep(0.01)
    full = measures(metrics, "rattache_database")
    leave.set()
    await asyncio.gather(*holding)
    assert full == {"_connections": most, "_connections_in_use": most, "_waiting": 2}
    assert (database.load().in_use, database.load().waiting) == (0, 0)


async def test_before_the_database_is_opened_nothing_is_in_use() -> None:
    expected = {"_connections": 0, "_connections_in_use": 0, "_waiting": 0}
    assert measures(Metrics(), "rattache_database") == expected


async def test_runs_of_jobs_are_counted_by_outcome(office: Office) -> None:
    metrics, ticks = Metrics(), Ticks(ValueError("broken"), DatabaseAway("gone"), 2)
    job = Job(ticks.act, timedelta(seconds=0.01))
    runner = Runner(office, jobs={"some": job}, count=metrics.job)
    running = asyncio.create_task(runner.run())
    await ticks.reach(4)
    runner.stop()
    await running
    counted = measures(metrics, "rattache_job_runs_total")
    assert counted['{job="some",outcome="failed"}'] == counted['{job="some",outcome="delayed"}'] == 1
    assert counted['{job="some",outcome="done"}'] >= 1
    assert measures(metrics, "rattache_job_last_success")['_timestamp_seconds{job="some"}'] > 1.7e9


async def test_mails_are_counted_by_what_became_of_them(tmp_path: Path, db: str, office: Office) -> None:
    metrics, now = Metrics(), datetime.now(UTC)
    changed = messages.PasswordChanged(at=now)
    for url in ("smtp://127.0.0.1:1", None):
        courier = workers.courier(settings_of(tmp_path, db, smtp_url=url), office.sealer, metrics.mail)
        await outbox.enqueue(changed, to=Recipient("ada@people.example", "EN"), sealer=office.sealer, now=now)
        await courier.run_once(now)
    counted = measures(metrics, "rattache_mails_total")
    assert {name: value for name, value in counted.items() if value} == {
        '{outcome="postponed"}': 1, '{outcome="sent"}': 1
    }  # fmt: skip
    assert len(counted) == 7


async def test_failures_of_the_store_are_counted(
    tmp_path: Path, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_environment(s3_server).items():
        monkeypatch.setenv(name, value)
    metrics = Metrics()
    before = measures(metrics, "rattache_store")
    await storage.put(store_of((tmp_path / "documents").as_uri()), "one", io.BytesIO(b"content"))
    with pytest.raises(StorageAway):
        await storage.put(store_of("s3://nowhere-at-all/documents"), "one", io.BytesIO(b"content"))
    after = measures(metrics, "rattache_store")
    moved = {name: value - before[name] for name, value in after.items() if value != before[name]}
    assert moved == {'_operations_total{operation="put"}': 2, '_failures_total{operation="put"}': 1}


def test_failures_of_redis_are_counted_until_it_is_back() -> None:
    metrics = Metrics()
    metrics.redis("limits", False)
    metrics.redis("limits", False)
    away = measures(metrics, "rattache_redis")
    metrics.redis("limits", True)
    back = measures(metrics, "rattache_redis")
    expected = {'_failures_total{use="limits"}': 2, '_failures_total{use="wakings"}': 0, '_away{use="wakings"}': 0}
    assert away == expected | {'_away{use="limits"}': 1}
    assert back == expected | {'_away{use="limits"}': 0}
