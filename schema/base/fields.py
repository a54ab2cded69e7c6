"""The kinds of field a type is made of: a column as it was read, or a value made from columns and relations."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

from models.db.query import Source

T = TypeVar("T")


class ColumnNotRead(Exception):
    """A field needs a column that the source of its type's rows hasn't got: it would fail once somebody selects it."""


def column(description: str) -> Any:
    """A field that is the row's attribute of the same name."""
    return strawberry.field(description=description)


def made_from(
    *needs: str, description: str, deprecation_reason: str | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """A field computed from these columns of the row; decorate its resolver."""
    return strawberry.field(description=description, deprecation_reason=deprecation_reason, metadata={"needs": needs})


def needed_by(field: Any) -> tuple[str, ...]:
    """The columns of the row that a field is made from."""
    needs: tuple[str, ...] = field.metadata.get("needs", (field.python_name,))
    return needs


def rows_of(*sources: Source) -> Callable[[type[T]], type[T]]:
    """Decorate a type whose values are rows of these sources, above `strawberry.type`.

    Raises:
        ColumnNotRead: at import, when a field needs what a source doesn't have.
    """

    def check(kind: type[T]) -> type[T]:
        for source in sources:
            for field in kind.__strawberry_definition__.fields:  # type: ignore[attr-defined]
                for name in needed_by(field):
                    if name not in source.columns:
                        raise ColumnNotRead(
                            f"{kind.__name__}.{field.python_name} needs the column `{name}`, which the source"
                            f" `{source.table}` lacks: add it to its columns in models, or say what the field is made"
                            " from with made_from."
                        )
        return kind

    return check
