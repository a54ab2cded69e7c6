"""What watches the server: readiness by the database, and measures with a fixed set of labels."""

from datetime import timedelta
from pathlib import Path

from tests.conftest import Clock
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.graph.test_app import SIGN_UP
from tests.support import factories


async def _measures(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_a_server_with_its_database_is_ready(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ready = await client.get("/readyz")
    told = {"database": "ok", "unsentMails": 0, "oldestUnsentSeconds": 0}
    assert (ready.status_code, ready.json()) == (200, told)


async def test_unsent_mails_are_counted_with_the_age_of_the_oldest(
    tmp_path: Path, database_url: str, clock: Clock
) -> None:
    async with served(settings_of(tmp_path, database_url), clock=clock, sends=False) as client:
        before = await _measures((await client.get("/metrics")).text)
        await ask(client, SIGN_UP)
        clock.now += timedelta(seconds=90)
        after = await _measures((await client.get("/metrics")).text)
        ready = (await client.get("/readyz")).json()
    assert ready == {"database": "ok", "unsentMails": 1, "oldestUnsentSeconds": 90}
    assert (before["rattache_outbox_unsent"], before["rattache_outbox_oldest_seconds"]) == (0, 0)
    assert (after["rattache_outbox_unsent"], after["rattache_outbox_oldest_seconds"]) == (1, 90)


async def test_operations_are_counted_by_outcome_whatever_clients_send(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        await ask(client, SIGN_IN, email=ada.login_email, password=factories.PASSWORD)
        await ask(client, "{ me { nonsense } }")
        await ask(client, "{ me {")
        for number in range(5):
            await client.get(f"/made/up/{number}")
        measures = await _measures((await client.get("/metrics")).text)
    operations = {name: value for name, value in measures.items() if name.startswith("rattache_operations_total")}
    assert operations == {
        'rattache_operations_total{outcome="ok"}': 1,
        'rattache_operations_total{outcome="GRAPHQL_VALIDATION_FAILED"}': 1,
        'rattache_operations_total{outcome="GRAPHQL_PARSE_FAILED"}': 1,
    }
    assert measures['rattache_request_seconds_count{place="graphql",status="2xx"}'] == 3
    assert measures['rattache_request_seconds_count{place="other",status="4xx"}'] == 5
