"""The bounds on a request body: size, time, encoding."""

import asyncio
import json
from typing import Any

import pytest

from graph.http.body_limit import Bodies
from tests.graph.support import forms, toys

pytestmark = pytest.mark.slow

BODY = b'{"query": "{ hello }"}'


class Connection:
    """An ASGI connection whose body comes in the given pieces, the last one perhaps never."""

    def __init__(self, *pieces: bytes, ends: bool = True, **headers: str) -> None:
        self.pieces = list(pieces)
        self.ends = ends
        given = {"content-type": "application/json", "host": "portal.example", **headers}
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        }
        self.sent: list[Any] = []
        self.read = 0

    async def receive(self) -> Any:
        if not self.pieces:
            await asyncio.Event().wait()
        self.read += 1
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces) or not self.ends}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def served(self, **limits: Any) -> tuple[int, str | None, dict[str, str]]:
        """The status, the error code if any and the headers of the answer."""
        await Bodies(toys.endpoint(), **limits)(self.scope, self.receive, self.send)
        answer = json.loads(self.sent[1]["body"])
        headers = {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}
        code = answer["errors"][0]["extensions"]["code"] if "errors" in answer else None
        return self.sent[0]["status"], code, headers


async def test_body_in_pieces_within_limit_is_served() -> None:
    assert (await Connection(BODY[:5], BODY[5:]).served(most=len(BODY)))[:2] == (200, None)


async def test_body_over_limit_is_refused_as_it_comes() -> None:
    connection = Connection(*[b"x" * 10] * 100)
    status, code, headers = await connection.served(most=35)
    assert (status, code, headers["connection"], connection.read) == (413, "PAYLOAD_TOO_LARGE", "close", 4)


@pytest.mark.parametrize("length", ["36", "9" * 5000])
async def test_body_announced_over_limit_is_refused_unread(length: str) -> None:
    connection = Connection(b"x" * 36, content_length=length)
    status, code, _ = await connection.served(most=35)
    assert (status, code, connection.read) == (413, "PAYLOAD_TOO_LARGE", 0)


async def test_body_announced_short_but_long_is_refused() -> None:
    assert (await Connection(b"x" * 36, content_length="3").served(most=35))[:2] == (413, "PAYLOAD_TOO_LARGE")


async def test_body_that_never_ends_is_refused_in_time() -> None:
    status, code, headers = await Connection(BODY[:5], ends=False).served(seconds=0.05)
    assert (status, code, headers["connection"]) == (408, "REQUEST_TIMEOUT", "close")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
async def test_encoded_body_is_refused(encoding: str) -> None:
    status, code, headers = await Connection(BODY, content_encoding=encoding).served()
    assert (status, code, headers["accept-encoding"]) == (415, "UNSUPPORTED_MEDIA_TYPE", "identity")


async def test_body_named_identity_is_served() -> None:
    assert (await Connection(BODY, content_encoding="identity").served())[0] == 200


async def test_refusal_comes_in_the_media_type_asked_for() -> None:
    _, _, headers = await Connection(b"x" * 36, accept="application/graphql-response+json").served(most=35)
    assert headers["content-type"] == "application/graphql-response+json; charset=utf-8"


async def test_client_leaves_within_the_body_and_nothing_is_sent() -> None:
    connection = Connection()

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await Bodies(toys.endpoint())(connection.scope, receive, connection.send)
    assert connection.sent == []


async def test_websocket_passes_untouched() -> None:
    connection = Connection()
    scope = {"type": "websocket", "path": "/graphql", "headers": [(b"content-encoding", b"gzip")]}
    await Bodies(toys.endpoint())(scope, connection.receive, connection.send)
    assert [message["type"] for message in connection.sent] == ["websocket.close"]


async def test_form_that_does_not_arrive_in_time_is_given_up() -> None:
    kind = f"multipart/form-data; boundary={forms.BOUNDARY}"
    connection = Connection(
        forms.operations(), forms.mapped(), ends=False, content_type=kind, graphql_require_preflight="1"
    )
    assert (await connection.served(form_seconds=0.2))[:2] == (408, "REQUEST_TIMEOUT")
