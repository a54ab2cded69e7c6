"""What a worker answers at an address of its own, as a process beside: alive, ready, and its measures."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from mailer import messages, outbox
from mailer.outbox import Recipient
from mailer.seals import Sealer
from models.mail.outbox import Mail, MailState
from tests.graph.cli.test_commands import run
from tests.graph.support.servers import Worker
from tests.graph.worker.test_jobs import until

pytestmark = pytest.mark.slow

REFUSING = """from graph.cli.main import main
from models.errors.codes import ErrorCode
from resolvers import security_log
from resolvers.accounts import wishes

async def refuse(scope):
    security_log.note(scope, ErrorCode.FORBIDDEN, "a wish")
    return 0

wishes.grant = refuse
main()
"""
SEALER = Sealer("a key that seals nothing here", "rattache.example")


def measures_of(worker: Worker) -> dict[str, float]:
    """The measures by their names with labels."""
    lines = httpx.get(f"{worker.url}/metrics", timeout=60).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def test_a_worker_tells_what_it_does(tmp_path: Path, db: str) -> None:
    now = datetime.now(UTC)
    changed = messages.PasswordChanged(at=now)
    await outbox.enqueue(changed, to=Recipient("ada@people.example", "EN"), sealer=SEALER, now=now)
    with Worker(tmp_path, {"DATABASE_URL": db, "JOB_PERIOD": "1s"}) as worker:
        await until(Mail.filter(state=MailState.SENT).exists)
        ready = httpx.get(f"{worker.url}/readyz", timeout=60)
        measures = measures_of(worker)
    assert (ready.status_code, ready.json()["unsentMails"]) == (200, 0)
    assert measures['rattache_mails_total{outcome="sent"}'] == 1
    assert measures['rattache_job_runs_total{job="document-scans",outcome="done"}'] >= 1
    assert measures['rattache_job_last_success_timestamp_seconds{job="document-scans"}'] >= now.timestamp()
    assert measures["rattache_database_connections"] >= 1
    assert measures['rattache_redis_away{use="wakings"}'] == 0
    assert measures["rattache_outbox_unsent"] == 0


def test_a_worker_counts_what_its_security_log_tells(tmp_path: Path, database_url: str) -> None:
    worker = Worker(tmp_path, {"DATABASE_URL": database_url, "LOG_FORMAT": "json"})
    worker.command = ("-c", REFUSING)
    with worker:
        measures: dict[str, float] = {}
        while not measures.get('rattache_security_events_total{outcome="FORBIDDEN"}'):
            measures = measures_of(worker)
    assert measures['rattache_security_events_total{outcome="RATE_LIMITED"}'] == 0


def test_a_worker_without_its_database_is_alive_and_not_ready(tmp_path: Path) -> None:
    worker = Worker(tmp_path, {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "METRICS": "off"})
    worker.ready_by = ("/healthz",)
    with worker:
        ready = httpx.get(f"{worker.url}/readyz", timeout=60)
        assert (ready.status_code, ready.json()) == (503, {"ready": False})
        assert httpx.get(f"{worker.url}/metrics", timeout=60).status_code == 404
        assert httpx.get(f"{worker.url}/graphql", timeout=60).status_code == 404
    assert "Traceback" not in worker.written()


def test_a_worker_that_can_not_listen_where_it_should_says_so_and_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = "{}:{}".format(*taken.getsockname())
        done = run(tmp_path, "worker", WORKER_LISTEN=place)
    told = f"rattache: WORKER_LISTEN can't be listened at, {place}: Address already in use.\n"
    assert (done.returncode, done.stderr) == (2, told)
