"""Relay's Node: any thing that has an id, found again by it alone."""

from typing import Any

import strawberry

from schema.base import ids
from schema.base.context import Info
from schema.base.fields import made_from


@strawberry.interface(description="Anything with a global id, which `node` finds again.")
class Node:
    @made_from("id", description="The global id: opaque, the same for as long as the thing exists.")
    def id(self: Any, info: Info) -> strawberry.ID:
        return strawberry.ID(ids.encode(info._raw_info.parent_type.name, self.id))

    @classmethod
    def is_type_of(cls, value: object, info: object) -> bool:
        """Rows are plain: a field's declared type is what they are, and only `node` has to ask."""
        return not isinstance(value, Found) or value.type_name == cls.__name__


class Found:
    """A row behind a Node field, which remembers what it is."""

    __slots__ = ("row", "type_name")

    def __init__(self, type_name: str, row: Any) -> None:
        self.type_name = type_name
        self.row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)
