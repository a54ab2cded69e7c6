"""Wishes for an account or a mailed link: kept in one time and shape for any address, granted apart.

Whoever asks learns nothing, not even from how long the answer takes: the account is looked up after it was given.
"""

from collections.abc import Mapping

import structlog

from mailer.seals import SealBroken
from models.accounts import accounts, wishes
from models.accounts.accounts import Account, AccountState
from models.accounts.profiles import email_key
from models.accounts.tokens import LIFETIME, Purpose
from models.accounts.wishes import WishKind
from models.errors.errors import DatabaseAway, Missing
from models.events.events import ActivationResent, Fact, PasswordResetRequested, ReactivationRequested
from resolvers.accounts import links, sign_ups
from resolvers.accounts.sign_ups import SignUp
from resolvers.scope import Record, Scope

# By the purpose of a link: in which state an account may have it, and the fact that it was asked for.
GRANTED: Mapping[Purpose, tuple[AccountState, type[Fact]]] = {
    Purpose.ACTIVATION: (AccountState.PENDING_ACTIVATION, ActivationResent),
    Purpose.PASSWORD_RESET: (AccountState.ACTIVE, PasswordResetRequested),
    Purpose.REACTIVATION: (AccountState.DEACTIVATED, ReactivationRequested),
}

log = structlog.get_logger(__name__)


async def ask(scope: Scope, purpose: Purpose, login_email: str) -> None:
    """A link is wished for, as many an hour as an address may get.

    Raises:
        Missing: when the address is blank.
    """
    if not login_email.strip():
        raise Missing("login_email")
    if await links.may_mail(scope, purpose, login_email):
        kind = WishKind(purpose.value)
        sealed = scope.office.sealer.seal(email_key(login_email), _bound_to(kind))
        async with scope.transaction():
            await wishes.add(kind, sealed, scope.now())


async def ask_for_account(scope: Scope, given: SignUp) -> None:
    """An account is wished for; how many mails its address may get is looked at with the address."""
    sealer = scope.office.sealer
    address = sealer.seal(given.login_email, _bound_to(WishKind.SIGN_UP))
    details = sealer.seal(given.details(), address)
    async with scope.transaction():
        await wishes.add(WishKind.SIGN_UP, address, scope.now(), details)


async def grant(scope: Scope) -> int:
    """Those who made a wish, and may have what they wish for, are sent it; how many wishes there were.

    One that fails holds up no other: it stays for the next time.

    Raises:
        DatabaseAway: when the database can't be reached; what wasn't granted is granted later.
        Exception: the first of what kept wishes from being granted, once all others are.
    """
    number, passed, failures = 0, 0, list[Exception]()
    while await wishes.any_waits(passed):
        wish = None
        try:
            async with scope.transaction() as record:
                wish = await wishes.take(passed)
                if wish is not None:
                    await _grant(scope, record, wish)
        except DatabaseAway:
            raise
        except Exception as error:
            if wish is None:
                raise
            passed = wish.id
            failures.append(error)
            continue
        if wish is None:
            break  # others are granting what is left
        number += 1
    if failures:
        raise failures[0]
    return number


async def _grant(scope: Scope, record: Record, wish: wishes.Asked) -> None:
    sealer = scope.office.sealer
    try:
        address = sealer.open(wish.address, _bound_to(wish.kind))
        details = sealer.open(wish.details, wish.address) if wish.details is not None else ""
    except SealBroken:
        log.warning("wish_unreadable", purpose=wish.kind)  # the key was changed: it is wished for again
        return
    if wish.kind is WishKind.SIGN_UP:
        await sign_ups.grant(scope, record, SignUp.of(address, details), wish.at)
    elif scope.now() - wish.at < LIFETIME:
        await _grant_link(scope, record, Purpose(wish.kind.value), address)


async def _grant_link(scope: Scope, record: Record, purpose: Purpose, address: str) -> None:
    state, fact = GRANTED[purpose]
    known = await accounts.by_login(address)
    if known is None:
        return
    account: Account = await accounts.lock(known.id)
    if account.state_at(scope.now()) is state:
        await links.send(scope, account, purpose)
        await record(fact(subject_id=account.id))


def _bound_to(kind: WishKind) -> str:
    return f"wish {kind}"
