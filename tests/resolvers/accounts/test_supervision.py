"""Support's acts on accounts: suspended and reopened for a reason that the history keeps, by support alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from models.accounts import sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.accounts.sessions import Session
from models.accounts.tokens import OneTimeToken, Purpose
from models.attachments.attachments import Attachment, Role
from models.errors.errors import (
    AccountUnavailable,
    Forbidden,
    Invalid,
    InvalidToken,
    Missing,
    NotFound,
    TooLong,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.mail.outbox import Mail, MailState
from resolvers.accounts import accounts, deactivation, links
from resolvers.accounts import sessions as entries
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import outcomes, refused, token_of
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
DAYS = timedelta(days=60)
ACTS = [accounts.suspend, accounts.reopen]


@pytest.fixture
async def support(db: str, scope_of: ScopeOf) -> Scope:
    """An operation by someone of support."""
    return scope_of(await factories.person(platform_role=PlatformRole.SUPPORT))


# ------------------------------------------------------------------ suspending
async def test_support_suspends_and_every_way_in_is_closed(
    scope_of: ScopeOf, support: Scope, office: Office, clock: Clock
) -> None:
    person = await factories.person(pending_contact_email="new@people.example")
    structure = await factories.structure(person)
    entry = await entries.sign_in(scope_of(), person.login_email, PASSWORD)
    async with scope_of().transaction():
        await links.send(scope_of(), person, Purpose.CONTACT_EMAIL)
    await accounts.suspend(support, person.id, " Reported\nby phone ")
    account = await Account.get(id=person.id)
    assert (account.state, account.pending_contact_email) == (AccountState.SUSPENDED, None)
    assert await sessions.actor_of(entry.token, now=clock.now, idle=office.session_idle) is None
    assert (await Session.all().count(), await OneTimeToken.all().count()) == (0, 0)
    mailed = [(mail.message, mail.address, mail.state) for mail in await Mail.all().order_by("id")]
    assert mailed == [
        ("contact_email_confirmation", "new@people.example", MailState.WITHDRAWN),
        ("account_suspended", person.login_email, MailState.PENDING),
    ]
    event = await Event.get(type="AccountSuspended")
    assert (event.before, event.after) == ({"state": "ACTIVE"}, {"state": "SUSPENDED", "reason": "Reported\nby phone"})
    assert support.actor is not None
    assert (event.actor_id, event.subject_id) == (support.actor.account_id, person.id)
    with pytest.raises(AccountUnavailable):
        await entries.sign_in(scope_of(), person.login_email, PASSWORD)
    assert (await Attachment.get(structure_id=structure.id)).role is Role.PRINCIPAL_MANAGER


@pytest.mark.parametrize("state", [AccountState.PENDING_ACTIVATION, AccountState.DEACTIVATED])
async def test_suspension_of_an_account_without_access_sends_nothing(
    support: Scope, clock: Clock, state: AccountState
) -> None:
    since = clock.now if state is AccountState.DEACTIVATED else None
    person = await factories.person(state=state, deactivated_at=since)
    await accounts.suspend(support, person.id, "Reported")
    assert (await Account.get(id=person.id)).state is AccountState.SUSPENDED
    assert await factories.mails() == []
    assert (await Event.get()).before == {"state": state}


async def test_link_mailed_before_a_suspension_is_dead(scope_of: ScopeOf, support: Scope, office: Office) -> None:
    person = await factories.person()
    await deactivation.deactivate(scope_of(person), confirm=True, successor_for_all=None, successions=[])
    await deactivation.request_reactivation(scope_of(), person.login_email)
    token = await token_of(office, "reactivation_link")
    await accounts.suspend(support, person.id, "Reported")
    assert {mail.state for mail in await Mail.all()} == {MailState.WITHDRAWN}
    async with refused((InvalidToken, "token")):
        await links.inspect(scope_of(), Purpose.REACTIVATION, token)


@pytest.mark.parametrize("role", list(PlatformRole))
async def test_support_cannot_suspend_its_own_kind(support: Scope, role: PlatformRole) -> None:
    other = await factories.person(platform_role=role)
    async with refused((Forbidden, "user_id")):
        await accounts.suspend(support, other.id, "Reported")


@pytest.mark.parametrize("state", [AccountState.SUSPENDED, AccountState.CLOSED])
async def test_what_is_stopped_for_good_is_not_suspended(support: Scope, clock: Clock, state: AccountState) -> None:
    closed = {"state": AccountState.DEACTIVATED, "deactivated_at": clock.now - DAYS}
    person = await factories.person(**(closed if state is AccountState.CLOSED else {"state": state}))
    async with refused((TransitionNotAllowed,)):
        await accounts.suspend(support, person.id, "Reported")


async def test_two_suspensions_at_once_make_one(support: Scope) -> None:
    person = await factories.person()
    ended = await outcomes([accounts.suspend(support, person.id, "Reported") for _ in range(5)])
    assert (ended.count(None), ended.count(TransitionNotAllowed)) == (1, 4)
    assert await factories.traces() == (1, 1)


# ------------------------------------------------------------------ reopening
async def test_support_reopens_a_closed_account_and_its_person_comes_back_by_the_link(
    scope_of: ScopeOf, support: Scope, office: Office, clock: Clock
) -> None:
    person = await factories.person(state=AccountState.DEACTIVATED, deactivated_at=clock.now - DAYS)
    await accounts.reopen(support, person.id, "Asked by phone")
    account = await Account.get(id=person.id)
    assert (account.state, account.deactivated_at) == (AccountState.DEACTIVATED, clock.now)
    assert account.reactivable_until == clock.now + DAYS
    assert await factories.mails() == [("account_reopened", person.login_email)]
    event = await Event.get()
    assert (event.type, event.before) == ("AccountReopened", {"state": "CLOSED"})
    assert event.after == {"state": "DEACTIVATED", "reason": "Asked by phone"}
    token = await token_of(office, "account_reopened")
    chosen = {"password": "Lighthouse-Keeper-7", "secret_question": "First school?", "secret_answer": "École Nord"}
    await deactivation.reactivate(scope_of(), token=token, **chosen)
    assert (await Account.get(id=person.id)).state is AccountState.ACTIVE


@pytest.mark.parametrize(
    ("password_hash", "state", "mail"),
    [
        (factories.PASSWORD_HASH, AccountState.ACTIVE, "account_reactivated"),
        (None, AccountState.PENDING_ACTIVATION, "account_activation"),
    ],
    ids=["active", "pending"],
)
async def test_support_reopens_a_suspended_account_whose_owner_is_told(
    support: Scope, password_hash: str | None, state: AccountState, mail: str
) -> None:
    person = await factories.person(state=AccountState.SUSPENDED, password_hash=password_hash)
    await accounts.reopen(support, person.id, "Cleared up")
    assert (await Account.get(id=person.id)).state is state
    assert await factories.mails() == [(mail, person.login_email)]
    assert (await Event.get()).after == {"state": state, "reason": "Cleared up"}


@pytest.mark.parametrize("state", [AccountState.PENDING_ACTIVATION, AccountState.ACTIVE, AccountState.DEACTIVATED])
async def test_what_is_not_stopped_is_not_reopened(support: Scope, clock: Clock, state: AccountState) -> None:
    since = clock.now - DAYS + timedelta(seconds=1) if state is AccountState.DEACTIVATED else None
    person = await factories.person(state=state, deactivated_at=since)
    async with refused((TransitionNotAllowed,)):
        await accounts.reopen(support, person.id, "Asked by phone")


# ------------------------------------------------------------------ who, whom, and why
@pytest.mark.parametrize("act", ACTS)
async def test_others_than_support_may_not(scope_of: ScopeOf, act: Callable[..., object]) -> None:
    person, manager = await factories.person(), await factories.person()
    await factories.attachment(person, await factories.structure(manager))
    for actor in (manager, person):
        async with refused((Forbidden,)):
            await act(scope_of(actor), person.id, "Because")  # type: ignore[misc]
    with pytest.raises(Unauthenticated):
        await act(scope_of(), person.id, "Because")  # type: ignore[misc]


@pytest.mark.parametrize("act", ACTS)
async def test_reason_is_mandatory_and_the_person_must_exist(support: Scope, act: Callable[..., object]) -> None:
    person = await factories.person()
    for reason, error in ((" \n ", Missing), ("x" * 256, TooLong), ("a\x00b", Invalid)):
        async with refused((error, "reason")):
            await act(support, person.id, reason)  # type: ignore[misc]
    async with refused((NotFound, "user_id")):
        await act(support, 987_654, "Because")  # type: ignore[misc]
    assert (await Account.get(id=person.id)).state is AccountState.ACTIVE
