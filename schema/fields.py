"""The kinds of field a type is made of: a column as it was read, or a value made from columns and relations."""

from collections.abc import Callable
from typing import Any

import strawberry


def column(description: str) -> Any:
    """A field that is the row's attribute of the same name."""
    return strawberry.field(description=description)


def made_from(
    *needs: str, description: str, deprecation_reason: str | None = None
) -> Callable[[Callable[..., Any]], Any]:
    """A field computed from these columns of the row; decorate its resolver."""
    return strawberry.field(description=description, deprecation_reason=deprecation_reason, metadata={"needs": needs})
