"""The rights matrix: who gets what answer from every query, every mutation and every field that isn't everybody's.

The rows are checked against the schema itself: a new field or mutation without a row here fails.
"""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLObjectType

from models.documents.documents import File
from models.events import changes
from models.events.changes import Position
from resolvers.documents.documents import Upload
from resolvers.scope import Scope
from schema import schema
from schema.base.context import Context
from schema.changes import text_of
from tests.schema.support.rights import FIELDS, MUTATIONS, QUERIES, SAME_FOR_ALL, STREAMS, Row
from tests.schema.support.world import VIEWERS, World, build, happen
from tests.support import factories


@pytest.fixture
async def world(db: str) -> World:
    """The world of the matrix."""
    return await build()


def _fields(name: str) -> set[str]:
    kind = schema._schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return set(kind.fields)


def test_matrix_has_a_row_for_every_query_mutation_and_stream() -> None:
    assert {name.split()[0] for name in STREAMS} == _fields("Subscription")
    assert set(MUTATIONS) == _fields("Mutation")
    assert set(QUERIES) == _fields("Query")


def test_matrix_has_a_row_for_every_field_of_every_type() -> None:
    mechanical = ("Payload", "Connection", "Edge", "Result", "Query", "Mutation", "Subscription")
    for name, kind in schema._schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__") and not name.endswith(mechanical):
            restricted = {row.split(".")[1] for row in FIELDS if row.startswith(f"{name}.")}
            assert set(SAME_FOR_ALL[name].split()) | restricted == set(kind.fields), name


async def _answer(scope: Scope, kind: str, field: str) -> str:
    """`ok`, `null`, or the code of the first refusal, wherever it stands."""
    file = File("a.txt", 5, "0" * 64, b"hello")
    taken = "($file: Upload!)" if "$file" in field else ""
    result = await schema.execute(
        f"{kind}{taken} {{ answer: {field} }}",
        {"file": Upload(file, io.BytesIO(b"hello"))} if taken else None,
        context_value=Context(scope=scope),
    )
    if result.errors:
        original: Any = result.errors[0].original_error
        return {"Unauthenticated": "UNAUTHENTICATED"}.get(type(original).__name__) or str(original.code)
    assert result.data is not None
    answer = result.data["answer"]
    if kind == "query":
        return (
            "null"
            if answer is None or answer == [None] or None in (answer if isinstance(answer, dict) else {}).values()
            else "ok"
        )
    refusals = [*answer["errors"], *(error for one in answer.get("results", []) for error in one["errors"])]
    return refusals[0]["code"] if refusals else "ok"


def _cases(rows: dict[str, Row]) -> list[Any]:
    return [
        pytest.param(make, viewer, expected, id=f"{name}-{viewer}")
        for name, (make, answers) in rows.items()
        for viewer, expected in zip(VIEWERS, answers, strict=True)
    ]


@pytest.mark.parametrize(("make", "viewer", "expected"), _cases(MUTATIONS))
async def test_mutation_answers_each_viewer_as_the_matrix_says(
    world: World, scope_of: Callable[..., Scope], make: Callable[[World], str], viewer: str, expected: str
) -> None:
    before = await factories.traces()
    assert await _answer(scope_of(world.viewers[viewer]), "mutation", make(world)) == expected
    if expected != "ok":
        assert await factories.traces() == before


@pytest.mark.parametrize(("make", "viewer", "expected"), _cases(QUERIES | FIELDS))
async def test_query_answers_each_viewer_as_the_matrix_says(
    world: World, scope_of: Callable[..., Scope], make: Callable[[World], str], viewer: str, expected: str
) -> None:
    principal = world.viewers["principal"]
    assert principal is not None
    await principal.update_from_dict({"line1": "1", "postcode": "75001", "city": "Paris", "country": "FR"}).save()
    assert await _answer(scope_of(world.viewers[viewer]), "query", make(world)) == expected


async def _delivered(scope: Scope, field: str) -> str:
    """`ok`, `nothing`, or the code of the refusal."""
    document = f"subscription {{ answer: {field} }}".replace("<start>", f'"{text_of(Position())}"')
    stream = await schema.subscribe(document, context_value=Context(scope=scope))
    async for result in stream:
        if result.errors:
            original: Any = result.errors[0].original_error
            return {"Unauthenticated": "UNAUTHENTICATED"}.get(type(original).__name__) or str(original.code)
        return "ok"
    return "nothing"


@pytest.mark.parametrize(("make", "viewer", "expected"), _cases(STREAMS))
async def test_stream_delivers_to_each_viewer_as_the_matrix_says(
    world: World, scope_of: Callable[..., Scope], make: Callable[[World], str], viewer: str, expected: str
) -> None:
    scope = scope_of(world.viewers[viewer])
    await happen(world, scope.now())
    while await changes.is_waiting():
        await asyncio.sleep(0.02)
    assert await _delivered(scope, make(world)) == expected


@pytest.mark.parametrize("name", MUTATIONS)
async def test_an_integration_records_activities_and_is_nobody_for_all_else(
    world: World, scope_of: Callable[..., Scope], name: str
) -> None:
    make, (as_nobody, *_) = MUTATIONS[name]
    scope = scope_of()
    scope.integration = await factories.integration()
    assert await _answer(scope, "mutation", make(world)) == ("ok" if name == "recordActivities" else as_nobody)


@pytest.mark.parametrize("name", QUERIES | FIELDS)
async def test_an_integration_reads_nothing(world: World, scope_of: Callable[..., Scope], name: str) -> None:
    make, (as_nobody, *_) = (QUERIES | FIELDS)[name]
    scope = scope_of()
    scope.integration = await factories.integration()
    assert await _answer(scope, "query", make(world)) == as_nobody
