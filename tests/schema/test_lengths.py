"""How long a text may be that comes as an argument: every one of the schema has a length after which it is TOO_LONG."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_scalar_type,
)
from graphql.pyutils import Path

from models.accounts.actors import Actor, Integration
from models.errors.errors import Unauthenticated
from resolvers.scope import Office, Scope
from schema import schema
from schema.base.context import Context

CORE = schema._schema
TEXTS = ("String", "ID")
LONG = "x" * 5_000
SAMPLES = {
    "String": "x", "ID": "x", "Boolean": True, "Int": 1, "Date": "2027-01-01", "DateTime": "2027-01-01T00:00:00Z",
    "Upload": None,
}  # fmt: skip


def sample(kind: GraphQLInputType) -> Any:
    """The least value of the type."""
    named, bare = get_named_type(kind), get_nullable_type(kind)
    value: Any
    if isinstance(named, GraphQLInputObjectType):
        needed = {name: field for name, field in named.fields.items() if str(field.type).endswith("!")}
        value = {name: sample(field.type) for name, field in needed.items()}
    else:
        value = next(iter(named.values)) if is_enum_type(named) else SAMPLES[named.name]
    return [value] if is_list_type(bare) else value


def texts(
    kind: GraphQLInputType, path: tuple[str, ...] = (), seen: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The paths of all texts in an argument of the type, each with the argument in which that text is too long."""
    named = get_named_type(kind)
    listed = is_list_type(get_nullable_type(kind))
    place = (*path, "0") if listed else path
    if is_input_object_type(named) and named.name not in seen:
        for name, field in named.fields.items():
            for deeper, value in texts(field.type, (*place, name), (*seen, named.name)):
                whole = {**(sample(kind)[0] if listed else sample(kind)), name: value}
                yield deeper, [whole] if listed else whole
    elif is_scalar_type(named) and named.name in TEXTS:
        yield place, [LONG] if listed else LONG


def arguments() -> Iterator[Any]:
    """Each text that a field of any type takes: where it is asked for, and with what."""
    for kind in CORE.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                for argument, given in field.args.items():
                    for path, value in texts(given.type, (argument,)):
                        yield pytest.param(
                            kind, field, argument, path, value, id=f"{kind.name}.{name}({'.'.join(path)})"
                        )


CASES = list(arguments())


class Info:
    """As much of a field's surroundings as a refusal needs."""

    def __init__(self, scope: Scope, name: str) -> None:
        self.context = Context(scope)
        self.field_name = name
        self.path = Path(None, name, None)


def looked_at(kind: GraphQLObjectType, field: GraphQLField, scope: Scope, argument: str, value: Any) -> Any:
    """What the field answers to this argument, or what it raises, before anything is awaited."""
    call: Any = field.subscribe if kind is CORE.subscription_type else field.resolve
    try:
        return call(None, Info(scope, "asked"), **{argument: value})
    except Exception as error:
        return error


def test_the_schema_takes_texts_in_many_places() -> None:
    assert len(CASES) > 150


@pytest.mark.parametrize(("kind", "field", "argument", "path", "value"), CASES)
def test_a_text_that_is_too_long_is_told_by_its_path(
    kind: GraphQLObjectType, field: GraphQLField, argument: str, path: tuple[str, ...], value: Any, office: Office
) -> None:
    known = Scope(office=office, actor=Actor(1, 1), integration=Integration(1, "erp"))
    found = looked_at(kind, field, known, argument, value)
    if kind is CORE.mutation_type:
        (found,) = found.errors
    expected = [part for part in path if part != "input"]
    assert (found.code, list(found.path)) == ("TOO_LONG", expected)


@pytest.mark.parametrize(("kind", "field", "argument", "path", "value"), CASES)
def test_nobody_is_told_so_where_they_may_ask_and_to_sign_in_elsewhere(
    kind: GraphQLObjectType, field: GraphQLField, argument: str, path: tuple[str, ...], value: Any, office: Office
) -> None:
    found = looked_at(kind, field, Scope(office=office), argument, value)
    if not isinstance(found, Unauthenticated):
        (found,) = found.errors if kind is CORE.mutation_type else [found]
        assert found.code == "TOO_LONG"
