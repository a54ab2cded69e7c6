"""Downloads: the owner gets what was sent, byte for byte, in ranges and in archives; nobody else gets anything."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from graph.files import downloads
from graph.http.authentication import COOKIE
from models.accounts.accounts import Account, AccountState
from models.documents.documents import Document, DocumentState
from tests.conftest import Clock
from tests.graph.support.apps import ask, served, settings_of
from tests.graph.support.forms import PDF, add, bearer
from tests.support import factories

ARCHIVE = "query($ids: [ID!]!) { documentsArchiveUrl(ids: $ids) }"
REMOVE = "mutation($ids: [ID!]!) { removeDocuments(ids: $ids) { results { id errors { code } } } }"


@pytest.fixture
async def client(db: str, storage_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with either kind of store."""
    settings = settings_of(tmp_path, db, rate_limits=False, storage_url=storage_url)
    async with served(settings, sends=False, clock=clock) as found:
        yield found


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> Account:
    """Somebody with an account."""
    return await factories.person(language="FR")


async def _added(client: httpx.AsyncClient, owner: Account, *given: Any, **more: Any) -> Any:
    return (await add(client, await bearer(client, owner), *given, **more))["document"]


async def test_owner_gets_the_file_as_a_download_of_its_name(client: httpx.AsyncClient, owner: Account) -> None:
    document = await _added(client, owner, 'Relevé "d’Œuvre".pdf'.replace('"', "_"))
    answer = await client.get(document["downloadUrl"])
    assert (answer.status_code, answer.content) == (200, PDF)
    headers = answer.headers
    assert headers["content-type"] == "application/pdf"
    assert headers["content-length"] == str(len(PDF))
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox;")
    assert headers["cache-control"] == "private, no-store"
    assert headers["etag"] == f'"{hashlib.sha256(PDF).hexdigest()}"'
    plain, _, extended = headers["content-disposition"].partition("; filename*=UTF-8''")
    assert plain == 'attachment; filename="Releve _d_____uvre_.pdf"'.replace("_d_____uvre_", "_d__uvre_")
    assert unquote(extended) == "Relevé _d’Œuvre_.pdf"


@pytest.mark.parametrize("name", ["page.html", "image.svg", "texte.txt", "feuille.xhtml"])
async def test_what_a_browser_would_show_is_a_download_too(
    client: httpx.AsyncClient, owner: Account, name: str
) -> None:
    document = await _added(client, owner, name, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    headers = (await client.get(document["downloadUrl"])).headers
    assert headers["content-disposition"] == f'attachment; filename="{name}"'
    assert (headers["x-content-type-options"], headers["content-security-policy"][:7]) == ("nosniff", "sandbox")


async def test_ranges_are_served_and_resume_only_the_same_file(client: httpx.AsyncClient, owner: Account) -> None:
    content = bytes(range(256)) * 1000
    document = await _added(client, owner, "a.fax", content)
    url, tag = document["downloadUrl"], f'"{document["sha256"]}"'
    part = await client.get(url, headers={"range": "bytes=1000-70999"})
    assert (part.status_code, part.content) == (206, content[1000:71_000])
    assert part.headers["content-range"] == "bytes 1000-70999/256000"
    rest = await client.get(url, headers={"range": "bytes=255990-", "if-range": tag})
    assert (rest.status_code, rest.content) == (206, content[-10:])
    other = await client.get(url, headers={"range": "bytes=255990-", "if-range": '"other"'})
    assert (other.status_code, other.content) == (200, content)
    beyond = await client.get(url, headers={"range": "bytes=256000-"})
    assert (beyond.status_code, beyond.headers["content-range"], beyond.content) == (416, "bytes */256000", b"")
    head = await client.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "256000", b"")


async def test_an_address_is_dead_after_5_minutes_altered_or_elsewhere(
    client: httpx.AsyncClient, owner: Account, clock: Clock
) -> None:
    url = (await _added(client, owner))["downloadUrl"]
    assert (await client.get(url[:-2])).status_code == 403
    assert (await client.get(url.replace("/download?", "/archive?"))).status_code == 403
    assert (await client.get("/documents/download")).status_code == 403
    clock.advance(minutes=4, seconds=59)
    assert (await client.get(url)).status_code == 200
    clock.advance(seconds=1)
    late = await client.get(url, headers={"accept-language": "en"})
    assert (late.status_code, late.text) == (410, "This link has expired: ask for another one.\n")


async def test_an_address_is_dead_once_the_document_or_the_account_is(
    client: httpx.AsyncClient, owner: Account
) -> None:
    session = await bearer(client, owner)
    removed, kept = await _added(client, owner), await _added(client, owner)
    archive = (await ask(client, ARCHIVE, session, ids=[removed["id"], kept["id"]]))["data"]["documentsArchiveUrl"]
    assert (await client.get(archive)).status_code == 200
    results = (await ask(client, REMOVE, session, ids=[removed["id"]]))["data"]["removeDocuments"]["results"]
    assert results == [{"id": removed["id"], "errors": []}]
    assert [(await client.get(url)).status_code for url in (removed["downloadUrl"], archive)] == [410, 410]
    assert (await client.get(kept["downloadUrl"])).status_code == 200
    await Account.filter(id=owner.id).update(state=AccountState.SUSPENDED)
    assert (await client.get(kept["downloadUrl"])).status_code == 403


async def test_an_address_is_refused_to_someone_elses_session(client: httpx.AsyncClient, owner: Account) -> None:
    url = (await _added(client, owner))["downloadUrl"]
    mine, theirs = await bearer(client, owner), await bearer(client, await factories.person())
    assert (await client.get(url, headers=theirs)).status_code == 403
    assert (await client.get(url, headers={"cookie": f"{COOKIE}={theirs['authorization'][7:]}"})).status_code == 403
    assert (await client.get(url, headers=mine)).status_code == 200


async def test_only_the_owner_finds_the_document(client: httpx.AsyncClient, owner: Account) -> None:
    document = await _added(client, owner)
    other = await bearer(client, await factories.person())
    query = "query($id: ID!) { node(id: $id) { id } me { documents { totalCount } } }"
    assert (await ask(client, query, other, id=document["id"]))["data"] == {
        "node": None,
        "me": {"documents": {"totalCount": 0}},
    }
    refused = await ask(client, ARCHIVE, other, ids=[document["id"]])
    assert refused["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_an_archive_has_every_file_under_a_name_of_its_own(client: httpx.AsyncClient, owner: Account) -> None:
    session = await bearer(client, owner)
    given = [("RIB.pdf", PDF), ("rib.PDF", PDF + b"2"), ("発注書: 1.txt", b"order"), ("gros.fax", bytes(3_000_000))]
    ids = [(await add(client, session, name, content))["document"]["id"] for name, content in given]
    url = (await ask(client, ARCHIVE, session, ids=[*ids, ids[0]]))["data"]["documentsArchiveUrl"]
    answer = await client.get(url)
    assert answer.headers["content-disposition"] == 'attachment; filename="pieces-jointes-2027-03-15.zip"'
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["RIB.pdf", "rib (2).PDF", "発注書_ 1.txt", "gros.fax"]
        assert [archive.read(name) for name in archive.namelist()] == [content for _, content in given]
        assert {entry.date_time for entry in archive.infolist()} == {(2027, 3, 15, 10, 0, 0)}


@pytest.mark.parametrize("state", [DocumentState.AWAITING_SCAN, DocumentState.REFUSED])
async def test_a_document_that_the_scanner_has_not_cleared_can_not_be_had(
    client: httpx.AsyncClient, owner: Account, state: DocumentState
) -> None:
    document = await _added(client, owner)
    session = await bearer(client, owner)
    archive = (await ask(client, ARCHIVE, session, ids=[document["id"]]))["data"]["documentsArchiveUrl"]
    await Document.all().update(state=state)
    for url in (document["downloadUrl"], archive):
        assert (await client.get(url)).status_code == 409
    refused = await ask(client, ARCHIVE, session, ids=[document["id"]])
    assert refused["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_row_without_its_content_is_gone_and_not_an_error(
    client: httpx.AsyncClient, owner: Account, storage_url: str
) -> None:
    document = await _added(client, owner)
    await Document.all().update(object_key="f" * 32)
    assert (await client.get(document["downloadUrl"])).status_code == 410


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("rib.pdf", 'attachment; filename="rib.pdf"'),
        ("Élan.pdf", "attachment; filename=\"Elan.pdf\"; filename*=UTF-8''%C3%89lan.pdf"),
        ('a"b\\c%.txt', "attachment; filename=\"a_b_c_.txt\"; filename*=UTF-8''a%22b%5Cc%25.txt"),
        ("発.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%E7%99%BA.txt"),
    ],
)
def test_a_name_is_written_in_plain_letters_and_as_it_is(name: str, header: str) -> None:
    assert downloads.disposition(name) == header
