"""What a burst of marked changes left: the rows in the tables, and the mails that a real SMTP server took."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

import orjson
from aiosmtpd.smtp import SMTP, Envelope, Session

from models.accounts.accounts import Account
from models.accounts.tokens import OneTimeToken
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.events.events import Event
from models.mail.outbox import Mail, MailState
from models.structures.structures import Structure
from models.subscriptions.subscriptions import SpaceSubscription
from tests.graph.support.bursts import DONE, Change, Kind

MARKER = re.compile("mk[0-9a-f]{16}")
FACTS = {
    Kind.SIGN_UP: ["AccountSignedUp"],
    Kind.CREATE: ["AttachmentCreated", "StructureCreated"],
    Kind.REQUEST: ["AttachmentRequested"],
    Kind.VALIDATE: ["AttachmentValidated"],
    Kind.REFUSE: ["AttachmentRefused"],
}
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
        """Keep the mail, then say so: a sender killed in between will bring it again."""
        assert isinstance(envelope.content, bytes)
        self.taken.append((envelope.rcpt_tos[0], message_from_bytes(envelope.content, policy=policy.default)))
        await asyncio.sleep(0.01)
        return "250 OK"


@dataclass(frozen=True)
class Remains:
    """Everything that changes can leave, found by their markers and by the rows they made or decided."""

    accounts: dict[str, int]
    structures: dict[str, int]
    attachments: dict[int, Attachment]
    facts: dict[tuple[str, int], list[str]]
    spaces: Counter[tuple[int, int]]
    links: Counter[int]
    mails: list[Mail]

    @classmethod
    async def read(cls) -> Self:
        """The tables as they stand."""
        facts: dict[tuple[str, int], list[str]] = defaultdict(list)
        for event in await Event.all().order_by("type").values("type", "subject_id", "structure_id", "attachment_id"):
            for of in ("subject_id", "structure_id", "attachment_id"):
                facts[of, event[of]].append(event["type"])
        return cls(
            accounts={row.login_email: row.id for row in await Account.all()},
            structures={row.name: row.id for row in await Structure.all()},
            attachments={row.id: row for row in await Attachment.all()},
            facts=facts,
            spaces=Counter((row.user_id, row.structure_id) for row in await SpaceSubscription.all()),
            links=Counter(row.account_id for row in await OneTimeToken.all()),
            mails=await Mail.all(),
        )

    def check(self, changes: Iterable[Change], taken: Iterable[tuple[str, EmailMessage]], when: str) -> set[str]:
        """Assert all that must hold once the mails are out; the markers of the changes that are there."""
        found = _Found.of(self)
        committed: set[str] = set()
        for change in changes:
            name = f"{when}: {change}"
            target = found.target(change)
            committed |= {change.marker} if target is not None else set()
            _answered_as_it_is(change, target is not None, name)
            if target is None:
                found.assert_nothing(change, name)
            else:
                found.assert_whole(change, target, name)
        _arrived(self.mails, committed, taken, when)
        return committed


def _answered_as_it_is(change: Change, is_there: bool, name: str) -> None:
    assert change.answered in {None, change.due}, f"{name} was answered otherwise than due"
    assert change.sent or not is_there, f"{name} was never sent and is there"
    assert change.due == DONE or not is_there, f"{name} is to be refused and is there"
    assert change.answered != DONE or is_there, f"{name} was acknowledged and is lost"


@dataclass(frozen=True)
class _Found:
    """The remains of many changes, looked up by marker."""

    remains: Remains
    asked: dict[str, int]
    mails: dict[str, list[tuple[str, str]]]

    @classmethod
    def of(cls, remains: Remains) -> Self:
        mails: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for mail in remains.mails:
            for marker in _markers(mail.address + orjson.dumps(mail.payload).decode()):
                mails[marker].append((mail.message, mail.address))
        return cls(remains, {row.comment: row.id for row in remains.attachments.values() if row.comment}, mails)

    def target(self, change: Change) -> int | None:
        """The id of the row that the change made or decided; None when it didn't."""
        if change.kind is Kind.SIGN_UP:
            return self.remains.accounts.get(change.address)
        if change.kind is Kind.CREATE:
            return self.remains.structures.get(change.structure_name)
        if change.kind is Kind.REQUEST:
            return self.asked.get(change.marker)
        assert change.attachment_id is not None
        waits = self.remains.attachments[change.attachment_id].status == AttachmentStatus.PENDING
        return None if waits else change.attachment_id

    def assert_nothing(self, change: Change, name: str) -> None:
        """Assert that the change left no mail, and no fact or space on the request it was to decide."""
        assert self.mails.get(change.marker, []) == [], f"{name} isn't there and has mails"
        if change.attachment_id is not None:
            waiting = self.remains.attachments[change.attachment_id]
            assert self._facts(change, waiting.id) == [], f"{name} isn't there and has events"
            assert self.remains.spaces[waiting.user_id, waiting.structure_id] == 0, f"{name} isn't there and gives"

    def assert_whole(self, change: Change, target: int, name: str) -> None:
        """Assert that all the rows of the change are there: events, mails, and what comes with its kind."""
        assert self._facts(change, target) == FACTS[change.kind], name
        addresses = change.managers or (change.address,)
        due = [(MAILS[change.kind], address) for address in addresses] if change.kind in MAILS else []
        assert sorted(self.mails.get(change.marker, [])) == sorted(due), name
        attachments = self.remains.attachments
        match change.kind:
            case Kind.SIGN_UP:
                assert self.remains.links[target] == 1, name
            case Kind.CREATE:
                (seat,) = (row for row in attachments.values() if row.structure_id == target)
                assert (seat.role, seat.status) == (Role.PRINCIPAL_MANAGER, AttachmentStatus.VALIDATED), name
                assert self.remains.spaces[seat.user_id, target] == 5, name
            case Kind.VALIDATE:
                row = attachments[target]
                assert row.status == AttachmentStatus.VALIDATED, name
                assert self.remains.spaces[row.user_id, row.structure_id] == 4, name
            case Kind.REFUSE:
                row = attachments[target]
                assert (row.status, row.refusal_reason) == (AttachmentStatus.REFUSED, change.marker), name

    def _facts(self, change: Change, target: int) -> list[str]:
        of = {Kind.SIGN_UP: "subject_id", Kind.CREATE: "structure_id"}.get(change.kind, "attachment_id")
        return self.remains.facts.get((of, target), [])


# ------------------------------------------------------------------ what arrived
def _arrived(mails: Iterable[Mail], committed: set[str], taken: Iterable[tuple[str, EmailMessage]], when: str) -> None:
    """Every mail of the outbox arrived where it should; what arrived twice is the same mail; nothing else came."""
    assert [(mail.id, mail.state) for mail in mails if mail.state != MailState.SENT] == [], when
    arrived: dict[str, set[Any]] = defaultdict(set)
    for address, mail in taken:
        text = _text(mail)
        arrived[mail["Message-ID"]].add((address, mail["Subject"], text))
        strangers = _markers(address + text) - committed
        assert strangers == set(), f"{when}: a mail tells of {strangers}, which isn't there"
    assert [id for id, copies in arrived.items() if len(copies) > 1] == [], f"{when}: doubles differ"
    due = {mail.message_id: mail.address for mail in mails}
    assert {id: address for id, copies in arrived.items() for address, _, _ in copies} == due, when


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _markers(text: str) -> set[str]:
    return set(MARKER.findall(text))
