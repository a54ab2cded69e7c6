"""Where a request comes from: whether its cookie may count, so that no other site can act with it (CSRF)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from graph.http import requests

# Naming one of these on a request makes a browser ask leave first (CORS preflight) before it crosses origins.
PREFLIGHT_HEADERS = ("graphql-require-preflight", "apollo-require-preflight")
PORTS = {"http": 80, "https": 443}


class Trusted:
    """The origins whose pages may act with the visitor's cookie: the server's own and the configured ones."""

    def __init__(self, public_url: str, others: Iterable[str] = ()) -> None:
        self.origins = frozenset(origin for url in (public_url, *others) if (origin := normalised(url)))

    def allows(self, origin: str, connection: HTTPConnection) -> bool:
        """Is this `Origin` header one of ours, by configuration or because it names the very host that was asked?"""
        given = normalised(origin)
        if given is None:
            return False
        scheme = {"ws": "http", "wss": "https"}.get(connection.url.scheme, connection.url.scheme)
        # A proxy that ends TLS makes the scheme seen here the weaker one; a stronger origin is still ours.
        asked = {normalised(f"{seen}://{connection.headers.get('host', '')}") for seen in (scheme, "https")}
        return given in self.origins or given in asked


def normalised(url: str) -> str | None:
    """The origin (RFC 6454) of a URL in lower case and without its default port, or None when it has none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, PORTS[parts.scheme]) else f":{port}")


def may_use_cookie(connection: HTTPConnection, trusted: Trusted) -> bool:
    """May this request or WebSocket be authenticated by its cookie?

    It may when no page of another site can have sent it: over HTTP by a JSON content type or a preflight header, and
    always by an `Origin` that is trusted. Without `Origin` (not a browser, or the same origin's GET) the browser's
    own `Sec-Fetch-Site` decides.
    """
    if connection.scope["type"] == "http" and not (_is_json(connection) or asks_preflight(connection)):
        return False
    origin = connection.headers.get("origin")
    if origin is not None:
        return trusted.allows(origin, connection)
    return connection.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _is_json(connection: HTTPConnection) -> bool:
    return requests.is_json(connection.headers.get("content-type", ""))


def asks_preflight(connection: HTTPConnection) -> bool:
    """Does the request name a header for which a browser asks leave before it crosses origins?"""
    return any(connection.headers.get(name, "").strip() for name in PREFLIGHT_HEADERS)
