"""Resetting a password: a mailed link and the secret answer, both needed, and every other way in closed after."""

from collections.abc import Callable

import pytest

from models.accounts import accounts as rows
from models.accounts import passwords, sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.sessions import Session
from models.accounts.tokens import OneTimeToken, Purpose
from models.errors.errors import (
    ExpiredToken,
    InvalidToken,
    Missing,
    RateLimited,
    ReusedPassword,
    WeakPassword,
    WrongCredentials,
    WrongSecretAnswer,
)
from models.events.events import Event
from resolvers.accounts import credentials, links, wishes
from resolvers.accounts import sessions as entries
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import assert_untold, outcomes, refused, token_of
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
NEW = "Lighthouse-Keeper-7"


async def asked(scope: Scope, account: Account) -> str:
    """The token of a reset link just mailed to the account."""
    await credentials.request_reset(scope, account.login_email)
    return await token_of(scope.office, "password_reset")


async def test_person_resets_by_the_link_and_the_answer(scope_of: ScopeOf, office: Office, clock: Clock) -> None:
    person = await factories.person(contact_email="elsewhere@people.example")
    scope = scope_of()
    entry = await credentials.reset(scope, await asked(scope_of(), person), "demo", NEW)
    account = await Account.get()
    assert await passwords.verify(account.password_hash, NEW)
    assert scope.actor == await sessions.actor_of(entry.token, now=clock.now, idle=office.session_idle)
    mailed = [("password_reset", person.login_email), ("password_changed", person.login_email)]
    assert await factories.mails() == mailed
    events = [(event.type, event.actor_id) for event in await Event.all().order_by("id")]
    assert events == [("PasswordResetRequested", None), ("PasswordReset", person.id)]
    with pytest.raises(WrongCredentials):
        await entries.sign_in(scope_of(), person.login_email, PASSWORD)
    await entries.sign_in(scope_of(), person.login_email, NEW)


@pytest.mark.parametrize("state", [AccountState.PENDING_ACTIVATION, AccountState.DEACTIVATED, AccountState.SUSPENDED])
async def test_account_that_is_not_active_gets_no_link(scope_of: ScopeOf, clock: Clock, state: AccountState) -> None:
    since = clock.now if state is AccountState.DEACTIVATED else None
    person = await factories.person(state=state, deactivated_at=since)
    for address in (person.login_email, "nobody@people.example", "no address"):
        await credentials.request_reset(scope_of(), address)
    assert await wishes.grant(scope_of()) == 3
    assert await factories.traces() == (0, 0)
    assert await OneTimeToken.all().count() == 0


async def test_blank_address_is_told(scope_of: ScopeOf) -> None:
    async with refused((Missing, "login_email")):
        await credentials.request_reset(scope_of(), " ")


async def test_address_gets_five_links_an_hour(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person()
    for _ in range(7):
        await credentials.request_reset(scope_of(), person.login_email)
    assert await wishes.grant(scope_of()) == 5
    assert len(await factories.mails()) == 5
    clock.advance(hours=1)
    await credentials.request_reset(scope_of(), person.login_email)
    assert await wishes.grant(scope_of()) == 1
    assert len(await factories.mails()) == 6


async def test_question_is_told_to_whoever_holds_the_link_and_uses_nothing_up(scope_of: ScopeOf, clock: Clock) -> None:
    token = await asked(scope_of(), await factories.person(secret_question="First pet?"))
    before = await factories.traces()
    for _ in range(3):
        assert await links.secret_question(scope_of(), token) == "First pet?"
    assert await factories.traces() == before
    async with refused((InvalidToken, "token")):
        await links.secret_question(scope_of(), "never-issued")
    clock.advance(minutes=60)
    async with refused((ExpiredToken, "token")):
        await links.secret_question(scope_of(), token)


@pytest.mark.parametrize("answer", ["demo", " DÉMO ", "De\u0301mo"])
async def test_accents_case_and_spaces_of_the_answer_do_not_count(scope_of: ScopeOf, answer: str) -> None:
    await credentials.reset(scope_of(), await asked(scope_of(), await factories.person()), answer, NEW)


async def test_answer_that_was_chosen_when_two_characters_did_stays_usable(scope_of: ScopeOf) -> None:
    person = await factories.person(secret_answer_hash=await passwords.hash("ed"))
    await credentials.reset(scope_of(), await asked(scope_of(), person), "Ed", NEW)


async def test_everything_wrong_is_told_at_once_and_the_link_stays_good(scope_of: ScopeOf) -> None:
    person = await factories.person()
    token = await asked(scope_of(), person)
    async with refused((WeakPassword, "password"), (WrongSecretAnswer, "secret_answer")):
        await credentials.reset(scope_of(), token, "demonstration", "short")
    async with refused((Missing, "password"), (Missing, "secret_answer")):
        await credentials.reset(scope_of(), token, " ", "")
    async with refused((WrongSecretAnswer, "secret_answer")):
        await credentials.reset(scope_of(), token, "demonstration", NEW)
    assert (await Account.get()).password_hash == person.password_hash
    await credentials.reset(scope_of(), token, "demo", NEW)


async def test_link_works_once_for_sixty_minutes_until_a_newer_one(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person()
    older = await asked(scope_of(), person)
    newer = await asked(scope_of(), person)
    async with refused((InvalidToken, "token")):
        await credentials.reset(scope_of(), older, "demo", NEW)
    clock.advance(minutes=59, seconds=59)
    await credentials.reset(scope_of(), newer, "demo", NEW)
    async with refused((InvalidToken, "token")):
        await credentials.reset(scope_of(), newer, "demo", NEW)
    last = await asked(scope_of(), person)
    clock.advance(minutes=60)
    async with refused((ExpiredToken, "token")):
        await credentials.reset(scope_of(), last, "demo", "Something-Else-8")


async def test_link_is_kept_only_as_its_hash(scope_of: ScopeOf) -> None:
    token = await asked(scope_of(), await factories.person())
    assert len(token) >= 43  # 256 bits in base64
    kept = await OneTimeToken.get()
    assert kept.token_hash == sessions.hashed(token)
    assert token not in str(vars(kept))


async def test_link_used_by_many_at_once_works_once(scope_of: ScopeOf) -> None:
    token = await asked(scope_of(), await factories.person())
    ended = await outcomes([credentials.reset(scope_of(), token, "demo", NEW) for _ in range(5)])
    assert len([end for end in ended if isinstance(end, Entry)]) == 1
    assert {end for end in ended if not isinstance(end, Entry)} <= {InvalidToken, RateLimited}, ended
    assert await Event.filter(type="PasswordReset").count() == 1


async def test_wrong_answers_are_braked_and_the_clock_releases_them(scope_of: ScopeOf, clock: Clock) -> None:
    token = await asked(scope_of(), await factories.person())
    for _ in range(5):
        async with refused((WrongSecretAnswer, "secret_answer")):
            await credentials.reset(scope_of(), token, "wrong", NEW)
    with pytest.raises(RateLimited) as caught:
        await credentials.reset(scope_of(), token, "demo", NEW)
    assert caught.value.retry_after == 60
    clock.advance(seconds=60)
    await credentials.reset(scope_of(), token, "demo", NEW)


async def test_parallel_wrong_answers_get_five_tries(scope_of: ScopeOf) -> None:
    token = await asked(scope_of(), await factories.person())
    ended = await outcomes([credentials.reset(scope_of(), token, f"wrong {number}", NEW) for number in range(20)])
    assert (ended.count(WrongSecretAnswer), ended.count(RateLimited)) == (5, 15)


async def test_last_five_passwords_are_refused_and_the_sixth_is_free_again(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person()
    used = [f"Lighthouse-Keeper-{number}" for number in range(6)]
    for password in used:
        person.password_hash = await passwords.hash(password)
        await rows.add_former_password(person, clock.now)
    await person.save()
    token = await asked(scope_of(), person)
    for password in used[1:]:
        async with refused((ReusedPassword, "password")):
            await credentials.reset(scope_of(), token, "demo", password)
    await credentials.reset(scope_of(), token, "demo", used[0])
    assert len(await rows.former_passwords(person.id)) == 5


async def test_reset_ends_every_other_session_and_the_brake(scope_of: ScopeOf) -> None:
    person, other = await factories.person(), await factories.person()
    await entries.sign_in(scope_of(), person.login_email, PASSWORD)
    kept = await entries.sign_in(scope_of(), other.login_email, PASSWORD)
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await entries.sign_in(scope_of(), person.login_email, "Wrong-Password-2026")
    entry = await credentials.reset(scope_of(), await asked(scope_of(), person), "demo", NEW)
    left = {row.token_hash for row in await Session.all()}
    assert left == {sessions.hashed(kept.token), sessions.hashed(entry.token)}
    await entries.sign_in(scope_of(), person.login_email, NEW)


async def test_link_for_something_else_does_not_reset(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person(pending_contact_email="new@people.example")
    async with scope_of().transaction():
        await links.send(scope_of(), person, Purpose.CONTACT_EMAIL)
    async with refused((InvalidToken, "token")):
        await credentials.reset(scope_of(), await token_of(office, "contact_email_confirmation"), "demo", NEW)


async def test_nothing_secret_is_told_by_events_and_mails(scope_of: ScopeOf) -> None:
    person = await factories.person()
    token = await asked(scope_of(), person)
    entry = await credentials.reset(scope_of(), token, "demo", NEW)
    account = await Account.get()
    assert account.password_hash is not None
    hashes = [account.password_hash, factories.PASSWORD_HASH, factories.ANSWER_HASH, sessions.hashed(token)]
    await assert_untold(token, entry.token, NEW, PASSWORD, "demo", *hashes)


async def test_reset_link_without_the_answer_does_not_tell_the_last_passwords(scope_of: ScopeOf) -> None:
    person = await factories.person()
    await rows.add_former_password(person, factories.LONG_AGO)
    scope = scope_of()
    token = await asked(scope, person)
    for answer, problem in (("", Missing), ("wrong", WrongSecretAnswer)):
        async with refused((problem, "secret_answer")):
            await credentials.reset(scope, token, answer, PASSWORD)
    async with refused((ReusedPassword, "password")):
        await credentials.reset(scope, token, "demo", PASSWORD)
