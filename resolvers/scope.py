"""The scope of one operation: who acts, in which language, by which clock, and the one way to change anything."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from mailer import outbox
from mailer.facts import Message
from mailer.seals import Sealer
from models.accounts import accounts
from models.accounts.accounts import Account, Language
from models.accounts.actors import Actor, Integration
from models.attachments import attachments
from models.attachments.attachments import Role
from models.db import database
from models.documents.documents import Quota
from models.errors.errors import Forbidden, Unauthenticated
from models.events import events
from models.events.events import Fact
from resolvers.signed_urls import Signer
from resolvers.storage import Nowhere, Scanner, Store


class Record(Protocol):
    """Writes facts into the running transaction; `by` names the acting account where nobody is signed in."""

    async def __call__(self, *facts: Fact, by: int | None = None) -> None: ...


def utc_now() -> datetime:
    """The present instant by this machine's clock, which an office has unless it is given another."""
    return datetime.now(UTC)


def _random_token() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Office:
    """What every operation of a process shares: clock, randomness, seal, signature, documents' store, whom to wake."""

    sealer: Sealer
    signer: Signer = field(default_factory=Signer.unshared)
    clock: Callable[[], datetime] = utc_now
    token: Callable[[], str] = _random_token
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Paris"))
    session_idle: timedelta = timedelta(hours=12)
    wake: Callable[[], None] = lambda: None
    store: Store = field(default_factory=Nowhere)
    quota: Quota = field(default_factory=Quota)
    scanner: Scanner | None = None
    replay: timedelta = timedelta(hours=24)  # how far back a live stream may begin
    noted: Callable[[str], None] = lambda outcome: None  # counts what the security log tells


@dataclass
class Scope:
    """One operation's surroundings; every resolver takes it first.

    `device` is the token of a device that signed in before, `replaces` that of the session whose cookie a new one takes
    the place of; `tried` says whom a secret was tried on, for the security log, which was told of what is in `noted`.
    """

    office: Office
    actor: Actor | None = None
    language: Language = Language.FR
    source: str | None = None
    user_agent: str | None = None
    integration: Integration | None = None
    device: str | None = None
    replaces: str | None = None
    request_id: str = ""
    tried: dict[str, object] = field(default_factory=dict)
    noted: set[tuple[object, str]] = field(default_factory=set)
    _roles: dict[int, Role] | None = None

    def now(self) -> datetime:
        """The present instant, by the application's clock: no rule reads any other."""
        return self.office.clock()

    def today(self) -> date:
        """The calendar day in the structures' time zone (Europe/Paris unless set otherwise)."""
        return self.now().astimezone(self.office.time_zone).date()

    def try_on(self, account: Account | None = None, *, address: str = "") -> None:
        """Note whom a secret is tried on: the account once it is known, until then a digest of the address."""
        if account is not None:
            self.tried["account"] = account.id
        else:
            self.tried = {"address": self.office.sealer.pseudonym(address)}

    def signed_in(self) -> Actor:
        """Who acts.

        Raises:
            Unauthenticated: when nobody is signed in.
        """
        if self.actor is None:
            raise Unauthenticated
        return self.actor

    def integrated(self) -> Integration:
        """Which integration acts.

        Raises:
            Unauthenticated: when nobody known does.
            Forbidden: when a person does.
        """
        if self.integration is None:
            raise Unauthenticated if self.actor is None else Forbidden
        return self.integration

    async def actor_name(self) -> str:
        """The acting person's name, as mails and refusals tell it."""
        actor = await accounts.by_id(self.signed_in().account_id)
        return actor.display_name if actor else ""

    async def role_on(self, structure_id: int) -> Role | None:
        """The actor's role on the structure, by an attachment in effect; None without one."""
        return (await self.roles()).get(structure_id)

    async def roles(self) -> dict[int, Role]:
        """The actor's roles by structure, of the attachments in effect now; read once until something is changed."""
        if self._roles is None:
            actor = self.signed_in()
            self._roles = await attachments.roles_of(actor.account_id, self.today())
        return self._roles

    def viewing(self, **more: object) -> dict[str, object]:
        """The values that conditions on what a viewer may see name: who looks, when, and `more`.

        Raises:
            Unauthenticated: when nobody is signed in.
        """
        return {**accounts.visibility(self.signed_in()), "today": self.today(), "now": self.now(), **more}

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Record]:
        """All or nothing: rows, events and mails of the block commit together; then the couriers are woken.

        Raises:
            DatabaseAway, Duplicate, Conflict: as `models.db.database.transaction`.
        """
        self._roles = None
        async with database.transaction():
            yield self._record
        self._roles = None
        self.office.wake()

    async def mail(self, message: Message, to: Account, *, address: str | None = None) -> None:
        """Put a mail to the person in the outbox, in their language, to their contact address or another."""
        await outbox.enqueue(message, to=recipient(to, address), sealer=self.office.sealer, now=self.now())

    async def _record(self, *facts: Fact, by: int | None = None) -> None:
        actor_id = self.actor.account_id if by is None and self.actor is not None else by
        await events.append(*facts, actor_id=actor_id, at=self.now())


def recipient(account: Account, address: str | None = None) -> outbox.Recipient:
    """The person as mails address them, in their language, at their contact address or another."""
    return outbox.Recipient(
        address=address or account.contact_email,
        language=account.language,
        account_id=account.id,
        name=account.display_name,
        time_zone=account.time_zone,
    )
