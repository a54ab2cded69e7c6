"""Coming back: by a mailed link alone, once, within 60 days to the second."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from models.accounts import passwords, sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import Actor
from models.accounts.sessions import Session
from models.accounts.tokens import Purpose
from models.attachments.attachments import Role
from models.db.query import Selection
from models.errors.errors import ExpiredToken, InvalidToken, Missing, ReactivationExpired, WeakPassword
from models.events.events import Event
from models.mail.outbox import Mail
from resolvers.accounts import accounts, deactivation, links, users, wishes
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import assert_untold, outcomes, overtaken, refused, token_of
from tests.support import factories

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
CHOSEN = {"password": "Lighthouse-Keeper-7", "secret_question": "First school?", "secret_answer": "École Nord"}
DAYS = timedelta(days=60)


async def leave(scope: Scope) -> None:
    await deactivation.deactivate(scope, confirm=True, successor_for_all=None, successions=[])


async def reactivate(scope: Scope, token: str, **changes: str) -> Entry:
    return await deactivation.reactivate(scope, token=token, **{**CHOSEN, **changes})


async def left(scope_of: ScopeOf) -> Account:
    """A person who has just deactivated their account."""
    person = await factories.person()
    await leave(scope_of(person))
    return person


async def asked(scope: Scope, account: Account) -> str:
    """The token of a reactivation link just mailed to the account."""
    await deactivation.request_reactivation(scope, account.login_email)
    return await token_of(scope.office, "reactivation_link")


async def test_person_comes_back_by_the_link(scope_of: ScopeOf, office: Office, clock: Clock) -> None:
    person = await left(scope_of)
    structure = await factories.structure()
    await factories.attachment(person, structure)
    scope = scope_of()
    entry = await reactivate(scope, await asked(scope_of(), person))
    account = await Account.get()
    assert (account.state, account.deactivated_at) == (AccountState.ACTIVE, None)
    assert account.secret_question == "First school?"
    assert await passwords.verify(account.password_hash, CHOSEN["password"])
    assert await passwords.verify(account.secret_answer_hash, "ecole nord")
    session = await Session.get()
    assert scope.actor == Actor(person.id, session.id, None)
    assert await sessions.actor_of(entry.token, now=clock.now, idle=office.session_idle) == scope.actor
    assert await scope.roles() == {structure.id: Role.SIMPLE_USER}
    mailed = [message for message, _ in await factories.mails()]
    assert mailed == ["account_deactivated", "reactivation_link", "account_reactivated"]
    events = [(event.type, event.actor_id) for event in await Event.all().order_by("id")]
    assert events[1:] == [("ReactivationRequested", None), ("AccountReactivated", person.id)]


async def test_stranger_learns_nothing_by_asking(scope_of: ScopeOf, clock: Clock) -> None:
    active, suspended = await factories.person(), await factories.person(state=AccountState.SUSPENDED)
    closed = await factories.person(state=AccountState.DEACTIVATED, deactivated_at=clock.now - DAYS)
    for address in (active.login_email, suspended.login_email, closed.login_email, "nobody@people.example", "x"):
        await deactivation.request_reactivation(scope_of(), address)
    assert await wishes.grant(scope_of()) == 5
    assert await factories.traces() == (0, 0)
    async with refused((Missing, "login_email")):
        await deactivation.request_reactivation(scope_of(), " ")


async def test_request_counts_within_sixty_days_to_the_second(scope_of: ScopeOf, clock: Clock) -> None:
    person = await left(scope_of)
    selection = Selection(frozenset({"id", "state"}))
    clock.advance(days=59, hours=23, minutes=59, seconds=59)
    assert (await users.by_ids(scope_of(), [person.id], selection))[0].state == "DEACTIVATED"  # type: ignore[union-attr]
    await reactivate(scope_of(), await asked(scope_of(), person))
    await leave(scope_of(person))
    clock.advance(days=60)
    before = await factories.traces()
    await deactivation.request_reactivation(scope_of(), person.login_email)
    assert await wishes.grant(scope_of()) == 1
    assert await factories.traces() == before
    assert (await users.by_ids(scope_of(), [person.id], selection))[0].state == "CLOSED"  # type: ignore[union-attr]


async def test_completion_counts_within_sixty_days_to_the_second(scope_of: ScopeOf, clock: Clock) -> None:
    person = await left(scope_of)
    clock.advance(days=59, hours=23, minutes=30)
    token = await asked(scope_of(), person)
    clock.advance(minutes=30)
    async with refused((ReactivationExpired, "token")):
        await reactivate(scope_of(), token)
    async with refused((ReactivationExpired, "token")):
        await links.inspect(scope_of(), Purpose.REACTIVATION, token)
    clock.advance(seconds=-1)
    await reactivate(scope_of(), token)


async def test_sixty_days_that_pass_while_the_completion_waits_are_over(scope_of: ScopeOf, clock: Clock) -> None:
    async def pass_on(account: Account) -> None:
        clock.advance(seconds=1)

    person = await left(scope_of)
    clock.advance(days=59, hours=23, minutes=59, seconds=59)
    token = await asked(scope_of(), person)
    async with refused((ReactivationExpired, "token")):
        await overtaken(person, reactivate(scope_of(), token), pass_on)


async def test_link_lives_sixty_minutes_until_a_newer_one(scope_of: ScopeOf, clock: Clock) -> None:
    person = await left(scope_of)
    older = await asked(scope_of(), person)
    newer = await asked(scope_of(), person)
    async with refused((InvalidToken, "token")):
        await reactivate(scope_of(), older)
    clock.advance(minutes=60)
    async with refused((ExpiredToken, "token")):
        await reactivate(scope_of(), newer)
    clock.advance(seconds=-1)
    await reactivate(scope_of(), newer)


async def test_person_who_chooses_badly_is_told_all_and_keeps_the_link(scope_of: ScopeOf) -> None:
    token = await asked(scope_of(), await left(scope_of))
    async with refused((WeakPassword, "password"), (Missing, "secret_question"), (Missing, "secret_answer")):
        await reactivate(scope_of(), token, password="short", secret_question=" ", secret_answer="")
    assert (await Account.get()).state is AccountState.DEACTIVATED
    await reactivate(scope_of(), token)


async def test_link_used_by_fifty_at_once_works_once(scope_of: ScopeOf) -> None:
    token = await asked(scope_of(), await left(scope_of))
    ended = await outcomes([reactivate(scope_of(), token) for _ in range(50)])
    assert len([end for end in ended if isinstance(end, Entry)]) == 1
    assert ended.count(InvalidToken) == 49
    assert await Session.all().count() == 1
    assert await Event.filter(type="AccountReactivated").count() == 1
    assert await Mail.filter(message="account_reactivated").count() == 1


async def test_address_gets_five_links_an_hour(scope_of: ScopeOf) -> None:
    person = await left(scope_of)
    for _ in range(7):
        await deactivation.request_reactivation(scope_of(), person.login_email)
    assert await wishes.grant(scope_of()) == 5
    assert await Mail.filter(message="reactivation_link").count() == 5


async def test_nothing_secret_is_told_by_events_and_mails(scope_of: ScopeOf) -> None:
    person = await left(scope_of)
    token = await asked(scope_of(), person)
    entry = await reactivate(scope_of(), token)
    account = await Account.get()
    hashes = [account.password_hash or "", account.secret_answer_hash or "", sessions.hashed(token)]
    await assert_untold(token, entry.token, CHOSEN["password"], "cole Nord", "ecole nord", *hashes)
    assert await accounts.by_ids(scope_of(person), [person.id], Selection()) != [None]
    assert isinstance(entry.expires_at, datetime)
