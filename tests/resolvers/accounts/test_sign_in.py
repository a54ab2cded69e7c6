"""Signing in: one answer for every wrong try, and the brake that parallel tries don't pass."""

import random
from collections.abc import Callable

import pytest
from argon2 import PasswordHasher

from models.accounts import passwords, sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import Actor
from models.accounts.sessions import Session
from models.errors.errors import (
    AccountDeactivated,
    AccountUnavailable,
    DomainError,
    Missing,
    RateLimited,
    WrongCredentials,
)
from models.events.events import Event
from resolvers.accounts import accounts, credentials, deactivation, wishes
from resolvers.accounts import sessions as entries
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.doors import Doors
from tests.resolvers.support.mailbox import assert_untold, outcomes, overtaken, refused
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]


@pytest.fixture
def doors(office: Office) -> Doors:
    return Doors(office)


# ------------------------------------------------------------------ signing in
async def test_person_signs_in_whatever_the_case_of_the_address(doors: Doors, clock: Clock) -> None:
    person = await factories.person(login_email="lea@people.example")
    scope = Scope(doors.office, user_agent="Firefox" * 60)
    entry = await entries.sign_in(scope, " LEA@People.example ", PASSWORD)
    session = await Session.get()
    assert (session.account_id, session.created_at, session.last_seen_at) == (person.id, clock.now, clock.now)
    assert (session.expires_at - clock.now).days == 7
    assert entry == Entry(entry.token, session.expires_at, person.id)
    assert scope.actor == await doors.actor(entry) == Actor(person.id, session.id, None)
    assert (await Account.get()).last_signed_in_at == clock.now
    assert session.user_agent == ("Firefox" * 60)[:255]
    event = await Event.get()
    assert (event.type, event.actor_id, event.subject_id) == ("SignedIn", person.id, person.id)


@pytest.mark.parametrize("address", ["\0", "lea\0@people.example", "a" * 255, "a" * 100_000])
async def test_address_that_nobody_can_have_is_answered_as_any_unknown_one(doors: Doors, address: str) -> None:
    async with refused((WrongCredentials,)):
        await entries.sign_in(Scope(doors.office), address, PASSWORD)
    await credentials.request_reset(Scope(doors.office), address)
    await accounts.resend_activation(Scope(doors.office), address)
    await deactivation.request_reactivation(Scope(doors.office), address)
    assert await wishes.grant(Scope(doors.office)) == 3
    assert await factories.traces() == (0, 0)


async def test_token_is_kept_only_as_its_hash(doors: Doors) -> None:
    entry = await doors.sign_in(await factories.person())
    session = await Session.get()
    assert session.token_hash == sessions.hashed(entry.token)
    assert len(entry.token) >= 43  # 256 bits in base64
    assert entry.token not in str(vars(session))
    await assert_untold(entry.token, session.token_hash, PASSWORD)


async def test_token_does_not_follow_from_what_random_was_seeded_with(office: Office) -> None:
    tokens = set()
    for _ in range(2):
        random.seed(2026)
        tokens.add(office.token())
    assert len(tokens) == 2


async def test_password_stays_good_for_years(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    clock.advance(days=3650)
    assert (await doors.sign_in(person)).account_id == person.id


async def test_password_hashed_by_former_parameters_is_hashed_anew_at_a_sign_in(doors: Doors) -> None:
    former = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
    person = await factories.person(password_hash=former)
    async with refused((WrongCredentials,)):
        await entries.sign_in(Scope(doors.office), person.login_email, "Wrong-Password-2026")
    assert (await Account.get()).password_hash == former
    entry = await doors.sign_in(person)
    renewed = (await Account.get()).password_hash
    assert renewed is not None
    assert renewed != former
    assert not passwords.needs_rehash(renewed)
    assert await doors.actor(entry) is not None
    await doors.sign_in(person)
    assert (await Account.get()).password_hash == renewed


async def test_everyone_who_is_wrong_gets_one_answer(doors: Doors) -> None:
    person = await factories.person()
    pending = await factories.person(state=AccountState.PENDING_ACTIVATION, password_hash=None)
    answers = []
    for address, password in (
        ("nobody@people.example", PASSWORD),
        ("no address", PASSWORD),
        (person.login_email, "Wrong-Password-2026"),
        (person.login_email, PASSWORD + "x" * 5000),
        (pending.login_email, PASSWORD),
    ):
        with pytest.raises(WrongCredentials) as caught:
            await entries.sign_in(Scope(doors.office), address, password)
        answers.append(caught.value.args)
    assert answers == [answers[0]] * 5
    assert await factories.traces() == (0, 0)
    assert await Session.all().count() == 0


async def test_blank_fields_are_both_told(doors: Doors) -> None:
    async with refused((Missing, "login_email"), (Missing, "password")):
        await entries.sign_in(Scope(doors.office), " ", "")


@pytest.mark.parametrize(
    ("state", "days", "answer"),
    [
        (AccountState.DEACTIVATED, 59, AccountDeactivated),
        (AccountState.DEACTIVATED, 60, AccountUnavailable),
        (AccountState.SUSPENDED, None, AccountUnavailable),
    ],
)
async def test_only_the_right_password_tells_that_an_account_stopped(
    doors: Doors, clock: Clock, state: AccountState, days: int | None, answer: type[DomainError]
) -> None:
    person = await factories.person(state=state, deactivated_at=clock.now if days else None)
    clock.advance(days=days or 0)
    async with refused((answer,)):
        await doors.sign_in(person)
    async with refused((WrongCredentials,)):
        await doors.sign_in(person, "Wrong-Password-2026")
    assert await Session.all().count() == 0


# ------------------------------------------------------------------ the brake
async def test_sixth_try_waits_even_with_the_right_password_until_the_clock_releases_it(
    doors: Doors, clock: Clock
) -> None:
    person = await factories.person()
    for _ in range(5):
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")
    for wait in (60, 1):
        for password in ("Wrong-Password-2026", PASSWORD):
            with pytest.raises(RateLimited) as caught:
                await doors.sign_in(person, password)
            assert caught.value.retry_after == wait
        clock.advance(seconds=59 if wait == 60 else 1)
    await doors.sign_in(person)
    for _ in range(5):  # the right password forgot the tries
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")


async def test_pause_doubles_to_an_hour(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    waits = []
    for tries in range(1, 14):
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")
        if tries >= 5:
            with pytest.raises(RateLimited) as caught:
                await doors.sign_in(person)
            waits.append(caught.value.retry_after)
            clock.advance(seconds=waits[-1])
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


async def test_unknown_address_is_braked_like_a_known_one(doors: Doors) -> None:
    for _ in range(5):
        async with refused((WrongCredentials,)):
            await entries.sign_in(Scope(doors.office), "nobody@people.example", PASSWORD)
    with pytest.raises(RateLimited):
        await entries.sign_in(Scope(doors.office), "NOBODY@people.example", PASSWORD)


async def test_brake_of_one_person_stops_no_other(doors: Doors) -> None:
    person, other = await factories.person(), await factories.person()
    for _ in range(5):
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")
    await doors.sign_in(other)


async def test_fifty_parallel_wrong_passwords_get_five_tries(doors: Doors) -> None:
    person = await factories.person()
    ended = await outcomes([doors.sign_in(person, f"Wrong-Password-{number}") for number in range(50)])
    assert (ended.count(WrongCredentials), ended.count(RateLimited)) == (5, 45)
    with pytest.raises(RateLimited):
        await doors.sign_in(person)
    assert await factories.traces() == (0, 0)


async def test_sign_in_overtaken_by_a_change_of_password_is_refused(doors: Doors) -> None:
    person = await factories.person()
    newer = await passwords.hash("Another-Password-2026")

    async def change(account: Account) -> None:
        account.password_hash = newer
        await account.save()

    async with refused((WrongCredentials,)):
        await overtaken(person, doors.sign_in(person), change)
    assert await Session.all().count() == 0


async def test_sign_in_overtaken_by_a_suspension_is_refused(doors: Doors) -> None:
    async def suspend(account: Account) -> None:
        await account.update_from_dict({"state": AccountState.SUSPENDED}).save()

    person = await factories.person()
    async with refused((AccountUnavailable,)):
        await overtaken(person, doors.sign_in(person), suspend)
    assert await Session.all().count() == 0
