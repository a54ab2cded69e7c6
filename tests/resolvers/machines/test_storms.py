"""Everybody acts at once on the same few rows: nothing but expected refusals comes of it, and every invariant holds."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account
from models.attachments.attachments import Attachment, Role
from models.attachments.offers import PrincipalManagerOffer
from models.errors.errors import Conflict, DomainError, Unauthenticated
from models.subscriptions.spaces import OpenSpace, SpaceCode
from models.subscriptions.subscriptions import SpaceSubscription
from resolvers.accounts import accounts, deactivation
from resolvers.attachments import lifecycle, offers, principal_manager, requests, vacancies
from resolvers.attachments.requests import NewRequest, Validation
from resolvers.bulk import Outcome
from resolvers.scope import Scope
from resolvers.subscriptions import grants, space_requests, spaces
from resolvers.subscriptions.terms import Terms
from tests.conftest import Clock
from tests.resolvers.support.houses import House
from tests.support import factories, invariants

pytestmark = pytest.mark.slow

ScopeOf = Callable[..., Scope]
TODAY = date(2027, 3, 15)
COMMITMENTS = SpaceCode.COMMITMENTS
ROUNDS, ACTS_A_ROUND = 6, 40


class Storm:
    """The people of one structure, and what any of them may try on it next."""

    def __init__(self, house: House, people: Sequence[Account], support: Account, scope_of: ScopeOf, seed: int) -> None:
        self.structure, self.people, self.support = house.structure.id, people, support
        self.scope_of = scope_of
        self.chance = random.Random(seed)
        self.links: list[int] = []
        self.rows: list[int] = []
        self.offers: list[int] = []

    async def look(self) -> None:
        self.links = [row.id for row in await Attachment.filter(structure_id=self.structure)]
        self.rows = [row.id for row in await SpaceSubscription.filter(structure_id=self.structure)]
        self.offers = [row.id for row in await PrincipalManagerOffer.all()]

    def act(self) -> Awaitable[Any]:
        """One act that somebody tries, whether they may or not."""
        scope, other = self.scope_of(self.chance.choice(self.people)), self.chance.choice(self.people).id
        support = self.scope_of(self.support)
        link = self.chance.choice(self.links)
        row, offer = self.chance.choice([*self.rows, 0]), self.chance.choice([*self.offers, 0])
        terms = Terms(self.structure, COMMITMENTS, TODAY)
        acts: list[Callable[[], Awaitable[Any]]] = [
            lambda: requests.request(scope, [NewRequest(self.structure, TODAY)]),
            lambda: requests.validate(scope, [Validation(link)]),
            lambda: lifecycle.deactivate(scope, [link], None),
            lambda: lifecycle.reactivate(scope, [link]),
            lambda: lifecycle.remove(scope, [link], {}),
            lambda: space_requests.request(scope, [terms]),
            lambda: space_requests.validate(scope, [row]),
            lambda: space_requests.refuse(scope, [row], "not now"),
            lambda: space_requests.remove(scope, [row]),
            lambda: grants.grant(scope, terms, [other]),
            lambda: spaces.close_some(scope, self.structure, [COMMITMENTS]),
            lambda: spaces.open_some(scope, self.structure, [COMMITMENTS]),
            lambda: principal_manager.change_role(
                scope, link, self.chance.choice([Role.SECONDARY_MANAGER, Role.SIMPLE_USER])
            ),
            lambda: principal_manager.transfer(scope, self.structure, other),
            lambda: offers.offer(scope, self.structure, other),
            lambda: offers.accept(scope, offer),
            lambda: offers.withdraw(scope, offer),
            lambda: vacancies.claim(scope, self.structure),
            lambda: accounts.suspend(support, other, "reported"),
            lambda: accounts.reopen(support, other, "by mistake"),
            lambda: deactivation.deactivate(scope, confirm=True, successor_for_all=other, successions=[]),
        ]
        return self.chance.choice(acts)()


def refusal_of(end: object) -> str:
    """What became of an act: `ok`, the refusal's class, or the exception that nobody expects."""
    if isinstance(end, BaseException) and not isinstance(end, DomainError | Unauthenticated):
        raise end
    if isinstance(end, list) and end and isinstance(end[0], Outcome) and end[0].error is not None:
        return type(end[0].error).__name__
    return type(end).__name__ if isinstance(end, BaseException) else "ok"


@pytest.mark.parametrize("seed", [11, 12])
async def test_storm_of_acts_ends_in_expected_refusals_and_sound_tables(
    house: House, scope_of: ScopeOf, clock: Clock, seed: int
) -> None:
    await OpenSpace.create(structure=house.structure, space=COMMITMENTS)
    more = [await factories.person() for _ in range(3)]
    for person in more[:2]:
        await factories.attachment(person, house.structure)
    support = await factories.person(platform_role="SUPPORT")
    storm = Storm(house, [house.principal, house.secondary, house.simple, *more], support, scope_of, seed)
    came: Counter[str] = Counter()
    for _ in range(ROUNDS):
        await storm.look()
        ended = await asyncio.gather(*(storm.act() for _ in range(ACTS_A_ROUND)), return_exceptions=True)
        came.update(map(refusal_of, ended))
        clock.advance(minutes=1)
        await invariants.check(clock.now)
    assert came["ok"] > ROUNDS, came
    assert came[Conflict.__name__] < ROUNDS * ACTS_A_ROUND / 4, came
