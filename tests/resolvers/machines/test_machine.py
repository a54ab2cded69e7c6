"""Random acts of random people, by the thousand: the program and a small oracle must agree after every one.

After each act: the oracle foretold whether it was accepted and which mails went out; a refusal left no event and no
mail; a change left at least one event, of the right actor; the tables hold what the oracle holds; the invariants hold.
"""

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from models.accounts.accounts import Language
from models.attachments.attachments import Role
from models.db import database
from models.structures.structures import StructureStatus
from resolvers.accounts import accounts, deactivation, sessions, wishes
from resolvers.accounts.deactivation import Succession
from resolvers.attachments import attach_user, lifecycle, offers, principal_manager, requests, vacancies
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.lifecycle import Change
from resolvers.attachments.requests import NewRequest, Validation
from resolvers.scope import Scope
from resolvers.structures import structures
from tests.resolvers.machines.machines import IDENTIFIERS, MOST_PEOPLE, SUPPORT, Machine
from tests.support import invariants

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "40"))
STEPS = int(os.environ.get("MACHINE_STEPS", "60"))

someone = st.integers(0, MOST_PEOPLE - 1)
some_successor = some_stranger = st.integers(0, 60)
somewhere = st.integers(0, len(IDENTIFIERS) + 1)
some_tie = st.integers(0, 120)
# Whose act it is: often the manager's, or the person's whose attachment it is, else it would mostly be refused.
by = st.sampled_from(["holder", "holder", "second", "owner", "anyone"])
by_support = st.sampled_from([SUPPORT, SUPPORT, SUPPORT, *range(MOST_PEOPLE)])
days = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([30, 400]))


class RandomActs(Machine):
    """Every act, by anybody, on anything."""

    # ------------------------------------------------------------------ time
    @rule(
        span=st.sampled_from(
            [{"minutes": 59}, {"hours": 2}, {"hours": 20}, {"days": 1}, {"days": 3}, {"days": 14}, {"days": 61}]
        ),
        worked=st.sampled_from([True, True, False]),
    )
    def time_passes(self, span: dict[str, int], worked: bool) -> None:
        """Mostly with a worker there to notice."""
        self.clock.advance(**span)
        self.world.now = self.clock.now
        self.run_(invariants.check(self.clock.now))
        if worked:
            self.act(None, self.world.tell_absent, vacancies.tell_absent_principal_managers)
            self.act(None, self.world.tell_expired, offers.tell_expired_offers)

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
            lambda scope: lifecycle.deactivate(scope, [tie.id], None),
        )

    @precondition(lambda self: self.some_stand("DEACTIVATED"))
    @rule(number=some_tie, kind=by, who=someone)
    def somebody_reactivates_an_attachment(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "DEACTIVATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(actor, lambda: self.world.reactivate(actor, tie), lambda scope: lifecycle.reactivate(scope, [tie.id]))

    @rule(number=some_tie, kind=by, who=someone, successor=st.one_of(st.none(), some_successor))
    def somebody_removes(self, number: int, kind: str, who: int, successor: int | None) -> None:
        tie = self.tie(number, "VALIDATED", "DEACTIVATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        to = None if successor is None else self.successor(successor, tie.place)
        named = {} if to is None else {tie.place.id: (to.id, 0)}
        self.act(
            actor, lambda: self.world.remove(actor, tie, to), lambda scope: lifecycle.remove(scope, [tie.id], named)
        )

    @rule(where=somewhere, kind=by, who=someone, to=some_stranger, role=st.sampled_from(Role), start=days, end=days)
    def somebody_attaches_a_user(
        self, where: int, kind: str, who: int, to: int, role: Role, start: int | None, end: int | None
    ) -> None:
        place = self.place(where)
        actor, login = self.actor(kind, who, place), self.stranger(to, place).login.upper()
        first, last = self.day(start or 0) or self.world.today, self.day(end)
        new = NewAttachment(place.id, login, role, first, last)
        self.act(
            actor,
            lambda: self.world.give(actor, place, login, role, first, last),
            lambda scope: attach_user.attach(scope, new),
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
            lambda scope: lifecycle.update(scope, tie.id, change),
        )

    # ------------------------------------------------------------------ seats
    @rule(number=some_tie, kind=by, who=someone, role=st.sampled_from(Role))
    def somebody_changes_a_role(self, number: int, kind: str, who: int, role: Role) -> None:
        tie = self.tie(number, "VALIDATED")
        actor = self.actor(kind, who, tie.place, tie.person)
        self.act(
            actor,
            lambda: self.world.change_role(actor, tie, role),
            lambda scope: principal_manager.change_role(scope, tie.id, role),
        )

    @rule(number=some_tie, kind=by, who=someone)
    def somebody_hands_over(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "VALIDATED")
        actor = self.actor(kind, who, tie.place)
        self.act(
            actor,
            lambda: self.world.transfer(actor, tie.place, tie.person),
            lambda scope: principal_manager.transfer(scope, tie.place.id, tie.person.id),
        )

    @rule(where=somewhere, who=by_support, to=someone)
    def support_appoints(self, where: int, who: int, to: int) -> None:
        actor, place, person = self.person(who), self.place(where), self.person(to)
        self.act(
            actor,
            lambda: self.world.appoint(actor, place, person),
            lambda scope: principal_manager.appoint(scope, place.id, person.id, "nobody can act"),
        )

    @rule(where=somewhere, kind=by, who=someone)
    def somebody_claims_a_seat(self, where: int, kind: str, who: int) -> None:
        place = self.vacant(where)
        line = self.world.line(place)
        actor = line[0] if line and who % 4 < 3 else self.actor(kind, who, place)
        self.act(actor, lambda: self.world.claim(actor, place), lambda scope: vacancies.claim(scope, place.id))

    @rule(number=some_tie, kind=by, who=someone)
    def somebody_offers_the_seat(self, number: int, kind: str, who: int) -> None:
        tie = self.tie(number, "VALIDATED")
        actor = self.actor(kind, who, tie.place)
        self.act(
            actor,
            lambda: self.world.offer(actor, tie.place, tie.person),
            lambda scope: offers.offer(scope, tie.place.id, tie.person.id),
        )

    @precondition(lambda self: self.world.offers)
    @rule(
        number=some_tie,
        who=someone,
        act=st.sampled_from(["accept", "decline", "withdraw"]),
        owner=st.sampled_from([True, True, False]),
    )
    def somebody_answers_an_offer(self, number: int, who: int, act: str, owner: bool) -> None:
        given = self.offer(number)
        able = given.holder if act == "withdraw" else given.successor
        actor = able if owner else self.person(who)
        foretell = {"accept": self.world.accept, "decline": self.world.decline, "withdraw": self.world.take_back}[act]
        self.act(actor, lambda: foretell(actor, given), lambda scope: getattr(offers, act)(scope, given.id))

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
            lambda scope: self.newcomer(scope, login, name),
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
        places = self.world.principal_attachments_of(actor)
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
            lambda scope: deactivation.deactivate(
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
            lambda scope: self.way_back(scope, person.login),
            signed_in=False,
            mailed=("REACTIVATION", person.login),
        )

    @staticmethod
    async def newcomer(scope: Scope, login: str, name: str) -> None:
        await accounts.sign_up(
            scope, login_email=login, first_name=name, last_name="New", language=Language.FR, accept_terms=True
        )
        await wishes.grant(scope)

    @staticmethod
    async def way_back(scope: Scope, login: str) -> None:
        await deactivation.request_reactivation(scope, login)
        await wishes.grant(scope)

    @precondition(lambda self: self.some_are("DEACTIVATED"))
    @rule(who=someone)
    def somebody_comes_back(self, who: int) -> None:
        person, token = self.with_link(who, "REACTIVATION")
        chosen = {"password": next(self.passwords), "secret_question": "Which lamp?", "secret_answer": "the red one"}
        self.act(
            person.login,
            lambda: self.world.come_back(person, chosen["password"]),
            lambda scope: deactivation.reactivate(scope, token=token, **chosen),
            signed_in=False,
        )

    @rule(who=by_support, whom=someone, reason=st.sampled_from(["reported", "reported", ""]))
    def support_suspends(self, who: int, whom: int, reason: str) -> None:
        holders = [person for person in self.world.people if self.world.principal_attachments_of(person)]
        actor, person = self.person(who), holders[whom % len(holders)] if whom % 2 else self.person(whom)
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
            mailed=("REACTIVATION" if person.password else "ACTIVATION", person.login),
        )


@pytest.fixture
def runner(database_url: str) -> Iterator[asyncio.Runner]:
    """One event loop for all examples, connected to an empty migrated database."""
    with asyncio.Runner() as runner:
        runner.run(database.connect(database_url))
        yield runner
        runner.run(database.close())


def test_random_acts_of_random_people_come_to_what_the_oracle_foretells(runner: asyncio.Runner) -> None:
    run_state_machine_as_test(
        lambda: RandomActs(runner),  # type: ignore[arg-type]  # any factory will do
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
