"""What a client would rather have: `Accept` and `Accept-Language` (RFC 9110, 12.5) read once, and bounded.

Clients repeat these headers with each request, so what was read of one is kept. What lies beyond the bounds counts as
not said: no client of good faith comes near them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from models.accounts.accounts import Language

MOST_CHARACTERS = 2048
MOST_RANGES = 64
LANGUAGES = {language.lower(): language for language in Language}
QUALITY = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)")


@dataclass(frozen=True, slots=True)
class Range:
    """One item of such a header, in lower case, with its weight from 0 to 1."""

    name: str
    quality: float
    parameters: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=256)
def ranges(header: str) -> tuple[Range, ...]:
    """The items of a header in their order; one whose weight is no weight is left out."""
    items = header[:MOST_CHARACTERS].split(",", MOST_RANGES)[:MOST_RANGES]
    return tuple(found for item in items if (found := _range(item)))


def _range(item: str) -> Range | None:
    name, *pieces = (piece.strip().lower() for piece in item.split(";"))
    parameters = dict(piece.split("=", 1) for piece in pieces if "=" in piece)
    quality = parameters.pop("q", "1")
    return Range(name, float(quality), parameters) if name and QUALITY.fullmatch(quality) else None


def language_of(header: str) -> Language | None:
    """The language of ours that an `Accept-Language` header likes best; None when it names none of them."""
    known = [(each.quality, LANGUAGES[code]) for each in ranges(header)
             if (code := each.name.partition("-")[0]) in LANGUAGES and each.quality > 0]  # fmt: skip
    return max(known, key=lambda each: each[0])[1] if known else None
