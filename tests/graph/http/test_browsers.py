"""What every answer of a public server tells a browser, and what it tells nobody."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.graph.support.apps import served, settings_of
from tests.graph.support.servers import Server
from tests.graph.support.wire import Wire, head

pytestmark = pytest.mark.slow

PUBLIC = {"public_url": "https://accounts.example", "smtp_url": "smtp://127.0.0.1:1", "graphiql": True}
STATIC = ("/static/pages/style.css", "/static/graphiql/graphiql.js")
PAGES = (
    "/",
    "/account/activate",
    "/account/reset-password?token=guessed",
    "/account/unsubscribe?token=guessed",
    "/graphql",
)
OTHERS = (
    "/graphql?query={__typename}",
    "/healthz",
    "/nowhere",
    "/account/activate/",
    "/documents/download?signed=guessed",
    "/documents/archive?signed=guessed",
    "/exports/structures?signed=guessed",
)


@pytest.fixture
async def client(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server with a public address."""
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    async with served(settings_of(tmp_path, f"sqlite://{tmp_path / 'rattache.db'}", **PUBLIC), sends=False) as client:
        yield client


async def test_every_answer_of_a_public_server_has_the_security_headers(client: httpx.AsyncClient) -> None:
    answers = [await client.get(place, headers={"accept": "text/html, */*"}) for place in (*STATIC, *PAGES, *OTHERS)]
    answers.append(await client.get("/graphql", headers={"host": "evil.example"}))
    answers.append(await client.request("DELETE", "/graphql"))
    answers.append(await client.post("/graphql", content=b"{"))
    assert {answer.status_code for answer in answers} >= {200, 307, 404, 405, 421}
    for answer in answers:
        found, place = answer.headers, str(answer.url)
        assert (place, found["strict-transport-security"]) == (place, "max-age=63072000; includeSubDomains")
        assert (place, found["x-content-type-options"]) == (place, "nosniff")
        assert (place, found["cross-origin-opener-policy"]) == (place, "same-origin")
        assert found["referrer-policy"] in ("no-referrer", "same-origin")
        policy = {part.strip() for part in found["content-security-policy"].split(";")}
        assert policy >= {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}, place


async def test_an_answer_is_never_the_argument_of_a_function(client: httpx.AsyncClient) -> None:
    """Which is how JSONP would give it to a page of another site."""
    for name in ("callback", "jsonp", "cb"):
        answer = await client.get("/graphql", params={"query": "{__typename}", name: "steal"})
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.json()["data"] == {"__typename": "Query"}


async def test_a_folder_is_listed_to_nobody(client: httpx.AsyncClient) -> None:
    for folder in ("/static", "/static/", "/static/pages", "/static/pages/", "/static/graphiql/"):
        answer = await client.get(folder, follow_redirects=True)
        assert (folder, answer.status_code) == (folder, 404)
        assert "style.css" not in answer.text


async def test_trace_is_not_answered(client: httpx.AsyncClient) -> None:
    for place in (*STATIC, *PAGES, *OTHERS):
        answer = await client.request("TRACE", place, headers={"x-secret": "hush-hush"})
        assert (place, answer.status_code in (307, 404, 405)) == (place, True)
        assert "hush" not in f"{answer.headers}{answer.text}"


async def test_no_answer_tells_what_it_is_made_with(tmp_path: Path) -> None:
    requests = [head(path=path) for path in ("/healthz", "/readyz", "/nowhere", "/")]
    requests += [b"not HTTP at all\r\n\r\n", head("Host: evil.example")]
    with Server(tmp_path, {}, "--no-worker") as server:
        for request in requests:
            async with Wire.to(server.url) as wire:
                await wire.send(request)
                _, headers, body = await wire.answer()
            assert "server" not in headers
            told = f"{headers}{body.decode()}"
            assert re.findall(r"(?i)uvicorn|starlette|strawberry|python|httptools|sqlite|postgres", told) == []
