"""A migrated database per test, on each engine; a real SMTP server that does what a test tells it to."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path

import asyncpg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from models import database
from tests.mailer.letters import parsed

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432")


class Server:
    """An aiosmtpd handler: keeps what it takes, answers each RCPT and DATA from its lists, then with success."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.sessions: set[int] = set()
        self.rcpt_answers: list[str] = []
        self.data_answers: list[str] = []
        self.drops = 0
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.rcpt_answers.pop(0) if self.rcpt_answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.drops:
            self.drops -= 1
            server.transport.abort()
            return "250 lost"
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            self.taken.append(parsed(envelope.content))
            self.sessions.add(id(session))
        return answer


@pytest.fixture
def smtp(unused_tcp_port: int) -> Iterator[Server]:
    server = Server()
    server.port = unused_tcp_port
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    yield server
    controller.stop()


@pytest.fixture(params=["sqlite", "postgres"])
async def outbox_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The connected database's address."""
    if request.param == "sqlite":
        url = f"sqlite://{tmp_path / 'outbox.db'}"
        await database.migrate(url)
        await database.connect(url)
        yield url
        await database.close()
        return
    name = f"mailer_{secrets.token_hex(6)}"
    try:
        admin = await asyncpg.connect(f"{POSTGRES}/postgres")
    except OSError:
        pytest.skip("no PostgreSQL here")
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        await database.migrate(f"{POSTGRES}/{name}")
        await database.connect(f"{POSTGRES}/{name}")
        yield f"{POSTGRES}/{name}"
        await database.close()
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()
