"""Wishes for a mailed link: kept alike for every address, granted once, whoever grants them and however often."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from mailer.seals import Sealer
from models.accounts import Account, AccountState
from models.outbox import Mail
from models.tokens import OneTimeToken, Purpose
from models.wishes import Wish
from resolvers import wishes
from resolvers.scope import Office, Scope
from tests import factories
from tests.conftest import Clock

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]


async def waiting(state: AccountState, clock: Clock) -> Account:
    since = clock.now if state is AccountState.DEACTIVATED else None
    return await factories.person(state=state, deactivated_at=since)


async def test_a_wish_is_kept_alike_for_a_known_and_an_unknown_address_and_tells_neither(scope_of: ScopeOf) -> None:
    person = await factories.person(login_email="known@people.example")
    for address in (person.login_email, "other@people.example"):
        await wishes.ask(scope_of(), Purpose.PASSWORD_RESET, address)
    assert await factories.traces() == (0, 0)
    kept = await Wish.all().order_by("id")
    assert [len(wish.address) for wish in kept] == [len(kept[0].address)] * 2
    assert "people" not in "".join(wish.address for wish in kept)


@pytest.mark.parametrize(
    ("purpose", "state", "message", "event"),
    [
        (Purpose.ACTIVATION, AccountState.PENDING_ACTIVATION, "account_activation", "ActivationResent"),
        (Purpose.PASSWORD_RESET, AccountState.ACTIVE, "password_reset", "PasswordResetRequested"),
        (Purpose.REACTIVATION, AccountState.DEACTIVATED, "reactivation_link", "ReactivationRequested"),
    ],
)
async def test_a_person_in_the_right_state_gets_the_link_that_lives_from_then_on(
    scope_of: ScopeOf, clock: Clock, purpose: Purpose, state: AccountState, message: str, event: str
) -> None:
    person = await waiting(state, clock)
    await wishes.ask(scope_of(), purpose, person.login_email.upper())
    clock.advance(minutes=2)
    assert await wishes.grant(scope_of()) == 1
    assert await factories.mails() == [(message, person.login_email)]
    assert await factories.event_types() == [event]
    assert (await OneTimeToken.get()).expires_at == clock.now + timedelta(minutes=60)
    assert await Wish.all().count() == 0


async def test_wishes_that_nobody_granted_for_an_hour_are_dropped(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person()
    await wishes.ask(scope_of(), Purpose.PASSWORD_RESET, person.login_email)
    clock.advance(minutes=60)
    assert await wishes.grant(scope_of()) == 1
    assert (await factories.traces(), await Wish.all().count()) == ((0, 0), 0)


async def test_a_wish_sealed_under_another_key_is_dropped(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person()
    other = replace(office, sealer=Sealer("another secret key", "rattache.example"))
    await wishes.ask(Scope(other), Purpose.PASSWORD_RESET, person.login_email)
    assert await wishes.grant(scope_of()) == 1
    assert (await factories.traces(), await Wish.all().count()) == ((0, 0), 0)


async def test_several_workers_grant_each_wish_once(scope_of: ScopeOf) -> None:
    people = [await factories.person() for _ in range(12)]
    for person in people:
        await wishes.ask(scope_of(), Purpose.PASSWORD_RESET, person.login_email)
    assert sum(await asyncio.gather(*(wishes.grant(scope_of()) for _ in range(4)))) == 12
    assert sorted(mail.address for mail in await Mail.all()) == sorted(person.login_email for person in people)


async def test_a_wish_whose_granting_fails_is_granted_later(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person()
    await wishes.ask(scope_of(), Purpose.PASSWORD_RESET, person.login_email)

    def broken() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        await wishes.grant(Scope(replace(office, token=broken)))
    assert (await factories.traces(), await Wish.all().count()) == ((0, 0), 1)
    assert await wishes.grant(scope_of()) == 1
    assert await factories.mails() == [("password_reset", person.login_email)]
