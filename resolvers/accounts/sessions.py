"""Coming in and going out: sign-in behind its brake, sessions listed and ended."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailer.messages import NewDevice
from mailer.messages import SessionsEnded as SessionsEndedMail
from models.accounts import accounts, devices, passwords, sessions, throttle
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import Actor, PlatformRole
from models.accounts.profiles import email_key
from models.accounts.sessions import LIVE, NEWEST_FIRST, SESSIONS
from models.db import texts
from models.db.query import Row, Selection
from models.errors.errors import (
    AccountDeactivated,
    AccountUnavailable,
    DomainError,
    Forbidden,
    Missing,
    NotFound,
    WrongCredentials,
    refuse_if_any,
)
from models.events.events import OldestSessionEnded, SessionsEnded, SessionsRevoked, SignedIn, SignedOut, SignInsFailed
from resolvers.accounts import throttle as throttles
from resolvers.policy import require
from resolvers.scope import Record, Scope

LONGEST_REASON = 255
NEW_DEVICE_MAILS_A_DAY = 5


@dataclass(frozen=True)
class Entry:
    """A session just opened: the only time its token is known in clear, and that of the device it was opened by."""

    token: str
    expires_at: datetime
    account_id: int
    device_token: str = field(default="", compare=False)
    is_new_device: bool = field(default=False, compare=False)  # while others of the account are known


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
    scope.try_on(address=email_key(login_email))
    attempt = await throttles.admit_sign_in(scope, login_email)
    account = await accounts.by_login(email_key(login_email))
    if account is not None:
        scope.try_on(account)
    verified = account.password_hash if account else None
    if not await passwords.verify(verified, password) or account is None:
        raise WrongCredentials
    await attempt.succeeded()
    _must_be_usable(account, scope.now())
    rehashed = await passwords.hash(password) if passwords.needs_rehash(account.password_hash or "") else None
    scope.actor = None  # whoever was signed in before did none of what follows
    async with scope.transaction() as record:
        account = await accounts.lock(account.id)
        _must_be_usable(account, scope.now())
        if account.password_hash != verified:  # changed meanwhile, which ended every session but this one
            raise WrongCredentials
        account.password_hash = rehashed or account.password_hash
        if failed := await throttles.settle(account):
            await record(SignInsFailed(subject_id=account.id, after={"count": failed}))
        entry = await open_for(scope, account, record)
        if entry.is_new_device:
            await _tell_new_device(scope, account)
        await record(SignedIn(subject_id=account.id, after=_whence(scope)))
    return entry


async def open_for(scope: Scope, account: Account, record: Record) -> Entry:
    """Open a session and make its owner the scope's actor; inside a transaction on the locked account.

    It takes the place of the one whose cookie the request came with, and of the one longest unused where there are
    20 already.
    """
    token, now = scope.office.token(), scope.now()
    if scope.replaces and (owner := await sessions.end_by_token(scope.replaces)) is not None:
        await record(SignedOut(subject_id=owner), by=owner)
    for ended in await sessions.make_room(account.id, now=now, idle=scope.office.session_idle):
        device = devices.name_of(ended.user_agent)
        before = {"device": device, "source": ended.source}
        await record(OldestSessionEnded(subject_id=account.id, before=before), by=account.id)
    account.last_signed_in_at = now
    await account.save()
    device_id, device_token, is_new = await _remember_device(scope, account)
    session = await sessions.open_for(
        account, token, at=now, user_agent=scope.user_agent, source=scope.source, device_id=device_id
    )
    scope.actor = Actor(account.id, session.id, account.platform_role)
    return Entry(token, session.expires_at, account.id, device_token, is_new)


async def _remember_device(scope: Scope, account: Account) -> tuple[int, str, bool]:
    """The device by which the person comes in, its token, and whether it is new: unlike all others that are known."""
    now, agent = scope.now(), (scope.user_agent or "")[:255] or None
    source = scope.source or sessions.UNKNOWN_SOURCE
    device = await devices.of_account(account.id, scope.device, now=now)
    if device is not None:
        device.last_used_at = device.presented_at = now
        device.source, device.user_agent = source, agent
        await device.save()
        return device.id, scope.device or "", False
    token = scope.office.token()
    is_new = await devices.any_of(account.id) and not await devices.has_one_like(
        account.id, source=source, user_agent=agent
    )
    device = await devices.add(account.id, token, at=now, source=source, user_agent=agent)
    return device.id, token, is_new


async def _tell_new_device(scope: Scope, account: Account) -> None:
    """Mail the owner, a few times a day at most: a program that shows no token is new each time its source is."""
    key = throttle.key_of("new device", str(account.id))
    if await throttle.take_along(key, scope.now(), most=NEW_DEVICE_MAILS_A_DAY, per=timedelta(days=1)):
        message = NewDevice(at=scope.now(), **_whence(scope))
        await scope.mail(message, account, address=account.login_email)


def _whence(scope: Scope) -> dict[str, str | None]:
    return {"device": devices.name_of(scope.user_agent), "source": scope.source}


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
            device = await sessions.devices_of(scope.actor.account_id, {scope.actor.session_id})
            await devices.forget(scope.actor.account_id, only=device)
            await sessions.end(scope.actor.account_id, only={scope.actor.session_id})
        scope.actor = None


async def revoke(scope: Scope, ids: set[int] | None) -> None:
    """End the person's sessions of these ids, the present one maybe among them; without ids, all the others.

    The devices by which they were opened are known no more.

    Raises:
        NotFound: when an id is no session of theirs; then none ends.
    """
    actor = scope.signed_in()
    async with scope.transaction() as record:
        present = await sessions.devices_of(actor.account_id, {actor.session_id})
        gone = None if ids is None else await sessions.devices_of(actor.account_id, ids)
        keep = actor.session_id if ids is None else None
        ended = await sessions.end(actor.account_id, only=ids, keep=keep)
        if ids is not None and ended < len(ids):
            raise NotFound("ids")
        await devices.forget(actor.account_id, only=gone, keep=min(present, default=None) if ids is None else None)
        if ended:
            await record(SessionsRevoked(subject_id=actor.account_id, after={"count": ended}))
    if ids is not None and actor.session_id in ids:
        scope.actor = None


async def end_for(scope: Scope, user_id: int, reason: str) -> None:
    """Every session of somebody's ended by support, and their devices forgotten; the person is told, with the reason.

    Raises:
        Forbidden: to anyone but support; to support that isn't an administrator, on support's own people.
        Missing, TooLong, Invalid: when the reason isn't good.
        NotFound: when there is no such person.
    """
    actor = scope.signed_in()
    require(actor.is_support)
    problems: list[DomainError] = []
    reason = texts.required(problems, reason, "reason", most=LONGEST_REASON, multiline=True)
    refuse_if_any(problems)
    async with scope.transaction() as record:
        account = (await accounts.lock_all({user_id})).get(user_id)
        if account is None:
            raise NotFound("user_id")
        if account.platform_role is not None and actor.platform_role is not PlatformRole.ADMIN:
            raise Forbidden("user_id")
        count = await sessions.end(account.id)
        await devices.forget(account.id)
        if account.state is AccountState.ACTIVE:
            message = SessionsEndedMail(at=scope.now(), reason=reason)
            await scope.mail(message, account, address=account.login_email)
        await record(SessionsEnded(subject_id=account.id, after={"count": count, "reason": reason}))
    if actor.account_id == user_id:
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
