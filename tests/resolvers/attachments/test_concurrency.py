"""What many people do at the same instant: one decision wins, brakes hold, one structure is made."""

import asyncio
from collections.abc import Awaitable

import pytest

from models.accounts.accounts import Account, AccountState, Language
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import RequestAlreadyDecided
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure
from resolvers.accounts import accounts, deactivation, sessions, wishes
from resolvers.attachments import requests
from resolvers.attachments.requests import NewRequest, Validation
from resolvers.scope import Office, Scope
from resolvers.structures import structures
from resolvers.structures.structures import Particulars
from tests.conftest import Clock
from tests.resolvers.support.crowds import MANY, TODAY, ScopeOf, kinds, principal, together
from tests.support import factories, invariants

pytestmark = pytest.mark.slow


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

    assert kinds(answers) == {"done": 1, "RequestAlreadyDecided": MANY - 1}
    decided = await Attachment.get(id=asked.id).prefetch_related("decided_by")
    name = decided.decided_by.display_name if decided.decided_by else None
    assert name in {"Zoe Principal", "Max Second"}
    told = {(answer.data["by"], answer.data["at"]) for answer in answers if isinstance(answer, RequestAlreadyDecided)}
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
    assert kinds(answers).keys() <= {"done", "RequestAlreadyDecided", "TransitionNotAllowed"}
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
    await deactivation.deactivate(scope_of(person), confirm=True, successor_for_all=None, successions=[])
    telling = Office(sealer=office.sealer, clock=clock, token=lambda: "the link")
    await deactivation.request_reactivation(Scope(telling), person.login_email)
    await wishes.grant(Scope(telling))

    answers = await together(
        deactivation.reactivate(
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
    assert sum(await asyncio.gather(*(wishes.grant(scope_of()) for _ in range(4)))) == MANY
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
