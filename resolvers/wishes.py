"""Wishes for a mailed link: kept in one time and shape for any address, granted apart, to those that may have it.

Whoever asks learns nothing, not even from how long the answer takes: the account is looked up after it was given.
"""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from mailer.seals import SealBroken
from models import accounts, wishes
from models.accounts import Account, AccountState
from models.errors import Missing
from models.events import ActivationResent, Fact, PasswordResetRequested, ReactivationRequested
from models.profiles import email_key
from models.tokens import LIFETIME, Purpose
from resolvers import links
from resolvers.scope import Scope

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
        sealed = scope.office.sealer.seal(email_key(login_email), _bound_to(purpose))
        async with scope.transaction():
            await wishes.add(purpose, sealed, scope.now())


async def grant(scope: Scope) -> int:
    """Those who wished for a link, and may have it, are sent it; how many wishes there were.

    Raises:
        DatabaseAway: when the database can't be reached; what wasn't granted is granted later.
    """
    number = 0
    while await wishes.any_waits():
        async with scope.transaction() as record:
            wish = await wishes.take()
            if wish is None:
                break  # others are granting what is left
            await _grant(scope, record, wish)
        number += 1
    return number


async def _grant(scope: Scope, record: Callable[..., Awaitable[None]], wish: wishes.Asked) -> None:
    state, fact = GRANTED[wish.purpose]
    try:
        address = scope.office.sealer.open(wish.address, _bound_to(wish.purpose))
    except SealBroken:
        log.warning("wish_unreadable", purpose=wish.purpose)  # the key was changed: it is wished for again
        return
    known = await accounts.by_login(address)
    if known is None or scope.now() - wish.at >= LIFETIME:
        return
    account: Account = await accounts.lock(known.id)
    if account.state_at(scope.now()) is state:
        await links.send(scope, account, wish.purpose)
        await record(fact(subject_id=account.id))


def _bound_to(purpose: Purpose) -> str:
    return f"wish {purpose}"
