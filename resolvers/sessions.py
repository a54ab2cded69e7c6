"""Coming in and going out: sign-in behind its brake, sessions listed and ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models import accounts, brakes, passwords, sessions
from models.accounts import Account, AccountState
from models.actors import Actor
from models.errors import (
    AccountDeactivated,
    AccountUnavailable,
    DomainError,
    Missing,
    NotFound,
    RateLimited,
    WrongCredentials,
    refuse_if_any,
)
from models.events import SessionsRevoked, SignedIn, SignedOut
from models.profiles import email_key
from models.reading import Row, Selection
from models.sessions import LIVE, NEWEST_FIRST, SESSIONS
from resolvers.scope import Scope


@dataclass(frozen=True)
class Entry:
    """A session just opened: the only time its token is known in clear."""

    token: str
    expires_at: datetime
    account_id: int


async def sign_in(scope: Scope, login_email: str, password: str) -> Entry:
    """A new session of the account. The try is counted before the password is looked at, so parallel tries don't pass.

    Raises:
        Missing: when a field is blank.
        RateLimited: when there were too many wrong tries on the account lately.
        WrongCredentials: for an unknown address, a wrong password or an account not activated: one answer, one time.
        AccountDeactivated, AccountUnavailable: the password being right, told only then.
    """
    problems: list[DomainError] = []
    problems += [Missing("login_email")] if not login_email.strip() else []
    problems += [Missing("password")] if not password else []
    refuse_if_any(problems)
    key = sign_in_brake(login_email)
    await admit(scope, key)
    account = await accounts.by_login(email_key(login_email))
    verified = account.password_hash if account else None
    if not await passwords.verify(verified, password) or account is None:
        raise WrongCredentials
    await brakes.release(key)
    _must_be_usable(account, scope.now())
    async with scope.transaction() as record:
        account = await accounts.lock(account.id)
        _must_be_usable(account, scope.now())
        if account.password_hash != verified:  # changed meanwhile, which ended every session but this one
            raise WrongCredentials
        entry = await open_for(scope, account)
        await record(SignedIn(subject_id=account.id))
    return entry


def sign_in_brake(login_email: str) -> str:
    """The key under which tries of the account's password are counted, wherever it is asked for."""
    return brakes.key_of("password", email_key(login_email))


async def admit(scope: Scope, key: str) -> None:
    """Count a try of a secret.

    Raises:
        RateLimited: when there were too many lately; then it isn't counted.
    """
    waiting = await brakes.admit(key, scope.now())
    if waiting:
        raise RateLimited(math.ceil(waiting.total_seconds()))


async def open_for(scope: Scope, account: Account) -> Entry:
    """Open a session and make its owner the scope's actor; inside a transaction on the locked account."""
    token = scope.office.token()
    account.last_signed_in_at = scope.now()
    await account.save()
    session = await sessions.open_for(account, token, at=scope.now(), user_agent=scope.user_agent)
    scope.actor = Actor(account.id, session.id, account.platform_role)
    return Entry(token, session.expires_at, account.id)


async def sign_out(scope: Scope) -> None:
    """End the present session; without one there is nothing to end."""
    if scope.actor is not None:
        async with scope.transaction() as record:
            if await sessions.end(scope.actor.account_id, only={scope.actor.session_id}):
                await record(SignedOut(subject_id=scope.actor.account_id))
        scope.actor = None


async def discard(scope: Scope) -> None:
    """End a session just opened whose token nobody was given: it was never used, so the history doesn't tell of it."""
    if scope.actor is not None:
        async with scope.transaction():
            await sessions.end(scope.actor.account_id, only={scope.actor.session_id})
        scope.actor = None


async def revoke(scope: Scope, ids: set[int] | None) -> None:
    """End the person's sessions of these ids, the present one maybe among them; without ids, all the others.

    Raises:
        NotFound: when an id is no session of theirs; then none ends.
    """
    actor = scope.signed_in()
    async with scope.transaction() as record:
        keep = actor.session_id if ids is None else None
        ended = await sessions.end(actor.account_id, only=ids, keep=keep)
        if ids is not None and ended < len(ids):
            raise NotFound("ids")
        if ended:
            await record(SessionsRevoked(subject_id=actor.account_id, after={"count": ended}))
    if ids is not None and actor.session_id in ids:
        scope.actor = None


async def of_accounts(scope: Scope, account_ids: Sequence[int], selection: Selection) -> list[list[Row]]:
    """The sessions of each account that are still good, newest first."""
    now = scope.now()
    rows = await SESSIONS.read(
        selection.columns | {"account_id"},
        ["s.account_id IN :accounts", LIVE],
        {"accounts": list(account_ids), "now": now, "idle_since": now - scope.office.session_idle},
        NEWEST_FIRST,
    )
    return [[row for row in rows if row.account_id == account_id] for account_id in account_ids]


def _must_be_usable(account: Account, now: datetime) -> None:
    match account.state_at(now):
        case AccountState.ACTIVE:
            return
        case AccountState.DEACTIVATED:
            raise AccountDeactivated
        case AccountState.PENDING_ACTIVATION:
            raise WrongCredentials
        case _:
            raise AccountUnavailable
