"""A small world in memory that knows DOMAIN's rules and nothing of the program: it foretells what each act comes to.

Every act answers `REFUSED`, `UNCHANGED`, or the mails that go out as (message, address); then the world has moved on.
"""

from datetime import date

from tests.resolvers.machines.oracle_of_principal_managers import Seats
from tests.resolvers.support.worlds import (
    HOUR,
    MAILS_AN_HOUR,
    PRINCIPAL,
    REFUSED,
    SECONDARY,
    UNCHANGED,
    Foretold,
    Person,
    Place,
    Tie,
)


class World(Seats):
    """What becomes of every act, foretold from the rules alone."""

    # ------------------------------------------------------------------ requests
    def request(self, actor: Person, place: Place, start: date, end: date | None, confirmed: bool) -> Foretold:
        if actor.state != "ACTIVE" or not place.active or not self.dates_fit(start, end):
            return REFUSED
        if (place.public and not confirmed) or not self._make_room(actor, place):
            return REFUSED
        self.ties.append(Tie(actor, place, start, end))
        return [("attachment_requested", manager.login) for manager in self.managers(place)]

    def validate(self, actor: Person, tie: Tie, start: date | None, end: date | None) -> Foretold:
        start, end = start or tie.start, end or tie.end
        if not self._decides(actor, tie) or not tie.place.active or not self.dates_fit(start, end):
            return REFUSED
        if tie.person.state not in {"ACTIVE", "PENDING_ACTIVATION"}:
            return REFUSED
        tie.status, tie.start, tie.end = "VALIDATED", start, end
        tie.take(tie.role, self.now)
        return self._told("attachment_validated", tie)

    def refuse(self, actor: Person, tie: Tie, reason: str) -> Foretold:
        if not self._decides(actor, tie) or not reason:
            return REFUSED
        tie.status = "REFUSED"
        return self._told("attachment_refused", tie)

    def withdraw(self, actor: Person, tie: Tie) -> Foretold:
        if actor.state != "ACTIVE" or tie.person is not actor or tie.status != "PENDING":
            return REFUSED
        tie.status = "REMOVED"
        return []

    # ------------------------------------------------------------------ attachments
    def deactivate(self, actor: Person, tie: Tie) -> Foretold:
        if not self._manages_other(actor, tie) or self.read(tie) != "VALIDATED":
            return REFUSED
        tie.status = "DEACTIVATED"
        return self._told("attachment_deactivated", tie)

    def reactivate(self, actor: Person, tie: Tie) -> Foretold:
        if not self._manages_other(actor, tie) or tie.status != "DEACTIVATED":
            return REFUSED
        if self.ended(tie) or not tie.place.active:
            return REFUSED
        tie.status = "VALIDATED"
        return self._told("attachment_reactivated", tie)

    def remove(self, actor: Person, tie: Tie, successor: Person | None) -> Foretold:
        if actor.state != "ACTIVE":
            return REFUSED
        if tie.person is actor and tie.role == PRINCIPAL and tie.live:
            return self._hand_over(tie, successor)
        if self.read(tie) not in {"VALIDATED", "DEACTIVATED"}:
            return REFUSED
        if tie.person is not actor and not self._manages_other(actor, tie):
            return REFUSED
        tie.status = "REMOVED"
        return [] if tie.person is actor else self._told("attachment_removed", tie)

    def give(self, actor: Person, place: Place, login: str, role: str, start: date, end: date | None) -> Foretold:
        mine = self.role(actor, place) if actor.state == "ACTIVE" else None
        if role == PRINCIPAL or mine not in ({PRINCIPAL} if role == SECONDARY else {PRINCIPAL, SECONDARY}):
            return REFUSED
        person = self.by_login(login)
        if person is None or person.state not in {"ACTIVE", "PENDING_ACTIVATION"}:
            return REFUSED
        if not place.active or not self.dates_fit(start, end):
            return REFUSED
        waiting = self.tie(person, place)
        if waiting is None or waiting.status != "PENDING" or person is actor:
            if waiting is not None and waiting.role == SECONDARY and mine != PRINCIPAL:
                return REFUSED
            if not self._make_room(person, place):
                return REFUSED
            waiting = Tie(person, place, start)
            self.ties.append(waiting)
        waiting.status, waiting.start, waiting.end = "VALIDATED", start, end
        waiting.take(role, self.now)
        return [("user_attached", person.login)]

    def update(self, actor: Person, tie: Tie, start: date | None, end: date | None, end_given: bool) -> Foretold:
        if (
            tie.person is actor
        ):  # the seat has no end and its beginning can't be put off; nothing else of one's own moves
            held = actor.state == "ACTIVE" and self.role(actor, tie.place) == PRINCIPAL
            return UNCHANGED if held and start is None and end is None else REFUSED
        if not self._manages_other(actor, tie) or self.read(tie) not in {"VALIDATED", "DEACTIVATED"}:
            return REFUSED
        new_start, new_end = start or tie.start, end if end_given else tie.end
        if new_end is not None and (new_end < new_start or (end_given and new_end < self.today)):
            return REFUSED
        if (new_start, new_end) == (tie.start, tie.end):
            return UNCHANGED
        was_over = tie.end is not None and tie.end < self.today
        if not tie.place.active and was_over and (new_end is None or new_end >= self.today):
            return REFUSED
        tie.start, tie.end = new_start, new_end
        return self._told("attachment_updated", tie)

    # ------------------------------------------------------------------ structures
    def create(self, actor: Person, identifier: str) -> Foretold:
        place = self._identified(identifier)
        if actor.state != "ACTIVE" or (place is not None and (place.managed or place.public)):
            return REFUSED
        self._found(identifier, actor, public=False)
        return []

    def register(self, actor: Person, identifier: str, principal: Person) -> Foretold:
        place = self._identified(identifier)
        if not self._is_support(actor) or (place is not None and place.managed) or principal.state != "ACTIVE":
            return REFUSED
        self._found(identifier, principal, public=True)
        return [("structure_registered", principal.login)]

    def turn(self, actor: Person, place: Place, active: bool) -> Foretold:
        """End or revive the structure."""
        role = self.role(actor, place) if actor.state == "ACTIVE" else None
        if role not in {PRINCIPAL, SECONDARY} or (role == SECONDARY and place.active != active):
            return REFUSED
        if place.active == active:
            return UNCHANGED
        place.active = active
        if not active:
            self._lapse(place)
        others = [t.person for t in self.ties if t.place is place and self.holds(t) and t.person is not actor]
        return [] if active else [("structure_ended", person.login) for person in others if person.state == "ACTIVE"]

    def _identified(self, identifier: str) -> Place | None:
        return next((p for p in self.places if p.identifier == identifier), None)

    def _found(self, identifier: str, principal: Person, *, public: bool) -> None:
        place = self._identified(identifier)
        if place is None:
            place = Place(identifier)
            self.places.append(place)
        place.public, place.active = public, True
        self.seat(principal, place)

    # ------------------------------------------------------------------ accounts
    def by_login(self, login: str) -> Person | None:
        return next((p for p in self.people if p.login == login.strip().casefold()), None)

    def sign_up(self, login: str) -> Foretold:
        person = self.by_login(login)
        if person is None:
            self.people.append(Person(login.strip().casefold(), "PENDING_ACTIVATION"))
        elif not self._may_mail("ACTIVATION", login):
            return UNCHANGED
        elif person.state == "ACTIVE":
            return [("address_already_known", person.login)]
        elif person.state != "PENDING_ACTIVATION":
            return UNCHANGED
        return [("account_activation", login.strip().casefold())]

    def activate(self, person: Person, password: str) -> Foretold:
        if person.state != "PENDING_ACTIVATION" or not self._good_link(person, "ACTIVATION"):
            return REFUSED
        person.state, person.password, person.links = "ACTIVE", password, {}
        return self.sign_in(person)

    def sign_in(self, person: Person) -> Foretold:
        if person.state != "ACTIVE":
            return REFUSED
        person.came_at, person.signed_in = self.now, True
        return []

    def leave(self, actor: Person, confirmed: bool, for_all: Person | None, each: dict[Place, Person]) -> Foretold:
        if actor.state != "ACTIVE" or not confirmed:
            return REFUSED
        seats = [t for t in self.ties if t.person is actor and t.role == PRINCIPAL and t.status == "VALIDATED"]
        if any(place not in [seat.place for seat in seats] for place in each):
            return REFUSED
        handing = [(seat, each.get(seat.place, for_all)) for seat in seats if seat.place.active or seat.place in each]
        if any(to is actor or not self.eligible(to, seat.place) for seat, to in handing):
            return REFUSED
        told = [mail for seat, to in handing if to is not None for mail in self._handed_over(seat, to)]
        mails = [mail for mail in told if mail[1] != actor.login]
        for tie in self.ties:
            if tie.person is actor and tie.status == "PENDING":
                tie.status = "REMOVED"
        actor.state, actor.left_at, actor.links = "DEACTIVATED", self.now, {}
        return [*mails, ("account_deactivated", actor.login)]

    def ask_back(self, login: str) -> Foretold:
        person = self.by_login(login)
        if not self._may_mail("REACTIVATION", login) or person is None or self.state(person) != "DEACTIVATED":
            return UNCHANGED
        return [("reactivation_link", person.login)]

    def come_back(self, person: Person, password: str) -> Foretold:
        if self.state(person) != "DEACTIVATED" or not self._good_link(person, "REACTIVATION"):
            return REFUSED
        person.state, person.left_at, person.links, person.password = "ACTIVE", None, {}, password
        self.sign_in(person)
        return [("account_reactivated", person.login)]

    def suspend(self, actor: Person, person: Person, reason: str) -> Foretold:
        if not self._is_support(actor) or not reason or person.support:
            return REFUSED
        if self.state(person) in {"SUSPENDED", "CLOSED"}:
            return REFUSED
        told = [("account_suspended", person.login)] if person.state == "ACTIVE" else []
        person.state, person.links = "SUSPENDED", {}
        for seat in [t for t in self.ties if t.person is person and t.role == PRINCIPAL and t.status == "VALIDATED"]:
            self._lapse(seat.place)
            seat.told_at = None
            if seat.place.active:
                told += [("principal_manager_claimable", reader.login) for reader in self.line(seat.place)]
        return told

    def reopen(self, actor: Person, person: Person, reason: str) -> Foretold:
        if not self._is_support(actor) or not reason or self.state(person) not in {"SUSPENDED", "CLOSED"}:
            return REFUSED
        if person.state == "SUSPENDED" and person.left_at is None:
            person.state = "ACTIVE" if person.password else "PENDING_ACTIVATION"
            return [("account_reactivated" if person.password else "account_activation", person.login)]
        person.state, person.left_at = "DEACTIVATED", self.now
        return [("account_reopened", person.login)]

    # ------------------------------------------------------------------ shared by the acts
    def _make_room(self, person: Person, place: Place) -> bool:
        present = self.tie(person, place)
        free = self.is_free(person, place)
        if present is not None and free:
            present.status = "REMOVED"
        return free

    def _good_link(self, person: Person, purpose: str) -> bool:
        return purpose in person.links and self.now < person.links[purpose][1]

    def _may_mail(self, purpose: str, login: str) -> bool:
        key = (purpose, login.strip().casefold())
        count, began = self._mailed.get(key, (0, self.now))
        if self.now - began >= HOUR:
            count, began = 0, self.now
        if count >= MAILS_AN_HOUR:
            return False
        self._mailed[key] = (count + 1, began)
        return True
