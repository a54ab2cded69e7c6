"""Every way of losing the right to a stream ends it within two seconds, whichever process the act came by."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.accounts.sessions import Session
from models.accounts.tokens import Purpose, issue
from models.attachments.attachments import Attachment, Role
from models.db import database
from models.structures.structures import Structure
from schema.base import ids
from tests.graph.support.live import STATUS, Reader, ask, codes, token_for
from tests.graph.support.processes import Place
from tests.support import factories

pytestmark = pytest.mark.slow

WITHIN_SECONDS = 2.0
ERRORS = "{ errors { code } }"
RESULTS = "{ results { errors { code } } errors { code } }"


@dataclass
class Scene:
    """A structure with its managers and a simple user, and how to act on it."""

    writer: str
    structure: Structure
    principal: Account
    secondary: Account
    simple: Account
    support: Account
    attachments: dict[int, Attachment]

    def id(self, account: Account) -> str:
        """The id of their attachment."""
        return ids.encode("Attachment", self.attachments[account.id].id)

    @property
    def structure_id(self) -> str:
        return ids.encode("Structure", self.structure.id)

    async def act(self, by: Account | str, text: str) -> None:
        """Do a mutation, as somebody or by a token."""
        token = by if isinstance(by, str) else await token_for(by)
        (done,) = (await ask(self.writer, f"mutation {{ {text} }}", token)).values()
        refusals = [*done["errors"], *(error for one in done.get("results", []) for error in one["errors"])]
        assert refusals == [], text


@pytest.fixture
async def scene(place: Place) -> AsyncIterator[Scene]:
    """The people of a test, with the database open for it."""
    await database.connect(place.database)
    principal, secondary, simple = [await factories.person() for _ in range(3)]
    structure = await factories.structure(principal)
    made = [
        await Attachment.get(user_id=principal.id, structure_id=structure.id),
        await factories.attachment(secondary, structure, role=Role.SECONDARY_MANAGER),
        await factories.attachment(simple, structure),
    ]
    support = await factories.person(platform_role="SUPPORT")
    found = {attachment.user_id: attachment for attachment in made}
    yield Scene(place.writer, structure, principal, secondary, simple, support, found)
    await database.close()


Act = Callable[[Scene, str], Awaitable[Any]]


async def _by_clock(account: Account, **changes: Any) -> None:
    await Session.filter(account_id=account.id).update(**changes)


async def _reset(scene: Scene) -> None:
    await issue(scene.secondary, Purpose.PASSWORD_RESET, "reset-token", datetime.now(UTC))
    text = 'resetPassword(input: {token: "reset-token", secretAnswer: "demo", password: "Nouveau-Depart-2027!"})'
    await scene.act(scene.support, f"{text} {ERRORS}")


async def _end_on(attachment: Attachment, **changes: Any) -> None:
    await Attachment.filter(id=attachment.id).update(**changes)


TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = TODAY - timedelta(days=2), TODAY + timedelta(days=2)  # in whatever time zone
PASSWORD = f'password: {{current: "{factories.PASSWORD}", new: "Nouveau-Depart-2027!"}}'

# Each closes the secondary manager's socket. The second argument is the token that the reader came with.
OF_SESSIONS: dict[str, Act] = {
    "they sign out": lambda s, token: s.act(token, f"signOut {ERRORS}"),
    "they end their other sessions": lambda s, _: s.act(s.secondary, f"revokeSessions {ERRORS}"),
    "they change the password elsewhere": lambda s, _: s.act(s.secondary, f"updateAccount(input: {{{PASSWORD}}}) {ERRORS}"),
    "they choose a new one by the mailed link": lambda s, _: _reset(s),
    "they deactivate the account": lambda s, _: s.act(s.secondary, f"deactivateAccount(input: {{confirm: true}}) {ERRORS}"),
    "support suspends the account": lambda s, _: s.act(
        s.support, f'suspendAccount(userId: "{ids.encode("User", s.secondary.id)}", reason: "why") {ERRORS}'
    ),
    "the session has lasted its seven days": lambda s, _: _by_clock(s.secondary, expires_at=datetime.now(UTC)),
    "the session was idle too long": lambda s, _: _by_clock(
        s.secondary, last_seen_at=datetime.now(UTC) - timedelta(hours=13)
    ),
}  # fmt: skip


@pytest.mark.parametrize("act", OF_SESSIONS.values(), ids=OF_SESSIONS)
async def test_the_socket_is_closed_with_4403_within_two_seconds(place: Place, scene: Scene, act: Act) -> None:
    token = await token_for(scene.secondary)
    async with Reader.at(place.reader, token) as reader:
        await reader.subscribe(STATUS)
        await reader.subscribe("subscription { accountStateChanged { state } }")
        await asyncio.sleep(0.3)
        await act(scene, token)
        acted = time.monotonic()
        assert await reader.close_code() == 4403
        assert time.monotonic() - acted < WITHIN_SECONDS
    async with Reader.at(place.reader, init=False) as again:
        await again.send(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert await again.close_code() == 4403


# Each ends a stream on the structure, of whoever is named; the socket stays. Their own change comes first.
OF_RIGHTS: dict[str, tuple[str, Act]] = {
    "a manager is removed": ("secondary", lambda s, _: s.act(s.principal, f'removeAttachments(ids: ["{s.id(s.secondary)}"]) {RESULTS}')),
    "a manager leaves": ("secondary", lambda s, _: s.act(s.secondary, f'removeAttachments(ids: ["{s.id(s.secondary)}"]) {RESULTS}')),
    "a manager's attachment is deactivated": (
        "secondary", lambda s, _: s.act(s.principal, f'deactivateAttachments(ids: ["{s.id(s.secondary)}"]) {RESULTS}')),
    "a manager is dismissed": (
        "secondary", lambda s, _: s.act(s.principal, f'changeAttachmentRole(id: "{s.id(s.secondary)}", role: SIMPLE_USER) {ERRORS}')),
    "the principal manager hands over": (
        "principal", lambda s, _: s.act(s.principal, f'transferPrincipalManager(structureId: "{s.structure_id}", successorId: "{ids.encode("User", s.simple.id)}") {ERRORS}')),
    "a simple user is removed": ("simple", lambda s, _: s.act(s.secondary, f'removeAttachments(ids: ["{s.id(s.simple)}"]) {RESULTS}')),
    "a simple user's attachment is deactivated": (
        "simple", lambda s, _: s.act(s.secondary, f'deactivateAttachments(ids: ["{s.id(s.simple)}"]) {RESULTS}')),
    "an attachment is put off": (
        "simple", lambda s, _: s.act(s.secondary, f'updateAttachment(input: {{id: "{s.id(s.simple)}", validFrom: "{TOMORROW}"}}) {ERRORS}')),
    "an attachment passes its last day": ("simple", lambda s, _: _end_on(s.attachments[s.simple.id], valid_until=YESTERDAY)),
    "a manager's attachment passes its last day": (
        "secondary", lambda s, _: _end_on(s.attachments[s.secondary.id], valid_until=YESTERDAY)),
    "somebody of support is no more": ("support", lambda s, _: Account.filter(id=s.support.id).update(platform_role=None)),
}  # fmt: skip


CASES = [
    pytest.param(who, act, everything, id=f"{name}, {'everything' if everything else 'on the structure'}")
    for name, (who, act) in OF_RIGHTS.items()
    for everything in (False, True)
    if not (everything and who == "support")  # who follows structures by their ids
]


@pytest.mark.parametrize(("who", "act", "everything"), CASES)
async def test_the_stream_ends_within_two_seconds_and_the_socket_stays(
    place: Place, scene: Scene, who: str, act: Act, everything: bool
) -> None:
    token = await token_for(getattr(scene, who))
    async with Reader.at(place.reader, token) as reader:
        await reader.subscribe(STATUS, **({} if everything else {"structure": scene.structure_id}))
        await asyncio.sleep(0.3)
        await act(scene, token)
        acted = time.monotonic()
        message = await reader.read()
        while message["type"] == "next":
            message = await reader.read()
        assert codes(message) == ["FORBIDDEN"]
        assert time.monotonic() - acted < WITHIN_SECONDS
        await reader.subscribe("{ me { id } }")
        assert (await reader.delivery())["id"]


async def test_a_manager_of_two_structures_who_loses_one_goes_on_with_the_other(place: Place, scene: Scene) -> None:
    other = await factories.structure(scene.principal)
    await factories.attachment(scene.secondary, other, role=Role.SECONDARY_MANAGER)
    waiting = await factories.attachment(await factories.person(), other, status="PENDING")
    async with Reader.at(place.reader, await token_for(scene.secondary)) as reader:
        await reader.subscribe(STATUS)
        await asyncio.sleep(0.3)
        await scene.act(scene.principal, f'removeAttachments(ids: ["{scene.id(scene.secondary)}"]) {RESULTS}')
        own = await reader.delivery()
        assert (own["status"], own["attachment"]["id"]) == ("REMOVED", scene.id(scene.secondary))
        refused = f'refuseAttachments(ids: ["{ids.encode("Attachment", waiting.id)}"], reason: "why") {RESULTS}'
        await scene.act(scene.principal, f'deactivateAttachments(ids: ["{scene.id(scene.simple)}"]) {RESULTS}')
        await scene.act(scene.principal, refused)
        assert (await reader.delivery())["status"] == "REFUSED"
