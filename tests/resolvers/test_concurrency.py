"""What many people do at the same instant: one decision wins, seats never double or vanish, brakes hold."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date

import aiosqlite
import asyncpg
import pytest

from models import database
from models.accounts import Account, AccountState, Language
from models.actors import PlatformRole
from models.attachments import Attachment, AttachmentStatus, Role
from models.errors import (
    AttachmentAlreadyDecided,
    DomainError,
    RateLimited,
    Unauthenticated,
)
from models.identifiers import IdentifierType
from models.structures import Structure
from resolvers import accounts, attachments, deactivations, gifts, requests, seats, sessions, structures
from resolvers.deactivations import Succession
from resolvers.gifts import Gift
from resolvers.requests import NewRequest, Validation
from resolvers.scope import Office, Scope
from resolvers.structures import Particulars
from resolvers.targets import Outcome
from tests import factories, invariants
from tests.conftest import Clock

MANY = 50
PATIENCE = 60  # seconds; what takes longer waits for itself
TODAY = date(2027, 3, 15)

SEATS = (
    "SELECT count(*) FROM attachments WHERE structure_id = {id} AND role = 'PRINCIPAL_MANAGER' AND status = 'VALIDATED'"
)

ScopeOf = Callable[..., Scope]


async def together(acts: Iterable[Awaitable[object]]) -> list[object]:
    """What each of the acts came to, all started at once; a refusal is an answer, anything else fails the test."""
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*acts, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DomainError | RateLimited | Unauthenticated):
            raise answer
    return [_refusal_of(answer) for answer in answers]


def _refusal_of(answer: object) -> object:
    """The refusal inside a bulk answer of one, else the answer."""
    match answer:
        case [Outcome(error=DomainError() as error)]:
            return error
        case _:
            return answer


def kinds(answers: Iterable[object]) -> dict[str, int]:
    """How many answers there are of each class of refusal; `done` are the others."""
    return dict(Counter(type(answer).__name__ if isinstance(answer, Exception) else "done" for answer in answers))


@asynccontextmanager
async def watched(url: str, structure: Structure) -> AsyncIterator[list[int]]:
    """The numbers of principal managers that a reader, on a connection of its own, saw all the while."""
    seen: list[int] = []
    statement = SEATS.format(id=structure.id)

    async def read() -> None:
        if database.is_sqlite_url(url):
            async with aiosqlite.connect(url.removeprefix("sqlite://").partition("?")[0], timeout=PATIENCE) as file:
                while True:
                    async with file.execute(statement) as cursor:
                        seen.extend(row[0] for row in await cursor.fetchall())
        server = await asyncpg.connect(url)
        try:
            while True:
                seen.append(await server.fetchval(statement))
        finally:
            await server.close()

    reader = asyncio.create_task(read())
    while not seen and not reader.done():
        await asyncio.sleep(0.01)
    yield seen
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def principal(structure: Structure) -> int:
    """Who holds the seat; fails unless exactly one person does."""
    seat = await Attachment.get(structure=structure, role=Role.PRINCIPAL_MANAGER, status=AttachmentStatus.VALIDATED)
    return seat.user_id


# ------------------------------------------------------------------ decisions
async def test_fifty_managers_validate_one_request_and_exactly_one_wins(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    first = await factories.person(first_name="Zoe", last_name="Principal")
    second = await factories.person(first_name="Max", last_name="Second")
    structure = await factories.structure(first)
    await factories.attachment(second, structure, role=Role.SECONDARY_MANAGER)
    asked = await factories.attachment(await factories.person(), structure, status=AttachmentStatus.PENDING)

    deciders = [first, second] * (MANY // 2)
    answers = await together(requests.validate(scope_of(person), [Validation(asked.id)]) for person in deciders)

    assert kinds(answers) == {"done": 1, "AttachmentAlreadyDecided": MANY - 1}
    decided = await Attachment.get(id=asked.id).prefetch_related("decided_by")
    name = decided.decided_by.display_name if decided.decided_by else None
    assert name in {"Zoe Principal", "Max Second"}
    told = {
        (answer.data["by"], answer.data["at"]) for answer in answers if isinstance(answer, AttachmentAlreadyDecided)
    }
    assert told == {(name, clock.now)}
    assert await factories.event_types() == ["AttachmentValidated"]
    assert [message for message, _ in await factories.mails()] == ["attachment_validated"]
    await invariants.check(clock.now)


async def test_validate_refuse_and_withdraw_at_once_leave_one_decision(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    manager, other, requester = [await factories.person() for _ in range(3)]
    structure = await factories.structure(manager)
    await factories.attachment(other, structure, role=Role.SECONDARY_MANAGER)
    asked = await factories.attachment(requester, structure, status=AttachmentStatus.PENDING)

    acts: list[Awaitable[object]] = []
    for _ in range(MANY // 3):
        acts.append(requests.withdraw(scope_of(requester), [asked.id]))
        acts.append(requests.validate(scope_of(manager), [Validation(asked.id)]))
        acts.append(requests.refuse(scope_of(other), [asked.id], "not known here"))
    answers = await together(acts)

    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert kinds(answers).keys() <= {"done", "AttachmentAlreadyDecided", "TransitionNotAllowed"}
    (event,) = await factories.event_types()
    now = await Attachment.get(id=asked.id)
    expected = {
        "AttachmentValidated": AttachmentStatus.VALIDATED,
        "AttachmentRefused": AttachmentStatus.REFUSED,
        "AttachmentWithdrawn": AttachmentStatus.REMOVED,
    }
    assert now.status is expected[event]
    assert len(await factories.mails()) == (event != "AttachmentWithdrawn")
    await invariants.check(clock.now)


async def test_one_person_asks_fifty_times_at_once_and_waits_once(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    structure = await factories.structure(await factories.person())
    person = await factories.person()

    answers = await together(requests.request(scope_of(person), [NewRequest(structure.id, TODAY)]) for _ in range(MANY))

    assert kinds(answers) == {"done": 1, "AlreadyAttached": MANY - 1}
    assert await Attachment.filter(user=person).count() == 1
    assert await factories.event_types() == ["AttachmentRequested"]
    await invariants.check(clock.now)


# ------------------------------------------------------------------ credentials
async def test_one_reactivation_link_used_fifty_times_at_once_lets_one_in(
    db: str, scope_of: ScopeOf, office: Office, clock: Clock
) -> None:
    person = await factories.person()
    await deactivations.deactivate(scope_of(person), confirm=True, successor_for_all=None, successions=[])
    telling = Office(sealer=office.sealer, clock=clock, token=lambda: "the link")
    await deactivations.request_reactivation(Scope(telling), person.login_email)

    answers = await together(
        deactivations.reactivate(
            scope_of(), token="the link", password=f"Quite-Another-Lamp-{number}",
            secret_question="Which lamp?", secret_answer=f"lamp {number}",
        )
        for number in range(MANY)
    )  # fmt: skip

    assert kinds(answers) == {"done": 1, "InvalidToken": MANY - 1}
    assert (await Account.get(id=person.id)).state is AccountState.ACTIVE
    assert (await factories.event_types()).count("AccountReactivated") == 1
    assert [message for message, _ in await factories.mails()].count("account_reactivated") == 1
    await invariants.check(clock.now)


async def test_fifty_wrong_passwords_at_once_get_five_tries(db: str, scope_of: ScopeOf) -> None:
    person = await factories.person()

    answers = await together(
        sessions.sign_in(scope_of(), person.login_email, f"Wrong-Password-{number}!") for number in range(MANY)
    )

    assert kinds(answers) == {"WrongCredentials": 5, "RateLimited": MANY - 5}
    assert await factories.traces() == (0, 0)


async def test_the_right_password_among_fifty_wrong_ones_opens_one_session_at_most(db: str, scope_of: ScopeOf) -> None:
    person = await factories.person()
    tries = [f"Wrong-Password-{number}!" for number in range(MANY)]
    tries[MANY // 2] = factories.PASSWORD

    answers = await together(sessions.sign_in(scope_of(), person.login_email, password) for password in tries)

    assert kinds(answers) == {"WrongCredentials": 5, "RateLimited": MANY - 5}


async def test_one_address_signs_up_fifty_times_at_once_and_has_one_account(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    spellings = ["new@people.example", "New@People.Example"] * (MANY // 2)

    answers = await together(
        accounts.sign_up(
            scope_of(), login_email=email, first_name="New", last_name="Person",
            language=Language.FR, accept_terms=True,
        )
        for email in spellings
    )  # fmt: skip

    assert kinds(answers) == {"done": MANY}
    assert await Account.all().count() == 1
    assert (await factories.event_types()).count("AccountSignedUp") == 1
    await invariants.check(clock.now)


# ------------------------------------------------------------------ structures
async def test_fifty_people_create_one_identifier_at_once_and_one_manages_it(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    people = [await factories.person() for _ in range(MANY)]
    address = {"line1": "1 rue des Essais", "postcode": "75001", "city": "Paris", "country": "FR"}
    given = Particulars(IdentifierType.SIRET, "73282932000074", address, name="The one")

    answers = await together(structures.create(scope_of(person), given) for person in people)

    assert kinds(answers) == {"done": 1, "StructureAlreadyManaged": MANY - 1}
    founder = people[[isinstance(answer, int) for answer in answers].index(True)]
    assert await principal(await Structure.get()) == founder.id
    assert (await factories.event_types()).count("StructureCreated") == 1
    await invariants.check(clock.now)


async def test_fifty_people_adopt_one_imported_structure_at_once_and_one_manages_it(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    people = [await factories.person() for _ in range(MANY)]
    imported = await factories.structure(identifier_type=IdentifierType.SIRET, identifier="73282932000074")
    address = {"line1": "1 rue des Essais", "postcode": "75001", "city": "Paris", "country": "FR"}
    given = Particulars(IdentifierType.SIRET, imported.identifier, address, name="The one")

    answers = await together(structures.create(scope_of(person), given) for person in people)

    assert kinds(answers) == {"done": 1, "StructureAlreadyManaged": MANY - 1}
    assert await Structure.all().count() == 1
    await invariants.check(clock.now)


# ------------------------------------------------------------------ seats
async def test_fifty_transfers_and_removals_leave_one_principal_manager_at_every_read(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    people = [await factories.person() for _ in range(30)]
    structure = await factories.structure(people[0])
    for person in people[1:]:
        await factories.attachment(person, structure)
    by_id = {person.id: person for person in people}
    ids = {row.user_id: row.id for row in await Attachment.all()}
    chance = random.Random(2027)

    async def hand_over(number: int) -> object:
        holder, successor = await principal(structure), chance.choice(people).id
        scope = scope_of(by_id[holder])
        if number % 2:
            await seats.transfer(scope, structure.id, successor)
            return None
        return await attachments.remove(scope, [ids[holder]], {structure.id: (successor, 0)})

    async def insist(number: int) -> object:
        for _ in range(20):  # whoever held the seat may have lost it meanwhile
            try:
                answer = _refusal_of(await hand_over(number))
            except DomainError as error:
                answer = error
            if not isinstance(answer, DomainError):
                break
            refusals.append(answer)
        return answer

    refusals: list[object] = []
    async with watched(db, structure) as seen:
        await together(insist(number) for number in range(MANY))

    assert set(seen) == {1}
    assert len(seen) > MANY
    assert (await factories.event_types()).count("PrincipalManagerTransferred") >= MANY // 5
    assert kinds(refusals).keys() <= {
        "Forbidden",
        "Invalid",
        "SuccessorNotEligible",
        "NotFound",
        "TransitionNotAllowed",
    }
    await invariants.check(clock.now)


async def test_the_seat_handed_to_fifty_people_at_once_goes_to_one(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    former = await factories.person()
    structure = await factories.structure(former)
    successors = [await factories.person() for _ in range(MANY)]
    for person in successors:
        await factories.attachment(person, structure)

    async with watched(db, structure) as seen:
        answers = await together(seats.transfer(scope_of(former), structure.id, person.id) for person in successors)

    assert kinds(answers) == {"done": 1, "Forbidden": MANY - 1}
    assert set(seen) == {1}
    assert await principal(structure) != former.id
    await invariants.check(clock.now)


@pytest.mark.parametrize("round_", range(5))
async def test_principal_manager_and_successor_leave_at_once_and_the_seat_is_held(
    db: str, scope_of: ScopeOf, clock: Clock, round_: int
) -> None:
    manager, successor, third = [await factories.person() for _ in range(3)]
    structure = await factories.structure(manager)
    await factories.attachment(successor, structure)
    await factories.attachment(third, structure)

    async def leave(person: Account, to: Account) -> object:
        return await deactivations.deactivate(
            scope_of(person), confirm=True, successor_for_all=None, successions=[Succession(structure.id, to.id)]
        )

    async with watched(db, structure) as seen:
        answers = await together(
            [
                leave(manager, successor),
                deactivations.deactivate(scope_of(successor), confirm=True, successor_for_all=None, successions=[]),
            ][:: 1 if round_ % 2 else -1]
        )

    assert set(seen) == {1}
    assert kinds(answers).keys() <= {"done", "SuccessorNotEligible", "SuccessorRequired", "Conflict"}
    assert kinds(answers)["done"] == 1
    holder = await Account.get(id=await principal(structure))
    assert holder.state is AccountState.ACTIVE
    await invariants.check(clock.now)


async def test_two_principal_managers_leave_naming_each_other_and_one_stays(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    one, other = await factories.person(), await factories.person()
    ones, others = await factories.structure(one), await factories.structure(other)
    await factories.attachment(other, ones)
    await factories.attachment(one, others)

    answers = await together(
        deactivations.deactivate(scope_of(person), confirm=True, successor_for_all=to.id, successions=[])
        for person, to in ((one, other), (other, one))
    )

    assert kinds(answers).keys() <= {"done", "SuccessorNotEligible", "SuccessorRequired", "Conflict"}
    assert kinds(answers)["done"] == 1
    assert await principal(ones) == await principal(others)
    await invariants.check(clock.now)


async def test_a_seat_taken_while_its_new_holder_leaves_never_stays_with_someone_gone(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    for _ in range(5):
        manager, successor = await factories.person(), await factories.person()
        structure = await factories.structure(manager)
        await factories.attachment(successor, structure)

        answers = await together(
            [
                seats.transfer(scope_of(manager), structure.id, successor.id),
                deactivations.deactivate(scope_of(successor), confirm=True, successor_for_all=None, successions=[]),
            ]
        )

        assert kinds(answers).keys() <= {"done", "SuccessorNotEligible", "SuccessorRequired", "Conflict"}
        assert (await Account.get(id=await principal(structure))).state is AccountState.ACTIVE
    await invariants.check(clock.now)


async def test_somebody_attached_while_they_leave_gets_no_mail_once_gone(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    for _ in range(10):
        manager, person = await factories.person(), await factories.person()
        structure = await factories.structure(manager)
        gift = Gift(structure.id, person.login_email, Role.SIMPLE_USER, TODAY)

        answers = await together(
            [
                deactivations.deactivate(scope_of(person), confirm=True, successor_for_all=None, successions=[]),
                gifts.give(scope_of(manager), gift),
            ]
        )

        assert kinds(answers).keys() <= {"done", "NotFound", "Conflict"}
        await invariants.check(clock.now)


async def test_somebody_decided_on_while_support_stops_them_gets_no_mail_once_stopped(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    support = await factories.person(platform_role=PlatformRole.SUPPORT)
    for _ in range(10):
        manager, person = await factories.person(), await factories.person()
        structure = await factories.structure(manager)
        asked = await factories.attachment(person, structure, status=AttachmentStatus.PENDING)

        await together(
            [
                requests.validate(scope_of(manager), [Validation(asked.id)]),
                accounts.suspend(scope_of(support), person.id, "reported by the bank"),
            ]
        )

        await invariants.check(clock.now)


async def test_a_dismissed_manager_decides_nothing_more(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    for _ in range(5):
        manager, second = await factories.person(), await factories.person()
        structure = await factories.structure(manager)
        seat = await factories.attachment(second, structure, role=Role.SECONDARY_MANAGER)
        asked = await factories.attachment(await factories.person(), structure, status=AttachmentStatus.PENDING)

        answers = await together(
            [
                seats.change_role(scope_of(manager), seat.id, Role.SIMPLE_USER),
                requests.validate(scope_of(second), [Validation(asked.id)]),
            ]
        )

        order = (await factories.event_types())[-2:]
        decided_first = order == ["AttachmentValidated", "RoleChanged"]
        assert kinds(answers) in ({"done": 2}, {"done": 1, "Forbidden": 1}, {"done": 1, "NotFound": 1})
        assert (kinds(answers) == {"done": 2}) == decided_first
    await invariants.check(clock.now)
