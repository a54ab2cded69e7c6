"""Claims and offers at the same instant as whatever else moves a seat: one of them comes first, the other sees it."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, Role
from models.attachments.offers import OfferStatus, PrincipalManagerOffer
from models.errors.errors import DomainError, PrincipalManagerPresent
from resolvers.accounts import accounts, sessions
from resolvers.attachments import offers, principal_manager, vacancies
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.crowds import MANY, ScopeOf, kinds, principal, together, watched
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import overtaken
from tests.support import factories, invariants
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.slow

ROUNDS = range(6)
SUSPENDED = AccountState.SUSPENDED


@pytest.fixture
async def support(db: str, scope_of: ScopeOf) -> Scope:
    return scope_of(await factories.person(platform_role=PlatformRole.SUPPORT))


async def away(house: House, clock: Clock) -> None:
    told = clock.now - timedelta(days=14)
    await Attachment.filter(id=house.links["principal"].id).update(absence_told_at=told)


async def suspended(house: House) -> None:
    await Account.filter(id=house.principal.id).update(state=SUSPENDED)


async def test_fifty_claims_of_five_managers_at_once_seat_the_senior_one(
    db: str, house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    managers = [house.secondary]
    for day in range(1, 5):
        managers.append(await factories.person())
        since = factories.LONG_AGO + timedelta(days=day)
        await factories.attachment(managers[-1], house.structure, role=Role.SECONDARY_MANAGER, role_since=since)
    await suspended(house)

    async with watched(db, house.structure) as seen:
        answers = await together(
            vacancies.claim(scope_of(managers[-number % 5]), house.structure.id) for number in range(MANY)
        )

    assert kinds(answers)["done"] == 1
    assert kinds(answers).keys() <= {"done", "Forbidden", "PrincipalManagerPresent"}
    assert set(seen) == {1}
    assert await principal(house.structure) == house.secondary.id
    await invariants.check(clock.now)


async def test_claim_that_waits_for_the_holders_sign_in_comes_too_late(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await away(house, clock)

    async def come(holder: Account) -> None:
        scope = scope_of()
        await sessions.open_for(scope, holder, scope._record)

    before = await factories.traces()
    with pytest.raises(PrincipalManagerPresent):
        await overtaken(house.principal, vacancies.claim(scope_of(house.secondary), house.structure.id), come)
    assert await factories.traces() == before
    assert await principal(house.structure) == house.principal.id


@pytest.mark.parametrize("round_", ROUNDS)
async def test_claim_and_sign_in_of_the_absent_holder_agree_on_who_came_first(
    house: House, scope_of: ScopeOf, clock: Clock, round_: int
) -> None:
    await away(house, clock)

    answers = await together(
        [
            sessions.sign_in(scope_of(), house.principal.login_email, PASSWORD),
            *(vacancies.claim(scope_of(house.secondary), house.structure.id) for _ in range(round_ + 1)),
        ]
    )

    order = [name for name in await factories.event_types() if name in {"SignedIn", "PrincipalManagerClaimed"}]
    kept = await principal(house.structure) == house.principal.id
    assert order == (["SignedIn"] if kept else ["PrincipalManagerClaimed", "SignedIn"])
    assert kinds(answers).get("PrincipalManagerPresent", 0) == (round_ + 1 if kept else 0)
    await invariants.check(clock.now)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_claim_and_transfer_at_once_come_to_one(
    db: str, house: House, scope_of: ScopeOf, clock: Clock, round_: int
) -> None:
    await away(house, clock)

    async with watched(db, house.structure) as seen:
        answers = await together(
            [
                vacancies.claim(scope_of(house.secondary), house.structure.id),
                principal_manager.transfer(scope_of(house.principal), house.structure.id, house.simple.id),
            ][:: 1 if round_ % 2 else -1]
        )

    assert kinds(answers) in ({"done": 1, "Forbidden": 1}, {"done": 1, "PrincipalManagerPresent": 1})
    assert set(seen) == {1}
    await invariants.check(clock.now)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_claim_and_appointment_at_once_come_to_one(
    db: str, house: House, support: Scope, scope_of: ScopeOf, clock: Clock, round_: int
) -> None:
    await suspended(house)

    async with watched(db, house.structure) as seen:
        answers = await together(
            [
                vacancies.claim(scope_of(house.secondary), house.structure.id),
                principal_manager.appoint(support, house.structure.id, house.simple.id, "none can act"),
            ][:: 1 if round_ % 2 else -1]
        )

    assert kinds(answers) in ({"done": 1, "Conflict": 1}, {"done": 1, "PrincipalManagerPresent": 1})
    assert set(seen) == {1}
    await invariants.check(clock.now)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_claimant_suspended_meanwhile_has_not_claimed_or_leaves_a_vacancy_that_is_told(
    house: House, support: Scope, scope_of: ScopeOf, clock: Clock, round_: int
) -> None:
    await suspended(house)

    answers = await together(
        [
            vacancies.claim(scope_of(house.secondary), house.structure.id),
            accounts.suspend(support, house.secondary.id, "reported"),
        ][:: 1 if round_ % 2 else -1]
    )

    done = kinds(answers)
    stopped = (await Account.get(id=house.secondary.id)).state is SUSPENDED
    claimed = await principal(house.structure) == house.secondary.id
    if claimed and stopped:
        assert done == {"done": 2}
        assert (await factories.event_types())[-1] == "SeatVacated"
    else:
        assert done in ({"done": 1, "Forbidden": 1}, {"done": 1, "Conflict": 1})
        assert claimed != stopped
    await invariants.check(clock.now)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_holder_suspended_while_handing_over_leaves_no_vacancy_untold(
    house: House, support: Scope, scope_of: ScopeOf, clock: Clock, round_: int
) -> None:
    await together(
        [
            principal_manager.transfer(scope_of(house.principal), house.structure.id, house.simple.id),
            accounts.suspend(support, house.principal.id, "reported"),
            accounts.suspend(support, house.simple.id, "reported"),
        ][:: 1 if round_ % 2 else -1]
    )

    holder = await Account.get(id=await principal(house.structure))
    told = "SeatVacated" in await factories.event_types()
    assert told == (holder.state is SUSPENDED)
    await invariants.check(clock.now)


async def test_fifty_offers_at_once_make_one(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    scope = scope_of(house.principal)
    answers = await together(
        offers.offer(scope, house.structure.id, (house.simple, house.secondary)[number % 2].id)
        for number in range(MANY)
    )
    assert kinds(answers) == {"done": 1, "PrincipalManagerAlreadyOffered": MANY - 1}
    assert await factories.traces() == (1, 1)
    await invariants.check(clock.now)


@pytest.mark.parametrize("other", ["accept", "decline", "withdraw", "transfer", "claim", "suspend"])
@pytest.mark.parametrize("round_", range(2))
async def test_acceptance_and_whatever_ends_the_offer_at_once_come_to_one(
    db: str, house: House, support: Scope, scope_of: ScopeOf, clock: Clock, other: str, round_: int
) -> None:
    offer_id = await offers.offer(scope_of(house.principal), house.structure.id, house.simple.id)
    await away(house, clock)
    acts: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "accept": lambda: offers.accept(scope_of(house.simple), offer_id),
        "decline": lambda: offers.decline(scope_of(house.simple), offer_id),
        "withdraw": lambda: offers.withdraw(scope_of(house.principal), offer_id),
        "transfer": lambda: principal_manager.transfer(
            scope_of(house.principal), house.structure.id, house.secondary.id
        ),
        "claim": lambda: vacancies.claim(scope_of(house.secondary), house.structure.id),
        "suspend": lambda: accounts.suspend(support, house.principal.id, "reported"),
    }

    async with watched(db, house.structure) as seen:
        answers = await together([acts[name]() for name in ("accept", other)[:: 1 if round_ else -1]])

    status = (await PrincipalManagerOffer.get(id=offer_id)).status
    accepted = await principal(house.structure) == house.simple.id
    refusals = [answer for answer in answers if isinstance(answer, DomainError)]
    assert (status is OfferStatus.ACCEPTED) == accepted
    # a former holder may be suspended afterwards; of two acts on the offer or the seat, one is refused
    assert len(refusals) == (0 if other == "suspend" and accepted and not refusals else 1)
    assert set(seen) == {1}
    await invariants.check(clock.now)
