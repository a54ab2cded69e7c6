"""Many people after one seat at the same instant: it never doubles and is never empty."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import DomainError
from models.mail.outbox import Mail
from models.structures.structures import StructureStatus
from resolvers.accounts import accounts, deactivation
from resolvers.accounts.deactivation import Succession
from resolvers.attachments import attach_user, lifecycle, principal_manager, requests
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.requests import Validation
from resolvers.structures import structures
from tests.conftest import Clock
from tests.resolvers.support.crowds import MANY, TODAY, ScopeOf, kinds, principal, refusal_of, together, watched
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import overtaken
from tests.support import factories, invariants

pytestmark = pytest.mark.slow


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
            await principal_manager.transfer(scope, structure.id, successor)
            return None
        return await lifecycle.remove(scope, [ids[holder]], {structure.id: (successor, 0)})

    async def insist(number: int) -> object:
        for _ in range(20):  # whoever held the seat may have lost it meanwhile
            try:
                answer = refusal_of(await hand_over(number))
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
        answers = await together(
            principal_manager.transfer(scope_of(former), structure.id, person.id) for person in successors
        )

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
        return await deactivation.deactivate(
            scope_of(person), confirm=True, successor_for_all=None, successions=[Succession(structure.id, to.id)]
        )

    async with watched(db, structure) as seen:
        answers = await together(
            [
                leave(manager, successor),
                deactivation.deactivate(scope_of(successor), confirm=True, successor_for_all=None, successions=[]),
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
        deactivation.deactivate(scope_of(person), confirm=True, successor_for_all=to.id, successions=[])
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
                principal_manager.transfer(scope_of(manager), structure.id, successor.id),
                deactivation.deactivate(scope_of(successor), confirm=True, successor_for_all=None, successions=[]),
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
        new = NewAttachment(structure.id, person.login_email, Role.SIMPLE_USER, TODAY)

        answers = await together(
            [
                deactivation.deactivate(scope_of(person), confirm=True, successor_for_all=None, successions=[]),
                attach_user.attach(scope_of(manager), new),
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
                principal_manager.change_role(scope_of(manager), seat.id, Role.SIMPLE_USER),
                requests.validate(scope_of(second), [Validation(asked.id)]),
            ]
        )

        order = (await factories.event_types())[-2:]
        decided_first = order == ["AttachmentValidated", "RoleChanged"]
        assert kinds(answers) in ({"done": 2}, {"done": 1, "Forbidden": 1}, {"done": 1, "NotFound": 1})
        assert (kinds(answers) == {"done": 2}) == decided_first
    await invariants.check(clock.now)


@pytest.mark.parametrize("act", ["suspension", "transfer", "deactivation", "end of the structure"])
async def test_manager_who_leaves_while_a_seat_moves_is_not_written_to(
    house: House, scope_of: ScopeOf, act: str
) -> None:
    async def leave(account: Account) -> None:
        await account.update_from_dict({"state": AccountState.SUSPENDED}).save()

    support, mine = await factories.person(platform_role=PlatformRole.SUPPORT), scope_of(house.principal)
    structure, successor = house.structure.id, house.simple.id
    acts: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "suspension": lambda: accounts.suspend(scope_of(support), house.principal.id, "abuse"),
        "transfer": lambda: principal_manager.transfer(mine, structure, successor),
        "deactivation": lambda: deactivation.deactivate(
            mine, confirm=True, successor_for_all=successor, successions=[]
        ),
        "end of the structure": lambda: structures.update(mine, structure, {"status": StructureStatus.INACTIVE}),
    }
    await overtaken(house.secondary, acts[act](), leave)
    assert await Mail.all().count() > 0
    assert await Mail.filter(account_id=house.secondary.id).count() == 0
