"""How long a text may be that comes as an argument: known for each argument of the schema, and looked at first.

What a field takes is for its own rule to say. This keeps what no field takes from being searched for, hashed or folded:
one look at its length, before anything is made of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    get_named_type,
)

from models.errors.errors import DomainError, Refusals, TooLong
from schema.base.user_errors import refusing

MOST_SEARCHED: Final = 255
MOST_OF_TYPE: Final = {"String": 4_096, "ID": 255}  # a cursor holds names, at most 255 characters of 4 bytes
MOST_OF_NAME: Final = {"search": MOST_SEARCHED, "StructureSearch": MOST_SEARCHED, "DocumentFilter": MOST_SEARCHED}
MOST_REFUSALS: Final = 20
WHOLE: Final = "input"  # the argument that paths leave out


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most characters of a text, or the bounds of an input's fields; of each element where a list comes."""

    most: int | None = None
    fields: Mapping[str, "Bounds"] | None = None

    def refusals(self, value: object, *path: str) -> Iterator[TooLong]:
        """What in the value is longer than it may be."""
        if isinstance(value, str):
            if self.most is not None and len(value) > self.most:
                yield TooLong(*path, most=self.most)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                yield from self.refusals(item, *path, str(place))
        elif isinstance(value, dict) and self.fields is not None:
            for name, item in value.items():
                bounds = self.fields.get(name)
                if bounds is not None:
                    yield from bounds.refusals(item, *path, name)


class Lengths:
    """The bounds of all arguments of one schema."""

    def __init__(self) -> None:
        self._inputs: dict[str, Bounds] = {}

    def of(self, name: str, given: GraphQLArgument | GraphQLInputField, owner: str = "") -> Bounds | None:
        """The bounds of an argument, or of a field of the input `owner`; None when there is no text in it."""
        kind: GraphQLNamedType = get_named_type(given.type)
        if isinstance(kind, GraphQLInputObjectType):
            return self._input(kind)
        most = MOST_OF_TYPE.get(kind.name)
        if most is None:
            return None
        return Bounds(min(most, MOST_OF_NAME.get(owner, most), MOST_OF_NAME.get(name, most)))

    def _input(self, kind: GraphQLInputObjectType) -> Bounds:
        if kind.name not in self._inputs:
            fields: dict[str, Bounds] = {}
            self._inputs[kind.name] = Bounds(fields=fields)  # an input may contain itself
            found = {name: self.of(name, field, kind.name) for name, field in kind.fields.items()}
            fields |= {name: bounds for name, bounds in found.items() if bounds is not None}
        return self._inputs[kind.name]


def complete(schema: GraphQLSchema) -> None:
    """Let every field of the schema look at its texts' lengths before it is resolved."""
    lengths = Lengths()
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field in kind.fields.values():
                found = {name: lengths.of(name, argument) for name, argument in field.args.items()}
                bounds = {name: bound for name, bound in found.items() if bound is not None}
                if bounds:
                    _guard(field, bounds, "subscribe" if kind is schema.subscription_type else "resolve")


def _guard(field: GraphQLField, bounds: Mapping[str, Bounds], step: str) -> None:
    inner: Callable[..., Any] = getattr(field, step)
    setattr(field, step, partial(_looked_at, inner, refusing(field), bounds))


def _looked_at(
    inner: Callable[..., Any],
    refuse: Callable[[GraphQLResolveInfo[Any], DomainError], Any],
    bounds: Mapping[str, Bounds],
    source: Any,
    info: GraphQLResolveInfo[Any],
    /,
    **arguments: Any,
) -> Any:
    for name, value in arguments.items():
        if name in bounds and any(bounds[name].refusals(value)):
            return refuse(info, _refusal(bounds, arguments))
    return inner(source, info, **arguments)


def _refusal(bounds: Mapping[str, Bounds], arguments: Mapping[str, Any]) -> DomainError:
    found: list[DomainError] = []
    for name, value in arguments.items():
        if name in bounds:
            found += bounds[name].refusals(value, *([] if name == WHOLE else [name]))
    return found[0] if len(found) == 1 else Refusals(found[:MOST_REFUSALS])
