"""Multipart requests: what is taken, what is refused with which words, and that nothing ever breaks the server."""

import json
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from graph.http import multipart
from models.accounts.accounts import Account
from models.documents.documents import Document
from tests.graph.support import forms
from tests.graph.support.apps import served, settings_of
from tests.graph.support.forms import PDF, add, bearer, body, mapped, operations, part, send
from tests.support import factories

LIMIT = 4 * 1024 * 1024
SEED = int(os.environ.get("RATTACHE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.fixture
async def client(db: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application without limits per source."""
    async with served(settings_of(tmp_path, db, rate_limits=False), sends=False) as found:
        yield found


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> Account:
    """Somebody with an account."""
    return await factories.person()


async def test_a_file_is_added_and_told_as_it_was_received(client: httpx.AsyncClient, owner: Account) -> None:
    payload = await add(client, await bearer(client, owner), "Relevé d'identité.pdf", designation="RIB de l'agence")
    document = payload["document"]
    assert payload["errors"] == []
    assert (document["filename"], document["mimeType"], document["size"]) == (
        "Relevé d'identité.pdf", "application/pdf", len(PDF)
    )  # fmt: skip
    assert (await Document.get()).sha256 == document["sha256"]


async def test_four_mebibytes_are_taken_and_one_byte_more_is_refused(client: httpx.AsyncClient, owner: Account) -> None:
    session = await bearer(client, owner)
    whole = await add(client, session, "a.fax", bytes(LIMIT))
    assert (whole["errors"], whole["document"]["size"]) == ([], LIMIT)
    more = await add(client, session, "a.fax", bytes(LIMIT + 1))
    assert [(one["code"], one["path"]) for one in more["errors"]] == [("FILE_TOO_LARGE", ["file"])]
    assert more["document"] is None
    assert await Document.all().count() == 1


async def test_several_files_of_one_request_are_each_answered(client: httpx.AsyncClient, owner: Account) -> None:
    query = """mutation($small: Upload!, $big: Upload!) {
      a: addDocument(input: {file: $small, designation: "a", type: RIB}) { errors { code } }
      b: addDocument(input: {file: $big, designation: "b", type: QUOTE}) { errors { code } }
    }"""
    fields = part("operations", json.dumps({"query": query, "variables": {"small": None, "big": None}}).encode())
    form = body(
        fields,
        mapped(big=["variables.big"], small=["variables.small"]),
        part("big", bytes(LIMIT + 10), "b.fax"),
        part("small", PDF, "a.pdf"),
    )
    data = (await send(client, form, **await bearer(client, owner))).json()["data"]
    assert data == {"a": {"errors": []}, "b": {"errors": [{"code": "FILE_TOO_LARGE"}]}}


async def test_a_file_may_stand_inside_an_input(client: httpx.AsyncClient, owner: Account) -> None:
    query = "mutation($input: AddDocumentInput!) { addDocument(input: $input) { errors { code path } } }"
    given = {"query": query, "variables": {"input": {"file": None, "designation": " ", "type": "RIB"}}}
    form = body(
        part("operations", json.dumps(given).encode()), mapped(f=["variables.input.file"]), part("f", b"", "a.pdf")
    )
    errors = (await send(client, form, **await bearer(client, owner))).json()["data"]["addDocument"]["errors"]
    assert errors == [{"code": "REQUIRED", "path": ["designation"]}, {"code": "FILE_EMPTY", "path": ["file"]}]


@pytest.mark.parametrize("value", ['"text"', "null", "3", "true", '{"size": 1}', "[]"])
async def test_nothing_but_a_file_is_an_upload(client: httpx.AsyncClient, owner: Account, value: str) -> None:
    headers = await bearer(client, owner)
    given = {"query": forms.ADD, "variables": {"file": json.loads(value)}}
    answer = (await client.post("/graphql", json=given, headers=headers)).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    literal = value.replace('{"size": 1}', "{size: 1}")
    query = (
        f'mutation {{ addDocument(input: {{file: {literal}, designation: "D", type: RIB}}) {{ errors {{ code }} }} }}'
    )
    answer = (await client.post("/graphql", json={"query": query}, headers=headers)).json()
    assert answer["errors"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


async def test_a_form_without_preflight_header_is_refused_before_it_is_read(client: httpx.AsyncClient) -> None:
    form = body(operations(), mapped(), part("0", PDF, "a.pdf"))
    answer = await send(client, form, graphql_require_preflight="")
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")
    assert (await send(client, form, graphql_require_preflight="", apollo_require_preflight="yes")).status_code == 200


async def test_nobody_signed_in_adds_nothing(client: httpx.AsyncClient) -> None:
    answer = await send(client, body(operations(), mapped(), part("0", PDF, "a.pdf")))
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert await Document.all().count() == 0


OPERATIONS, FILE = operations(), part("0", PDF, "a.pdf")
WRONG: dict[str, bytes] = {
    "empty": b"",
    "no form": b"hello",
    "no part": body(),
    "no operations": body(mapped(), FILE),
    "no map": body(OPERATIONS, FILE),
    "files first": body(FILE, OPERATIONS, mapped()),
    "map first": body(mapped(), OPERATIONS, FILE),
    "file missing": body(OPERATIONS, mapped()),
    "file unknown": body(OPERATIONS, mapped(), FILE, part("1", PDF, "b.pdf")),
    "file twice": body(OPERATIONS, mapped(), FILE, FILE),
    "file without a name": body(OPERATIONS, mapped(), part("0", PDF)),
    "operations as a file": body(part("operations", b"{}", "o.json"), mapped(), FILE),
    "operations twice": body(OPERATIONS, mapped(operations=["variables.file"]), OPERATIONS),
    "operations not JSON": body(part("operations", b"{"), mapped(), FILE),
    "operations not UTF-8": body(part("operations", b'{"query": "\xff"}'), mapped(), FILE),
    "operations a list": body(part("operations", b"[{}]"), mapped(), FILE),
    "operations without query": body(part("operations", b"{}"), mapped(), FILE),
    "map not JSON": body(OPERATIONS, part("map", b"0"), FILE),
    "map a list": body(OPERATIONS, part("map", b"[]"), FILE),
    "map empty": body(OPERATIONS, part("map", b"{}")),
    "map of texts": body(OPERATIONS, part("map", b'{"0": "variables.file"}'), FILE),
    "map of numbers": body(OPERATIONS, part("map", b'{"0": [1]}'), FILE),
    "map of nothing": body(OPERATIONS, part("map", b'{"0": []}'), FILE),
    "map elsewhere": body(OPERATIONS, mapped(**{"0": ["query"]}), FILE),
    "map to what isn't there": body(OPERATIONS, mapped(**{"0": ["variables.other"]}), FILE),
    "map into what isn't there": body(OPERATIONS, mapped(**{"0": ["variables.a.b.c"]}), FILE),
    "map to a list's end": body(operations(list=[]), mapped(**{"0": ["variables.list.0"]}), FILE),
    "map twice to one place": body(OPERATIONS, mapped(**{"0": ["variables.file", "variables.file"]}), FILE),
    "map to what is no null": body(operations(list=[1]), mapped(**{"0": ["variables.list.0"]}), FILE),
    "eleven files": body(OPERATIONS, mapped(**{str(n): ["variables.file"] for n in range(11)}), FILE),
    "no variables": body(part("operations", b'{"query": "{me{id}}"}'), mapped(), FILE),
    "cut off": body(OPERATIONS, mapped(), FILE)[:-4],
    "cut off in a file": body(OPERATIONS, mapped(), FILE)[:-60],
    "a part without a name": b"--" + forms.BOUNDARY.encode() + b"\r\nContent-Type: a/b\r\n\r\n\r\n" + body(OPERATIONS),
    "a name that is no text": body(OPERATIONS, mapped(), part("0", PDF, "a\udcff.pdf")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_not_of_the_form_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, owner: Account, name: str
) -> None:
    session = await bearer(client, owner)
    before = await factories.traces()
    answer = await send(client, WRONG[name], **session)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST"), answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert await factories.traces() == before
    assert await Document.all().count() == 0


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 999}"])  # fmt: skip
async def test_a_form_without_a_boundary_is_refused(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post("/graphql", content=b"x", headers={"content-type": kind, **forms.PREFLIGHT})
    assert answer.status_code == 400


async def test_a_field_or_a_whole_that_is_too_large_is_refused(client: httpx.AsyncClient, owner: Account) -> None:
    session = await bearer(client, owner)
    long = await send(client, body(part("operations", b" " * (1024**2 + 1)), mapped(), FILE), **session)
    assert (long.status_code, long.json()["errors"][0]["extensions"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    names = {str(number): [f"variables.f{number}"] for number in range(5)}
    fields = part(
        "operations", json.dumps({"query": "{me{id}}", "variables": {f"f{n}": None for n in range(5)}}).encode()
    )
    files = [part(name, bytes(LIMIT), "a.fax") for name in names]
    many = await send(client, body(fields, mapped(**names), *files), **session)
    assert (many.status_code, many.headers["connection"]) == (413, "close")


async def test_files_are_given_back_after_every_request(
    client: httpx.AsyncClient, owner: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools: list[Any] = []
    make = multipart._spool

    def remembered() -> Any:
        spools.append(make())
        return spools[-1]

    monkeypatch.setattr(multipart, "_spool", remembered)
    session = await bearer(client, owner)
    await add(client, session)
    await send(client, WRONG["cut off in a file"], **session)
    await send(client, WRONG["file unknown"], **session)
    assert len(spools) >= 9
    assert all(spool.closed for spool in spools)


async def test_random_damage_to_a_form_never_breaks_the_server(client: httpx.AsyncClient, owner: Account) -> None:
    session, chance = await bearer(client, owner), random.Random(SEED)
    whole = bytearray(
        body(OPERATIONS, mapped(), part("0", PDF, "Relevé (2).pdf", b"Content-Type: application/pdf\r\n"))
    )
    for round in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(damaged))
            match chance.randrange(4):
                case 0:
                    damaged[at] = chance.randrange(256)
                case 1:
                    del damaged[at : at + chance.randint(1, 30)]
                case 2:
                    damaged[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 20)))
                case 3:
                    damaged[at:at] = damaged[at : at + chance.randint(1, 60)]
            damaged = damaged or bytearray(b"x")
        answer = await send(client, bytes(damaged), **session)
        assert answer.status_code in {200, 400, 413}, (SEED, round, answer.text)
        for error in answer.json().get("errors", []):
            assert error["extensions"]["code"] != "INTERNAL", (SEED, round, answer.text)
