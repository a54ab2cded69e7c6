"""The database of an installation that lived before is upgraded: whoever was inside, or held a link, goes on from there.

What is upgraded was made by `tests.upgrades.make` at the commit that the files are named after.
"""

import asyncio
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from graph.app import create_app
from models.accounts.wishes import Wish
from models.db import database
from models.mail.outbox import Mail, MailState
from tests.conftest import new_postgres, on_server
from tests.graph.support.apps import settings_of
from tests.graph.support.live import Reader, ask, listening
from tests.mailer.support.posts import Post, opened
from tests.upgrades.make import SECRET_KEY

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.json"))
PASSWORD = "Une porte verte, 3 marches"
LINK = re.compile(r"https?://\S+/account/(\S+)\?token=([\w-]+)")

STREAM = """subscription($after: String) { attachmentStatusChanged(after: $after) {
  previousStatus status } }"""
RECORD = """mutation { recordActivities(input: [{key: "after-1", structureIdentifier: {type: SIRET,
  value: "90000000100017"}, kind: EVENT, title: "T", occurredAt: "2027-03-15T09:00:00Z"}]) {
  recorded errors { code } } }"""
ATTACHMENTS = "query($after: String) { me { attachments(after: $after) { edges { cursor } } } }"
HISTORY = "{ me { history(first: 1) { totalCount edges { node { summary } } } } }"
ACTIVATE = """mutation($link: String!, $password: String!) { activateAccount(input: {token: $link,
  password: $password, secretQuestion: "La rue de l'école ?", secretAnswer: "Tilleuls"}) {
  account { loginEmail } errors { code } } }"""
RESET = """mutation($link: String!, $password: String!) { resetPassword(input: {token: $link, password: $password,
  secretAnswer: "demo"}) { account { loginEmail } errors { code } } }"""
REACTIVATE = """mutation($link: String!, $password: String!) { reactivateAccount(input: {token: $link,
  password: $password, secretQuestion: "La rue de l'école ?", secretAnswer: "Tilleuls"}) {
  account { loginEmail state } errors { code } } }"""
CONFIRM = "mutation($link: String!) { confirmContactEmail(token: $link) { acknowledged errors { code } } }"


@dataclass
class Installation:
    """An upgraded one, running: where it is, and what its people held before."""

    url: str
    held: Any
    post: Post

    def moved(self, address: str) -> str:
        """An address given before, at the place where the server listens now."""
        parts = urlsplit(address)
        return f"{self.url}{parts.path}?{parts.query}"

    async def links(self) -> dict[tuple[str, str], str]:
        """The tokens of all links that were waited for, by address and page, once the courier is through."""
        async with asyncio.timeout(60):
            while await Wish.exists() or await Mail.filter(state=MailState.PENDING).exists():
                await asyncio.sleep(0.05)
        assert await Mail.exclude(state__in=[MailState.SENT, MailState.WITHDRAWN]).values_list("message") == []
        plain: dict[str, list[Any]] = {address: [] for address, _ in self.post.taken}
        for (address, _), mail in zip(self.post.taken, self.post.mails, strict=True):
            part = mail.get_body(("plain",))
            plain[address] += LINK.findall(part.get_content() if part else "")
        return {(address, page): token for address, found in plain.items() for page, token in found}


@asynccontextmanager
async def _put_back(name: str, engine: str, folder: Path) -> AsyncIterator[str]:
    """The address of the database as it was."""
    content = gzip.decompress((HERE / f"{name}.{'sqlite' if engine == 'sqlite' else 'postgres.sql'}.gz").read_bytes())
    if engine == "sqlite":
        (folder / "old.db").write_bytes(content)
        yield f"sqlite://{folder / 'old.db'}"
        return
    called = f"rattache_upgrade_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    url = await new_postgres(called)
    server = await asyncpg.connect(url)
    await server.execute(content.decode())
    await server.close()
    yield url
    await on_server(f"DROP DATABASE {called} WITH (FORCE)")


@pytest.fixture(params=[(name, engine) for name in NAMES for engine in ("sqlite", "postgres")], ids="-".join)
async def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Installation]:
    """The old database under the program of today, a minute later, its couriers at work."""
    name, engine = request.param
    held = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))[engine]
    for place, text in held["files"].items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")
    now = datetime.fromisoformat(held["at"]) + timedelta(minutes=1)
    async with _put_back(name, engine, tmp_path) as url, opened(Post()) as post:
        settings = settings_of(
            tmp_path, url, secret_key=SECRET_KEY, rate_limits=False, smtp_url=f"smtp://127.0.0.1:{post.port}"
        )
        async with listening(create_app(settings, clock=lambda: now)) as place:
            yield Installation(place, held, post)


@pytest.mark.parametrize("who", ["claire", "lea", "nadia"])
async def test_whoever_was_signed_in_stays_so(upgraded: Installation, who: str) -> None:
    data = await ask(upgraded.url, "{ me { loginEmail } }", upgraded.held["tokens"][who])
    assert data == {"me": {"loginEmail": f"{who}@demo.example"}}
    history = (await ask(upgraded.url, HISTORY, upgraded.held["tokens"][who]))["me"]["history"]
    assert history["totalCount"] > 0
    assert history["edges"][0]["node"]["summary"]


async def test_whoever_had_left_stays_outside(upgraded: Installation) -> None:
    assert await ask(upgraded.url, "{ me { loginEmail } }", upgraded.held["tokens"]["samir"]) == {"me": None}


async def test_signed_addresses_lead_where_they_led(upgraded: Installation) -> None:
    document = upgraded.held["document"]
    async with httpx.AsyncClient(timeout=30) as http:
        found = await http.get(upgraded.moved(document["downloadUrl"]))
        assert hashlib.sha256(found.content).hexdigest() == document["sha256"]
        archive = await http.get(upgraded.moved(upgraded.held["archive"]))
        assert len(zipfile.ZipFile(io.BytesIO(archive.content)).namelist()) == 1
        for address, told in (
            (upgraded.held["search_export"], "Transports Armor Littoral"),
            (upgraded.held["structures"]["Ateliers Delmas"]["usersExportUrl"], "samir@demo.example"),
        ):
            export = await http.get(upgraded.moved(address))
            assert export.status_code == 200
            assert told in export.text


async def test_a_live_cursor_replays_what_followed_it(upgraded: Installation) -> None:
    cursors, token = upgraded.held["cursors"], upgraded.held["tokens"]["claire"]
    validated = ("PENDING", "VALIDATED")  # of the request that waited
    created = (None, "VALIDATED")  # of the structure that Claire made later
    for after, expected in ((cursors["before"], [validated, created]), (cursors["after"], [created])):
        async with Reader.at(upgraded.url, token) as reader:
            await reader.subscribe(STREAM, after=after)
            found = [await reader.delivery(60) for _ in expected]
            assert [(change["previousStatus"], change["status"]) for change in found] == expected
            await reader.silence()


async def test_a_cursor_of_a_list_goes_on_behind_it(upgraded: Installation) -> None:
    token, (first, second, *_) = upgraded.held["tokens"]["claire"], upgraded.held["connection_cursors"]
    data = await ask(upgraded.url, ATTACHMENTS, token, after=first)
    assert data["me"]["attachments"]["edges"][0] == {"cursor": second}


async def test_an_integrations_key_is_still_good(upgraded: Installation) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            f"{upgraded.url}/graphql",
            json={"query": RECORD},
            headers={"authorization": f"ApiKey {upgraded.held['api_key']}"},
        )
    assert answer.json()["data"] == {"recordActivities": {"recorded": 1, "errors": []}}


async def test_waiting_mails_and_wishes_go_out_and_their_links_work(upgraded: Installation) -> None:
    links = await upgraded.links()
    for address, page, query in (
        ("noor@demo.example", "activate", ACTIVATE),
        ("nadia@demo.example", "reset-password", RESET),
        ("samir@demo.example", "reactivate", REACTIVATE),
    ):
        (payload,) = (await ask(upgraded.url, query, link=links[address, page], password=PASSWORD)).values()
        assert payload["errors"] == [], address
        assert payload["account"]["loginEmail"] == address
    confirmed = await ask(upgraded.url, CONFIRM, link=links["lea.marchand@people.example", "confirm-email"])
    assert confirmed["confirmContactEmail"]["errors"] == []


async def test_no_migration_is_missing(upgraded: Installation) -> None:
    assert await database.pending_migrations() == []
