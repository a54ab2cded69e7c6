"""Visits a running demo server: pages, static files, one query; exit code 1 when anything is missing."""

import json
import sys
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

SIGN_IN = """mutation { signIn(input: {loginEmail: "claire@demo.example", password: "Demonstration-2026!"}) {
  account { firstName attachments(first: 5) { totalCount } } errors { code } } }"""
PAGES = ("/", "/mails", "/account/activate", "/schema.graphql", "/static/pages/style.css",
         "/static/graphiql/graphiql.js", "/readyz", "/metrics")  # fmt: skip


def main(url: str) -> None:
    """Visit the server at `url`."""
    for _ in range(120):
        try:
            with urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    break
        except (URLError, ConnectionError):
            time.sleep(0.25)
    for page in PAGES:
        with urlopen(url + page, timeout=10) as answer:  # noqa: S310
            assert answer.read(), page
    body = json.dumps({"query": SIGN_IN}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{url}/graphql", body, headers), timeout=10) as answer:  # noqa: S310
        told = json.load(answer)["data"]["signIn"]
    expected = {"account": {"firstName": "Claire", "attachments": {"totalCount": 2}}, "errors": []}
    assert told == expected, told


main(sys.argv[1])
