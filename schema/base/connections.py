"""Relay connections: pages by keyset cursors, the same for every list."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
import strawberry

from models.db.query import CursorPart, Page, Slice
from models.errors.errors import Invalid
from schema.base.fields import column

T = TypeVar("T")
DEFAULT_SIZE = 20
LARGEST_SIZE = 100

First = Annotated[
    int | None, strawberry.argument(description="How many from the start, 1 to 100; 20 unless `last` is given.")
]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last = Annotated[
    int | None, strawberry.argument(description="How many from the end, 1 to 100; not together with `first`.")
]
Before = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]


@strawberry.type(description="What lies around a page.")
class PageInfo:
    has_next_page: bool = column("Is there more after this page?")
    has_previous_page: bool = column("Is there more before this page?")
    start_cursor: str | None = column("The cursor of the first edge; null on an empty page.")
    end_cursor: str | None = column("The cursor of the last edge; null on an empty page.")


@strawberry.type(description="One element of a page.")
class Edge(Generic[T]):
    cursor: str = column("Where the element stands in the list; for `after` and `before`.")
    node: T = column("The element.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = column("The page's elements, in the list's order.")
    page_info: PageInfo = column("What lies around the page.")
    total_count: int = column("How many elements the whole list has.")


def page_of(first: int | None, after: str | None, last: int | None, before: str | None) -> Page:
    """The page that Relay's four arguments ask for.

    Raises:
        Invalid: when a size is outside 1-100, both sizes are given, or a cursor is none of ours.
    """
    if first is not None and last is not None:
        raise Invalid("last", rule="first_or_last")
    size = first if first is not None else last
    if size is not None and not 1 <= size <= LARGEST_SIZE:
        raise Invalid("first" if first is not None else "last", rule="page_size")
    return Page(
        size=DEFAULT_SIZE if size is None else size,
        backward=last is not None,
        after=position_of(after, "after"),
        before=position_of(before, "before"),
    )


def connection_of(found: Slice, kind: type[Connection[Any]] = Connection, **more: object) -> Any:
    """The connection that shows a slice; of a `kind` with more to tell, what it tells besides."""
    edges = [Edge(cursor=_cursor(row, found.keys), node=row) for row in found.rows]
    return kind(
        edges=edges,
        page_info=PageInfo(
            has_next_page=found.has_next,
            has_previous_page=found.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        ),
        total_count=found.total_count,  # type: ignore[arg-type]  # None only where nobody asked for it
        **more,
    )


def _cursor(row: Any, keys: tuple[str, ...]) -> str:
    return cursor_of([getattr(row, key) for key in keys])


def cursor_of(parts: Sequence[CursorPart]) -> str:
    """The opaque text of a place."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def position_of(cursor: str | None, argument: str) -> tuple[CursorPart, ...] | None:
    """The place that a cursor stands for.

    Raises:
        Invalid: when it is none of ours.
    """
    if cursor is None:
        return None
    try:
        parts = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        parts = None
    if not isinstance(parts, list) or not parts or not all(_is_part(part) for part in parts):
        raise Invalid(argument, rule="cursor")
    return tuple(parts)


def _is_part(part: object) -> bool:
    if isinstance(part, str):
        return "\0" not in part
    return isinstance(part, int) and not isinstance(part, bool) and abs(part) < 2**63
