"""Heads, bodies and connections within their bounds, over plain sockets to the server as it is served."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from graph.http import connections
from graph.http.connections import MOST_HEAD_BYTES, Connections
from graph.pages import forms
from tests.graph.support import live
from tests.graph.support.apps import settings_of
from tests.graph.support.wire import Wire, head

PATHS = ("/graphql", "/healthz", "/account/activate", "/static/pages/style.css", "/nowhere")
PROTOCOL = [Subprotocol("graphql-transport-ws")]
OK = b"ok\n"


@pytest.fixture
def made(sqlite_template: Path, tmp_path: Path) -> Any:
    """Settings with an empty database."""

    def make(**changes: Any) -> Any:
        shutil.copy(sqlite_template, tmp_path / "rattache.db")
        return settings_of(tmp_path, f"sqlite://{tmp_path / 'rattache.db'}?synchronous=OFF", **changes)

    return make


@pytest.fixture
async def url(made: Any) -> AsyncIterator[str]:
    """The address of a server."""
    async with live.served(made(rate_limits=False)) as url:
        yield url


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits for a fifth of a second where it waits for ten."""
    for place, name in (
        (connections, "HEAD_SECONDS"), (connections, "REST_SECONDS"), (connections, "LINGER_SECONDS"), (forms, "SECONDS"),
    ):  # fmt: skip
        monkeypatch.setattr(place, name, 0.2)


def code_of(body: bytes) -> str:
    """The code of the only error."""
    (error,) = orjson.loads(body)["errors"]
    return str(error["extensions"]["code"])


# ------------------------------------------------------------------ heads
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "lines",
    [["X-Long: " + "a" * MOST_HEAD_BYTES], ["X-Much: " + "a" * 1000] * 33, ["X: y"] * 100],
    ids=["one long line", "33 of a thousand", "101 lines"],
)
async def test_a_client_sends_too_much_of_a_head_and_is_told_431(url: str, path: str, lines: list[str]) -> None:
    async with Wire.to(url) as wire:
        await wire.send(head(*lines, path=path))
        status, headers, body = await wire.answer()
        assert (status, headers["connection"], code_of(body)) == (431, "close", "HEADERS_TOO_LARGE")
        assert await wire.rest() == b""


async def test_a_client_sends_as_much_of_a_head_as_it_may_and_is_served(url: str) -> None:
    lines = [f"X-{number}: " + "a" * 300 for number in range(99)]
    async with Wire.to(url) as wire:
        for _ in range(2):
            await wire.send(head(*lines))
            assert (await wire.answer())[::2] == (200, OK)


async def test_a_long_address_is_of_the_head(url: str) -> None:
    async with Wire.to(url) as wire:
        await wire.send(head(path="/healthz?" + "a" * MOST_HEAD_BYTES))
        assert (await wire.answer())[0] == 431


@pytest.mark.parametrize("unit", [b"a", b"\r\n", b"a: b\r\n"], ids=["one line", "blank lines", "short lines"])
async def test_a_client_never_ends_its_head_and_is_cut_off(url: str, unit: bytes) -> None:
    begun = b"" if unit == b"\r\n" else b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: "
    async with Wire.to(url) as wire:
        sending = asyncio.create_task(wire.send(begun + unit * (4 * 1024 * 1024 // len(unit))))
        assert b" 431 " in (await wire.rest())[:20]
        wire.writer.transport.abort()
        await sending


@pytest.mark.usefixtures("_hurried")
async def test_a_client_whose_head_drips_is_told_408(url: str) -> None:
    async with Wire.to(url) as wire:
        await wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        for _ in range(8):
            await wire.send(b"X: y\r\n")
            await asyncio.sleep(0.05)
        assert b" 408 " in (await wire.rest())[:20]


@pytest.mark.usefixtures("_hurried")
async def test_a_client_that_says_nothing_is_left_without_a_word(url: str) -> None:
    async with Wire.to(url) as wire:
        assert await wire.rest() == b""


@pytest.mark.parametrize("lines", [[], ["Host: a", "Host: b"]], ids=["none", "two"])
async def test_a_request_of_http_1_1_names_one_host(url: str, lines: list[str]) -> None:
    async with Wire.to(url) as wire:
        await wire.send("\r\n".join(["GET /healthz HTTP/1.1", *lines, "", ""]).encode())
        status, _, body = await wire.answer()
        assert (status, code_of(body)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "X-Long"])
async def test_a_handshake_with_a_line_that_is_too_long_is_told_431(url: str, name: str) -> None:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key)
    async with Wire.to(url) as wire:
        await wire.send(head(*lines, f"{name}: " + "a" * 9000, path="/graphql"))
        status, _, body = await wire.answer()
        assert (status, code_of(body)) == (431, "HEADERS_TOO_LARGE")
        assert await wire.rest() == b""


async def test_a_request_of_http_1_0_needs_no_host(url: str) -> None:
    async with Wire.to(url) as wire:
        await wire.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await wire.answer())[0] == 200


async def test_what_is_no_http_is_told_400(url: str) -> None:
    async with Wire.to(url) as wire:
        await wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        status, _, body = await wire.answer()
        assert (status, code_of(body)) == (400, "BAD_REQUEST")


# ------------------------------------------------------------------ pipelining
async def test_requests_sent_ahead_are_answered_in_their_order(url: str) -> None:
    paths = ["/healthz", "/nowhere"] * 400
    async with Wire.to(url) as wire:
        await wire.send(b"".join(head(path=path) for path in paths))
        assert [(await wire.answer())[0] for _ in paths] == [200, 404] * 400


async def test_requests_that_came_in_one_byte_at_a_time_are_answered(url: str) -> None:
    async with Wire.to(url) as wire:
        for byte in head() + head(path="/nowhere"):
            await wire.send(bytes([byte]))
        assert [(await wire.answer())[0] for _ in range(2)] == [200, 404]


async def test_a_broken_request_sent_ahead_spoils_none_before_it(url: str) -> None:
    async with Wire.to(url) as wire:
        await wire.send(head() + head(path="/nowhere") + b"no http\r\n\r\n")
        assert [(await wire.answer())[0] for _ in range(2)] == [200, 404]
        assert b" 200 " not in await wire.rest()


async def test_a_body_and_the_next_request_in_one_piece_are_both_read(url: str) -> None:
    body = b'{"query": "{ __typename }"}' + b" " * 100_000
    posted = head("Content-Type: application/json", f"Content-Length: {len(body)}", method="POST", path="/graphql")
    async with Wire.to(url) as wire:
        await wire.send(posted + body + head())
        assert (await wire.answer())[0] == 200
        assert (await wire.answer())[::2] == (200, OK)


# ------------------------------------------------------------------ bodies
@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("path", ["/account/activate", "/account/unsubscribe", "/account/reset-password/link"])
async def test_a_form_that_drips_is_given_up(url: str, path: str) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded"
    async with Wire.to(url) as wire:
        await wire.send(head(kind, "Content-Length: 1000", method="POST", path=path) + b"token=")
        assert b" 408 " in (await wire.rest())[:20]


@pytest.mark.usefixtures("_hurried")
async def test_a_body_that_nobody_reads_and_drips_on_is_cut_off(url: str) -> None:
    async with Wire.to(url) as wire:
        await wire.send(head("Content-Length: 1000"))
        assert (await wire.answer())[0] == 200
        for _ in range(8):
            await wire.send(b"a")
            await asyncio.sleep(0.05)
        assert await wire.rest() == b""


async def test_chunks_of_a_byte_are_taken_up_to_a_number(url: str) -> None:
    kind = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    body = b'{"query": "{ __typename }"}'
    few = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in body) + b"0\r\n\r\n"
    async with Wire.to(url) as wire:
        await wire.send(head(*kind, method="POST", path="/graphql") + few)
        assert (await wire.answer())[0] == 200
        await wire.send(head(*kind, method="POST", path="/graphql") + b"1\r\n \r\n" * 20_000)
        status, _, told = await wire.answer()
        assert (status, code_of(told)) == (400, "BAD_REQUEST")


async def test_what_follows_a_body_is_no_header(url: str) -> None:
    body = b'{"query": "{ __typename }"}'
    chunked = b"%x\r\n%b\r\n0\r\nContent-Encoding: gzip\r\n\r\n" % (len(body), body)
    kind = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    async with Wire.to(url) as wire:
        await wire.send(head(*kind, method="POST", path="/graphql") + chunked)
        assert (await wire.answer())[0] == 200


async def test_a_client_that_writes_on_reads_why_its_body_was_refused(url: str) -> None:
    size = 8 * 1024 * 1024
    posted = head("Content-Type: application/json", f"Content-Length: {size}", method="POST", path="/graphql")
    async with Wire.to(url) as wire:
        await wire.send(posted + b" " * size)  # all of it, as a browser does before it reads
        status, headers, body = await wire.answer()
        assert (status, headers["connection"], code_of(body)) == (413, "close", "PAYLOAD_TOO_LARGE")
        assert await wire.rest() == b""


# ------------------------------------------------------------------ connections
async def test_a_source_holds_so_many_connections_and_no_more(made: Any) -> None:
    async with live.served(made(rate_limits=False, connections_per_source=3)) as url:
        async with Wire.to(url) as one, connect(f"{url.replace('http', 'ws')}/graphql", subprotocols=PROTOCOL):
            await one.send(head())
            assert (await one.answer())[0] == 200
            async with Wire.to(url) as third:
                await third.send(head())
                assert (await third.answer())[0] == 200
                async with Wire.to(url) as fourth:
                    assert b" 503 " in (await fourth.rest())[:20]
        async with asyncio.timeout(60):
            measures = ""
            while "rattache_connections_refused_total" not in measures:
                async with httpx.AsyncClient() as http:
                    answer = await http.get(f"{url}/metrics")
                    measures = answer.text if answer.status_code == 200 else ""
        assert 'rattache_connections_refused_total{reason="source"} 1.0' in measures


async def test_the_process_holds_so_many_connections_whoever_has_them(made: Any) -> None:
    async with live.served(made(rate_limits=False, connections=1)) as url, Wire.to(url) as one:
        await one.send(head())
        assert (await one.answer())[0] == 200
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{url.replace('http', 'ws')}/graphql", subprotocols=PROTOCOL)
        assert refused.value.response.status_code == 503


class Doorway(asyncio.Transport):
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("203.0.113.7", 5000)})
        self.done: list[bytes | str] = []

    def write(self, data: Any) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")


def test_of_a_connection_that_is_refused_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(connections, "HttpConnection", lambda *given, **named: made.append(given))
    everyone = Connections(10, 1)
    assert everyone.enter("203.0.113.7")
    doorway = Doorway()
    for _ in range(3):
        connections.Entrance(config=None, server_state=None, app_state={"connections": everyone}).connection_made(
            doorway
        )
    assert doorway.done == [connections.TOO_MANY, "closed"] * 3
    assert (made, everyone.open) == ([], 1)


def test_a_proxy_holds_as_many_connections_as_there_are() -> None:
    all_of_them = Connections(5, 1, ["10.0.0.0/8"])
    entered = [all_of_them.enter(source) for source in ("10.0.0.5", "10.0.0.5", "203.0.113.7", "203.0.113.7")]
    assert entered == [True, True, True, False]


def test_who_left_makes_room() -> None:
    all_of_them = Connections(1, 1)
    assert (all_of_them.enter("a"), all_of_them.enter("a")) == (True, False)
    all_of_them.leave("a")
    assert all_of_them.enter("b")
