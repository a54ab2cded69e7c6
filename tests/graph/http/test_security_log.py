"""What an attacker meets is logged in one place, over every transport, and counted; never with a secret or an address."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from starlette.applications import Starlette
from structlog.testing import capture_logs

from graph.app import create_app
from resolvers import security_log
from tests.graph.support.apps import SIGN_IN, ask, served, settings_of
from tests.graph.support.downloads import token_of
from tests.support import factories

SOURCE = "203.0.113.7"
WRONG = "Wrong-Password-2026"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The lines of the security log, as they are written."""
    monkeypatch.setattr(security_log, "log", structlog.get_logger())
    with capture_logs() as written:
        yield written


def told(lines: list[Any]) -> list[dict[str, Any]]:
    """What the security log says, without what the capture adds."""
    kept = [line for line in lines if line["event"] == "security"]
    return [{key: value for key, value in line.items() if key not in ("event", "log_level")} for line in kept]


def outcomes(lines: list[Any]) -> list[tuple[str, str]]:
    return [(line["outcome"], line["operation"]) for line in told(lines)]


async def test_a_failed_sign_in_tells_source_account_operation_and_request(
    tmp_path: Path, database_url: str, lines: list[Any]
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        headers = {"x-request-id": "request-0001"}
        for address in (ada.login_email, "Nobody@people.example", "nobody@people.example"):
            await ask(client, SIGN_IN, headers, email=address, password=WRONG)
    known, unknown, again = told(lines)
    assert re.fullmatch(r"[0-9a-f]{16}", known.pop("address"))
    assert known == {
        "outcome": "WRONG_CREDENTIALS",
        "operation": "signIn",
        "source": SOURCE,
        "account": ada.id,
        "request_id": known["request_id"],
    }
    assert known["request_id"]
    assert unknown["address"] == again["address"]
    assert "account" not in unknown
    assert not re.search(rf"{WRONG}|{ada.login_email}|nobody@", str(lines), re.IGNORECASE)


async def test_each_of_many_tries_in_one_document_is_told(tmp_path: Path, database_url: str, lines: list[Any]) -> None:
    tries = " ".join(
        f'n{number}: signIn(input: {{loginEmail: "a{number}@a.example", password: "x"}}) {{ errors {{ code }} }}'
        for number in range(3)
    )
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        await ask(client, f"mutation {{ {tries} }}")
    assert outcomes(lines) == [("WRONG_CREDENTIALS", "signIn")] * 3


@pytest.mark.parametrize(
    ("document", "outcome", "operation"),
    [
        ('mutation { confirmContactEmail(token: "x") { errors { code } } }', "INVALID_TOKEN", "confirmContactEmail"),
        ('mutation { unsubscribe(token: "x") { errors { code } } }', "INVALID_TOKEN", "unsubscribe"),
        (
            'mutation { suspendAccount(userId: "VXNlcjox", reason: "x") { errors { code } } }',
            "FORBIDDEN",
            "suspendAccount",
        ),
        ("{ vacancies { totalCount } }", "FORBIDDEN", "vacancies"),
        (
            'mutation { updateAccount(input: {password: {current: "Wrong-1", new: "Lighthouse-Keeper-7"}})'
            " { errors { code } } }",
            "WRONG_PASSWORD",
            "updateAccount",
        ),
    ],
)
async def test_what_a_signed_in_person_may_not_is_told_of_their_account(
    tmp_path: Path, database_url: str, lines: list[Any], document: str, outcome: str, operation: str
) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        headers = {"authorization": f"Bearer {await token_of(client, ada)}"}
        await ask(client, document, headers)
    signed_in, refused = told(lines)
    assert (signed_in["outcome"], signed_in["account"]) == ("SIGNED_IN", ada.id)
    assert (refused["outcome"], refused["operation"], refused["account"]) == (outcome, operation, ada.id)


async def test_a_limit_is_told_whichever_it_is(tmp_path: Path, database_url: str, lines: list[Any]) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        for _ in range(6):
            await ask(client, SIGN_IN, email="a@a.example", password="x")
        for _ in range(31):
            await ask(client, 'mutation { resendActivation(loginEmail: "a@a.example") { acknowledged } }')
        for _ in range(563):
            await client.get("/graphql?query={__typename}")
        assert (await client.get("/graphql?query={__typename}")).status_code == 429
    assert outcomes(lines)[-3:] == [
        ("RATE_LIMITED", "signIn"),
        ("RATE_LIMITED", "resendActivation"),
        ("RATE_LIMITED", "/graphql"),
    ]


async def test_tokens_and_keys_that_are_nobodys_are_told(tmp_path: Path, database_url: str, lines: list[Any]) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        for header in ("Bearer nobodys", "ApiKey rattache_nobodys"):
            await ask(client, "{ __typename me { id } }", {"authorization": header})
    assert outcomes(lines) == [("UNKNOWN_SESSION", "/graphql"), ("UNKNOWN_API_KEY", "/graphql")]
    assert "nobodys" not in str(lines)


async def test_pages_and_signed_addresses_are_told(tmp_path: Path, database_url: str, lines: list[Any]) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        await client.get("/account/activate?token=guessed")
        form = {
            "token": "guessed",
            "secret_answer": "x",
            "password": "Aa1!aaaaaaaaa",
            "password_again": "Aa1!aaaaaaaaa",
        }
        await client.post("/account/reset-password", data=form)
        for path in ("/documents/download", "/documents/archive", "/exports/structures", "/exports/users"):
            await client.get(f"{path}?signed=guessed")
    assert list(dict.fromkeys(outcomes(lines))) == [
        ("INVALID_TOKEN", "/account/activate"),
        ("INVALID_TOKEN", "/account/reset-password"),
        ("INVALID_TOKEN", "/documents/download"),
        ("INVALID_TOKEN", "/documents/archive"),
        ("INVALID_TOKEN", "/exports/structures"),
        ("INVALID_TOKEN", "/exports/users"),
    ]
    assert {line["source"] for line in told(lines)} == {SOURCE}
    assert all(line["request_id"] for line in told(lines))
    assert "guessed" not in str(told(lines))


async def test_an_event_stream_is_told(tmp_path: Path, database_url: str, lines: list[Any]) -> None:
    document = 'mutation { signIn(input: {loginEmail: "a@a.example", password: "x"}) { errors { code } } }'
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        headers = {"accept": "text/event-stream"}
        await client.post("/graphql", json={"query": document}, headers=headers)
    (line,) = told(lines)
    assert (line["outcome"], line["operation"], line["source"]) == ("WRONG_CREDENTIALS", "signIn", SOURCE)
    assert line["request_id"]


async def test_a_websocket_is_told(tmp_path: Path, database_url: str, lines: list[Any]) -> None:
    app = create_app(settings_of(tmp_path, database_url), sends=False)
    document = 'mutation { signIn(input: {loginEmail: "a@a.example", password: "x"}) { errors { code } } }'
    async with app.router.lifespan_context(app):
        await _over_websocket(
            app,
            {"type": "connection_init"},
            {"type": "subscribe", "id": "1", "payload": {"query": document}},
            until="complete",
        )
        await _over_websocket(
            app, {"type": "connection_init", "payload": {"authorization": "Bearer nobodys"}}, until="websocket.close"
        )
    first, second = told(lines)
    assert (first["outcome"], first["operation"], first["source"]) == ("WRONG_CREDENTIALS", "signIn", SOURCE)
    assert first["request_id"]
    assert (second["outcome"], second["operation"]) == ("UNKNOWN_SESSION", "/graphql")


async def _over_websocket(app: Starlette, *messages: dict[str, Any], until: str) -> None:
    """Say the messages over one socket, and leave once the server has said `until`."""
    said = asyncio.Event()
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for message in (
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": orjson.dumps(one).decode()} for one in messages),
    ):
        asked.put_nowait(message)

    async def receive() -> dict[str, Any]:
        if asked.empty():
            async with asyncio.timeout(60):
                await said.wait()
            return {"type": "websocket.disconnect", "code": 1000}
        return await asked.get()

    async def send(message: Any) -> None:
        if until in (message["type"], orjson.loads(message.get("text") or "{}").get("type")):
            said.set()

    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws", "path": "/graphql",
        "raw_path": b"/graphql", "query_string": b"", "root_path": "", "headers": [(b"host", b"127.0.0.1:8000")],
        "client": (SOURCE, 40_000), "server": ("127.0.0.1", 8000), "subprotocols": ["graphql-transport-ws"],
    }  # fmt: skip
    await app(scope, receive, send)


async def test_outcomes_are_counted(tmp_path: Path, database_url: str) -> None:
    async with served(settings_of(tmp_path, database_url), sends=False) as client:
        ada = await factories.person()
        for password in (WRONG, factories.PASSWORD):
            await ask(client, SIGN_IN, email=ada.login_email, password=password)
        measures = (await client.get("/metrics")).text
    counted = dict(re.findall(r'rattache_security_events_total\{outcome="(\w+)"\} (\S+)', measures))
    assert {name: value for name, value in counted.items() if value != "0.0"} == {
        "WRONG_CREDENTIALS": "1.0",
        "SIGNED_IN": "1.0",
    }
    assert set(counted) == {str(outcome) for outcome in security_log.OUTCOMES}
