"""Makes what `test_upgrades.py` upgrades: the database of a living installation, on each engine, by the code as it is.

Run it on the commit that lands, before the tables change again, and commit what it writes beside itself:

    python -m tests.upgrades.make NAME

NAME.sqlite.gz and NAME.postgres.sql.gz are the databases, NAME.json is what people hold at that moment: tokens of
sessions, signed addresses, cursors. Mails wait, none was sent; links are in them, sealed, and nowhere else.
"""

import asyncio
import gzip
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from graph import app
from graph.cli import demo
from models.db import database
from resolvers.activities import api_keys
from resolvers.scope import Scope
from tests.conftest import POSTGRES, new_postgres, on_server
from tests.graph.support.apps import ask, served, settings_of

HERE = Path(__file__).parent
SECRET_KEY = "the application key of an installation that is upgraded"
MADE_AT = datetime(2027, 3, 15, 9, tzinfo=UTC)
DATABASE = "rattache_upgrade_made"

SIGN_IN = """mutation($email: String!) { signIn(input: {loginEmail: $email, password: "Demonstration-2026!"}) {
  token errors { code } } }"""
SIGN_UP = """mutation { signUp(input: {loginEmail: "noor@demo.example", firstName: "Noor", lastName: "Vasseur",
  language: EN, acceptTerms: true}) { acknowledged errors { code } } }"""
RESET = 'mutation { requestPasswordReset(loginEmail: "nadia@demo.example") { acknowledged errors { code } } }'
LEAVE = "mutation { deactivateAccount(input: {confirm: true}) { deactivatedAt errors { code } } }"
COME_BACK = 'mutation { requestReactivation(loginEmail: "samir@demo.example") { acknowledged errors { code } } }'
CHANGE_ADDRESS = """mutation { updateAccount(input: {contactEmail: "lea.marchand@people.example",
  receiveActivityNotifications: true}) { errors { code } } }"""
WAITING = """{ me { attachmentsToReview(first: 1) { edges { node { id } } }
  spaceSubscriptionsToReview(first: 1) { edges { node { id } } } } }"""
VALIDATE = (
    "mutation($id: ID!) { validateAttachments(input: {validations: [{id: $id}]}) { results { errors { code } } } }"
)
SERVICE = """mutation($structure: ID!, $code: String!) {
  saveService(input: {structureId: $structure, code: $code, name: "Fin"}) { service { id } errors { code } } }"""
LIVE_CURSOR = "{ liveCursor }"
HELD = """{ me { documents(first: 1) { edges { cursor node { id designation downloadUrl sha256 } } }
  attachments(first: 5) { edges { cursor node { id structure { id name usersExportUrl } } } } }
  structures(search: {name: "armor"}) { exportUrl } }"""
ARCHIVE = "query($ids: [ID!]!) { documentsArchiveUrl(ids: $ids) }"
FOUND = """mutation { createStructure(input: {identifierType: SIRET, identifier: "73282932000074",
  name: "Atelier du Port", postalAddress: {line1: "1 rue Neuve", postcode: "75001", city: "Paris",
  country: "FR"}}) { structure { id } errors { code path } } }"""


async def live(url: str, folder: Path) -> dict[str, Any]:
    """Let the demo's people live in the database at `url`; what they hold in the end."""
    settings = settings_of(folder, url, secret_key=SECRET_KEY, rate_limits=False)
    async with served(settings, sends=False, clock=lambda: MADE_AT, prepare=demo.prepare) as client:
        tokens = {name: await _sign_in(client, name) for name in ("claire", "samir", "lea", "nadia")}

        async def act(who: str | None, query: str, **variables: Any) -> Any:
            headers = {"authorization": f"Bearer {tokens[who]}"} if who else None
            answer = await ask(client, query, headers, **variables)
            assert not re.search(r'"errors": ?\[\{', json.dumps(answer)), answer
            return answer["data"]

        before = (await act("claire", LIVE_CURSOR))["liveCursor"]
        waiting = (await act("claire", WAITING))["me"]["attachmentsToReview"]["edges"][0]["node"]["id"]
        await act("claire", VALIDATE, id=waiting)
        after = (await act("claire", LIVE_CURSOR))["liveCursor"]
        held = await act("claire", HELD)
        document = held["me"]["documents"]["edges"][0]["node"]
        structures = {edge["node"]["structure"]["name"]: edge["node"]["structure"]
                      for edge in held["me"]["attachments"]["edges"]}  # fmt: skip
        await act("claire", SERVICE, structure=structures["Ateliers Delmas"]["id"], code="FIN")
        await act("claire", FOUND)
        await act("lea", CHANGE_ADDRESS)
        await act(None, SIGN_UP)
        await act(None, RESET)
        await act("samir", LEAVE)
        await act(None, COME_BACK)
        archive = await act("claire", ARCHIVE, ids=[document["id"]])
        api_key = await api_keys.create(Scope(app.office_of(settings, lambda: MADE_AT)), "Avant")
    return {
        "at": MADE_AT.isoformat(),
        "tokens": tokens,
        "api_key": api_key,
        "cursors": {"before": before, "after": after},
        "document": document,
        "archive": archive["documentsArchiveUrl"],
        "structures": structures,
        "search_export": held["structures"]["exportUrl"],
        "connection_cursors": [edge["cursor"] for edge in held["me"]["attachments"]["edges"]],
        "files": {
            path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted((folder / "data" / "documents").rglob("*"))
            if path.is_file()
        },
    }


async def _sign_in(client: httpx.AsyncClient, name: str) -> str:
    answer = await ask(client, SIGN_IN, email=f"{name}@demo.example")
    token: str = answer["data"]["signIn"]["token"]
    client.cookies.clear()  # the next to sign in would end this session
    return token


def _archive(target: Path, content: bytes) -> None:
    target.write_bytes(gzip.compress(content, mtime=0))


def _of_sqlite(path: Path) -> bytes:
    with sqlite3.connect(path) as opened:
        opened.execute("PRAGMA journal_mode = DELETE")
        opened.execute("VACUUM")
    return path.read_bytes()


def _of_postgres(url: str) -> bytes:
    # Backslash lines are for psql alone; without them a plain connection can run the whole.
    dump = subprocess.run(
        ["pg_dump", "--inserts", "--no-owner", "--no-privileges", url.replace("postgres://", "postgresql://")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return "".join(line for line in dump.splitlines(keepends=True) if not line.startswith("\\")).encode()


async def make(name: str) -> None:
    """Write the three files."""
    held: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        for engine in ("sqlite", "postgres"):
            folder = Path(made) / engine
            folder.mkdir()
            url = f"sqlite://{folder / 'old.db'}" if engine == "sqlite" else await new_postgres(DATABASE)
            await database.migrate(url)
            held[engine] = await live(url, folder)
            content = _of_sqlite(folder / "old.db") if engine == "sqlite" else _of_postgres(url)
            _archive(HERE / f"{name}.{'sqlite' if engine == 'sqlite' else 'postgres.sql'}.gz", content)
        await on_server(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    (HERE / f"{name}.json").write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    assert shutil.which("pg_dump"), f"pg_dump must be there, and a server at {POSTGRES}"
    os.umask(0o077)
    asyncio.run(make(sys.argv[1]))
