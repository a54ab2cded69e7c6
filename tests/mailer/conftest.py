"""A real SMTP server that does what a test tells it to."""

import asyncio
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mailer.support.letters import parsed


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
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
            return "250 lost"
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
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
