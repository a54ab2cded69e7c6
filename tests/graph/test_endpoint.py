"""The GraphQL-over-HTTP behaviour of the endpoint: media types, methods, status codes, parameters."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from graph.execution.complexity import Limits
from graph.http.body_limit import Bodies
from tests.graph.support import toys
from tests.graph.support.toys import GRAPHQL, JSON, Context, ask, client, code, endpoint

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
RESPONSE = "application/graphql-response+json; charset=utf-8"
PLAIN = "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/graphql-response+json", RESPONSE),
        ("application/graphql-response+json; charset=utf-8, application/json;q=0.9", RESPONSE),
        ("application/json, application/graphql-response+json", RESPONSE),
        ("application/json, application/graphql-response+json;q=0.5", PLAIN),
        ("application/json", PLAIN),
        ("*/*", PLAIN),
        ("application/*", PLAIN),
        ("application/json;q=0, */*", RESPONSE),
        ("APPLICATION/JSON", PLAIN),
        ("", PLAIN),
    ],
)
async def test_client_accepts_media_type_gets_it(accept: str, media_type: str) -> None:
    response = await ask("{ hello }", headers={"accept": accept})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.json() == {
        "data": {"hello": "Hello, you."},
        "extensions": {"cost": {"value": 1, "ceiling": 60_000}},
    }


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/json;q=0", "application/json;charset=ascii"])
async def test_client_accepts_nothing_we_have_gets_406(accept: str) -> None:
    response = await ask("{ hello }", headers={"accept": accept})
    assert (response.status_code, code(response)) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_client_uses_other_method_gets_405_with_allow(method: str) -> None:
    async with client() as http:
        response = await http.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert code(response) == "METHOD_NOT_ALLOWED"


async def test_browser_opens_endpoint_sees_page() -> None:
    async with client() as http:
        response = await http.get("/graphql", headers={"accept": BROWSER})
    assert response.text == "<title>GraphiQL</title>"


@pytest.mark.parametrize(("accept", "status"), [(BROWSER, 400), ("text/html", 406)])
async def test_browser_opens_endpoint_without_page_gets_error(accept: str, status: int) -> None:
    async with client(toys.endpoint(page=None)) as http:
        response = await http.get("/graphql", headers={"accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"] == PLAIN


async def test_browser_opens_link_with_query_gets_its_answer() -> None:
    async with client() as http:
        response = await http.get("/graphql", params={"query": "{ hello }"}, headers={"accept": BROWSER})
    assert response.json()["data"] == {"hello": "Hello, you."}


async def test_client_queries_by_get_gets_answer() -> None:
    parameters = {
        "query": "query A($name: String!) { hello(name: $name) } query B { __typename }",
        "variables": '{"name": "Léa"}',
        "operationName": "A",
        "extensions": "{}",
    }
    async with client() as http:
        response = await http.get("/graphql", params=parameters, headers=GRAPHQL)
    assert (response.status_code, response.json()["data"]) == (200, {"hello": "Hello, Léa."})


async def test_client_mutates_by_get_gets_405() -> None:
    async with client() as http:
        response = await http.get("/graphql", params={"query": "mutation { signIn }"}, headers=JSON)
    assert (response.status_code, response.headers["allow"], code(response)) == (405, "POST", "METHOD_NOT_ALLOWED")
    assert "set-cookie" not in response.headers


async def test_client_subscribes_without_stream_gets_400() -> None:
    response = await ask("subscription { ticks }")
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


async def test_client_mutates_by_post_gets_cookie_that_field_set() -> None:
    response = await ask("mutation { signIn }")
    assert response.json()["data"] == {"signIn": "signed in"}
    assert response.headers["set-cookie"] == "session=abc; HttpOnly; Path=/; SameSite=lax"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x",
     "application/json; charset=utf-16", "application/jsonp", "text/plain; application/json"],
)  # fmt: skip
async def test_client_posts_other_content_type_gets_415(content_type: str) -> None:
    headers = {"content-type": content_type}
    async with client() as http:
        response = await http.post("/graphql", content=b'{"query": "{ hello }"}', headers=headers)
    assert (response.status_code, code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"{ hello }"', b'[{"query": "{ hello }"}]', b"\xff\xfe", b"\x1f\x8b\x08\x00",
        b'{"query": "{ hello }", "variables": {"n": NaN}}', b'{"query": "{ hello }", "variables": {"n": 1e999}}',
        b'{"query": "{ hello }", "variables": {"n": ' + b"9" * 5000 + b"}}", b"[" * 100_000,
        b'{"query": "{ hello }", "variables": ' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}",
        b'{"query": "\\ud800"}', b'{"query": {}}', b'{"query": 0}', b'{"query": null}', b'{"qeury": "{ hello }"}',
        b'{"query": "{ hello }", "variables": []}', b'{"query": "{ hello }", "variables": "{}"}',
        b'{"query": "{ hello }", "operationName": 7}', b'{"query": "{ hello }", "operationName": false}',
        b'{"query": "{ hello }", "extensions": []}',
    ],
)  # fmt: skip
async def test_client_posts_malformed_body_gets_400(body: bytes) -> None:
    async with client() as http:
        response = await http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "parameters",
    [{}, {"query": "{ hello }", "variables": "{"}, {"query": "{ hello }", "variables": "[]"},
     {"query": "{ hello }", "extensions": "7"}],
)  # fmt: skip
async def test_client_gets_with_malformed_parameters_gets_400(parameters: dict[str, str]) -> None:
    async with client() as http:
        response = await http.get("/graphql", params=parameters, headers=JSON)
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")


REQUEST_ERRORS = [
    ("{", {}, "GRAPHQL_PARSE_FAILED"),
    ("", {}, "GRAPHQL_PARSE_FAILED"),
    ("{ " + "a " * 5001 + "}", {}, "GRAPHQL_PARSE_FAILED"),
    ("{ helo }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("{ ...f } fragment f on Query { ...f }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("type A { b: Int }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("fragment f on Query { hello }", {}, "GRAPHQL_VALIDATION_FAILED"),
    ("query A { hello } query B { hello }", {}, "OPERATION_NOT_FOUND"),
    ("query A { hello }", {"operationName": "B"}, "OPERATION_NOT_FOUND"),
    ("query ($name: String!) { hello(name: $name) }", {"variables": {"name": None}}, "BAD_USER_INPUT"),
    ("query ($name: String!) { hello(name: $name) }", {"variables": {"name": 7}}, "BAD_USER_INPUT"),
]


@pytest.mark.parametrize(("query", "more", "expected"), REQUEST_ERRORS)
async def test_client_sends_wrong_operation_gets_400_without_data(
    query: str, more: dict[str, Any], expected: str
) -> None:
    response = await ask(query, **more)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == expected
    assert "data" not in response.json()


@pytest.mark.parametrize(("query", "more", "expected"), REQUEST_ERRORS)
async def test_client_of_plain_json_sends_wrong_operation_gets_200(
    query: str, more: dict[str, Any], expected: str
) -> None:
    response = await ask(query, headers=JSON, **more)
    assert response.status_code == 200
    assert response.json()["errors"][0]["extensions"]["code"] == expected


async def test_client_names_one_of_several_operations_gets_its_answer() -> None:
    response = await ask("query A { hello } query B { __typename }", operationName="B")
    assert response.json()["data"] == {"__typename": "Query"}


async def test_client_misspells_gets_no_suggestion() -> None:
    for query, variables in [
        ("{ helo }", {}),
        ("{ hello(nam: 1) }", {}),
        ("{ hello @skp(if: true) }", {}),
        ("query ($a: Strin) { hello(name: $a) }", {}),
        ("{ paint(colour: REDD) }", {}),
        ("query ($a: Colour!) { paint(colour: $a) }", {"a": "REDD"}),
        ('{ save(item: {nam: "a", name: "b"}) }', {}),
        ("query ($a: ItemInput!) { save(item: $a) }", {"a": {"name": "b", "nam": "a"}}),
    ]:
        response = await ask(query, variables=variables)
        assert response.status_code == 400
        assert "Did you mean" not in response.text
        assert len(response.json()["errors"][0]["message"]) > 20


async def test_client_nulls_required_argument_by_variable_gets_bad_user_input() -> None:
    response = await ask('query ($name: String = "x") { hello(name: $name) }', variables={"name": None})
    assert response.status_code == 200
    assert code(response) == "BAD_USER_INPUT"


async def test_client_sends_endless_wrong_values_gets_bounded_answer() -> None:
    wrong = {"name": "x", "colours": ["x" * 40] * 7_000}
    response = await ask("query ($item: ItemInput!) { save(item: $item) }", variables={"item": wrong})
    assert response.status_code == 400
    assert len(response.json()["errors"]) == 51
    assert len(response.content) < 20_000


async def test_client_sends_more_values_than_any_operation_takes_and_is_refused_before_they_are_converted() -> None:
    wrong = {"name": "x", "colours": ["x"] * 7_500}
    response = await ask("query ($item: ItemInput!) { save(item: $item) }", variables={"item": wrong})
    assert (response.status_code, code(response)) == (400, "QUERY_TOO_COMPLEX")
    assert response.json()["errors"][0]["extensions"]["limit"] == "values"
    assert (await ask("{ hello }", variables={str(number): {"a": []} for number in range(4_000)})).status_code == 400


async def test_nobody_sends_more_values_than_it_takes_from_nobody_and_must_sign_in() -> None:
    async def nobody(request: Request, response: Response) -> Context:
        return Context(request, response, "FR", is_known=False)

    async def asked(number: int, app: Any = None) -> httpx.Response:
        item = {"name": "x", "colours": ["x"] * number}
        return await ask("query ($item: ItemInput!) { save(item: $item) }", app, variables={"item": item})

    app = Bodies(endpoint(build_context=nobody))
    assert [code(await asked(1_000, app)), (await asked(1_000, app)).status_code] == ["UNAUTHENTICATED", 401]
    assert len((await asked(100, app)).json()["errors"]) == 51  # converted, each found wrong
    assert len((await asked(1_000)).json()["errors"]) == 51


async def test_client_sends_json_of_endless_values_and_is_refused_before_it_is_decoded() -> None:
    text = '{"query": "{ hello }", "variables": {"a": [' + "{}," * 100_001 + "{}]}}"
    async with client() as http:
        response = await http.post("/graphql", content=text, headers=GRAPHQL | {"content-type": "application/json"})
    assert (response.status_code, code(response)) == (400, "BAD_REQUEST")
    assert response.json()["errors"][0]["message"] == "The request body holds too many values."


async def test_client_sends_huge_query_of_one_word_gets_short_message() -> None:
    response = await ask("{ " + "a" * 90_000 + " }")
    assert response.status_code == 400
    assert len(response.json()["errors"][0]["message"]) == 500


async def test_graphiql_asks_for_schema_gets_it() -> None:
    from graphql import get_introspection_query

    query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    response = await ask(query)
    assert response.status_code == 200
    assert response.json()["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}


async def test_client_asks_for_schema_that_is_switched_off_gets_refused() -> None:
    response = await ask("{ __schema { queryType { name } } }", toys.endpoint(introspection=False))
    assert (response.status_code, code(response)) == (400, "QUERY_TOO_COMPLEX")


async def test_client_asks_for_too_much_gets_cost_and_ceiling() -> None:
    app = toys.endpoint(limits=Limits(cost=100))
    query = "query ($n: Int) { items(first: $n) { edges { node { name } } } }"
    refused = await ask(query, app, variables={"n": 40})
    assert (refused.status_code, code(refused)) == (400, "QUERY_TOO_COMPLEX")
    assert refused.json()["extensions"] == {"cost": {"value": 121, "ceiling": 100}}
    answered = await ask(query, app, variables={"n": 10})
    assert answered.json()["extensions"] == {"cost": {"value": 31, "ceiling": 100}}


async def test_websocket_is_closed_before_it_is_accepted() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await toys.endpoint()({"type": "websocket", "headers": [], "path": "/graphql"}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_two_endpoints_share_a_schema_with_their_own_limits() -> None:
    strict, lax = toys.endpoint(limits=Limits(depth=1)), toys.endpoint()
    assert (await ask("{ item { name } }", strict)).status_code == 400
    assert (await ask("{ item { name } }", lax)).status_code == 200
    assert not toys.schema.extensions


def well_formed(response: httpx.Response) -> None:
    """Below 500, JSON, and errors that all have a code."""
    assert response.status_code < 500, response.text
    answer = response.json()
    assert set(answer) <= {"data", "errors", "extensions"}
    assert all(error["extensions"]["code"] for error in answer.get("errors", []))
    assert "data" in answer or answer["errors"]


NAMES = ["hello", "items", "edges", "node", "name", "children", "first", "nodes", "ids", "item", "on", "query",
         "fragment", "f", "Query", "Item", "paint", "colour", "RED", "$a", "$a: Int", "save", "__schema", "types",
         "{", "}", "(", ")", ":", "...", "@skip(if: true)", "[", "]", "1", "99999999999999999999", "1e400", '"x"',
         "null", '"""', "#", "!", "=", "true"]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "name", "colours"]), inner),
    max_leaves=8,
)
QUERIES = (
    st.lists(st.sampled_from(NAMES), max_size=25).map(" ".join)
    | st.text(max_size=20)
    | st.sampled_from(
        ["query ($a: Int) { items(first: $a) { edges { cursor } } }", "query ($a: ItemInput!) { save(item: $a) }",
         "query ($a: [ID!]!) { nodes(ids: $a) { name } }", "query ($a: Colour) { paint(colour: $a) }"]
    )
)  # fmt: skip
# The toy pages are made of as many rows as are asked for: large ones would only test the toy.
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "query": QUERIES | VALUES,
        "variables": st.dictionaries(st.sampled_from(["a", "b"]), VALUES) | VALUES,
        "operationName": VALUES,
        "extensions": VALUES,
    },
)


@settings(max_examples=300, deadline=None)
@given(REQUESTS | VALUES)
async def test_anyone_posts_any_json_gets_graphql_below_500(body: Any) -> None:
    headers = {**GRAPHQL, "content-type": "application/json"}
    async with client() as http:  # json.dumps, unlike httpx, writes NaN and infinities too
        well_formed(await http.post("/graphql", content=json.dumps(body), headers=headers))


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=80),
    st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", "", "multipart/form-data"]),
    st.sampled_from(["*/*", "text/html;q=0.1, */*;q=nan", ",,;q=2;;=", "application/json;charset=\u00e9", ""]),
)  # fmt: skip
async def test_anyone_posts_any_bytes_gets_graphql_below_500(body: bytes, content_type: str, accept: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"accept", accept.encode("latin-1"))]
    async with client() as http:
        well_formed(await http.post("/graphql", content=body, headers=headers))
