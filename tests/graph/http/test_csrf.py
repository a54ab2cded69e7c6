"""Whose cookies count: no page of another site may act with a visitor's session."""

import pytest
from starlette.requests import HTTPConnection

from graph.http.csrf import Trusted, may_use_cookie, normalised

TRUSTED = Trusted("https://portal.example/base/", ("https://app.example", "http://localhost:3000"))


def connection(kind: str = "http", scheme: str = "https", **headers: str) -> HTTPConnection:
    given = {"host": "portal.example", **headers}
    raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in given.items()]
    return HTTPConnection(
        {"type": kind, "scheme": scheme, "path": "/graphql", "headers": raw, "query_string": b"", "server": None}
    )


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"content_type": "application/json"}, True),
        ({"content_type": "application/json; charset=utf-8"}, True),
        ({"graphql_require_preflight": "1"}, True),
        ({"apollo_require_preflight": "true"}, True),
        ({"graphql_require_preflight": " "}, False),
        ({"content_type": "text/plain"}, False),
        ({"content_type": "text/plain; application/json"}, False),
        ({"content_type": "multipart/form-data; boundary=x"}, False),
        ({}, False),
    ],
)
def test_request_uses_cookie_only_when_preflight_was_due(headers: dict[str, str], allowed: bool) -> None:
    assert may_use_cookie(connection(origin="https://portal.example", **headers), TRUSTED) is allowed


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"origin": "https://portal.example"}, True),
        ({"origin": "https://PORTAL.example:443"}, True),
        ({"origin": "https://app.example"}, True),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://localhost:3001"}, False),
        ({"origin": "http://portal.example"}, False),
        ({"origin": "https://portal.example.evil.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://[::bad"}, False),
        ({"origin": "https://internal:8443", "host": "internal:8443"}, True),
    ],
)
def test_request_uses_cookie_only_from_trusted_origin(headers: dict[str, str], allowed: bool) -> None:
    assert may_use_cookie(connection(content_type="application/json", **headers), TRUSTED) is allowed


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [({}, True), ({"origin": "https://app.example"}, True), ({"origin": "https://evil.example"}, False)],
)
def test_websocket_uses_cookie_only_from_trusted_origin(headers: dict[str, str], allowed: bool) -> None:
    assert may_use_cookie(connection("websocket", "wss", **headers), TRUSTED) is allowed


def test_request_behind_tls_proxy_uses_cookie_from_its_own_https_origin() -> None:
    own = {"origin": "https://other.example", "host": "other.example", "content_type": "application/json"}
    given = connection(scheme="http", **own)
    assert may_use_cookie(given, TRUSTED)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://Portal.example:443/x?y", "https://portal.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("file:///etc", None),
        ("portal.example", None),
        ("https://x:99999", None),
    ],
)
def test_origin_of_url_is_normalised(url: str, origin: str | None) -> None:
    assert normalised(url) == origin
