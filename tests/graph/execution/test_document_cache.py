"""The cache of documents: what it remembers, how far it grows."""

from typing import Any

from graphql import OperationType, build_schema

from graph.execution.complexity import Limits
from graph.execution.document_cache import Documents
from tests.graph.support import toys

SCHEMA = build_schema("""
    type Query { hello(name: String): String, items(first: Int): Items! }
    type Items { edges: [Edge!]! } type Edge { cursor: String! }
""")
PAGED = "query ($n: Int, $name: String) { hello(name: $name) items(first: $n) { edges { cursor } } }"


def documents(**settings: Any) -> Documents:
    return Documents(SCHEMA, Limits(), **settings)


def test_same_text_and_name_is_prepared_once() -> None:
    cache = documents()
    first = cache.prepare("query A { hello } query B { hello }", "A")
    assert cache.prepare("query A { hello } query B { hello }", "A") is first
    assert cache.prepare("query A { hello } query B { hello }", "B") is not first
    assert (len(cache), first.kind, first.errors) == (2, OperationType.QUERY, ())


def test_wrong_text_is_remembered_with_its_errors() -> None:
    cache = documents()
    for text, code in [("{", "GRAPHQL_PARSE_FAILED"), ("{ helo }", "GRAPHQL_VALIDATION_FAILED")]:
        prepared = cache.prepare(text, None)
        assert cache.prepare(text, None) is prepared
        assert [error.extensions for error in prepared.errors] == [{"code": code}]
        assert all(error.__traceback__ is None and error.original_error is None for error in prepared.errors)


def test_cache_keeps_the_last_used_within_its_count() -> None:
    cache = documents(most=2)
    kept = cache.prepare("{ a: hello }", None)
    dropped = cache.prepare("{ b: hello }", None)
    cache.prepare("{ a: hello }", None)
    cache.prepare("{ c: hello }", None)
    assert len(cache) == 2
    assert cache.prepare("{ a: hello }", None) is kept
    assert cache.prepare("{ b: hello }", None) is not dropped


def test_cache_keeps_within_its_bytes() -> None:
    cache = documents(most_bytes=100_000)
    for number in range(200):
        cache.prepare(f"{{ a{number}: hello }}", None)
    assert cache.weight <= 100_000
    assert 20 < len(cache) < 60


def test_document_too_heavy_is_not_kept() -> None:
    cache = documents(most_bytes=10_000)
    prepared = cache.prepare("{ hello hello hello }", None)
    assert (len(cache), cache.weight, prepared.errors) == (0, 0, ())


def test_cost_depends_only_on_variables_that_size_pages() -> None:
    cache = documents()
    prepared = cache.prepare(PAGED, None)
    assert prepared.sized_by == ("n",)
    assert [cache.cost(prepared, {"n": n, "name": str(n)}) for n in (1, 2, 2, None)] == [4, 6, 6, 42]
    assert len(prepared.costs) == 3


def test_costs_remembered_stay_few() -> None:
    cache = documents()
    prepared = cache.prepare(PAGED, None)
    assert [cache.cost(prepared, {"n": n}) for n in range(300)][299] == 202
    assert len(prepared.costs) <= 64


async def test_endpoint_prepares_once_for_many_requests() -> None:
    app = toys.endpoint()
    for name in ("a", "b", "c"):
        answer = await toys.ask("query ($n: String!) { hello(name: $n) }", app, variables={"n": name})
        assert answer.json()["data"] == {"hello": f"Hello, {name}."}
    assert len(app.executions.documents) == 1
