"""kill -9 in the middle of a burst: what was acknowledged is there, what is there is whole, and its mails arrive.

Two rounds on each engine; RATTACHE_KILL_ROUNDS=20 for the full proof, RATTACHE_KILL_SEED to go through the same moments.
"""

import asyncio
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from models import database
from models.accounts import Account
from models.attachments import Attachment, AttachmentStatus, Role
from models.events import Event
from models.outbox import Mail, MailState
from models.structures import Structure
from models.subscriptions import SpaceSubscription
from models.tokens import OneTimeToken
from tests.conftest import POSTGRES
from tests.graph import bursts
from tests.graph.bursts import DONE, Call, Change, Kind
from tests.graph.servers import Server, free_port

ROUNDS = int(os.environ.get("RATTACHE_KILL_ROUNDS", "2"))
SEED = int(os.environ.get("RATTACHE_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
DRAIN_SECONDS = 40
MARKER = re.compile("mk[0-9a-f]{16}")
SETTINGS = {"RATE_LIMITS": "off", "COURIER_LEASE": "2s", "LOG_FORMAT": "json"}
# What each change leaves when it is done: facts in the history, default spaces, a link.
FACTS = {
    Kind.SIGN_UP: ["AccountSignedUp"],
    Kind.CREATE: ["AttachmentCreated", "StructureCreated"],
    Kind.REQUEST: ["AttachmentRequested"],
    Kind.VALIDATE: ["AttachmentValidated"],
    Kind.REFUSE: ["AttachmentRefused"],
}
SPACES = {Kind.CREATE: 5, Kind.VALIDATE: 4}
MAILS = {
    Kind.SIGN_UP: "account_activation",
    Kind.REQUEST: "attachment_requested",
    Kind.VALIDATE: "attachment_validated",
    Kind.REFUSE: "attachment_refused",
}


class Post:
    """An SMTP server's handler that takes every mail, a little slowly, so that kills fall into the dialogue too."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
        self.taken.append((envelope.rcpt_tos[0], mail))
        await asyncio.sleep(0.01)
        return "250 OK"


@dataclass
class Figures:
    """What the rounds came to, for the report that `pytest -s` shows."""

    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    unanswered_committed: int = 0
    mails: int = 0
    doubles: int = 0
    waiting_at_kill: list[int] = field(default_factory=list)

    def count(self, changes: list[Change], committed: set[str]) -> None:
        """Add one round's changes."""
        self.acknowledged += sum(change.answered == DONE for change in changes)
        self.refused += sum(change.answered not in {None, DONE} for change in changes)
        unanswered = [change for change in changes if change.sent and change.answered is None]
        self.unanswered += len(unanswered)
        self.unanswered_committed += sum(change.marker in committed for change in unanswered)


@pytest.fixture
def post() -> Iterator[tuple[Post, str]]:
    """A real SMTP server and its address."""
    handler = Post()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture(params=["sqlite", "postgres"])
async def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A database of this test's own that keeps every promise to write: nothing is relaxed for speed."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path / 'kills.db'}"
        return
    try:
        server = await asyncpg.connect(f"{POSTGRES}/postgres", timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES}: {error}")
    await server.execute("DROP DATABASE IF EXISTS rattache_kills WITH (FORCE)")
    await server.execute("CREATE DATABASE rattache_kills")
    await server.close()
    yield f"{POSTGRES}/rattache_kills"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[None]:
    """Our own connection, closed before each kill: the server alone must bring the files back in order."""
    await database.connect(url)
    try:
        yield
    finally:
        await database.close()


async def test_server_killed_in_a_burst_loses_nothing_acknowledged_and_mails_what_was_committed(
    lasting_url: str, post: tuple[Post, str], tmp_path: Path
) -> None:
    handler, smtp_url = post
    chance, figures, begun = random.Random(SEED), Figures(), time.monotonic()
    await database.migrate(lasting_url)
    changes: list[Change] = []
    server = Server(tmp_path, {**SETTINGS, "DATABASE_URL": lasting_url, "SMTP_URL": smtp_url})
    with server:
        for number in range(ROUNDS):
            async with opened(lasting_url):
                burst = await bursts.calls(await bursts.cast(), chance)
            await _kill_within(server, burst, chance)
            fresh = [change for call in burst for change in call.changes]
            changes += fresh
            async with opened(lasting_url):
                figures.waiting_at_kill.append(await Mail.filter(state=MailState.PENDING).count())
            await asyncio.to_thread(server.start)
            async with opened(lasting_url):
                await _drained()
                committed = await _check(changes, handler, f"round {number + 1} of seed {SEED}")
            figures.count(fresh, committed)
    figures.mails = len({mail["Message-ID"] for _, mail in handler.taken})
    figures.doubles = len(handler.taken) - figures.mails
    print(f"\n{lasting_url.partition(':')[0]}, seed {SEED}, {time.monotonic() - begun:.0f} s: {figures}")  # noqa: T201
    assert figures.acknowledged >= ROUNDS
    assert figures.unanswered >= ROUNDS  # every kill fell into a burst


async def _kill_within(server: Server, burst: list[Call], chance: random.Random) -> None:
    """Fire the burst and kill the server once it has answered some of it, at no moment in particular."""
    answers, enough = 0, asyncio.Event()
    wanted, more = chance.randint(5, 100), chance.uniform(0, 0.05)

    def answered() -> None:
        nonlocal answers
        answers += 1
        if answers == wanted:
            enough.set()

    firing = asyncio.create_task(bursts.fire(server.url, burst, answered))
    await asyncio.wait((asyncio.create_task(enough.wait()), firing), timeout=20, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(more)
    server.kill()
    enough.set()
    await firing


async def _drained() -> None:
    """Return once no mail waits any more."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while left := await Mail.filter(state=MailState.PENDING).count():
        assert time.monotonic() < deadline, f"{left} mails still wait after {DRAIN_SECONDS} s"
        await asyncio.sleep(0.1)


# ------------------------------------------------------------------ what is there
async def _check(changes: list[Change], handler: Post, when: str) -> set[str]:
    """Assert all that must hold once the mails are out; the markers of the changes that are there."""
    tables = await Tables.read()
    committed = {change.marker for change in changes if tables.target(change) is not None}
    for change in changes:
        name = f"{when}: {change}"
        assert change.answered in {None, change.due}, name
        if not change.sent:
            assert change.marker not in committed, f"{name} was never sent and is there"
        elif change.due == DONE:
            assert change.answered is None or change.marker in committed, f"{name} was acknowledged and is lost"
        else:
            assert change.marker not in committed, f"{name} was refused and is there"
        tables.assert_whole(change, name)
    _assert_arrived(tables, committed, handler, when)
    return committed


@dataclass(frozen=True)
class Tables:
    """Everything the changes could have left, found by their markers."""

    accounts: dict[str, int]
    structures: dict[str, int]
    asked: dict[str, int]
    decided: dict[int, Attachment]
    facts: dict[tuple[str, int], list[str]]
    spaces: Counter[int]
    seats: Counter[int]
    links: Counter[int]
    mails: dict[str, list[Mail]]
    outbox: list[Mail]

    @classmethod
    async def read(cls) -> "Tables":
        """The tables as they stand."""
        attachments = await Attachment.all()
        pairs = {(row.user_id, row.structure_id): row.id for row in attachments}
        facts: dict[tuple[str, int], list[str]] = defaultdict(list)
        for event in await Event.all().order_by("type").values("type", "subject_id", "structure_id", "attachment_id"):
            for of in ("subject_id", "structure_id", "attachment_id"):
                facts[of, event[of]].append(event["type"])
        outbox = await Mail.all()
        mails: dict[str, list[Mail]] = defaultdict(list)
        for mail in outbox:
            for marker in _markers(mail.address + orjson.dumps(mail.payload).decode()):
                mails[marker].append(mail)
        subscriptions = await SpaceSubscription.all()
        return cls(
            accounts={row.login_email: row.id for row in await Account.all()},
            structures={row.name: row.id for row in await Structure.all()},
            asked={row.comment: row.id for row in attachments if row.comment},
            decided={row.id: row for row in attachments if row.status != AttachmentStatus.PENDING},
            facts=facts,
            spaces=Counter(pairs[row.user_id, row.structure_id] for row in subscriptions),
            seats=Counter(row.structure_id for row in attachments if row.role == Role.PRINCIPAL_MANAGER),
            links=Counter(row.account_id for row in await OneTimeToken.all()),
            mails=mails,
            outbox=outbox,
        )

    def target(self, change: Change) -> int | None:
        """The id of the row that the change made or decided; None when it isn't there."""
        match change.kind:
            case Kind.SIGN_UP:
                return self.accounts.get(change.address)
            case Kind.CREATE:
                return self.structures.get(change.structure_name)
            case Kind.REQUEST:
                return self.asked.get(change.marker)
        return change.attachment_id if change.attachment_id in self.decided else None

    def assert_whole(self, change: Change, name: str) -> None:
        """Assert that all of the change's rows are there, or none."""
        target = self.target(change)
        mails = sorted((mail.message, mail.address) for mail in self.mails.get(change.marker, ()))
        if target is None:
            assert mails == [], f"{name} isn't there and has mails"
            assert change.attachment_id is None or self._facts(change, change.attachment_id) == [], name
            assert change.attachment_id is None or self.spaces[change.attachment_id] == 0, name
            return
        assert self._facts(change, target) == FACTS[change.kind], name
        to = change.managers or (change.address,)
        due = [(MAILS[change.kind], address) for address in sorted(to)] if change.kind in MAILS else []
        assert mails == due, name
        self._assert_rows(change, target, name)

    def _facts(self, change: Change, target: int) -> list[str]:
        of = {Kind.SIGN_UP: "subject_id", Kind.CREATE: "structure_id"}.get(change.kind, "attachment_id")
        return self.facts.get((of, target), [])

    def _assert_rows(self, change: Change, target: int, name: str) -> None:
        match change.kind:
            case Kind.SIGN_UP:
                assert self.links[target] == 1, name
            case Kind.CREATE:
                assert self.seats[target] == 1, name
            case Kind.VALIDATE:
                assert self.decided[target].status == AttachmentStatus.VALIDATED, name
                assert self.spaces[target] == SPACES[change.kind], name
            case Kind.REFUSE:
                assert (self.decided[target].status, self.decided[target].refusal_reason) == ("REFUSED", change.marker), name


# ------------------------------------------------------------------ what arrived
def _assert_arrived(tables: Tables, committed: set[str], handler: Post, when: str) -> None:
    """Every mail of the outbox arrived where it should; what arrived twice is the same mail; nothing else came."""
    assert [(mail.id, mail.state) for mail in tables.outbox if mail.state != MailState.SENT] == [], when
    arrived: dict[str, set[Any]] = defaultdict(set)
    for address, mail in handler.taken:
        text = _text(mail)
        arrived[mail["Message-ID"]].add((address, mail["Subject"], text))
        strangers = _markers(address + text) - committed
        assert strangers == set(), f"{when}: a mail tells of {strangers}, which isn't there"
    assert {id: len(copies) for id, copies in arrived.items() if len(copies) > 1} == {}, f"{when}: doubles differ"
    due = {mail.message_id: mail.address for mail in tables.outbox}
    assert {id: address for id, copies in arrived.items() for address, _, _ in copies} == due, when


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _markers(text: str) -> set[str]:
    return set(MARKER.findall(text))
