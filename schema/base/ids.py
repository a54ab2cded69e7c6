"""Global ids as Relay wants them: opaque to clients, a type's name and a row's number to us."""

import base64
import binascii
import re
from collections.abc import Iterable

from models.errors.errors import NotFound

_FORM = re.compile(r"([A-Z][A-Za-z]{0,40}):([1-9][0-9]{0,17})")


def encode(type_name: str, number: int) -> str:
    """The global id of one row of a type."""
    return base64.b64encode(f"{type_name}:{number}".encode()).decode()


def parse(global_id: str) -> tuple[str, int] | None:
    """The type's name and the row's number; None when the text is no id of ours."""
    try:
        found = _FORM.fullmatch(base64.b64decode(global_id, validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        return None
    return (found[1], int(found[2])) if found else None


def decode(global_id: str, type_name: str, *path: str) -> int:
    """The number of a row of this type.

    Raises:
        NotFound: when the text is no id, or one of another type: for the caller such a thing doesn't exist.
    """
    found = parse(global_id)
    if found is None or found[0] != type_name:
        raise NotFound(*path)
    return found[1]


def number(global_id: str | None, type_name: str) -> int | None:
    """The row's number, or None for an id that can't be one: bulk acts refuse it in its place."""
    parsed = parse(global_id) if global_id is not None else None
    return parsed[1] if parsed is not None and parsed[0] == type_name else None


def numbers(global_ids: Iterable[str] | None, type_name: str) -> frozenset[int | None]:
    """The numbers of a set of ids, None among them where one can't be of the type."""
    return frozenset(number(id, type_name) for id in global_ids or [])
