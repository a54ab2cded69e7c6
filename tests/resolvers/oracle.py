"""A small world in memory that knows DOMAIN's rules and nothing of the program: it foretells what each act comes to.

Every act answers `REFUSED`, `UNCHANGED`, or the mails that go out as (message, address); then the world has moved on.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

REFUSED, UNCHANGED = "refused", "unchanged"
Mails = list[tuple[str, str]]
Foretold = str | Mails

PARIS = ZoneInfo("Europe/Paris")
PRINCIPAL, SECONDARY, SIMPLE = "PRINCIPAL_MANAGER", "SECONDARY_MANAGER", "SIMPLE_USER"
LINK_LIFE, HOUR, WINDOW = timedelta(minutes=60), timedelta(hours=1), timedelta(days=60)
MAILS_AN_HOUR = 5
AWAY, NOTICE, OFFER_LIFE = timedelta(days=90), timedelta(days=14), timedelta(days=14)


@dataclass(eq=False)
class Person:
    """Somebody with an account; `links` are the mailed ones still unused, by purpose."""

    login: str
    state: str = "ACTIVE"
    support: bool = False
    id: int = 0
    left_at: datetime | None = None
    came_at: datetime | None = None  # signed in last, or else activated
    signed_in: bool = False
    password: str | None = None
    links: dict[str, tuple[str, datetime]] = field(default_factory=dict)


@dataclass(eq=False)
class Place:
    """A structure."""

    identifier: str
    public: bool = False
    active: bool = True
    managed: bool = False
    id: int = 0


@dataclass(eq=False)
class Tie:
    """An attachment."""

    person: Person
    place: Place
    start: date
    end: date | None = None
    role: str = SIMPLE
    status: str = "PENDING"
    id: int = 0
    since: datetime | None = None  # has had its role since then
    told_at: datetime | None = None  # a holder who was told of their absence

    def take(self, role: str, now: datetime) -> None:
        if role != self.role or self.since is None:
            self.role, self.since, self.told_at = role, now, None

    @property
    def live(self) -> bool:
        return self.status in {"PENDING", "VALIDATED", "DEACTIVATED"}


@dataclass(eq=False)
class Offer:
    """A seat offered to somebody."""

    place: Place
    holder: Person
    successor: Person
    until: datetime
    status: str = "OPEN"
    id: int = 0


class World:
    """Who is tied to what, by the same clock as the program's."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.people: list[Person] = []
        self.places: list[Place] = []
        self.ties: list[Tie] = []
        self.offers: list[Offer] = []
        self._mailed: dict[tuple[str, str], tuple[int, datetime]] = {}

    # ------------------------------------------------------------------ what can be seen from outside
    @property
    def today(self) -> date:
        return self.now.astimezone(PARIS).date()

    def state(self, person: Person) -> str:
        closed = person.state == "DEACTIVATED" and person.left_at is not None and self.now >= person.left_at + WINDOW
        return "CLOSED" if closed else person.state

    def tie(self, person: Person, place: Place) -> Tie | None:
        return next((t for t in self.ties if t.person is person and t.place is place and t.live), None)

    def ended(self, tie: Tie) -> bool:
        return tie.end is not None and tie.end < self.today

    def read(self, tie: Tie) -> str:
        """The status as people read it."""
        return "DEACTIVATED" if tie.status == "VALIDATED" and self.ended(tie) else tie.status

    def holds(self, tie: Tie | None) -> bool:
        """Is it validated, with today between its dates?"""
        return tie is not None and tie.status == "VALIDATED" and tie.start <= self.today and not self.ended(tie)

    def role(self, person: Person, place: Place) -> str | None:
        tie = self.tie(person, place)
        return tie.role if tie is not None and self.holds(tie) else None

    def holder(self, place: Place) -> Person | None:
        """Whoever has the principal manager's seat."""
        seats = [t for t in self.ties if t.place is place and t.role == PRINCIPAL and t.status == "VALIDATED"]
        return seats[0].person if seats else None

    def seat_at(self, place: Place) -> Tie | None:
        """The tie of whoever has the seat."""
        holder = self.holder(place)
        return self.tie(holder, place) if holder is not None else None

    def seats_of(self, person: Person) -> list[Place]:
        """Where the person is principal manager."""
        held = [t for t in self.ties if t.person is person and t.role == PRINCIPAL and t.status == "VALIDATED"]
        return [tie.place for tie in held]

    def managers(self, place: Place, *roles: str) -> list[Person]:
        """The managers who can act there now."""
        wanted = roles or (PRINCIPAL, SECONDARY)
        ties = [t for t in self.ties if t.place is place and t.role in wanted and self.holds(t)]
        return [t.person for t in ties if t.person.state == "ACTIVE"]

    def line(self, place: Place) -> list[Person]:
        """The secondary managers who can act there now, the senior one first."""
        ties = [t for t in self.ties if t.place is place and t.role == SECONDARY and self.holds(t)]
        return [t.person for t in sorted(ties, key=lambda t: t.since or self.now) if t.person.state == "ACTIVE"]

    def is_away(self, seat: Tie) -> bool:
        """Was the holder told of their absence, and hasn't come since?"""
        person = seat.person
        if seat.told_at is None or person.state != "ACTIVE":
            return False
        return not (person.signed_in and person.came_at is not None and person.came_at >= seat.told_at)

    def is_claimable(self, seat: Tie) -> bool:
        if self.state(seat.person) in {"SUSPENDED", "CLOSED"}:
            return True
        return self.is_away(seat) and seat.told_at is not None and self.now >= seat.told_at + NOTICE

    def offer_read(self, offer: Offer) -> str:
        """The status as people read it."""
        return "EXPIRED" if offer.status == "OPEN" and self.now >= offer.until else offer.status

    def is_free(self, person: Person, place: Place) -> bool:
        """May this person be attached there, with nothing live in the way?"""
        present = self.tie(person, place)
        return present is None or (present.status != "PENDING" and self.ended(present))

    def eligible(self, person: Person | None, place: Place) -> bool:
        """May this person take the seat there?"""
        return person is not None and person.state == "ACTIVE" and self.holds(self.tie(person, place))

    def sees(self, actor: Person, tie: Tie) -> bool:
        return tie.person is actor or actor.support or self.role(actor, tie.place) in {PRINCIPAL, SECONDARY}

    def manages(self, actor: Person, tie: Tie) -> bool:
        role = self.role(actor, tie.place)
        return (role == PRINCIPAL and tie.role != PRINCIPAL) or (role == SECONDARY and tie.role == SIMPLE)

    def dates_fit(self, start: date, end: date | None) -> bool:
        return end is None or (end >= start and end >= self.today)

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
        return [("attached_by_manager", person.login)]

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

    # ------------------------------------------------------------------ seats
    def change_role(self, actor: Person, tie: Tie, role: str) -> Foretold:
        if role == PRINCIPAL or actor.state != "ACTIVE" or tie.person is actor or tie.role == PRINCIPAL:
            return REFUSED
        if self.role(actor, tie.place) != PRINCIPAL or self.read(tie) != "VALIDATED":
            return REFUSED
        if tie.role == role:
            return UNCHANGED
        tie.take(role, self.now)
        return self._told("role_changed", tie)

    def transfer(self, actor: Person, place: Place, successor: Person) -> Foretold:
        seat = self.tie(actor, place)
        if actor.state != "ACTIVE" or seat is None or self.role(actor, place) != PRINCIPAL:
            return REFUSED
        return self._hand_over(seat, successor)

    def appoint(self, actor: Person, place: Place, person: Person) -> Foretold:
        holder = self.holder(place)
        if not self._is_support(actor) or not place.active or person.state != "ACTIVE":
            return REFUSED
        former = self.seat_at(place)
        if holder is person or (former is not None and not self._is_forsaken(former)):
            return REFUSED
        if former is not None:
            self._vacate(former)
        self.seat(person, place)
        told = [person, *self.managers(place, SECONDARY)]
        told += [holder] if holder is not None and holder.state == "ACTIVE" else []
        return [("principal_manager_appointed", reader.login) for reader in told]

    def seat(self, person: Person, place: Place) -> None:
        """Put the person in the empty seat."""
        tie = self.tie(person, place)
        if tie is None:
            tie = Tie(person, place, self.today)
            self.ties.append(tie)
        tie.take(PRINCIPAL, self.now)
        tie.status, tie.end, tie.start = "VALIDATED", None, min(tie.start, self.today)
        place.managed = True

    def _is_forsaken(self, seat: Tie) -> bool:
        return seat.person.state != "ACTIVE" or (self.is_claimable(seat) and not self.line(seat.place))

    def _vacate(self, seat: Tie) -> None:
        self._lapse(seat.place)
        seat.take(SIMPLE, self.now)

    def claim(self, actor: Person, place: Place) -> Foretold:
        line, seat = self.line(place), self.seat_at(place)
        if actor.state != "ACTIVE" or not place.active or line[:1] != [actor]:
            return REFUSED
        if seat is None or not self.is_claimable(seat):
            return REFUSED
        self._vacate(seat)
        mine = self.tie(actor, place)
        assert mine is not None
        mine.take(PRINCIPAL, self.now)
        mine.end = None
        told = [*line, *([seat.person] if seat.person.state == "ACTIVE" else [])]
        return [("principal_manager_claimed", person.login) for person in told]

    def tell_absent(self) -> Foretold:
        """What the job tells of holders who stay away while a request waits."""
        mails: Mails = []
        for place in self.places:
            seat = self.seat_at(place)
            waits = any(t.place is place and t.status == "PENDING" for t in self.ties)
            if seat is None or not place.active or seat.person.state != "ACTIVE" or not waits or self.is_away(seat):
                continue
            if seat.person.came_at is not None and self.now - seat.person.came_at >= AWAY:
                seat.told_at = self.now
                mails.append(("holder_absent", seat.person.login))
                mails += [("seat_claimable", person.login) for person in self.line(place)]
        return mails or UNCHANGED

    # ------------------------------------------------------------------ offers of a seat
    def offer(self, actor: Person, place: Place, successor: Person) -> Foretold:
        if actor.state != "ACTIVE" or self.role(actor, place) != PRINCIPAL or not place.active:
            return REFUSED
        if successor is actor or not self.eligible(successor, place):
            return REFUSED
        if any(o.place is place and self.offer_read(o) == "OPEN" for o in self.offers):
            return REFUSED
        self._lapse(place)
        self.offers.append(Offer(place, actor, successor, self.now + OFFER_LIFE))
        return [("seat_offered", successor.login)]

    def accept(self, actor: Person, offer: Offer) -> Foretold:
        seat = self.seat_at(offer.place)
        if not self._answers(actor, offer) or seat is None or not self.eligible(actor, offer.place):
            return REFUSED
        offer.status = "ACCEPTED"
        return self._handed_over(seat, actor)

    def decline(self, actor: Person, offer: Offer) -> Foretold:
        if not self._answers(actor, offer):
            return REFUSED
        offer.status = "DECLINED"
        return [("seat_offer_declined", offer.holder.login)] if offer.holder.state == "ACTIVE" else []

    def take_back(self, actor: Person, offer: Offer) -> Foretold:
        if actor.state != "ACTIVE" or actor is not offer.holder or self.offer_read(offer) != "OPEN":
            return REFUSED
        offer.status = "WITHDRAWN"
        return []

    def tell_expired(self) -> Foretold:
        mails: Mails = []
        due = [o for o in self.offers if o.status == "OPEN" and self.offer_read(o) == "EXPIRED"]
        for offer in due:
            offer.status = "EXPIRED"
            mails += [("seat_offer_expired", offer.holder.login)] if offer.holder.state == "ACTIVE" else []
        return mails if due else UNCHANGED

    def _answers(self, actor: Person, offer: Offer) -> bool:
        return actor.state == "ACTIVE" and actor is offer.successor and self.offer_read(offer) == "OPEN"

    def _lapse(self, place: Place) -> None:
        """Nothing can come of the seat's open offer any more."""
        for offer in self.offers:
            if offer.place is place and offer.status == "OPEN":
                offer.status = "EXPIRED" if self.now >= offer.until else "WITHDRAWN"

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
                told += [("seat_claimable", reader.login) for reader in self.line(seat.place)]
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
    def _is_support(self, actor: Person) -> bool:
        return actor.state == "ACTIVE" and actor.support

    def _decides(self, actor: Person, tie: Tie) -> bool:
        manager = self.role(actor, tie.place) in {PRINCIPAL, SECONDARY}
        return actor.state == "ACTIVE" and manager and tie.person is not actor and tie.status == "PENDING"

    def _manages_other(self, actor: Person, tie: Tie) -> bool:
        return actor.state == "ACTIVE" and tie.person is not actor and self.manages(actor, tie)

    def _told(self, message: str, tie: Tie) -> Mails:
        return [(message, tie.person.login)] if tie.person.state == "ACTIVE" else []

    def _make_room(self, person: Person, place: Place) -> bool:
        present = self.tie(person, place)
        free = self.is_free(person, place)
        if present is not None and free:
            present.status = "REMOVED"
        return free

    def _hand_over(self, seat: Tie, successor: Person | None) -> Foretold:
        able = successor is not None and successor is not seat.person and self.eligible(successor, seat.place)
        return self._handed_over(seat, successor) if successor is not None and able else REFUSED

    def _handed_over(self, seat: Tie, successor: Person) -> Mails:
        theirs = self.tie(successor, seat.place)
        assert theirs is not None  # or the person wouldn't be eligible
        self._vacate(seat)
        theirs.take(PRINCIPAL, self.now)
        theirs.end = None
        told = [seat.person, theirs.person, *self.managers(seat.place, SECONDARY)]
        return [("principal_manager_transferred", reader.login) for reader in told]

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
