"""By which names the server is reached, and that no answer takes one from a request."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.http import hosts
from tests.graph.support.apps import ask, served, settings_of

pytestmark = pytest.mark.slow

PUBLIC: dict[str, Any] = {"public_url": "https://accounts.example:8443", "smtp_url": "smtp://127.0.0.1:1"}
PLACES = ("/", "/graphql", "/graphql/", "/schema.graphql", "/account/activate", "/account/activate/", "/static/pages",
          "/documents/download?signed=x", "//evil.example/", "/nowhere")  # fmt: skip


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("Accounts.Example:8443", "accounts.example"),
        ("accounts.example.", "accounts.example"),
        ("[::1]:8000", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("a.example:evil", "a.example:evil"),
        ("", ""),
    ],
)
def test_a_host_has_a_name(host: str, name: str) -> None:
    assert hosts.name_of(host) == name


@pytest.mark.parametrize(
    ("host", "status"),
    [("accounts.example", 200), ("ACCOUNTS.example:8443", 200), ("app.example", 200), ("evil.example", 421),
     ("accounts.example.evil.example", 421), ("203.0.113.7", 421), ("", 421)],
)  # fmt: skip
async def test_a_public_server_answers_to_its_own_names(tmp_path: Path, host: str, status: int) -> None:
    settings = settings_of(tmp_path, **PUBLIC, allowed_origins="https://app.example")
    async with served(settings, sends=False) as client:
        answer = await client.post("/graphql", json={"query": "{ me { id } }"}, headers={"host": host})
        health = [(await client.get(path, headers={"host": host})).status_code for path in ("/healthz", "/readyz")]
    assert answer.status_code == status
    assert health == [200, 200]
    if status == 421:
        assert answer.json()["errors"][0]["extensions"]["code"] == "MISDIRECTED"


@pytest.mark.parametrize("changes", [{}, PUBLIC], ids=["local", "public"])
async def test_a_foreign_name_shows_in_no_answer(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with served(settings_of(tmp_path, **changes), sends=False) as client:
        for place in PLACES:
            answer = await client.get(
                httpx.URL(f"http://127.0.0.1{place}"), headers={"host": "evil.example", "accept": "text/html"}
            )
            shown = f"{answer.headers} {answer.text}".replace("//evil.example/", "")
            assert "evil.example" not in shown, place


async def test_a_redirect_leads_to_a_path_of_the_same_server(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path), sends=False) as client:
        answer = await client.get("/account/activate/?lang=en", headers={"host": "lan.example:8000"})
    assert (answer.status_code, answer.headers["location"]) == (307, "/account/activate?lang=en")


async def test_a_public_server_shows_nothing_of_its_inside_by_default(tmp_path: Path) -> None:
    async with served(settings_of(tmp_path, **PUBLIC), sends=False) as client:
        found = {path: (await client.get(path)).status_code for path in ("/schema.graphql", "/metrics", "/readyz")}
        assert found == {"/schema.graphql": 404, "/metrics": 404, "/readyz": 200}
        assert (await client.get("/readyz")).json() == {"ready": True}
        assert "schema.graphql" not in (await client.get("/")).text
        assert (await client.get("/graphql", headers={"accept": "text/html"})).status_code == 406
        refused = await ask(client, "{ __schema { queryType { name } } }")
        assert refused["errors"][0]["message"] == "Introspection is switched off."


async def test_a_public_server_shows_what_is_switched_on(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, **PUBLIC, introspection=True, graphiql=True, metrics=True)
    async with served(settings, sends=False) as client:
        for path in ("/schema.graphql", "/metrics", "/static/graphiql/graphiql.js"):
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/readyz")).json()["unsentMails"] == 0
