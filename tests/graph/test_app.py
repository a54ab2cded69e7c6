"""The application as a whole: what it serves and where, what it says of every request, how it opens and closes."""

import asyncio
import email
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from graph import logs
from graph.app import create_app, office_of
from graph.worker import starting
from models.accounts import accounts
from models.accounts.sessions import Session
from models.accounts.wishes import Wish
from models.mail.outbox import Mail
from resolvers.accounts import wishes
from resolvers.scope import Scope
from tests.graph.support.apps import ask, served, settings_of
from tests.resolvers.support.mailbox import token_of
from tests.support import factories

pytestmark = pytest.mark.slow

SIGN_UP = """mutation { signUp(input: {loginEmail: "noor@people.example", firstName: "Noor", lastName: "Vasseur",
  language: EN, acceptTerms: true}) { acknowledged } }"""
NOWHERE = "postgres://nobody@127.0.0.1:1/none"


async def test_every_page_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    places = {
        "/": 200,
        "/schema.graphql": 200,
        "/graphql": 200,
        "/mails": 200,
        "/account/activate": 200,
        "/account/reactivate": 200,
        "/account/reset-password": 200,
        "/account/confirm-email?token=x": 404,
        "/static/pages/style.css": 200,
        "/static/graphiql/graphiql.js": 200,
        "/healthz": 200,
        "/readyz": 200,
        "/metrics": 200,
        "/elsewhere": 404,
    }
    async with served(settings_of(tmp_path), sends=False) as client:
        found = {place: (await client.get(place, headers={"accept": "text/html"})).status_code for place in places}
    assert found == places


@pytest.mark.parametrize(
    ("changes", "options"),
    [({"smtp_url": "smtp://127.0.0.1:1"}, {}), ({}, {"on_loopback": False})],
    ids=["a mail server is set", "others can reach the server"],
)
async def test_mails_are_not_shown(tmp_path: Path, changes: dict[str, Any], options: dict[str, Any]) -> None:
    async with served(settings_of(tmp_path, **changes), sends=False, **options) as client:
        assert (await client.get("/mails")).status_code == 404


async def test_graphiql_and_introspection_can_be_switched_off(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path, graphiql=False, introspection=False), sends=False) as client:
        assert (await client.get("/graphql", headers={"accept": "text/html"})).status_code == 406
        assert (await client.get("/static/graphiql/graphiql.js")).status_code == 404
        answer = await ask(client, "{ __schema { queryType { name } } }")
        assert answer["errors"][0]["message"] == "Introspection is switched off."


async def test_every_answer_has_an_id_and_the_security_headers(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path), sends=False) as client:
        given = await client.get("/healthz", headers={"x-request-id": "from-the-proxy-1"})
        made = await client.get("/nowhere", headers={"x-request-id": "no good: spaces"})
    assert {len(given.headers["x-request-id"]), len(made.headers["x-request-id"])} == {32}
    for response in (given, made):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert response.headers["content-security-policy"] == (
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert "strict-transport-security" not in response.headers


async def test_an_id_from_outside_is_noted_beside_our_own(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path), sends=False) as client:
        with capture_logs() as lines:
            given = await client.get("/healthz", headers={"x-request-id": "from-the-proxy-1"})
            made = await client.get("/healthz", headers={"x-request-id": "no good: spaces"})
    told = [(line["request_id"], line.get("foreign_request_id")) for line in lines if line["event"] == "request"]
    assert told == [(given.headers["x-request-id"], "from-the-proxy-1"), (made.headers["x-request-id"], None)]


async def test_the_log_tells_the_path_and_never_the_query(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path), sends=False) as client:
        with capture_logs() as lines:
            await client.get("/account/activate?token=hush-hush")
    (line,) = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/account/activate", 404)
    assert "hush" not in str(lines)


async def test_what_nobody_caught_is_logged_and_answered_500(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("out of order")

    async with served(settings_of(tmp_path), sends=False) as client:
        monkeypatch.setattr("models.mail.outbox.waiting", broken)
        with capture_logs() as lines:
            response = await client.get("/readyz")
    assert (response.status_code, response.text) == (500, "Internal Server Error")
    failed = [line for line in lines if line["event"] == "request_failed"]
    assert [line["request_id"] for line in failed] == [response.headers["x-request-id"]]


async def test_only_a_configured_origin_may_ask_across(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, allowed_origins="https://app.example")
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    async with served(settings, sends=False) as client:
        ours = await client.options("/graphql", headers={"origin": "https://app.example", **preflight})
        other = await client.options("/graphql", headers={"origin": "https://evil.example", **preflight})
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert ours.headers["access-control-allow-credentials"] == "true"
    assert other.status_code == 400
    assert "access-control-allow-origin" not in other.headers


async def test_someone_signs_up_follows_the_mailed_link_and_is_active(tmp_path: Path, database_url: str) -> None:
    settings = settings_of(tmp_path, database_url)
    async with served(settings) as client:
        assert (await ask(client, SIGN_UP))["data"] == {"signUp": {"acknowledged": True}}
        async with asyncio.timeout(10):
            while not list(settings.mails.glob("*.eml")):
                await asyncio.sleep(0.02)
        (file,) = settings.mails.glob("*.eml")
        assert email.message_from_bytes(file.read_bytes())["To"] == "Noor Vasseur <noor@people.example>"
        token = await token_of(office_of(settings), "account_activation")
        chosen = {"password": factories.PASSWORD, "password_again": factories.PASSWORD}
        answers = {"token": token, "secret_question": "What is this?", "secret_answer": "a test", **chosen}
        page = await client.post("/account/activate", data=answers)
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
        account = await accounts.by_login("noor@people.example")
        assert account is not None
        assert account.state == "ACTIVE"
        assert await factories.event_types() == ["AccountSignedUp", "AccountActivated"]
        assert await Session.all().count() == 0


async def test_without_a_worker_wishes_wait_and_mails_stay_in_the_outbox(tmp_path: Path, database_url: str) -> None:
    settings = settings_of(tmp_path, database_url)
    async with served(settings, sends=False) as client:
        await ask(client, SIGN_UP)
        await asyncio.sleep(0.6)
        assert (await Wish.all().count(), await Mail.all().count()) == (1, 0)
        await wishes.grant(Scope(office_of(settings)))
        await asyncio.sleep(0.1)
        assert [mail.state for mail in await Mail.all()] == ["PENDING"]
    assert not settings.mails.exists()


async def test_a_database_away_at_the_start_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the database's folder should be")
    monkeypatch.setattr(starting, "FIRST_PAUSE", 0.05)
    with capture_logs() as lines:
        async with served(settings_of(tmp_path, f"sqlite://{blocked}/rattache.db"), sends=False) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            answer = await client.post("/graphql", json={"query": "{ me { id } }"})
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
            assert (await client.get("/account/activate?token=x")).status_code == 503
            blocked.unlink()
            async with asyncio.timeout(10):
                while (await client.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.05)
            assert (await ask(client, "{ me { id } }"))["data"] == {"me": None}
    reasons = [line["reason"] for line in lines if line["event"] == "database_away" and "request_id" not in line]
    assert reasons
    assert all("File exists" in reason for reason in reasons)


async def test_a_server_that_still_waits_for_its_database_stops_at_once(tmp_path: Path) -> None:
    app = create_app(settings_of(tmp_path, NOWHERE))
    async with asyncio.timeout(5), app.router.lifespan_context(app):
        pass


def test_a_logged_error_shows_no_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        for log_format in ("console", "json"):
            logs.configure(log_format)
            secret = "hush" * 3
            try:
                raise RuntimeError(len(secret))
            except RuntimeError:
                structlog.get_logger("tests").exception("failed")
                logging.getLogger("a library").exception("failed too")
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
    written = capsys.readouterr().err
    assert written.count("RuntimeError: 12") == 4
    assert "hushhush" not in written


def test_a_logged_value_moves_no_cursor_and_begins_no_line() -> None:
    line = {"event": "request", "path": "/a\nb\x1b[2J\x9bc\u202ed", "status": 404}
    expected = {"event": "request", "path": r"/a\nb\x1b[2J\x9bc\u202ed", "status": 404}
    assert logs.escaped(None, "info", line) == expected


def test_a_line_of_json_reads_back_with_its_instant_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        logs.configure("json")
        structlog.get_logger("tests").warning("security", outcome="FORBIDDEN", source="a\n\x1b[2J")
        logging.getLogger("a library").warning("of its own")
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
    ours, foreign = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    instant = datetime.fromisoformat(ours.pop("timestamp"))
    assert instant.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - instant) < timedelta(minutes=1)
    assert ours == {"event": "security", "level": "warning", "outcome": "FORBIDDEN", "source": "a\n\x1b[2J"}
    assert (foreign["event"], foreign["level"]) == ("of its own", "warning")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_operator_reads_instants_as_iso_8601(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        logs.configure(log_format)
        due_at = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
        structlog.get_logger("tests").warning("mail_postponed", due_at=due_at, day=due_at.date())
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
    written = capsys.readouterr().err
    assert "2026-11-24T14:05:00+00:00" in written
    assert "datetime" not in written
