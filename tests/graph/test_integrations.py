"""Integrations over HTTP: let in by their key, whatever else they carry; any input answered, no key ever told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from graph.app import office_of
from models.activities.activities import Activity
from models.activities.api_keys import PREFIX
from resolvers.activities import api_keys
from resolvers.scope import Scope
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.resolvers.support.mailbox import assert_untold
from tests.support import factories

pytestmark = pytest.mark.slow

RECORD = """mutation ($input: [RecordActivityInput!]!) { recordActivities(input: $input) {
  recorded errors { code path message } } }"""
ME = "{ me { loginEmail } }"
IDENTIFIER = "TEST-OUTSIDE"


def item(**changes: Any) -> dict[str, Any]:
    return {
        "key": "1", "structureIdentifier": {"type": "OTHER", "value": IDENTIFIER}, "kind": "EVENT", "title": "T",
        "occurredAt": "2026-03-14T09:30:00+01:00",
    } | changes  # fmt: skip


@pytest.fixture
async def client(tmp_path: Path, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose database has the structure that `item` names."""
    async with served(settings_of(tmp_path, database_url, rate_limits=False), sends=False) as client:
        await factories.structure(identifier=IDENTIFIER)
        yield client


@pytest.fixture
async def key(client: httpx.AsyncClient, tmp_path: Path, database_url: str) -> str:
    """An API key in use."""
    return await api_keys.create(Scope(office_of(settings_of(tmp_path, database_url))), "erp")


def code(answer: Any) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize("header", ["ApiKey {}", "apikey  {} ", "APIKEY {}"])
async def test_a_key_lets_its_integration_record(client: httpx.AsyncClient, key: str, header: str) -> None:
    answer = await ask(client, RECORD, {"authorization": header.format(key)}, input=[item()])
    assert answer["data"] == {"recordActivities": {"recorded": 1, "errors": []}}


@pytest.mark.parametrize("header", ["ApiKey x", "ApiKey", "ApiKey ", "Bearer {}", "Basic {}", "{}", ""])
async def test_what_is_no_key_in_use_is_nobodys(client: httpx.AsyncClient, key: str, header: str) -> None:
    answer = await ask(client, RECORD, {"authorization": header.format(key)}, input=[item()])
    assert (answer["data"], code(answer)) == (None, "UNAUTHENTICATED")
    assert await Activity.all().count() == 0


async def test_a_revoked_key_is_nobodys_at_once(
    client: httpx.AsyncClient, key: str, tmp_path: Path, database_url: str
) -> None:
    await api_keys.revoke(Scope(office_of(settings_of(tmp_path, database_url))), "erp")
    answer = await ask(client, RECORD, {"authorization": f"ApiKey {key}"}, input=[item()])
    assert code(answer) == "UNAUTHENTICATED"


async def test_beside_a_header_the_cookie_does_not_count(client: httpx.AsyncClient, key: str) -> None:
    ada = await factories.person()
    await ask(client, SIGN_IN, email=ada.login_email, password=factories.PASSWORD)
    assert (await ask(client, ME))["data"]["me"] == {"loginEmail": ada.login_email}
    as_person = await ask(client, RECORD, input=[item()])
    assert as_person["data"]["recordActivities"]["errors"][0]["code"] == "FORBIDDEN"
    both = {"authorization": f"ApiKey {key}"}
    assert (await ask(client, ME, both))["data"]["me"] is None
    assert (await ask(client, RECORD, both, input=[item()]))["data"]["recordActivities"]["recorded"] == 1
    revoked = {"authorization": "ApiKey x"}
    assert code(await ask(client, RECORD, revoked, input=[item()])) == "UNAUTHENTICATED"
    assert (await ask(client, ME, revoked))["data"]["me"] is None


async def test_a_key_shows_in_no_log_no_event_and_no_answer(client: httpx.AsyncClient, key: str) -> None:
    headers = {"authorization": f"ApiKey {key}"}
    secret = key.removeprefix(PREFIX)
    with capture_logs() as lines:
        answers = [
            await ask(client, RECORD, headers, input=[item(), item(key="2", title="")]),
            await ask(client, RECORD, headers, input=[{"key": 1}]),
            await ask(client, "{ nonsense", headers),
            await ask(client, "{ spaces { code } }", headers),
        ]
    assert lines
    assert secret not in json.dumps([answers, lines], default=str)
    await assert_untold(secret)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat()) | st.sampled_from(
    [
        "2026-03-14T09:30:00Z", "2026-03-14T09:30:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
        "2026-03-14", "2026-03-14T24:00:00Z", "2026-02-30T00:00:00Z", "",
    ]
)  # fmt: skip
URLS = st.text(max_size=30).map(lambda text: f"https://{text}") | st.sampled_from(["http://[", "https://a:b", "x:"])
ITEMS = st.fixed_dictionaries(
    {
        "key": st.text(max_size=250),
        "structureIdentifier": st.fixed_dictionaries(
            {
                "type": st.sampled_from(["SIRET", "EU_VAT", "NON_EU", "RIDET", "TAHITI", "INDIVIDUAL", "OTHER"]),
                "value": st.text(max_size=90) | st.just(IDENTIFIER),
            }
        ),
        "kind": st.sampled_from(["EVENT", "INVOICE_PROGRESS", "INVOICE_REJECTED"]),
        "title": st.text(max_size=300),
        "occurredAt": MOMENTS | st.just("2026-03-14T09:30:00Z"),
    },
    optional={
        "serviceCode": st.none() | st.text(max_size=60),
        "space": st.sampled_from([None, "HOME", "COMMITMENTS"]),
        "url": st.none() | URLS,
        "requiresAcknowledgement": st.sampled_from([None, True, False]),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given=st.lists(ITEMS, max_size=4) | VALUES | st.lists(st.dictionaries(st.sampled_from(["key", "title"]), VALUES))
)
async def test_an_integration_sends_anything_and_is_answered_below_500(
    client: httpx.AsyncClient, key: str, given: Any
) -> None:
    body = json.dumps({"query": RECORD, "variables": {"input": given}})
    headers = {"authorization": f"ApiKey {key}", "content-type": "application/json"}
    before = await Activity.all().count()
    response = await client.post("/graphql", content=body, headers=headers)
    answer = response.json()
    assert response.status_code < 500
    assert "INTERNAL" not in [error["extensions"]["code"] for error in answer.get("errors", [])]
    payload = (answer.get("data") or {}).get("recordActivities") or {"recorded": 0}
    assert await Activity.all().count() == before + payload["recorded"]
