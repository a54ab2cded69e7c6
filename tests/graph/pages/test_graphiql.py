"""GraphiQL is served wholly from the package, under a policy that lets nothing else in."""

import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from graph.pages import graphiql, layout

pytestmark = pytest.mark.slow

SDL = Path(__file__).parents[3] / "schema" / "schema.graphql"


@pytest.fixture
def browser() -> TestClient:
    """A client of a server that has the GraphiQL page and its files."""
    routes = [Route("/graphql", graphiql.page), *graphiql.routes(), *layout.routes()]
    return TestClient(Starlette(routes=routes))


def test_a_browser_gets_a_page_that_names_no_other_host_and_no_inline_script(browser: TestClient) -> None:
    page = browser.get("/graphql")
    assert page.status_code == 200
    assert page.headers["vary"] == "Accept"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["worker-src"] == policy["font-src"] == "'self'"
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(addresses) == 3
    for address in addresses:
        assert browser.get(address).status_code == 200
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", page.text) == []


def test_a_browser_gets_every_file_with_a_policy_of_its_own(browser: TestClient) -> None:
    files = sorted(file.name for file in (layout.STATIC / "graphiql").iterdir())
    assert {"graphiql.js", "style.css", "editor.worker.js", "graphql.worker.js", "json.worker.js"} <= set(files)
    assert not [name for name in files if name.endswith(".map")]
    for name in files:
        answer = browser.get(f"/static/graphiql/{name}")
        assert (name, answer.status_code) == (name, 200)
        assert answer.content == (layout.STATIC / "graphiql" / name).read_bytes()
        assert answer.headers["content-security-policy"] == layout.STATIC_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_files_evaluate_no_text_and_load_nothing_from_elsewhere() -> None:
    for file in (layout.STATIC / "graphiql").glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert (
            re.findall(r"new Function\(|[^\w.$]eval\(|import\(\s*[\"'`]https?:|importScripts\(\s*[\"'`]https?:", text)
            == []
        )
    for file in (layout.STATIC / "graphiql").glob("*.css"):
        assert re.findall(r"url\(\s*[\"']?(?:https?:|//)|@import", file.read_text(encoding="utf-8")) == []


def test_every_example_is_one_named_operation_of_the_schema() -> None:
    schema = build_schema(SDL.read_text(encoding="utf-8"))
    found = graphiql.examples()
    assert len(found) == 21
    assert "mutation SignIn" in found[0]
    for example in found:
        document = parse(example)
        assert len(document.definitions) == 1
        assert (example, validate(schema, document)) == (example, [])
