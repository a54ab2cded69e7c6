"""How often a secret may be tried: by account and source first, then by account; a known device and a session apart.

Every try is counted before the secret is looked at. Five from one source are free, then each waits: a minute, doubling
to an hour. The account as a whole lets 50 pass from all sources together before the same pauses begin, so an attacker
with n sources has at most min(33 n, 78) guesses a day at one account. The owner gets in meanwhile from a device that
signed in before, whose tries are counted by themselves: nobody else can use them up.
"""

import math
from dataclasses import dataclass

from models.accounts import devices, throttle
from models.accounts.accounts import Account
from models.accounts.profiles import email_key
from models.accounts.throttle import Limit
from models.errors.errors import RateLimited
from resolvers.scope import Scope

ACCOUNT_TRIES = 50
ANSWER_TRIES = 10  # answers are easier to guess than passwords, and whoever tries one holds a mailed link already


@dataclass(frozen=True)
class Attempt:
    """A try that was let pass: what its tries are counted by, and what it counts in besides."""

    own: str
    shared: str | None = None

    async def succeeded(self) -> None:
        """Forget the tries made from here, the secret being right; those of others stay counted."""
        await throttle.release(self.own)
        if self.shared is not None:
            await throttle.give_back(self.shared)


async def admit_sign_in(scope: Scope, login_email: str) -> Attempt:
    """Count a try of the password of whatever account has this address, known or not.

    Raises:
        RateLimited: when there were too many lately; then it isn't counted.
    """
    login_key = email_key(login_email)
    tally = Limit(_tally(login_key), None)
    if scope.device and (device := await devices.known(scope.device, login_key=login_key, now=scope.now())):
        return await _admit(scope, Attempt(_of_device("password", device)), tally)
    return await _admit(scope, _from_outside(scope, "password", login_key), tally, shared=ACCOUNT_TRIES)


async def admit_confirmation(scope: Scope) -> Attempt:
    """Count a try of the password that is asked again inside a session: nobody outside can use these up.

    Raises:
        Unauthenticated: when nobody is signed in.
        RateLimited: when there were too many lately; then it isn't counted.
    """
    actor = scope.signed_in()
    return await _admit(scope, Attempt(throttle.key_of("confirmation", str(actor.account_id), str(actor.session_id))))


async def admit_answer(scope: Scope, account: Account) -> Attempt:
    """Count a try of the account's secret answer.

    Raises:
        RateLimited: when there were too many lately; then it isn't counted.
    """
    if scope.device and (device := await devices.known(scope.device, login_key=account.login_key, now=scope.now())):
        return await _admit(scope, Attempt(_of_device("answer", device)))
    return await _admit(scope, _from_outside(scope, "answer", str(account.id)), shared=ANSWER_TRIES)


async def settle(account: Account) -> int:
    """How many sign-ins failed since the last that didn't, the present one apart; in the transaction that tells it."""
    return max(0, await throttle.settle(_tally(account.login_key)) - 1)


async def forget(scope: Scope, account: Account) -> None:
    """Forget the tries of a password that is no more, those of this source and of the account as a whole."""
    gone = _from_outside(scope, "password", account.login_key)
    await throttle.release(gone.own, gone.shared or gone.own)


async def _admit(scope: Scope, attempt: Attempt, *more: Limit, shared: int | None = None) -> Attempt:
    limits = [Limit(attempt.own), *more]
    if attempt.shared is not None:
        limits.append(Limit(attempt.shared, shared))
    waiting = await throttle.admit(limits, scope.now())
    if waiting:
        raise RateLimited(math.ceil(waiting.total_seconds()))
    return attempt


def _from_outside(scope: Scope, secret: str, subject: str) -> Attempt:
    return Attempt(
        throttle.key_of(f"{secret} by source", subject, scope.source or ""), throttle.key_of(secret, subject)
    )


def _of_device(secret: str, device: int) -> str:
    return throttle.key_of(f"{secret} by device", str(device))


def _tally(login_key: str) -> str:
    return throttle.key_of("failed sign-ins", login_key)
