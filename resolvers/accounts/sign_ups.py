"""Sign-ups: what somebody said of themselves, kept sealed with their wish, and the account that comes of it later."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from mailer.messages import AddressAlreadyKnown
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.accounts.profiles import Language, email_key
from models.accounts.tokens import Purpose
from models.events.events import AccountSignedUp, ActivationResent
from resolvers.accounts import links
from resolvers.scope import Record, Scope


@dataclass(frozen=True)
class SignUp:
    """What a sign-up says, checked and tidied: the login e-mail as it was typed, the names, the language of mails."""

    login_email: str
    first_name: str
    last_name: str
    language: Language

    def details(self) -> str:
        """All but the address, as one text."""
        return json.dumps([self.first_name, self.last_name, self.language.value])

    @classmethod
    def of(cls, login_email: str, details: str) -> Self:
        """The sign-up of this address and of what `details` gave."""
        first_name, last_name, language = json.loads(details)
        return cls(login_email, first_name, last_name, Language(language))


async def grant(scope: Scope, record: Record, given: SignUp, at: datetime) -> None:
    """Make the account that was asked for `at` that instant, and mail its link; or tell the owner of a known address.

    It runs inside a transaction, in which the address may have become somebody's a moment ago.
    """
    known = await accounts.by_login(email_key(given.login_email))
    if known is None:
        account = _new(given, made=scope.now(), accepted=at)
        if await accounts.add(account):
            await links.send(scope, account, Purpose.ACTIVATION)
            await record(AccountSignedUp(subject_id=account.id), by=account.id)
            return
        known = await accounts.by_login(email_key(given.login_email))
    if known is not None and await links.may_mail(scope, Purpose.ACTIVATION, given.login_email):
        await _tell_owner(scope, record, await accounts.lock(known.id), at)


def _new(given: SignUp, *, made: datetime, accepted: datetime) -> Account:
    account = Account(
        login_email=given.login_email, login_key=email_key(given.login_email), contact_email=given.login_email,
        first_name=given.first_name, last_name=given.last_name, language=given.language,
        created_at=made, terms_accepted_at=accepted,
    )  # fmt: skip
    account.normalise_name()
    return account


async def _tell_owner(scope: Scope, record: Record, account: Account, at: datetime) -> None:
    """What the owner gets of a repeated sign-up: a new link while waiting for it; once deactivated, no mail goes."""
    if account.state is AccountState.PENDING_ACTIVATION:
        await links.send(scope, account, Purpose.ACTIVATION)
        await record(ActivationResent(subject_id=account.id))
    elif account.state is AccountState.ACTIVE:
        await scope.mail(AddressAlreadyKnown(at=at), account, address=account.login_email)
