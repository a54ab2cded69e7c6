"""What a header costs the server grows no faster than its length, whatever is in it."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graph.files import ranges
from graph.http import accept, header_parameters
from graph.http.authentication import cookie_of
from graph.http.csrf import normalised
from tests.graph.http.test_rate_limits import connection_from
from tests.graph.support.apps import served, settings_of

ORIGIN = "https://app.example"
# Each is repeated to the length wanted, behind each of a header's openings, once with a quote at the end.
PATTERNS = (
    "a", " ", ";", ",", '"', "\\", "1", "\xe9", '\\"', ';a="', ';a="\\"', "a;q=0.", ";q=", "0-,", "\\052", "[::",
    "a=b;", "; ", "*/*,", "; a*0*=''", '" "', "= ",
)  # fmt: skip
POST = ("POST", "/graphql", {"content-type": "application/json"})
GET = ("GET", "/graphql?query={__typename}", {"graphql-require-preflight": "1"})
PAGE: tuple[str, str, dict[str, str]] = ("GET", "/account/activate/link", {})
FILE: tuple[str, str, dict[str, str]] = ("GET", "/static/pages/style.css", {})
# A request that comes to where the header is looked at, and the beginnings by which it is looked at more closely.
OPENINGS: dict[str, tuple[tuple[str, str, dict[str, str]], tuple[str, ...]]] = {
    "accept": (POST, ("", 'application/json;charset="')),
    "accept-language": (PAGE, ("", "fr;q=")),
    "access-control-request-headers": (
        ("OPTIONS", "/graphql", {"origin": ORIGIN, "access-control-request-method": "POST"}),
        ("", "content-type,"),
    ),
    "authorization": (POST, ("", "Bearer ")),
    "content-type": (
        ("POST", "/graphql", {"graphql-require-preflight": "1"}),
        ("", 'application/json;charset="', 'multipart/form-data; boundary="'),
    ),
    "cookie": (GET, ("", 'rattache_session="')),
    "host": (PAGE, ("", "[")),
    "if-modified-since": (FILE, ("", "Mon, 15 Mar 2027 10:00:00 GMT")),
    "if-none-match": (FILE, ("W/",)),
    "if-range": (FILE, ("", 'W/"')),
    "origin": (POST, ("", "https://[")),
    "range": (FILE, ("bytes=",)),
    "user-agent": (POST, ("",)),
    "x-forwarded-for": (POST, ("", "[")),
    "x-request-id": (POST, ("",)),
}
MOST_SECONDS = 0.1  # of processor time; at 32 KiB a good one takes a few thousandths, a quadratic one half a second


def shapes(opening: str, length: int) -> Iterator[str]:
    """The values of so many characters that begin so."""
    for pattern in PATTERNS:
        filled = (opening + pattern * (length // len(pattern) + 1))[: length - 1]
        yield filled
        yield filled + '"'


@pytest.mark.parametrize("header", OPENINGS)
async def test_a_client_sends_a_nasty_header_and_costs_little(
    tmp_path: Path, sqlite_template: Path, header: str
) -> None:
    shutil.copy(sqlite_template, tmp_path / "rattache.db")
    database_url = f"sqlite://{tmp_path / 'rattache.db'}"
    (method, path, right), openings = OPENINGS[header]
    costly = []
    settings = settings_of(tmp_path, database_url, allowed_origins=ORIGIN, rate_limits=False)
    async with served(settings, sends=False) as client:
        for value in (value for opening in openings for value in shapes(opening, 32 * 1024)):
            headers = {name.encode(): given.encode("latin-1") for name, given in {**right, header: value}.items()}
            taken: list[float] = []
            while not taken or (len(taken) < 3 and min(taken) > MOST_SECONDS):
                began = time.process_time()
                await client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
                taken.append(time.process_time() - began)
            if min(taken) > MOST_SECONDS:
                costly.append(f"{value[:40]} {min(taken):.2f} s")
    assert not costly, "\n".join(costly)


READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "accept": (accept.ranges, "text/html;"),
    "accept-language": (accept.language_of, "fr;q="),
    "content-disposition": (header_parameters.parse, 'form-data; name="'),
    "cookie": (
        lambda value: cookie_of(connection_from("203.0.113.7", cookie=value), "rattache_session"),
        'rattache_session="',
    ),
    "origin": (normalised, "https://["),
    "range": (lambda value: ranges.asked(value, None, 10, '"tag"'), "bytes="),
}


@pytest.mark.parametrize("header", READERS)
def test_a_header_of_twice_the_length_is_read_in_little_time(header: str) -> None:
    read, opening = READERS[header]
    costly = []
    for value in shapes(opening, 64 * 1024):
        began = time.process_time()
        read(value)
        if (taken := time.process_time() - began) > MOST_SECONDS * 3:
            costly.append(f"{value[:40]} {taken:.2f} s")
    assert not costly, "\n".join(costly)
