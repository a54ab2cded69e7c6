"""What leaves `/graphql` over HTTP: the media type that was asked for, and refusals as well-formed GraphQL errors."""

from collections.abc import Iterable, Mapping
from typing import Final

import orjson
from starlette.responses import Response

from graph.http import accept

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
HTML: Final = "text/html"
OFFERED: Final = (JSON, GRAPHQL_RESPONSE)

EXACT = 2


class RequestRefused(Exception):
    """The HTTP request is refused before any GraphQL is looked at; `code` goes to `extensions.code`."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def preferred(accepted: str, offered: Iterable[str] = OFFERED) -> str | None:
    """The offered media type an `Accept` header (RFC 9110, 12.5.1) likes best, or None when it takes none of them.

    An exact mention beats a wildcard. Named side by side, the GraphQL type wins; under a wildcard, plain JSON does,
    as the GraphQL-over-HTTP specification asks for clients that don't say.
    """
    if not accepted.strip():
        return JSON
    ranges = [(each.name, each.quality) for each in accept.ranges(accepted) if _is_utf8(each)]
    ranked = [(*match, offer) for offer in offered if (match := _match(offer, ranges)) is not None]
    best = max(ranked, key=lambda rank: (*rank[:2], _is_favourite(rank[2], rank[1])), default=None)
    return best[2] if best else None


def _is_utf8(given: accept.Range) -> bool:
    return given.parameters.get("charset", "utf-8").strip('"') in ("utf-8", "utf8")


def _match(offer: str, ranges: list[tuple[str, float]]) -> tuple[float, int] | None:
    """The quality and the exactness (2 exact, 1 type/*, 0 */*) of the most exact range that covers the offer."""
    patterns = {offer: EXACT, f"{offer.partition('/')[0]}/*": 1, "*/*": 0}
    found = [(patterns[kind], quality) for kind, quality in ranges if kind in patterns]
    if not found:
        return None
    exactness, quality = max(found)
    return (quality, exactness) if quality > 0 else None


def _is_favourite(offer: str, exactness: int) -> bool:
    return offer == (GRAPHQL_RESPONSE if exactness == EXACT else JSON)


def encode(data: object) -> bytes:
    """The UTF-8 JSON of a GraphQL response."""
    return orjson.dumps(data)


def respond(body: bytes, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An HTTP response that no cache keeps: answers depend on who asks."""
    fixed = {
        "content-type": f"{media_type}; charset=utf-8",
        "cache-control": "no-store",
        "vary": "accept",
        "x-content-type-options": "nosniff",
    }
    return Response(body, status_code=status, headers={**fixed, **(headers or {})})


def refuse(refused: RequestRefused, accepted: str) -> Response:
    """The refusal as a GraphQL response with one error and no data, in the media type asked for or else plain JSON."""
    error = {"message": refused.message, "extensions": {"code": refused.code}}
    media_type = preferred(accepted) or JSON
    return respond(encode({"errors": [error]}), media_type, refused.status, refused.headers)
