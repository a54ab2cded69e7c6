"""Exports while they are transferred: what breaks off shows, slow readers hold nothing, whoever has left gets no more."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from pathlib import Path

import httpx
import pytest

from graph.files import transfers
from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Attachment, Role
from models.db import database
from models.exports import BATCH
from models.structures.structures import Structure, StructureKind
from tests.graph.support.apps import ask, settings_of
from tests.graph.support.downloads import cells, running, search_url, token_of, transfer, users_url
from tests.graph.support.servers import Server
from tests.support import factories

pytestmark = pytest.mark.slow

MANY_READERS = database.POOL_SIZE + 3


async def _structures(number: int) -> None:
    await Structure.bulk_create(
        [
            Structure(
                identifier_type="OTHER", identifier=f"N{place}", name="Même", folded_name="meme",
                kind=StructureKind.PRIVATE, created_at=factories.LONG_AGO,
            )
            for place in range(number)
        ]
    )  # fmt: skip


async def _users(structure: Structure, number: int) -> None:
    people = [
        Account(
            login_email=f"n{place}@people.example", login_key=f"n{place}@people.example",
            contact_email=f"n{place}@people.example", first_name="Ada", last_name="Même", folded_name="meme ada",
            folded_particulars="meme ada", language="FR", password_hash=factories.PASSWORD_HASH, secret_question="?",
            secret_answer_hash=factories.ANSWER_HASH, state=AccountState.ACTIVE, created_at=factories.LONG_AGO,
            terms_accepted_at=factories.LONG_AGO, activated_at=factories.LONG_AGO,
        )
        for place in range(number)
    ]  # fmt: skip
    await Account.bulk_create(people)
    ids = await Account.filter(folded_name="meme ada").values_list("id", flat=True)
    await Attachment.bulk_create(
        [
            Attachment(
                user_id=id, structure=structure, role=Role.SIMPLE_USER, status="VALIDATED", valid_from="2026-01-05",
                requested_at=factories.LONG_AGO, decided_at=factories.LONG_AGO,
            )
            for id in ids
        ]
    )  # fmt: skip


async def _nothing(_: int) -> None:
    """Take a piece."""


async def test_the_export_of_an_account_suspended_meanwhile_breaks_off(tmp_path: Path, database_url: str) -> None:
    async with running(settings_of(tmp_path, database_url)) as (app, client):
        await _structures(3 * BATCH)
        ada = await factories.person()
        url = await search_url(client, ada)

        async def suspend(_: int) -> None:
            await Account.filter(id=ada.id).update(state=AccountState.SUSPENDED)

        status, body, whole = await transfer(app, url, suspend)
        assert (status, len(cells(body)) - 1, whole) == (200, BATCH, False)
        assert (await transfer(app, url, _nothing))[::2] == (403, True)


async def test_the_export_of_users_breaks_off_once_its_manager_is_dismissed(tmp_path: Path, database_url: str) -> None:
    async with running(settings_of(tmp_path, database_url)) as (app, client):
        sam, structure = await factories.person(first_name="Aa", last_name="Aa"), await factories.structure()
        seat = await factories.attachment(sam, structure, role=Role.SECONDARY_MANAGER)
        await _users(structure, BATCH + 10)
        url = await users_url(client, sam, structure) or ""
        status, body, whole = await transfer(app, url, _nothing)
        assert (status, len(cells(body)) - 1, whole) == (200, BATCH + 11, True)

        async def dismiss(_: int) -> None:
            await Attachment.filter(id=seat.id).update(role=Role.SIMPLE_USER)

        status, body, whole = await transfer(app, url, dismiss)
        assert (status, len(cells(body)) - 1, whole) == (200, BATCH, False)


async def test_an_export_that_fails_in_its_midst_breaks_off_and_tells_nothing(
    tmp_path: Path, database_url: str
) -> None:
    async with running(settings_of(tmp_path, database_url)) as (app, client):
        await _structures(2 * BATCH)
        url = await search_url(client, await factories.person())
        failing = False

        async def fail(_: int) -> None:
            nonlocal failing
            if not failing:
                await database.fetch("ALTER TABLE structures RENAME TO structures_away", {})
            failing = True

        try:
            status, body, whole = await transfer(app, url, fail)
        finally:
            await database.fetch("ALTER TABLE structures_away RENAME TO structures", {})
        assert (status, len(cells(body)) - 1, whole) == (200, BATCH, False)
        assert b"rror" not in body
        status, body, whole = await transfer(app, url, _nothing)
        assert (status, len(cells(body)) - 1, whole) == (200, 2 * BATCH, True)


async def test_readers_who_take_nothing_keep_nobody_from_the_database(tmp_path: Path, database_url: str) -> None:
    async with running(settings_of(tmp_path, database_url)) as (app, client):
        await _structures(2 * BATCH)
        ada = await factories.person()
        url, token = await search_url(client, ada), await token_of(client, ada)
        going, waiting = asyncio.Event(), 0

        async def wait(piece: int) -> None:
            nonlocal waiting
            waiting += piece == 0
            await going.wait()

        readers = [asyncio.create_task(transfer(app, url, wait)) for _ in range(MANY_READERS)]
        async with asyncio.timeout(30):
            while waiting < MANY_READERS:
                await asyncio.sleep(0.01)
            answer = await ask(client, "{ me { loginEmail } }", {"authorization": f"Bearer {token}"})
        assert answer["data"]["me"]["loginEmail"] == ada.login_email
        going.set()
        assert [(status, whole) for status, _, whole in await asyncio.gather(*readers)] == [(200, True)] * MANY_READERS


async def test_a_reader_who_takes_no_piece_for_a_minute_is_left(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "STALL_SECONDS", 0.05)
    async with running(settings_of(tmp_path, database_url)) as (app, client):
        url = await search_url(client, await factories.person())

        async def stall(_: int) -> None:
            await asyncio.Event().wait()

        assert (await transfer(app, url, stall))[2] is False


# ------------------------------------------------------------------ over a real connection
LARGE = 30_000
PADDED = (
    "INSERT INTO structures (identifier_type, identifier, name, folded_name, kind, status, managed, line1, line2,"
    " line3, postcode, city, country, service_code_required, engagement_number_required, created_at)"
    f" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LARGE})"
    " SELECT 'OTHER', 'P' || i, 'Même', 'meme', 'PRIVATE', 'ACTIVE', false, :pad, :pad, :pad, '75001', 'Paris', 'FR',"
    " false, false, :at FROM n"
)


@contextmanager
def _opened(url: str) -> Iterator[HTTPResponse]:
    """The answer over a connection with so little room for what comes that the server has to wait for its reader."""
    parts = httpx.URL(url)
    connection = HTTPConnection(parts.host, parts.port, timeout=60)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    raw.settimeout(60)
    raw.connect((parts.host, parts.port))
    connection.sock = raw
    connection.request("GET", str(parts.raw_path, "ascii"))
    with closing(raw), closing(connection), connection.getresponse() as response:
        yield response


async def test_a_client_sees_that_an_export_broke_off_and_the_next_one_is_whole(
    tmp_path: Path, database_url: str
) -> None:
    await database.connect(database_url)
    await database.fetch(PADDED, {"pad": "x" * 160, "at": factories.LONG_AGO})
    ada = await factories.person()
    with Server(tmp_path, {"DATABASE_URL": database_url.partition("?")[0]}, "--no-worker") as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            url = await search_url(client, ada)
        with _opened(url) as response:
            assert response.status == 200
            assert len(response.read(10_000)) == 10_000
            await Account.filter(id=ada.id).update(state=AccountState.SUSPENDED)
            with pytest.raises(IncompleteRead):
                await asyncio.to_thread(response.read)
        await Account.filter(id=ada.id).update(state=AccountState.ACTIVE)
        with _opened(url) as response:
            whole = await asyncio.to_thread(response.read)
        assert len(cells(whole)) == LARGE + 1
        assert "transfer_broken_off" in server.written()
        assert "Traceback" not in server.written()
    await database.close()
