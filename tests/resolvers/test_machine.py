"""Random acts of random people, by the thousand: the program and a small oracle must agree after every one.

After each act: the oracle foretold whether it was accepted and which mails went out; a refusal left no event and no
mail; a change left at least one event, of the right actor; the tables hold what the oracle holds; the invariants hold.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from mailer.seals import Sealer
from models import database
from models.accounts import Account, Language
from models.actors import Actor, PlatformRole
from models.attachments import Attachment, Role
from models.errors import DomainError, RateLimited, Unauthenticated
from models.events import Event
from models.identifiers import IdentifierType
from models.outbox import Mail
from models.structures import Structure, StructureKind, StructureStatus
from resolvers import accounts, attachments, deactivations, gifts, requests, seats, sessions, structures
from resolvers.attachments import Change
from resolvers.deactivations import Succession
from resolvers.gifts import Gift
from resolvers.requests import NewRequest, Validation
from resolvers.scope import Office, Scope
from resolvers.structures import Particulars
from resolvers.targets import Outcome
from tests import factories, invariants
from tests.conftest import Clock
from tests.resolvers.oracle import LINK_LIFE, REFUSED, UNCHANGED, Foretold, Person, Place, Tie, World

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "60"))
STEPS = int(os.environ.get("MACHINE_STEPS", "60"))
IDENTIFIERS = ["NEW-1", "NEW-2", "IMPORTED-PRIVATE", "IMPORTED-PUBLIC"]
ADDRESS = {"line1": "1 rue des Essais", "postcode": "75001", "city": "Paris", "country": "FR"}
MOST_PEOPLE = 9
SUPPORT = 5  # their number among the people
# Children before parents, as foreign keys want it.
TABLES = [
    "outbox", "events", "attachment_services", "space_subscriptions", "open_spaces", "services", "attachments",
    "one_time_tokens", "sessions", "former_passwords", "brakes", "structures", "accounts",
]  # fmt: skip

someone = st.integers(0, MOST_PEOPLE - 1)
some_successor = some_stranger = st.integers(0, 60)
somewhere = st.integers(0, len(IDENTIFIERS) + 1)
some_tie = st.integers(0, 120)
# Whose act it is: often the manager's, or the person's whose attachment it is, else it would mostly be refused.
by = st.sampled_from(["holder", "holder", "second", "owner", "anyone"])
by_support = st.sampled_from([SUPPORT, SUPPORT, SUPPORT, *range(MOST_PEOPLE)])
days = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([30, 400]))


class Machine(RuleBasedStateMachine):
    """The rules; every one ends in `act`."""

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
            self.world.people.append(Person(account.login_email, id=account.id, password=factories.PASSWORD))
        login = "support@people.example"
        account = await factories.person(login_email=login, platform_role=PlatformRole.SUPPORT)
        self.world.people.append(Person(login, support=True, id=account.id, password=factories.PASSWORD))
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
        await gifts.give(self._scope(actor), Gift(place.id, login, role, today, self.day(end)))
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
        named = {event.actor_id for event in new_events}  # type: ignore[attr-defined]
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
        for row, tie in zip(held, world.ties, strict=True):
            tie.id = row.id

    # ------------------------------------------------------------------ time
    @rule(span=st.sampled_from([{"minutes": 59}, {"hours": 2}, {"hours": 20}, {"days": 1}, {"days": 3}, {"days": 61}]))
    def time_passes(self, span: dict[str, int]) -> None:
        self.clock.advance(**span)
        self.world.now = self.clock.now
        self.run_(invariants.check(self.clock.now))

    # ------------------------------------------------------------------ requests
    @rule(who=some_stranger, where=somewhere, start=days, end=days, confirmed=st.booleans())
    def somebody_asks_to_be_attached(
        self, who: int, where: int, start: int | None, end: int | None, confirmed: bool
    ) -> None:
        place = self.place(where)
        actor = self.stranger(who, place)
        first, last = self.day(start or 0) or self.world.today, self.day(end)
        asked = NewRequest(place.id, first, last, confirm_public=confirmed)
        self.act(
            actor,
            lambda: self.world.request(actor, place, first, last, confirmed),
            lambda scope: requests.request(scope, [asked]),
        )

    @precondition(lambda self: self.some_stand("PENDING"))
    @rule(number=some_tie, kind=by, who=someone, start=days, end=days)
    def somebody_validates(self, number: int, kind: str, who: int, start: int | None, end: int | None) -> None:
        tie = self.tie(number, "PENDING")
        actor = self.actor(kind, who, tie.place, tie.person)
        first, last = self.day(start), self.day(end)
        given = Validation(tie.id, first, last, end_given=last is not None)
        self.act(
            actor, lambda: self.world.validate(actor, tie, first, last), lambda scope: requests.validate(scope, [given])
        )

    @precondition(lambda self: self.some_stand("PENDING"))
    @rule(number=some_tie, kind=by, who=someone, reason=st.sampled_from(["not known here", "no", " "]))
    def somebody_refuses(self, number: int, kind: str, who: int, reason: str) -> None:
        tie = self.tie(number, "PENDING")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(
            actor,
            lambda: self.world.refuse(actor, tie, reason.strip()),
            lambda scope: requests.refuse(scope, [tie.id], reason),
        )

    @precondition(lambda self: self.some_stand("PENDING"))
    @rule(number=some_tie, kind=by, who=someone)
    def somebody_withdraws(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "PENDING")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(actor, lambda: self.world.withdraw(actor, tie), lambda scope: requests.withdraw(scope, [tie.id]))

    # ------------------------------------------------------------------ attachments
    @rule(number=some_tie, kind=by, who=someone)
    def somebody_deactivates_an_attachment(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "VALIDATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(
            actor,
            lambda: self.world.deactivate(actor, tie),
            lambda scope: attachments.deactivate(scope, [tie.id], None),
        )

    @precondition(lambda self: self.some_stand("DEACTIVATED"))
    @rule(number=some_tie, kind=by, who=someone)
    def somebody_reactivates_an_attachment(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "DEACTIVATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(
            actor, lambda: self.world.reactivate(actor, tie), lambda scope: attachments.reactivate(scope, [tie.id])
        )

    @rule(number=some_tie, kind=by, who=someone, successor=st.one_of(st.none(), some_successor))
    def somebody_removes(self, number: int, kind: str, who: int, successor: int | None) -> None:
        tie = self.tie(number, "VALIDATED", "DEACTIVATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        to = None if successor is None else self.successor(successor, tie.place)
        named = {} if to is None else {tie.place.id: (to.id, 0)}
        self.act(
            actor, lambda: self.world.remove(actor, tie, to), lambda scope: attachments.remove(scope, [tie.id], named)
        )

    @rule(where=somewhere, kind=by, who=someone, to=some_stranger, role=st.sampled_from(Role), start=days, end=days)
    def somebody_attaches_a_user(
        self, where: int, kind: str, who: int, to: int, role: Role, start: int | None, end: int | None
    ) -> None:
        place = self.place(where)
        actor, login = self.actor(kind, who, place), self.stranger(to, place).login.upper()
        first, last = self.day(start or 0) or self.world.today, self.day(end)
        gift = Gift(place.id, login, role, first, last)
        self.act(
            actor,
            lambda: self.world.give(actor, place, login, role, first, last),
            lambda scope: gifts.give(scope, gift),
        )

    @rule(number=some_tie, kind=by, who=someone, start=days, end=days, end_given=st.booleans())
    def somebody_moves_dates(
        self, number: int, kind: str, who: int, start: int | None, end: int | None, end_given: bool
    ) -> None:
        tie = self.tie(number, "VALIDATED", "DEACTIVATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        first, last = self.day(start), self.day(end) if end_given else None
        change = Change(first, last, end_given)
        self.act(
            actor,
            lambda: self.world.update(actor, tie, first, last, end_given),
            lambda scope: attachments.update(scope, tie.id, change),
        )

    # ------------------------------------------------------------------ seats
    @rule(number=some_tie, kind=by, who=someone, role=st.sampled_from(Role))
    def somebody_changes_a_role(self, number: int, kind: str, who: int, role: Role) -> None:
        tie = self.tie(number, "VALIDATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(
            actor,
            lambda: self.world.change_role(actor, tie, role),
            lambda scope: seats.change_role(scope, tie.id, role),
        )

    @rule(number=some_tie, kind=by, who=someone)
    def somebody_hands_over(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "VALIDATED")
        actor = self.actor(kind, who, tie.place)
        self.act(
            actor,
            lambda: self.world.transfer(actor, tie.place, tie.person),
            lambda scope: seats.transfer(scope, tie.place.id, tie.person.id),
        )

    @rule(where=somewhere, who=by_support, to=someone)
    def support_appoints(self, where: int, who: int, to: int) -> None:
        actor, place, person = self.person(who), self.place(where), self.person(to)
        self.act(
            actor,
            lambda: self.world.appoint(actor, place, person),
            lambda scope: seats.appoint(scope, place.id, person.id, "nobody can act"),
        )

    # ------------------------------------------------------------------ structures
    @rule(who=someone, identifier=st.sampled_from(IDENTIFIERS))
    def somebody_creates_a_structure(self, who: int, identifier: str) -> None:
        actor = self.person(who)
        self.act(
            actor,
            lambda: self.world.create(actor, identifier),
            lambda scope: structures.create(scope, self._particulars(identifier)),
        )

    @rule(who=by_support, to=someone, identifier=st.sampled_from(IDENTIFIERS))
    def support_registers_a_public_structure(self, who: int, to: int, identifier: str) -> None:
        actor, principal = self.person(who), self.person(to)
        given = self._particulars(identifier)
        self.act(
            actor,
            lambda: self.world.register(actor, identifier, principal),
            lambda scope: structures.register_public(scope, given, principal.id),
        )

    @rule(where=somewhere, kind=by, who=someone, active=st.booleans())
    def somebody_ends_or_revives_a_structure(self, where: int, kind: str, who: int, active: bool) -> None:
        place = self.place(where)
        actor = self.actor(kind, who, place)
        changes = {"status": StructureStatus.ACTIVE if active else StructureStatus.INACTIVE}
        self.act(
            actor,
            lambda: self.world.turn(actor, place, active),
            lambda scope: structures.update(scope, place.id, changes),
        )

    # ------------------------------------------------------------------ accounts
    @rule(name=st.sampled_from(["fay", "Gus", "hal", "ada"]))
    def somebody_signs_up(self, name: str) -> None:
        login = f"{name}@people.example"
        known = self.world.by_login(login) is not None
        self.act(
            None if known else login,
            lambda: self.world.sign_up(login),
            lambda scope: accounts.sign_up(
                scope, login_email=login, first_name=name, last_name="New", language=Language.FR, accept_terms=True
            ),
            signed_in=False,
            mailed=("ACTIVATION", login),
        )

    @precondition(lambda self: self.some_are("PENDING_ACTIVATION"))
    @rule(who=someone)
    def somebody_activates(self, who: int) -> None:
        person, token = self.with_link(who, "ACTIVATION")
        chosen = {"password": next(self.passwords), "secret_question": "Which lamp?", "secret_answer": "the red one"}
        self.act(
            person.login,
            lambda: self.world.activate(person, chosen["password"]),
            lambda scope: accounts.activate(scope, token=token, **chosen),
            signed_in=False,
        )

    @rule(who=someone)
    def somebody_signs_in(self, who: int) -> None:
        person = self.person(who)
        password = person.password
        if password is not None:
            self.act(
                person.login,
                lambda: self.world.sign_in(person),
                lambda scope: sessions.sign_in(scope, person.login, password),
                signed_in=False,
            )

    @rule(
        who=someone, confirmed=st.sampled_from([True, True, True, False]), number=some_successor,
        naming=st.sampled_from(["each", "each", "one", "some", "nobody"]), where=somewhere,
    )  # fmt: skip
    def somebody_leaves(self, who: int, confirmed: bool, number: int, naming: str, where: int) -> None:
        actor = self.person(who)
        places = self.world.seats_of(actor)
        named, to = {}, None
        match naming:
            case "each":
                named = {place: self.successor(number + index, place) for index, place in enumerate(places)}
            case "one":
                to = self.successor(number, places[0] if places else self.place(where))
            case "some":
                named = {self.place(where): self.successor(number, self.place(where))}
        successions = [Succession(place.id, person.id) for place, person in named.items()]
        self.act(
            actor,
            lambda: self.world.leave(actor, confirmed, to, named),
            lambda scope: deactivations.deactivate(
                scope, confirm=confirmed, successor_for_all=to.id if to else None, successions=successions
            ),
        )

    @precondition(lambda self: self.some_are("DEACTIVATED"))
    @rule(who=someone)
    def somebody_asks_to_come_back(self, who: int) -> None:
        gone = [person for person in self.world.people if person.state == "DEACTIVATED"]
        person = gone[who % len(gone)] if gone and who % 4 else self.person(who)
        self.act(
            None,
            lambda: self.world.ask_back(person.login),
            lambda scope: deactivations.request_reactivation(scope, person.login),
            signed_in=False,
            mailed=("REACTIVATION", person.login),
        )

    @precondition(lambda self: self.some_are("DEACTIVATED"))
    @rule(who=someone)
    def somebody_comes_back(self, who: int) -> None:
        person, token = self.with_link(who, "REACTIVATION")
        chosen = {"password": next(self.passwords), "secret_question": "Which lamp?", "secret_answer": "the red one"}
        self.act(
            person.login,
            lambda: self.world.come_back(person, chosen["password"]),
            lambda scope: deactivations.reactivate(scope, token=token, **chosen),
            signed_in=False,
        )

    @rule(who=by_support, whom=someone, reason=st.sampled_from(["reported", "reported", ""]))
    def support_suspends(self, who: int, whom: int, reason: str) -> None:
        actor, person = self.person(who), self.person(whom)
        self.act(
            actor,
            lambda: self.world.suspend(actor, person, reason),
            lambda scope: accounts.suspend(scope, person.id, reason),
        )

    @precondition(lambda self: self.some_are("SUSPENDED", "DEACTIVATED"))
    @rule(who=by_support, whom=someone, reason=st.sampled_from(["heard", "heard", ""]))
    def support_reopens(self, who: int, whom: int, reason: str) -> None:
        shut = [person for person in self.world.people if person.state not in {"ACTIVE", "PENDING_ACTIVATION"}]
        actor, person = self.person(who), shut[whom % len(shut)] if shut else self.person(whom)
        self.act(
            actor,
            lambda: self.world.reopen(actor, person, reason),
            lambda scope: accounts.reopen(scope, person.id, reason),
            mailed=("REACTIVATION", person.login),
        )


async def _answer(call: Awaitable[object]) -> object:
    """What the act came to: the refusal, its own or that of the only element of a bulk act; anything else fails."""
    try:
        answer = await call
    except (DomainError, RateLimited, Unauthenticated) as refusal:
        return refusal
    alone = answer[0] if isinstance(answer, list) and len(answer) == 1 else None
    return alone.error if isinstance(alone, Outcome) and alone.error is not None else answer


@pytest.fixture
def runner(database_url: str) -> Iterator[asyncio.Runner]:
    """One event loop for all examples, connected to an empty migrated database."""
    with asyncio.Runner() as runner:
        runner.run(database.connect(database_url))
        yield runner
        runner.run(database.close())


def test_random_acts_of_random_people_come_to_what_the_oracle_foretells(runner: asyncio.Runner) -> None:
    run_state_machine_as_test(
        lambda: Machine(runner),  # type: ignore[arg-type]  # any factory will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="CI" in os.environ,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
