"""The world that random acts happen in: people, structures and links, held by tables and by an oracle alike."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from itertools import count

from hypothesis.stateful import RuleBasedStateMachine, initialize

from mailer.seals import Sealer
from models.accounts.accounts import Account, Language
from models.accounts.actors import Actor, PlatformRole
from models.attachments.attachments import Attachment, Role
from models.attachments.offers import PrincipalManagerOffer
from models.db import database
from models.errors.errors import DomainError, RateLimited, Unauthenticated
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure, StructureKind
from resolvers.attachments import attach_user, offers, requests
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.requests import NewRequest
from resolvers.bulk import Outcome
from resolvers.scope import Office, Scope
from resolvers.structures import structures
from resolvers.structures.structures import Particulars
from tests.conftest import Clock
from tests.resolvers.machines.oracle import World
from tests.resolvers.support.worlds import LINK_LIFE, REFUSED, UNCHANGED, Foretold, Offer, Person, Place, Tie
from tests.support import factories, invariants

IDENTIFIERS = ["NEW-1", "NEW-2", "IMPORTED-PRIVATE", "IMPORTED-PUBLIC"]
ADDRESS = {"line1": "1 rue des Essais", "postcode": "75001", "city": "Paris", "country": "FR"}
MOST_PEOPLE = 9
SUPPORT = 5  # their number among the people
# Children before parents, as foreign keys want it.
TABLES = [
    "outbox", "events", "seat_offers", "attachment_services", "space_subscriptions", "open_spaces", "services", "attachments",
    "one_time_tokens", "wishes", "sessions", "former_passwords", "brakes", "structures", "accounts",
]  # fmt: skip


class Machine(RuleBasedStateMachine):
    """The world and the one way to act on it; the rules come in a subclass, and every one ends in `act`."""

    def __init__(self, loop: asyncio.Runner) -> None:
        super().__init__()
        self.run_ = loop.run
        self.clock = Clock()
        self.issued: list[str] = []
        self.office = Office(
            sealer=Sealer("a secret key for tests only", "rattache.example"), clock=self.clock, token=self._issue
        )
        self.world = World(self.clock.now)
        self.passwords = (f"Some-Lamp-{number}-Burns!" for number in count(1000))

    def _issue(self) -> str:
        self.issued.append(f"token-{len(self.issued)}")
        return self.issued[-1]

    @initialize()
    def populate(self) -> None:
        self.run_(self._populate())

    async def _populate(self) -> None:
        for table in TABLES:
            await database.fetch(f"DELETE FROM {table}", {})
        for name in ("ada", "ben", "cleo", "dan", "eve"):
            account = await factories.person(login_email=f"{name}@people.example", first_name=name)
            self.world.people.append(self._active(account))
        login = "support@people.example"
        account = await factories.person(login_email=login, platform_role=PlatformRole.SUPPORT)
        self.world.people.append(self._active(account, support=True))
        for identifier in ("IMPORTED-PRIVATE", "IMPORTED-PUBLIC"):
            public = identifier.endswith("PUBLIC")
            kind = StructureKind.PUBLIC if public else StructureKind.PRIVATE
            made = await factories.structure(identifier=identifier, kind=kind)
            self.world.places.append(Place(identifier, public, id=made.id))
        for founder, identifier in ((0, "FIRST"), (1, "SECOND")):
            scope = self._scope(self.world.people[founder])
            assert self.world.create(self.world.people[founder], identifier) == []
            await structures.create(scope, self._particulars(identifier))
        await self._agree()
        self.clock.advance(seconds=1)
        self.world.now = self.clock.now
        await self._give(0, 0, "ben", Role.SIMPLE_USER, end=30)
        await self._give(0, 0, "cleo", Role.SECONDARY_MANAGER)
        await self._give(0, 0, "dan", Role.SECONDARY_MANAGER, end=400)
        await self._give(1, 1, "ada", Role.SIMPLE_USER)
        await self._give(1, 1, "dan", Role.SECONDARY_MANAGER)

        await self._ask(2, 1)
        await self._ask(4, 0)
        await self._ask(4, 1)
        await self._offer(0, 0, 1)

    async def _offer(self, by: int, where: int, to: int) -> None:
        """Somebody to whom the seat of the first or the second structure is offered from the start."""
        actor, place, successor = self.world.people[by], self.world.places[2 + where], self.world.people[to]
        assert self.world.offer(actor, place, successor) != REFUSED
        await offers.offer(self._scope(actor), place.id, successor.id)
        await self._agree()

    def _active(self, account: Account, *, support: bool = False) -> Person:
        return Person(
            account.login_email,
            support=support,
            id=account.id,
            password=factories.PASSWORD,
            came_at=account.activated_at,
        )

    async def _ask(self, by: int, where: int) -> None:
        """Somebody who waits to be attached to the first or the second structure from the start."""
        actor, place, today = self.world.people[by], self.world.places[2 + where], self.world.today
        assert self.world.request(actor, place, today, None, False) != REFUSED
        await requests.request(self._scope(actor), [NewRequest(place.id, today)])
        await self._agree()

    async def _give(self, by: int, where: int, name: str, role: Role, end: int | None = None) -> None:
        """Somebody attached to the first or the second structure from the start."""
        actor, place, today = self.world.people[by], self.world.places[2 + where], self.world.today
        login = f"{name}@people.example"
        assert self.world.give(actor, place, login, str(role), today, self.day(end)) != REFUSED
        await attach_user.attach(self._scope(actor), NewAttachment(place.id, login, role, today, self.day(end)))
        await self._agree()

    # ------------------------------------------------------------------ who and what an act is about
    def person(self, number: int) -> Person:
        return self.world.people[number % len(self.world.people)]

    def place(self, number: int) -> Place:
        return self.world.places[number % len(self.world.places)]

    def tie(self, number: int, *statuses: str) -> Tie:
        """Mostly an attachment of one of these statuses: with any other the act can only be refused."""
        fit = [tie for tie in self.world.ties if tie.status in statuses]
        ties = fit if fit and number % 6 else self.world.ties
        return ties[number // 6 % len(ties)]

    def offer(self, number: int) -> Offer:
        """Mostly an open offer: with any other the act can only be refused."""
        fit = [offer for offer in self.world.offers if self.world.offer_read(offer) == "OPEN"]
        offers = fit if fit and number % 6 < 5 else self.world.offers
        return offers[number // 6 % len(offers)]

    def vacant(self, number: int) -> Place:
        """Mostly a place whose seat is to be claimed, or soon will be."""
        seats = [seat for place in self.world.places if (seat := self.world.seat_at(place)) and self.world.line(place)]
        fit = [seat.place for seat in seats if self.world.is_claimable(seat) or self.world.is_away(seat)]
        return fit[number % len(fit)] if fit and number % 6 < 5 else self.place(number)

    def successor(self, number: int, place: Place) -> Person:
        """Mostly somebody who may take the seat there."""
        fit = [person for person in self.world.people if self.world.eligible(person, place)]
        people = fit if fit and number % 4 else self.world.people
        return people[number // 4 % len(people)]

    def stranger(self, number: int, place: Place) -> Person:
        """Mostly somebody who may still be attached there."""
        fit = [person for person in self.world.people if self.world.is_free(person, place)]
        people = fit if fit and number % 4 else self.world.people
        return people[number // 4 % len(people)]

    def actor(self, kind: str, number: int, place: Place, owner: Person | None = None) -> Person:
        holder = self.world.holder(place)
        if kind == "holder" and holder is not None:
            return holder
        seconds = self.world.managers(place, str(Role.SECONDARY_MANAGER)) if kind == "second" else []
        if seconds:
            return seconds[number % len(seconds)]
        return owner if kind == "owner" and owner is not None else self.person(number)

    def day(self, offset: int | None) -> date | None:
        return None if offset is None else self.world.today + timedelta(days=offset)

    def _scope(self, person: Person | None = None) -> Scope:
        """As the endpoint makes it: only an active account has a session."""
        signed_in = person is not None and person.state == "ACTIVE"
        role = PlatformRole.SUPPORT if person and person.support else None
        return Scope(self.office, Actor(person.id, 0, role) if person and signed_in else None, Language.EN)

    def _particulars(self, identifier: str) -> Particulars:
        return Particulars(IdentifierType.OTHER, identifier, ADDRESS, name=f"Structure {identifier}")

    def some_are(self, *states: str) -> bool:
        return any(person.state in states for person in self.world.people)

    def some_stand(self, status: str) -> bool:
        return any(tie.status == status for tie in self.world.ties)

    def with_link(self, number: int, purpose: str) -> tuple[Person, str]:
        """Somebody with a mailed link of the purpose; else anybody, with a link that never was."""
        waiting = [person for person in self.world.people if purpose in person.links]
        person = waiting[number % len(waiting)] if waiting else self.person(number)
        return person, person.links[purpose][0] if waiting else "unknown"

    # ------------------------------------------------------------------ one act, compared
    def act(
        self,
        by: Person | str | None,
        foretell: Callable[[], Foretold],
        do: Callable[[Scope], Awaitable[object]],
        *,
        signed_in: bool = True,
        mailed: tuple[str, str] | None = None,
    ) -> None:
        """Do it and compare. `by` is who the events name, `mailed` the link (purpose, login) that may go out."""
        self.run_(self._act(by, foretell, do, signed_in, mailed))

    async def _act(
        self,
        by: Person | str | None,
        foretell: Callable[[], Foretold],
        do: Callable[[Scope], Awaitable[object]],
        signed_in: bool,
        mailed: tuple[str, str] | None,
    ) -> None:
        scope = self._scope(by if signed_in and isinstance(by, Person) else None)
        events, mails = await factories.traces()
        links = len(self.issued)
        foretold = foretell()
        answer = await _answer(do(scope))
        new_events = await Event.all().order_by("id").offset(events)
        new_mails = [(mail.message, mail.address.casefold()) for mail in await Mail.all().order_by("id").offset(mails)]
        self._compare(foretold, answer, new_events, new_mails)
        if mailed is not None and len(self.issued) > links:
            purpose, login = mailed
            self.person_of(login).links[purpose] = (self.issued[-1], self.clock.now + LINK_LIFE)
        await self._learn_ids()
        actor = self.person_of(by) if isinstance(by, str) else by
        named = {event.actor_id for event in new_events}
        assert named <= {actor.id if actor else None}, [event.type for event in new_events]
        await self._agree()
        await invariants.check(self.clock.now)
        self.clock.advance(seconds=1)
        self.world.now = self.clock.now

    def _compare(self, foretold: Foretold, answer: object, events: list[Event], mails: list[tuple[str, str]]) -> None:
        types = [event.type for event in events]
        if foretold in (REFUSED, UNCHANGED):
            assert isinstance(answer, Exception) == (foretold == REFUSED), f"foretold {foretold}, came {answer!r}"
            assert (types, mails) == ([], [])
        else:
            assert not isinstance(answer, Exception), f"foretold a change with mails {foretold}, came {answer!r}"
            assert sorted(mails) == sorted(foretold), f"mails foretold (right) and sent (left), events {types}"
            repeated = {message for message, _ in mails} <= {"address_already_known", "account_activation"}
            assert types or (mails and repeated), "a change with no event"

    def person_of(self, login: str) -> Person:
        person = self.world.by_login(login)
        assert person is not None
        return person

    async def _learn_ids(self) -> None:
        for account in await Account.all():
            person = self.world.by_login(account.login_key)
            assert person is not None, f"{account.login_key} came from nowhere"
            person.id = account.id

    async def _agree(self) -> None:
        """The tables hold what the oracle holds."""
        world = self.world
        accounts_ = {row.id: (row.login_key, str(row.state), row.deactivated_at) for row in await Account.all()}
        assert accounts_ == {p.id: (p.login, p.state, p.left_at) for p in world.people}
        rows = await Structure.all().order_by("id")
        found = {row.identifier: (row.is_public, row.is_active, row.managed) for row in rows}
        assert found == {p.identifier: (p.public, p.active, p.managed) for p in world.places}
        ids = {row.identifier: row.id for row in rows}
        for place in world.places:
            place.id = ids[place.identifier]
        held = await Attachment.all().order_by("id")
        assert [
            (row.user_id, row.structure_id, str(row.role), str(row.status), row.valid_from, row.valid_until)
            for row in held
        ] == [(t.person.id, t.place.id, t.role, t.status, t.start, t.end) for t in world.ties]
        assert [(row.role_since, row.absence_told_at) for row in held] == [(t.since, t.told_at) for t in world.ties]
        offered = await PrincipalManagerOffer.all().order_by("id")
        assert [(row.structure_id, row.holder_id, row.successor_id, str(row.status)) for row in offered] == [
            (o.place.id, o.holder.id, o.successor.id, o.status) for o in world.offers
        ]
        for offer_row, offer in zip(offered, world.offers, strict=True):
            offer.id = offer_row.id
        for row, tie in zip(held, world.ties, strict=True):
            tie.id = row.id


async def _answer(call: Awaitable[object]) -> object:
    """What the act came to: the refusal, its own or that of the only element of a bulk act; anything else fails."""
    try:
        answer = await call
    except (DomainError, RateLimited, Unauthenticated) as refusal:
        return refusal
    alone = answer[0] if isinstance(answer, list) and len(answer) == 1 else None
    return alone.error if isinstance(alone, Outcome) and alone.error is not None else answer
