"""graphql-sse on `/graphql`, in distinct connections mode: answers and streams as events, and how they end."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from graph.live import hub
from models.accounts.sessions import Session
from models.attachments.attachments import AttachmentStatus
from models.db import database
from schema.base import ids
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.live import PATIENCE, STATUS, Reader, ask, token_for
from tests.graph.support.servers import Server
from tests.support import factories

ME = "{ me { firstName } }"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
async def url(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server with an empty database."""
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    settings = settings_of(tmp_path, f"sqlite://{tmp_path / 'rattache.db'}?synchronous=OFF", rate_limits=False)
    async with live.served(settings) as url:
        yield url


@dataclass
class Events:
    """The events of one response, as the SSE specification reads them."""

    response: httpx.Response
    lines: AsyncIterator[str]

    @classmethod
    @asynccontextmanager
    async def of(
        cls, url: str, query: str, token: str | None = None, *, method: str = "POST", **variables: Any
    ) -> AsyncIterator[Self]:
        """The stream of an operation."""
        headers = STREAM | ({"Authorization": f"Bearer {token}"} if token else {})
        sent: dict[str, Any] = (
            {"json": {"query": query, "variables": variables}}
            if method == "POST"
            else {"params": {"query": query, "variables": json.dumps(variables)}}
        )
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as http,
            http.stream(method, f"{url}/graphql", headers=headers, **sent) as response,
        ):
            yield cls(response, response.aiter_lines())

    async def read(self) -> tuple[str, Any]:
        """The next event and its data; comments are let pass."""
        event = ""
        data: list[str] = []
        async for line in self.lines:
            name, _, value = line.partition(":")
            if not line and event:
                return event, json.loads("\n".join(data)) if any(data) else None
            if name == "event":
                event = value.strip()
            elif name == "data":
                data.append(value.removeprefix(" "))
        raise EOFError

    async def comment(self) -> str:
        """The next comment."""
        async for line in self.lines:
            if line.startswith(":"):
                return line
        raise EOFError

    async def delivery(self) -> Any:
        """What the next delivery holds under its only field."""
        event, data = await self.read()
        assert event == "next"
        assert "errors" not in data, data
        (found,) = data["data"].values()
        return found


def code(data: Any) -> str:
    assert "data" not in data
    (error,) = data["errors"]
    return str(error["extensions"]["code"])


# ------------------------------------------------------------------ answers
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_query_is_one_event_and_complete(url: str, method: str) -> None:
    token = await token_for(await factories.person(first_name="Ada"))
    async with Events.of(url, ME, token, method=method) as events:
        assert events.response.status_code == 200
        assert events.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.response.headers["cache-control"] == "no-store"
        assert events.response.headers["x-accel-buffering"] == "no"
        event, data = await events.read()
        assert (event, data["data"]) == ("next", {"me": {"firstName": "Ada"}})
        assert data["extensions"]["cost"]["value"] == 2
        assert await events.read() == ("complete", None)
        with pytest.raises(EOFError):
            await events.read()


async def test_a_mutation_goes_by_post_alone(url: str) -> None:
    token = await token_for(await factories.person())
    change = 'mutation { updateAccount(input: {phone: "0123456789"}) { errors { code } } }'
    async with Events.of(url, change, token) as events:
        assert await events.delivery() == {"errors": []}
    async with Events.of(url, change, token, method="GET") as events:
        assert (events.response.status_code, events.response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (STATUS, {}, "UNAUTHENTICATED"),
        (STATUS, {"after": 3}, "BAD_USER_INPUT"),
    ],
)
async def test_a_wrong_operation_is_told_in_the_stream_which_is_complete(
    url: str, query: str, variables: dict[str, Any], expected: str
) -> None:
    async with Events.of(url, query, **variables) as events:
        assert events.response.status_code == 200
        event, data = await events.read()
        assert (event, data["errors"][0]["extensions"]["code"]) == ("next", expected)
        assert await events.read() == ("complete", None)


async def test_a_request_out_of_form_is_refused_by_its_status(url: str) -> None:
    async with httpx.AsyncClient(headers=STREAM) as http:
        assert (await http.post(f"{url}/graphql", content="{")).status_code == 415
        assert (await http.post(f"{url}/graphql", json=[])).status_code == 400
        assert (await http.post(f"{url}/graphql", json={"query": 1})).status_code == 400
        assert (await http.get(f"{url}/graphql")).status_code == 400
        assert (await http.put(f"{url}/graphql", json={"query": ME})).status_code == 405
        big = await http.post(f"{url}/graphql", json={"query": "#" + "x" * 1024 * 1024})
        assert (big.status_code, big.json()["errors"][0]["extensions"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/event-stream", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
        ("application/json;q=0.5, text/event-stream", "text/event-stream"),
        ("text/event-stream;q=0.5, application/json", "application/json"),
        ("application/graphql-response+json", "application/graphql-response+json"),
        ("*/*", "application/json"),
        ("text/*, application/json;q=0.1", "text/event-stream"),
        ("", "application/json"),
    ],
)
async def test_the_stream_is_for_those_who_ask_for_it(url: str, accept: str, kind: str) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{url}/graphql", json={"query": ME}, headers={"Accept": accept})
    assert response.headers["content-type"].partition(";")[0] == kind


async def test_who_takes_both_is_streamed_a_subscription(url: str) -> None:
    token = await token_for(await factories.person())
    headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
    query = {"query": "subscription { accountStateChanged { cursor } }"}
    async with (
        httpx.AsyncClient() as http,
        http.stream("POST", f"{url}/graphql", json=query, headers=headers) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_a_cookie_counts_as_it_does_for_answers(url: str) -> None:
    token = await token_for(await factories.person(first_name="Ada"))
    cookie = STREAM | {"Cookie": f"rattache_session={token}"}
    async with httpx.AsyncClient() as http:
        ours = await http.post(f"{url}/graphql", json={"query": ME}, headers=cookie | {"Origin": url})
        other = await http.post(
            f"{url}/graphql", json={"query": ME}, headers=cookie | {"Origin": "https://evil.example"}
        )
    assert ("Ada" in ours.text, "Ada" in other.text) == (True, False)


# ------------------------------------------------------------------ streams
async def home() -> tuple[str, str, str, str]:
    """The tokens of a manager and of somebody attached, the attachment's id and the structure's."""
    manager, user = await factories.person(), await factories.person()
    structure = await factories.structure(manager)
    attachment = await factories.attachment(user, structure)
    made = ids.encode("Attachment", attachment.id), ids.encode("Structure", structure.id)
    return await token_for(manager), await token_for(user), *made


async def flip(url: str, token: str, id: str, act: str = "deactivateAttachments") -> None:
    (done,) = (
        await ask(url, f'mutation {{ {act}(ids: ["{id}"]) {{ results {{ errors {{ code }} }} }} }}', token)
    ).values()
    assert done["results"] == [{"errors": []}]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_stream_delivers_and_resumes(url: str, method: str) -> None:
    manager, _, attachment, structure = await home()
    async with Events.of(url, STATUS, manager, method=method, structure=structure) as events:
        await events.comment()
        await asyncio.sleep(0.2)
        await flip(url, manager, attachment)
        first = await events.delivery()
        assert first["status"] == AttachmentStatus.DEACTIVATED
    await flip(url, manager, attachment, "reactivateAttachments")
    async with Events.of(url, STATUS, manager, method=method, after=first["cursor"]) as events:
        assert (await events.delivery())["status"] == AttachmentStatus.VALIDATED
        await flip(url, manager, attachment)
        assert (await events.delivery())["status"] == AttachmentStatus.DEACTIVATED


async def test_a_lost_right_is_told_after_the_change_that_took_it(url: str) -> None:
    manager, user, attachment, structure = await home()
    async with Events.of(url, STATUS, user, structure=structure) as events:
        await events.comment()
        await asyncio.sleep(0.2)
        await flip(url, manager, attachment, "removeAttachments")
        assert (await events.delivery())["status"] == AttachmentStatus.REMOVED
        event, data = await events.read()
        assert (event, code(data)) == ("next", "FORBIDDEN")
        assert await events.read() == ("complete", None)


async def test_a_session_that_ends_completes_the_stream(url: str) -> None:
    _, user, *_ = await home()
    async with Events.of(url, STATUS, user) as events:
        await events.comment()
        await asyncio.sleep(0.2)
        await ask(url, "mutation { signOut { errors { code } } }", user)
        event, data = await events.read()
        assert (event, code(data)) == ("next", "UNAUTHENTICATED")
        assert await events.read() == ("complete", None)
    assert await Session.all().count() == 1


async def test_a_server_that_stops_tells_readers_to_connect_again(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    await database.connect(f"sqlite://{tmp_path / 'rattache.db'}")
    _, user, *_ = await home()
    await database.close()
    with Server(tmp_path, {"DATABASE_URL": f"sqlite://{tmp_path / 'rattache.db'}"}, "--no-worker") as server:
        async with Events.of(server.url, STATUS, user) as events, Reader.at(server.url, user) as reader:
            await reader.subscribe(STATUS)
            await events.comment()
            await asyncio.sleep(0.5)
            begun = time.monotonic()
            stopping = asyncio.create_task(asyncio.to_thread(server.stop))
            event, data = await events.read()
            assert (event, code(data)) == ("next", "SERVER_STOPPING")
            with pytest.raises(EOFError):  # not complete: there is more to come, elsewhere
                await events.read()
            assert await reader.close_code() == 1012
            await stopping
            assert time.monotonic() - begun < 5


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life each fifth of a second, by a server that starts after this."""
    monkeypatch.setattr(hub, "PING_SECONDS", 0.2)


async def test_an_idle_stream_gives_signs_of_life(quick_pings: None, url: str) -> None:
    _, user, *_ = await home()
    async with Events.of(url, STATUS, user) as events:
        for _ in range(4):
            assert await events.comment() == ":"


async def test_a_reader_that_goes_away_is_forgotten(url: str) -> None:
    _, user, *_ = await home()
    async with Events.of(url, STATUS, user) as events:
        await events.comment()
        await asyncio.sleep(0.2)
        assert "rattache_live_streams 1.0" in await _measures(url)
    await asyncio.sleep(0.3)
    measures = await _measures(url)
    assert "rattache_live_streams 0.0" in measures
    assert "rattache_live_connections 0.0" in measures
    assert 'rattache_request_seconds_count{place="graphql",status="2xx"}' not in measures  # lasting isn't answering


async def _measures(url: str) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{url}/metrics")).text
