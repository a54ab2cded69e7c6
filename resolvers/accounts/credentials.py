"""What lets a person in: choosing a password and a secret question, changing them, and resetting by a mailed link."""

from dataclasses import dataclass

from mailer.messages import PasswordChanged as PasswordChangedMail
from models.accounts import accounts, devices, passwords, profiles, sessions, tokens
from models.accounts.accounts import Account
from models.accounts.passwords import Owner
from models.accounts.tokens import Purpose
from models.errors.errors import DomainError, Missing, ReusedPassword, WrongSecretAnswer, collected, refuse_if_any
from models.events.events import PasswordReset
from resolvers.accounts import links, throttle, wishes
from resolvers.accounts import sessions as entries
from resolvers.accounts.sessions import Entry
from resolvers.scope import Scope


@dataclass(frozen=True)
class Credentials:
    """A password and a secret question, checked and hashed: ready to be stored for the account they were chosen for."""

    account_id: int
    password_hash: str
    question: str
    answer_hash: str

    async def apply(self, account: Account, scope: Scope) -> None:
        """Give them to the locked account; the caller saves it."""
        account.secret_question, account.secret_answer_hash = self.question, self.answer_hash
        await store_password(account, self.password_hash, scope)


async def chosen(scope: Scope, purpose: Purpose, token: str, password: str, question: str, answer: str) -> Credentials:
    """What the holder of a mailed link chose, checked and hashed, before any transaction: hashing is slow on purpose.

    Raises:
        InvalidToken, ExpiredToken, ReactivationExpired: when the link isn't good.
        DomainError: all that is wrong with the three others at once.
    """
    account = await links.inspect(scope, purpose, token)
    problems: list[DomainError] = []
    await check_password(problems, account, password, "password")
    question = profiles.secret_question(problems, question, "secret_question")
    answer = profiles.secret_answer(problems, answer, "secret_answer")
    await _refuse_if_any(problems, scope, purpose, token)
    return Credentials(account.id, await passwords.hash(password), question, await passwords.hash(answer))


async def check_password(
    problems: list[DomainError], account: Account, password: str | None, *path: str, proven: bool = True
) -> None:
    """Add to `problems` what is wrong with a new password of the account.

    That it is one of the last five, the present one among them, is told only to who has proven to be the person.
    """
    with collected(problems):
        passwords.check(password, owner_of(account), path=path)
        if proven and await passwords.is_one_of(await accounts.former_passwords(account.id), password or ""):
            raise ReusedPassword(*path)


def owner_of(account: Account) -> Owner:
    """What the account's owner would think of first."""
    address = (account.line1, account.line2, account.line3, account.postcode, account.city)
    return Owner(
        login_email=account.login_email,
        names=(account.first_name, account.last_name),
        address=tuple(line for line in (*address, account.contact_email) if line),
    )


async def store_password(account: Account, password_hash: str, scope: Scope) -> None:
    """Make it the account's password, remembered among the last five; the caller saves the account."""
    account.password_hash = password_hash
    await accounts.add_former_password(account, scope.now())


async def request_reset(scope: Scope, login_email: str) -> None:
    """A reset link is mailed if the address is that of an active account; whoever asks learns nothing.

    Raises:
        Missing: when the address is blank.
    """
    await wishes.ask(scope, Purpose.PASSWORD_RESET, login_email)


async def reset(scope: Scope, token: str, secret_answer: str, password: str) -> Entry:
    """A new password by a mailed link and the secret answer; every other session ends, and a new one opens.

    Raises:
        InvalidToken, ExpiredToken: when the link isn't good.
        RateLimited: after too many wrong answers.
        WrongSecretAnswer, WeakPassword, ReusedPassword, Missing: all that is wrong at once; the link stays good.
    """
    account = await links.inspect(scope, Purpose.PASSWORD_RESET, token)
    problems: list[DomainError] = []
    answer_problems = await _check_answer(scope, account, secret_answer)
    await check_password(problems, account, password, "password", proven=not answer_problems)
    await _refuse_if_any(problems + answer_problems, scope, Purpose.PASSWORD_RESET, token)
    password_hash = await passwords.hash(password)
    async with scope.transaction() as record:
        account = await accounts.lock(account.id)
        await tokens.use(token, Purpose.PASSWORD_RESET, scope.now())
        await store_password(account, password_hash, scope)
        await sessions.end(account.id)
        await devices.forget(account.id)
        await tokens.void(account.id, Purpose.PASSWORD_RESET)
        entry = await entries.open_for(scope, account, record)
        await scope.mail(PasswordChangedMail(at=scope.now()), account, address=account.login_email)
        await record(PasswordReset(subject_id=account.id), by=account.id)
    await throttle.forget(scope, account)
    return entry


async def _refuse_if_any(problems: list[DomainError], scope: Scope, purpose: Purpose, token: str) -> None:
    """Refuse for these problems, or for the link alone if it was used meanwhile, maybe to set this very password."""
    if problems:
        await links.inspect(scope, purpose, token)
        refuse_if_any(problems)


async def _check_answer(scope: Scope, account: Account, answer: str) -> list[DomainError]:
    """What is wrong with the answer to the secret question, each try counted by its brake."""
    if not answer.strip():
        return [Missing("secret_answer")]
    attempt = await throttle.admit_answer(scope, account)
    if not await passwords.verify(account.secret_answer_hash, passwords.normalise_answer(answer)):
        return [WrongSecretAnswer("secret_answer")]
    await attempt.succeeded()
    return []
