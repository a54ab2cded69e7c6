"""Bursts of marked changes sent to a running server: what is asked, by whom, and what the server acknowledged.

Every change carries a marker that appears in nothing else: an address, a name, a comment or a reason.
"""

import asyncio
import itertools
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpx

from models.accounts import sessions
from models.accounts.accounts import Account
from models.attachments.attachments import AttachmentStatus, Role
from models.db import database
from models.structures.structures import Structure
from schema.base import ids
from tests.support import factories

CLIENTS = 12
DONE = "DONE"
TODAY = "2027-01-04"
ADDRESS = {"line1": "1 rue des Essais", "postcode": "75001", "city": "Paris", "country": "FR"}
SIGN_UP = "mutation ($input: SignUpInput!) { act: signUp(input: $input) { errors { code path } } }"
CREATE = "mutation ($input: CreateStructureInput!) { act: createStructure(input: $input) { errors { code path } } }"
RESULTS = "{ results { errors { code path } } errors { code path } }"
REQUEST = f"mutation ($input: RequestAttachmentsInput!) {{ act: requestAttachments(input: $input) {RESULTS} }}"
VALIDATE = f"mutation ($input: ValidateAttachmentsInput!) {{ act: validateAttachments(input: $input) {RESULTS} }}"
REFUSE = f"mutation ($ids: [ID!]!, $reason: String!) {{ act: refuseAttachments(ids: $ids, reason: $reason) {RESULTS} }}"


class Kind(StrEnum):
    """What a change does."""

    SIGN_UP = "signUp"
    CREATE = "createStructure"
    REQUEST = "requestAttachments"
    VALIDATE = "validateAttachments"
    REFUSE = "refuseAttachments"


@dataclass
class Change:
    """One change asked for: what its answer must be (`due`) and what it was, DONE or an error's code, or None."""

    kind: Kind
    due: str = DONE
    marker: str = field(default_factory=lambda: f"mk{secrets.token_hex(8)}")
    attachment_id: int | None = None
    managers: tuple[str, ...] = ()
    sent: bool = False
    answered: str | None = None

    @property
    def address(self) -> str:
        """The address of who signs up, or of who waits for a decision."""
        return f"{self.marker}@people.example"

    @property
    def structure_name(self) -> str:
        """The name of the structure to create."""
        return f"Maison {self.marker}"


@dataclass(frozen=True)
class Call:
    """One HTTP request: a mutation with its variables, who sends it, and the changes it asks for, in order."""

    query: str
    variables: dict[str, Any]
    changes: tuple[Change, ...]
    token: str | None = None


@dataclass(frozen=True)
class Person:
    """Somebody signed in."""

    account: Account
    token: str


@dataclass(frozen=True)
class Cast:
    """Who acts in a burst: two managers of each structure, a stranger, those who ask and those who wait."""

    principal: Person
    secondary: Person
    stranger: Person
    askers: tuple[Person, ...]
    places: tuple[Structure, ...]

    @property
    def managers(self) -> tuple[str, ...]:
        """The addresses that learn of a request."""
        return self.principal.account.contact_email, self.secondary.account.contact_email


async def cast(askers: int = 20, places: int = 6) -> Cast:
    """People with a session and structures with two managers each, put straight in the tables."""
    async with database.transaction():
        principal, secondary, stranger = [await _person() for _ in range(3)]
        asking = [await _person() for _ in range(askers)]
        structures = [await factories.structure(principal.account) for _ in range(places)]
        for structure in structures:
            await factories.attachment(secondary.account, structure, role=Role.SECONDARY_MANAGER)
    return Cast(principal, secondary, stranger, tuple(asking), tuple(structures))


async def _person() -> Person:
    account = await factories.person()
    token = secrets.token_urlsafe(32)
    await sessions.open_for(account, token, at=datetime.now(UTC), user_agent=None)
    return Person(account, token)


async def calls(who: Cast, chance: random.Random) -> list[Call]:
    """A shuffled burst of about 270 requests, a fifth of the changes to be refused."""
    made = [*_sign_ups(120), *_creations(who, 50), *_requests(who)]
    async with database.transaction():
        made += [await _decision(who, chance) for _ in range(50)]
    chance.shuffle(made)
    return made


def _sign_ups(number: int) -> Iterator[Call]:
    for place in range(number):
        change = Change(Kind.SIGN_UP) if place % 5 else Change(Kind.SIGN_UP, "CONFIRMATION_REQUIRED")
        names = {"firstName": "Ada", "lastName": "Nouvelle", "language": "EN"}
        yield Call(
            SIGN_UP, {"input": {"loginEmail": change.address, "acceptTerms": place % 5 != 0, **names}}, (change,)
        )


def _creations(who: Cast, number: int) -> Iterator[Call]:
    for place in range(number):
        change = Change(Kind.CREATE) if place % 5 else Change(Kind.CREATE, "ALREADY_EXISTS")
        identifier = change.marker.upper() if place % 5 else who.places[0].identifier
        given = {"identifierType": "OTHER", "identifier": identifier, "name": change.structure_name}
        creator = who.askers[place % len(who.askers)]
        yield Call(CREATE, {"input": given | {"postalAddress": ADDRESS}}, (change,), creator.token)


def _requests(who: Cast) -> Iterator[Call]:
    """Each person asks for two structures at once, and for a third with days that can't be."""
    pairs = list(zip(who.places[::2], who.places[1::2], strict=True))
    for person, (one, other) in itertools.product(who.askers, pairs):
        good = [Change(Kind.REQUEST, managers=who.managers) for _ in range(2)]
        bad = Change(Kind.REQUEST, "INVALID")
        asked = [
            {"structureId": ids.encode("Structure", place.id), "validFrom": TODAY, "comment": change.marker}
            for place, change in ((one, good[0]), (other, bad), (other, good[1]))
        ]
        asked[1]["validUntil"] = "2027-01-03"
        yield Call(REQUEST, {"input": {"requests": asked}}, (good[0], bad, good[1]), person.token)


async def _decision(who: Cast, chance: random.Random) -> Call:
    """A manager, or somebody who is none, decides on the request of somebody who waits."""
    kind = chance.choice((Kind.VALIDATE, Kind.VALIDATE, Kind.REFUSE))
    by = chance.choice((who.principal, who.secondary, who.principal, who.secondary, who.stranger))
    change = Change(kind, "NOT_FOUND" if by is who.stranger else DONE)
    waiting = await factories.person(login_email=change.address)
    asked = await factories.attachment(waiting, chance.choice(who.places), status=AttachmentStatus.PENDING)
    change.attachment_id = asked.id
    id = ids.encode("Attachment", asked.id)
    if kind is Kind.REFUSE:
        return Call(REFUSE, {"ids": [id], "reason": change.marker}, (change,), by.token)
    return Call(VALIDATE, {"input": {"validations": [{"id": id}]}}, (change,), by.token)


async def fire(url: str, burst: Sequence[Call], tell: Callable[[], None]) -> None:
    """Send the burst from a dozen clients at once until it is over or the server is gone; `tell` after each answer."""
    waiting = iter(burst)

    async def client() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            for call in waiting:
                try:
                    await _send(http, call)
                except httpx.TransportError:
                    return  # the server was killed: what it didn't answer stays unanswered
                tell()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def _send(http: httpx.AsyncClient, call: Call) -> None:
    for change in call.changes:
        change.sent = True
    headers = {"Authorization": f"Bearer {call.token}"} if call.token else {}
    response = await http.post("/graphql", json={"query": call.query, "variables": call.variables}, headers=headers)
    body = response.json()
    act = (body.get("data") or {}).get("act")
    for place, change in enumerate(call.changes):
        if response.status_code != 200 or act is None or "errors" in body:
            change.answered = f"{response.status_code} {body.get('errors')}"
            continue
        errors = act["errors"] or (act["results"][place]["errors"] if "results" in act else [])
        change.answered = " ".join(error["code"] for error in errors) or DONE
