"""Wishes for an account or a mailed link: kept alike for every address, granted once, whoever grants them and however often."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from mailer.seals import Sealer
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState, Language
from models.accounts.tokens import OneTimeToken, Purpose
from models.accounts.wishes import Wish
from models.db import database
from models.errors.errors import WrongCredentials
from models.mail.outbox import Mail
from resolvers.accounts import accounts as entries
from resolvers.accounts import sessions, wishes
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.support import factories

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


async def sign_up(scope: Scope, login_email: str, first_name: str = "Noor") -> None:
    await entries.sign_up(
        scope, login_email=login_email, first_name=first_name, last_name="V", language=Language.EN, accept_terms=True
    )


async def test_a_sign_up_is_kept_alike_for_a_known_and_an_unknown_address_and_tells_neither(scope_of: ScopeOf) -> None:
    person = await factories.person(login_email="known@people.example")
    for address in (person.login_email, "other@people.example"):
        await sign_up(scope_of(), address)
    assert (await factories.traces(), await Account.all().count()) == ((0, 0), 1)
    kept = await Wish.all().order_by("id")
    assert {(len(wish.address), len(wish.details or "")) for wish in kept} == {
        (len(kept[0].address), len(kept[0].details or ""))
    }
    assert [word for word in ("people", "Noor") for wish in kept if word in f"{wish.address}{wish.details}"] == []


async def test_two_sign_ups_of_one_address_that_wait_together_make_one_account(scope_of: ScopeOf) -> None:
    await sign_up(scope_of(), "noor@people.example")
    await sign_up(scope_of(), "NOOR@people.example", first_name="Mallory")
    assert await wishes.grant(scope_of()) == 2
    assert (await Account.get()).first_name == "Noor"
    assert await factories.event_types() == ["AccountSignedUp", "ActivationResent"]
    assert await factories.mails() == [("account_activation", "noor@people.example")] * 2
    assert await OneTimeToken.all().count() == 1


async def test_a_sign_up_that_waits_is_an_unknown_address_to_all_who_ask(scope_of: ScopeOf) -> None:
    await sign_up(scope_of(), "noor@people.example")
    for address in ("noor@people.example", "nobody@people.example"):
        with pytest.raises(WrongCredentials):
            await sessions.sign_in(scope_of(), address, factories.PASSWORD)
        await wishes.ask(scope_of(), Purpose.PASSWORD_RESET, address)
    assert await wishes.grant(scope_of()) == 3
    with pytest.raises(WrongCredentials):
        await sessions.sign_in(scope_of(), "noor@people.example", factories.PASSWORD)
    assert await factories.mails() == [("account_activation", "noor@people.example")]


async def test_a_sign_up_that_nobody_granted_for_days_is_granted_with_a_link_that_lives(
    scope_of: ScopeOf, clock: Clock
) -> None:
    accepted = clock.now
    await sign_up(scope_of(), "noor@people.example")
    clock.advance(days=3)
    assert await wishes.grant(scope_of()) == 1
    account = await Account.get()
    assert (account.terms_accepted_at, account.created_at) == (accepted, clock.now)
    assert (await OneTimeToken.get()).expires_at == clock.now + timedelta(minutes=60)


async def test_an_address_that_is_somebodys_is_not_taken_twice_and_the_transaction_goes_on(db: str) -> None:
    person = await factories.person()
    double = await factories.person()
    same = Account(**{name: getattr(double, name) for name in Account._meta.db_fields if name != "id"})
    same.login_key = person.login_key
    async with database.transaction():
        assert await accounts.add(same) is False
        await Account.filter(id=double.id).update(first_name="Changed")
    assert await Account.all().order_by("id").values_list("first_name", flat=True) == [person.first_name, "Changed"]


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


async def test_a_wish_that_fails_holds_up_no_other(scope_of: ScopeOf, office: Office) -> None:
    people = [await factories.person() for _ in range(3)]
    for person in people:
        await wishes.ask(scope_of(), Purpose.PASSWORD_RESET, person.login_email)
    issued: list[str] = []

    def broken_once() -> str:
        issued.append(office.token())
        if len(issued) == 1:
            raise LookupError
        return issued[-1]

    with pytest.raises(LookupError):
        await wishes.grant(Scope(replace(office, token=broken_once)))
    assert [mail.address for mail in await Mail.all().order_by("id")] == [who.login_email for who in people[1:]]
    assert await wishes.grant(scope_of()) == 1
    assert await Mail.filter(address=people[0].login_email).count() == 1
