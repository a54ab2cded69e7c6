"""Errors as clients see them: codes, sentences in their language, and nothing of the inside."""

from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from graph.execution import masking
from tests.graph.support import toys
from tests.graph.support.toys import GRAPHQL, JSON, ask, client

REFUSE = "query ($kind: String!) { refuse(kind: $kind) hello }"


async def refuse(kind: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return await ask(REFUSE, headers={**GRAPHQL, **(headers or {})}, variables={"kind": kind})


@pytest.mark.parametrize(
    ("kind", "message", "extensions"),
    [
        ("not found", "NotFound in EN", {"code": "NOT_FOUND"}),
        ("forbidden", "Forbidden in EN", {"code": "FORBIDDEN"}),
        ("invalid", "Invalid in EN", {"code": "BAD_USER_INPUT"}),
        ("unauthenticated", "Unauthenticated in EN", {"code": "UNAUTHENTICATED"}),
        ("rate limited", "RateLimited in EN", {"code": "RATE_LIMITED", "retryAfter": 7}),
        ("coded", "Too old.", {"code": "REFETCH_NEEDED"}),
    ],
)
async def test_field_refuses_and_client_reads_code_and_sentence(
    kind: str, message: str, extensions: dict[str, Any]
) -> None:
    with capture_logs() as logs:
        response = await refuse(kind)
    assert response.status_code == 200
    assert response.json()["data"] == {"refuse": None, "hello": "Hello, you."}
    assert response.json()["errors"] == [
        {"message": message, "locations": [{"line": 1, "column": 26}], "path": ["refuse"], "extensions": extensions}
    ]
    assert logs == []


async def test_field_refuses_several_things_and_client_reads_each() -> None:
    errors = (await refuse("several")).json()["errors"]
    assert [(error["message"], error["extensions"]["code"]) for error in errors] == [
        ("Missing in EN", "BAD_USER_INPUT"),
        ("NotFound in EN", "NOT_FOUND"),
    ]


async def test_field_refuses_in_the_language_of_the_context() -> None:
    response = await refuse("not found", {"x-language": "FR"})
    assert response.json()["errors"][0]["message"] == "NotFound in FR"


@pytest.mark.parametrize("kind", ["bug", "uncoded"])
async def test_field_breaks_and_client_reads_only_a_request_id(kind: str) -> None:
    with capture_logs() as logs:
        response = await refuse(kind)
    (error,) = response.json()["errors"]
    assert error["message"] == masking.INTERNAL
    assert error["extensions"] == {"code": "INTERNAL", "requestId": logs[0]["request_id"]}
    assert "secret of the inside" not in response.text
    assert [(line["event"], line["log_level"], line["path"]) for line in logs] == [
        ("operation_failed", "error", "refuse")
    ]
    assert "secret of the inside" in str(logs[0]["exc_info"])
    assert logs[0]["exc_info"].__traceback__ is not None


async def test_database_goes_away_and_client_reads_unavailable() -> None:
    with capture_logs() as logs:
        response = await refuse("database away")
    (error,) = response.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == ("DatabaseAway in EN", "UNAVAILABLE")
    assert [line["event"] for line in logs] == ["database_away"]


async def test_field_gives_value_of_wrong_type_and_client_reads_internal() -> None:
    with capture_logs() as logs:
        response = await ask("{ wrong }")
    assert toys.code(response) == "INTERNAL"
    assert "secret of the inside" not in response.text
    assert len(logs) == 1


async def test_same_bug_in_every_row_is_logged_once() -> None:
    query = '{ a: refuse(kind: "bug") items(first: 3) { edges { node { name } } } }'
    with capture_logs() as logs:
        response = await ask(query)
    assert toys.code(response) == "INTERNAL"
    assert [line["path"] for line in logs] == ["a"]


async def test_required_field_refuses_and_data_is_null_with_200() -> None:
    response = await ask('{ refuseHard(kind: "not found") }')
    assert (response.status_code, response.json()["data"], toys.code(response)) == (200, None, "NOT_FOUND")


@pytest.mark.parametrize("headers", [GRAPHQL, JSON])
@pytest.mark.parametrize(
    ("kind", "status", "expected", "header"),
    [
        ("unauthenticated", 401, "UNAUTHENTICATED", ("www-authenticate", "Bearer")),
        ("rate limited", 429, "RATE_LIMITED", ("retry-after", "7")),
        ("database away", 503, "UNAVAILABLE", ("cache-control", "no-store")),
        ("bug", 500, "INTERNAL", ("cache-control", "no-store")),
    ],
)
async def test_context_cannot_be_built_and_status_says_why(
    kind: str, status: int, expected: str, header: tuple[str, str], headers: dict[str, str]
) -> None:
    with capture_logs() as logs:
        response = await ask("{ hello }", headers={**headers, "x-refuse": kind})
    assert (response.status_code, toys.code(response), response.headers[header[0]]) == (status, expected, header[1])
    assert "data" not in response.json()
    assert "secret of the inside" not in response.text
    assert len(logs) == (1 if status >= 500 else 0)
    if kind != "bug":
        assert response.json()["errors"][0]["message"].endswith("in FR")


async def test_context_is_not_built_for_what_is_refused() -> None:
    built: list[str] = []

    async def build(request: Request, response: Response) -> toys.Context:
        built.append(request.method)
        return toys.Context(request, response, "EN")

    app = toys.endpoint(build_context=build)
    for query in ("{", "{ helo }", "{ item " + "{ owner " * 15 + "{ name } " + "}" * 15 + " }"):
        assert (await ask(query, app)).status_code == 400
    assert built == []
    await ask("{ language }", app)
    assert built == ["POST"]


async def test_page_breaks_and_browser_reads_masked_error() -> None:
    async def page(request: Request) -> Response:
        raise RuntimeError("secret of the inside")

    with capture_logs() as logs:
        async with client(toys.endpoint(page=page)) as http:
            response = await http.get("/graphql", headers={"accept": "text/html"})
    assert (response.status_code, toys.code(response)) == (500, "INTERNAL")
    assert "secret of the inside" not in response.text
    assert len(logs) == 1


async def test_request_id_of_outer_middleware_is_the_one_shown() -> None:
    app = toys.endpoint()

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {"request_id": "abc-1"}}, receive, send)

    with capture_logs() as logs:
        response = await ask(REFUSE, outer, variables={"kind": "bug"})
    assert response.json()["errors"][0]["extensions"]["requestId"] == "abc-1"
    assert logs[0]["request_id"] == "abc-1"
