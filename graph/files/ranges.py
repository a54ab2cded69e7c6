"""Byte ranges (RFC 9110, 14): which part of a file a request asks for."""

import re

MOST_CHARACTERS = 64  # of two numbers; blanks without end would be tried in every way
_ONE = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.IGNORECASE)


class NotSatisfiable(Exception):
    """The range lies outside the file."""


def asked(header: str | None, if_range: str | None, size: int, tag: str) -> tuple[int, int] | None:
    """The part of a file of `size` bytes and this entity tag that is asked for, as start and stop; None for all of it.

    Several ranges at once, other units and what is malformed are ignored, as the RFC lets a server do.

    Raises:
        NotSatisfiable: when the one range lies outside.
    """
    said = (header or "").strip()
    found = _ONE.fullmatch(said) if len(said) <= MOST_CHARACTERS else None
    if found is None or (if_range is not None and if_range.strip() != tag):
        return None
    first, last = found[1], found[2]
    if not first and not last:
        return None
    if not first:  # the last so many bytes
        start, stop = max(0, size - int(last)), size
    elif last and int(last) < int(first):
        return None
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    if start >= stop:
        raise NotSatisfiable
    return start, stop
