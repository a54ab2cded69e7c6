"""The person's own particulars: saved all or nothing, the contact address only once its owner confirms it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailer.messages import ContactEmailChanged
from mailer.messages import PasswordChanged as PasswordChangedMail
from models import accounts, brakes, passwords, profiles, sessions, texts, tokens
from models.accounts import Account
from models.errors import Conflict, DomainError, InvalidToken, Missing, WrongPassword, refuse_if_any
from models.events import (
    ContactEmailChangeRequested,
    ContactEmailConfirmed,
    PasswordChanged,
    ProfileUpdated,
    SecretQuestionChanged,
)
from models.folding import fold
from models.profiles import Language
from models.tokens import Purpose
from resolvers import credentials, links
from resolvers import sessions as entries
from resolvers.scope import Scope

ADDRESS = ("line1", "line2", "line3", "postcode", "city", "country")


@dataclass
class _Checked:
    """What a save comes to once everything sent was found right."""

    plain: dict[str, Any] = field(default_factory=dict)
    contact_email: str | None = None
    password_hash: str | None = None
    question: str | None = None
    answer_hash: str | None = None


async def update(scope: Scope, changes: Mapping[str, Any]) -> None:
    """The person's account with the changes that were sent, all of them or none; what is absent stays.

    Raises:
        DomainError: every missing or wrong field at once, by its path.
        RateLimited: after too many wrong current passwords.
    """
    actor = scope.signed_in()
    account = await accounts.by_id(actor.account_id)
    assert account is not None  # the session's foreign key holds
    checked = await _check(scope, account, changes)
    async with scope.transaction() as record:
        present = await accounts.lock(account.id)
        if present.password_hash != account.password_hash:
            raise Conflict  # the current password that was checked is no longer the current one
        before = {name: getattr(present, name) for name in checked.plain}
        changed = {name: value for name, value in checked.plain.items() if value != before[name]}
        present.update_from_dict(changed)
        present.folded_name = fold(f"{present.last_name} {present.first_name}")
        if changed:
            kept = {name: before[name] for name in changed}
            await record(ProfileUpdated(subject_id=present.id, before=kept, after=changed))
        if checked.contact_email is not None:
            await _ask_confirmation(scope, present, checked.contact_email, record)
        if checked.answer_hash is not None:
            present.secret_question, present.secret_answer_hash = checked.question, checked.answer_hash
            await record(SecretQuestionChanged(subject_id=present.id))
        if checked.password_hash is not None:
            await _change_password(scope, present, checked.password_hash)
            await record(PasswordChanged(subject_id=present.id))
        await present.save()


async def _check(scope: Scope, account: Account, changes: Mapping[str, Any]) -> _Checked:
    problems: list[DomainError] = []
    checked = _Checked(plain=_plain(problems, changes))
    if "contact_email" in changes:
        checked.contact_email = profiles.email(problems, changes["contact_email"], "contact_email")
    if changes.get("password") is not None:
        change = changes["password"]
        await _check_current(problems, scope, account, change["current"], "password", "current")
        await credentials.check_password(problems, account, change["new"], "password", "new")
    question = changes.get("secret_question")
    answer = ""
    if question is not None:
        await _check_current(problems, scope, account, question["current_password"], "secret_question", "current_password")
        checked.question = profiles.secret_question(problems, question["question"], "secret_question", "question")
        answer = profiles.secret_answer(problems, question["answer"], "secret_question", "answer")
    refuse_if_any(problems)
    if changes.get("password") is not None:
        checked.password_hash = await passwords.hash(changes["password"]["new"])
    if question is not None:
        checked.answer_hash = await passwords.hash(answer)
    return checked


def _plain(problems: list[DomainError], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that the simple fields come to; an explicit null empties an optional one and is missing otherwise."""
    plain: dict[str, Any] = {}
    if "first_name" in changes:
        plain["first_name"] = profiles.name(problems, changes["first_name"], "first_name")
    if "last_name" in changes:
        plain["last_name"] = profiles.name(problems, changes["last_name"], "last_name")
    if "phone" in changes:
        plain["phone"] = profiles.phone(problems, changes["phone"], "phone")
    if "language" in changes:
        plain["language"] = Language(profiles.language(problems, changes["language"], "language") or Language.FR)
    if "time_zone" in changes:
        plain["time_zone"] = profiles.time_zone(problems, changes["time_zone"], "time_zone")
    if "receive_activity_notifications" in changes:
        plain["receive_activity_notifications"] = changes["receive_activity_notifications"]
        if plain["receive_activity_notifications"] is None:
            problems.append(Missing("receive_activity_notifications"))
    if "postal_address" in changes:
        sent = changes["postal_address"]
        address = profiles.postal_address(problems, sent, "postal_address") if sent is not None else None
        plain |= {name: getattr(address, name, None) for name in ADDRESS}
    return plain


async def _check_current(problems: list[DomainError], scope: Scope, account: Account, current: str, *path: str) -> None:
    """Ask the current password again, behind the same brake as sign-in."""
    if not texts.tidy(current):
        problems.append(Missing(*path))
        return
    key = entries.sign_in_brake(account.login_email)
    await entries.admit(scope, key)
    if await passwords.verify(account.password_hash, current):
        await brakes.release(key)
    else:
        problems.append(WrongPassword(*path))


async def _ask_confirmation(scope: Scope, account: Account, address: str, record: Any) -> None:
    """The new address waits until its owner follows the link; asking for the present one again ends the waiting."""
    if address == account.contact_email:
        account.pending_contact_email = None
        await tokens.void(account.id, Purpose.CONTACT_EMAIL)
        return
    before = {"pending_contact_email": account.pending_contact_email}
    account.pending_contact_email = address
    await links.send(scope, account, Purpose.CONTACT_EMAIL)
    await record(
        ContactEmailChangeRequested(subject_id=account.id, before=before, after={"pending_contact_email": address})
    )


async def _change_password(scope: Scope, account: Account, password_hash: str) -> None:
    """Store it, end every other session and every reset link, and tell the owner."""
    await credentials.store_password(account, password_hash, scope)
    await sessions.end(account.id, keep=scope.signed_in().session_id)
    await tokens.void(account.id, Purpose.PASSWORD_RESET)
    await scope.mail(PasswordChangedMail(at=scope.now()), account, address=account.login_email)


async def confirm_contact_email(scope: Scope, token: str) -> None:
    """The new contact address in effect, by the link mailed to it; the old address is told.

    Raises:
        InvalidToken, ExpiredToken: when the link isn't good.
    """
    account = await links.inspect(scope, Purpose.CONTACT_EMAIL, token)
    async with scope.transaction() as record:
        account = await accounts.lock(account.id)
        await tokens.use(token, Purpose.CONTACT_EMAIL, scope.now())
        new, old = account.pending_contact_email, account.contact_email
        if new is None:
            raise InvalidToken("token")
        account.contact_email, account.pending_contact_email = new, None
        await account.save()
        await scope.mail(ContactEmailChanged(new_address=new, at=scope.now()), account, address=old)
        before, after = {"contact_email": old}, {"contact_email": new}
        await record(ContactEmailConfirmed(subject_id=account.id, before=before, after=after), by=account.id)
