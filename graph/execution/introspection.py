"""How long the lists of introspection are for a schema, so that a question about the schema has a cost too."""

from collections.abc import Sized
from functools import lru_cache
from math import ceil
from types import MappingProxyType

from graphql import (
    GraphQLSchema,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_object_type,
)


@lru_cache(maxsize=8)
def list_sizes(schema: GraphQLSchema) -> MappingProxyType[tuple[str, str], int]:
    """The average length, rounded up, of each list of the introspection types, by (type, field)."""
    types = list(schema.type_map.values())
    composites = [kind for kind in types if is_object_type(kind) or is_interface_type(kind)]
    fields = [field for kind in composites for field in kind.fields.values()]
    inputs = [kind for kind in types if is_input_object_type(kind)]
    enums = [kind for kind in types if is_enum_type(kind)]
    arguments = sum(len(field.args) for field in fields)
    return MappingProxyType({
        ("__Schema", "types"): len(types),
        ("__Schema", "directives"): len(schema.directives),
        ("__Type", "fields"): _average(len(fields), types),
        ("__Type", "interfaces"): _average(sum(len(kind.interfaces) for kind in composites), types),
        ("__Type", "possibleTypes"): _average(len(composites), types),
        ("__Type", "enumValues"): _average(sum(len(kind.values) for kind in enums), types),
        ("__Type", "inputFields"): _average(sum(len(kind.fields) for kind in inputs), types),
        ("__Field", "args"): _average(arguments, fields),
        ("__Directive", "args"): _average(sum(len(given.args) for given in schema.directives), schema.directives),
        ("__Directive", "locations"): 3,
    })  # fmt: skip


def _average(total: int, among: Sized) -> int:
    return ceil(total / max(len(among), 1))
