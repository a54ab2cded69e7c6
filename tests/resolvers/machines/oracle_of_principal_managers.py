"""The oracle on seats: named, handed over, claimed, offered; imports nothing of the program either."""

from tests.resolvers.support.worlds import (
    AWAY,
    OFFER_LIFE,
    PRINCIPAL,
    REFUSED,
    SECONDARY,
    SIMPLE,
    UNCHANGED,
    Foretold,
    Known,
    Mails,
    Offer,
    Person,
    Place,
    Tie,
)


class Seats(Known):
    """What becomes of acts on principal managers' seats."""

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
                mails.append(("principal_manager_absent", seat.person.login))
                mails += [("principal_manager_claimable", person.login) for person in self.line(place)]
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
        return [("principal_manager_offered", successor.login)]

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
        return [("principal_manager_offer_declined", offer.holder.login)] if offer.holder.state == "ACTIVE" else []

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
            mails += [("principal_manager_offer_expired", offer.holder.login)] if offer.holder.state == "ACTIVE" else []
        return mails if due else UNCHANGED

    def _answers(self, actor: Person, offer: Offer) -> bool:
        return actor.state == "ACTIVE" and actor is offer.successor and self.offer_read(offer) == "OPEN"

    def _lapse(self, place: Place) -> None:
        """Nothing can come of the seat's open offer any more."""
        for offer in self.offers:
            if offer.place is place and offer.status == "OPEN":
                offer.status = "EXPIRED" if self.now >= offer.until else "WITHDRAWN"

    # ------------------------------------------------------------------ shared by the acts
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
