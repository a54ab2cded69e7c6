"""Texts of 900 kB as arguments, over HTTP: refused by their length alone, to anybody, at little cost."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.accounts.accounts import Account
from models.events.events import Event
from models.mail.outbox import Mail
from tests.graph.support.apps import ask, served, settings_of
from tests.graph.support.live import token_for
from tests.support import factories

LONG = "é" * 450_000  # 900 kB
MORE = 0.25  # seconds of CPU: 2 to 5 milliseconds, and what else the process had to do


@pytest.fixture
async def client(tmp_path: Path, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with served(settings_of(tmp_path, database_url, rate_limits=False), sends=False) as client:
        yield client


@pytest.mark.parametrize(
    ("query", "variables", "path"),
    [
        ("mutation ($x: String!) { act: requestPasswordReset(loginEmail: $x) { errors { code path } } }",
         {"x": LONG}, ["loginEmail"]),
        ("mutation ($x: SignInInput!) { act: signIn(input: $x) { errors { code path } } }",
         {"x": {"loginEmail": "a@b.example", "password": LONG}}, ["password"]),
        ("mutation ($x: SignUpInput!) { act: signUp(input: $x) { errors { code path } } }",
         {"x": {"loginEmail": "a@b.example", "firstName": LONG, "lastName": "B", "acceptTerms": True, "language": "FR"}},
         ["firstName"]),
        ("mutation ($x: ActivateAccountInput!) { act: activateAccount(input: $x) { errors { code path } } }",
         {"x": {"token": LONG, "password": "a", "secretQuestion": "b", "secretAnswer": "c"}}, ["token"]),
    ],
)  # fmt: skip
async def test_anybody_sends_a_text_that_no_field_takes_and_changes_nothing(
    client: httpx.AsyncClient, query: str, variables: dict[str, Any], path: list[str]
) -> None:
    begun = time.process_time()
    answer = await ask(client, query, **variables)
    assert time.process_time() - begun < MORE
    assert answer["data"]["act"]["errors"] == [{"code": "TOO_LONG", "path": path}]
    assert [await model.all().count() for model in (Account, Event, Mail)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("query ($x: String!) { structures(search: {name: $x}) { totalCount } }", ["search", "name"]),
        ("query ($x: String!) { structures(search: {city: $x}) { totalCount } }", ["search", "city"]),
        ('query ($x: String!) { structures(search: {name: "a"}, after: $x) { totalCount } }', ["after"]),
        (
            "query ($x: String!) { me { documents(filter: {designation: $x}) { totalCount } } }",
            ["filter", "designation"],
        ),
        ("query ($x: String!) { me { history(before: $x) { totalCount } } }", ["before"]),
        ("query ($x: ID!) { node(id: $x) { id } }", ["id"]),
        ('query ($x: ID!) { nodes(ids: ["a", $x]) { id } }', ["ids", "1"]),
    ],
)
async def test_a_person_searches_for_a_text_that_no_field_takes(
    client: httpx.AsyncClient, query: str, path: list[str]
) -> None:
    token = await token_for(await factories.person())
    begun = time.process_time()
    answer = await ask(client, query, {"authorization": f"Bearer {token}"}, x=LONG)
    assert time.process_time() - begun < MORE
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("TOO_LONG", path)


async def test_a_stream_is_asked_for_after_a_text_that_no_cursor_is(client: httpx.AsyncClient) -> None:
    token = await token_for(await factories.person())
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    query = "subscription ($x: String) { accountStateChanged(after: $x) { cursor } }"
    answer = await client.post("/graphql", json={"query": query, "variables": {"x": LONG}}, headers=headers)
    assert '"code":"TOO_LONG","argument":["after"]' in answer.text


async def test_a_text_in_the_document_itself_is_as_long_as_a_document_may_be(client: httpx.AsyncClient) -> None:
    query = 'mutation { act: requestPasswordReset(loginEmail: "%s") { errors { code path } } }'
    answer = await ask(client, query % ("x" * 5_000))
    assert answer["data"]["act"]["errors"] == [{"code": "TOO_LONG", "path": ["loginEmail"]}]
    begun = time.process_time()
    answer = await ask(client, query % LONG)
    assert time.process_time() - begun < MORE
    assert answer["errors"][0]["extensions"]["limit"] == "characters"


@pytest.mark.parametrize(("kind", "path"), [("SpaceCode", "space"), ("Date", "at")])  # whatever else comes as a text
async def test_a_text_that_is_no_value_of_its_type_is_refused_at_little_cost(
    client: httpx.AsyncClient, kind: str, path: str
) -> None:
    given = {"space": "HOME", "at": '"2027-01-01"', path: "$x"}
    arguments = ", ".join(f"{name}: {value}" for name, value in given.items())
    query = f'query ($x: {kind}!) {{ me {{ access(structureId: "x", {arguments}) {{ allowed }} }} }}'
    begun = time.process_time()
    answer = await ask(client, query, x=LONG)
    assert time.process_time() - begun < MORE
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert len(answer["errors"][0]["message"]) <= 500
