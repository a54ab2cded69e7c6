"""Mailed links: issued to an address, as many as it may get in an hour, and looked at without being used."""

from datetime import timedelta
from typing import Any

from mailer.facts import LinkMessage, LinkToken
from mailer.messages import AccountActivation, ContactEmailConfirmation, PasswordReset, ReactivationLink
from models.accounts import accounts, throttle, tokens
from models.accounts.accounts import Account, AccountState
from models.accounts.profiles import email_key
from models.accounts.tokens import Purpose
from models.errors.errors import ReactivationExpired
from resolvers.scope import Scope

MAILS_PER_HOUR = 5


async def may_mail(scope: Scope, purpose: Purpose, address: str) -> bool:
    """Whether one more link of this purpose may go to the address within the hour, so that nobody is flooded."""
    key = throttle.key_of(f"mail {purpose}", email_key(address))
    return await throttle.take(key, scope.now(), most=MAILS_PER_HOUR, per=timedelta(hours=1))


async def send(scope: Scope, account: Account, purpose: Purpose) -> None:
    """Issue a link, voiding older ones of its purpose, and put its mail in the outbox; inside a transaction."""
    token = scope.office.token()
    issued = await tokens.issue(account, purpose, token, scope.now())
    link: dict[str, Any] = {"token": LinkToken(token), "expires_at": issued.expires_at}
    message: LinkMessage
    address = account.login_email
    match purpose:
        case Purpose.ACTIVATION:
            message = AccountActivation(**link)
        case Purpose.PASSWORD_RESET:
            message = PasswordReset(**link)
        case Purpose.CONTACT_EMAIL:
            message = ContactEmailConfirmation(**link)
            address = account.pending_contact_email or address
        case Purpose.REACTIVATION:
            until = account.reactivable_until or issued.expires_at
            message = ReactivationLink(**link, reactivable_until=until)
    await scope.mail(message, account, address=address)


async def inspect(scope: Scope, purpose: Purpose, token: str) -> Account:
    """The account behind a link that is still good; nothing is changed, as mail scanners open links too.

    Raises:
        InvalidToken: when it is unknown, used, void or for another purpose.
        ReactivationExpired: when it would reactivate an account whose 60 days have passed.
        ExpiredToken: when it has outlived its 60 minutes.
    """
    row = await tokens.find(token, purpose)
    account = await accounts.by_id(row.account_id)
    assert account is not None
    scope.try_on(account)
    if purpose is Purpose.REACTIVATION and account.state_at(scope.now()) is AccountState.CLOSED:
        raise ReactivationExpired("token")
    await tokens.look_at(token, purpose, scope.now())
    return account


async def secret_question(scope: Scope, token: str) -> str | None:
    """The question to answer before a password reset, told only to whoever holds the mailed link.

    Raises:
        InvalidToken, ExpiredToken: as `inspect`.
    """
    return (await inspect(scope, Purpose.PASSWORD_RESET, token)).secret_question
