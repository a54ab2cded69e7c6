"""Whose word about the source of a request is taken, by the server as operators start it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from graph.cli import serve
from tests.graph.support.apps import SIGN_IN, settings_of
from tests.graph.support.servers import Server

# Of an operation that is allowed 30 times a minute, so many are sent, each from a source of its own by what it says.
TRIES = 32


def outcomes(server: Server, said: Callable[[int], dict[str, str]]) -> list[str]:
    """The first codes of as many sign-ins, each with its own headers."""
    found = []
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for number in range(TRIES):
            body: dict[str, Any] = {"query": SIGN_IN, "variables": {"email": "", "password": "x"}}
            answer = client.post("/graphql", json=body, headers=said(number)).json()
            found.append(answer["errors"][0]["extensions"]["code"] if "errors" in answer else "ok")
    return found


def forged(number: int) -> dict[str, str]:
    """Headers in which a client names a source."""
    source = f"203.0.113.{number}"
    return {"X-Forwarded-For": source, "X-Real-IP": source, "Forwarded": f"for={source}"}


@pytest.fixture
def prepared(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with a migrated database."""
    (tmp_path / "data").mkdir()
    shutil.copy(sqlite_template, tmp_path / "data" / "rattache.db")
    return tmp_path


@pytest.mark.parametrize(
    ("named", "source", "is_believed"),
    [
        ("10.0.0.5", "::ffff:10.0.0.5", True),
        ("10.0.0.5", "::ffff:10.0.0.6", False),
        ("10.0.0.0/8", "::ffff:10.9.9.9", True),
        ("10.0.0.0/8", "::ffff:11.0.0.1", False),
        ("10.0.0.5", "10.0.0.5", True),
        ("fd00::/8", "fd00::7", True),
        ("fd00::/8", "::ffff:10.0.0.5", False),
    ],
)
async def test_a_proxy_is_known_by_its_address_whichever_listener_it_comes_to(
    tmp_path: Path, named: str, source: str, is_believed: bool
) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    trusted = serve.proxies(settings_of(tmp_path, forwarded_allow_ips=named))["forwarded_allow_ips"]
    headers = [(b"x-forwarded-for", b"203.0.113.9")]
    scope: Any = {"type": "http", "client": (source, 1), "headers": headers, "scheme": "http"}
    unused: Any = None
    await ProxyHeadersMiddleware(app, trusted)(scope, unused, unused)
    assert seen == ["203.0.113.9" if is_believed else source]


def test_a_client_on_this_machine_names_other_sources_and_is_counted_as_itself(prepared: Path) -> None:
    with Server(prepared, None, "--no-worker") as server:
        assert outcomes(server, forged)[30:] == ["RATE_LIMITED"] * 2


def test_a_proxy_that_is_named_is_believed_and_what_its_client_said_is_not(prepared: Path) -> None:
    with Server(prepared, {"FORWARDED_ALLOW_IPS": "127.0.0.1, 10.0.0.0/8"}, "--no-worker") as server:
        assert set(outcomes(server, forged)) == {"ok"}

        def appended(number: int) -> dict[str, str]:
            return {"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.9, 10.0.0.7"}

        assert outcomes(server, appended)[30:] == ["RATE_LIMITED"] * 2
