"""The oracle's world: people, places, ties and offers, and what of them can be seen from outside."""

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


class Known:
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

    def principal_attachments_of(self, person: Person) -> list[Place]:
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

    # ------------------------------------------------------------------ who may, and who is told
    def _is_support(self, actor: Person) -> bool:
        return actor.state == "ACTIVE" and actor.support

    def _decides(self, actor: Person, tie: Tie) -> bool:
        manager = self.role(actor, tie.place) in {PRINCIPAL, SECONDARY}
        return actor.state == "ACTIVE" and manager and tie.person is not actor and tie.status == "PENDING"

    def _manages_other(self, actor: Person, tie: Tie) -> bool:
        return actor.state == "ACTIVE" and tie.person is not actor and self.manages(actor, tie)

    def _told(self, message: str, tie: Tie) -> Mails:
        return [(message, tie.person.login)] if tie.person.state == "ACTIVE" else []
