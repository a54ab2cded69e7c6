"""The person's own particulars: saved all or nothing, the contact address only once its owner confirms it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mailer.messages import ContactEmailChanged
from mailer.messages import PasswordChanged as PasswordChangedMail
from mailer.messages import SecretQuestionChanged as SecretQuestionChangedMail
from models.accounts import accounts, devices, passwords, profiles, sessions, tokens
from models.accounts.accounts import Account, AccountState
from models.accounts.tokens import Purpose
from models.db import texts
from models.errors.errors import Conflict, DomainError, InvalidToken, Missing, TooMany, WrongPassword, refuse_if_any
from models.events.events import (
    ContactEmailChangeRequested,
    ContactEmailConfirmed,
    PasswordChanged,
    ProfileUpdated,
    SecretQuestionChanged,
)
from resolvers import mail_limits
from resolvers.accounts import credentials, digests, links, throttle
from resolvers.scope import Record, Scope

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
        TooMany: when the person named, or the new contact address got, as many lately as is allowed.
        Conflict: when the password changed, or the account stopped, meanwhile.
    """
    actor = scope.signed_in()
    account = await accounts.by_id(actor.account_id)
    assert account is not None
    checked = await _check(scope, account, changes)
    await _must_be_mailable(scope, account, checked.contact_email)
    async with scope.transaction() as record:
        present = await accounts.lock(account.id)
        if present.password_hash != account.password_hash or present.state is not AccountState.ACTIVE:
            raise Conflict  # what was checked no longer holds: the password changed meanwhile, or the account stopped
        await _take_over(present, checked.plain, record, scope.now())
        if checked.contact_email is not None:
            await _ask_confirmation(scope, present, checked.contact_email, record)
        if checked.answer_hash is not None:
            present.secret_question, present.secret_answer_hash = checked.question, checked.answer_hash
            message = SecretQuestionChangedMail(at=scope.now())
            await scope.mail(message, present, address=present.login_email)
            await record(SecretQuestionChanged(subject_id=present.id))
        if checked.password_hash is not None:
            await _change_password(scope, present, checked.password_hash)
            await record(PasswordChanged(subject_id=present.id))
        await present.save()


async def _take_over(account: Account, plain: Mapping[str, Any], record: Record, at: datetime) -> None:
    """Put the simple fields in the locked account, which the caller saves; the event tells those that differ."""
    after = {name: value for name, value in plain.items() if value != getattr(account, name)}
    if after:
        before = {name: getattr(account, name) for name in after}
        account.update_from_dict(after)
        if after.get("receive_activity_notifications"):
            digests.begin(account, at)
        account.normalise_name()
        await record(ProfileUpdated(subject_id=account.id, before=before, after=after))


async def _check(scope: Scope, account: Account, changes: Mapping[str, Any]) -> _Checked:
    problems: list[DomainError] = []
    checked = _Checked(plain=_plain(problems, changes))
    if "contact_email" in changes:
        checked.contact_email = profiles.email(problems, changes["contact_email"], "contact_email")
    if changes.get("password") is not None:
        change = changes["password"]
        proven = await _check_current(problems, scope, account, change["current"], "password", "current")
        await credentials.check_password(problems, account, change["new"], "password", "new", proven=proven)
    question = changes.get("secret_question")
    answer = ""
    if question is not None:
        current = question["current_password"]
        await _check_current(problems, scope, account, current, "secret_question", "current_password")
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
        plain["language"] = profiles.language(problems, changes["language"], "language")
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


async def _check_current(problems: list[DomainError], scope: Scope, account: Account, current: str, *path: str) -> bool:
    """Whether the current password is right, asked again behind a brake of the session's own."""
    if not texts.tidy(current):
        problems.append(Missing(*path))
        return False
    attempt = await throttle.admit_confirmation(scope)
    if not await passwords.verify(account.password_hash, current):
        problems.append(WrongPassword(*path))
        return False
    await attempt.succeeded()
    return True


async def _must_be_mailable(scope: Scope, account: Account, address: str | None) -> None:
    """Refuse to mail one more link to an address that got its share, so that nobody is flooded from here."""
    if address is None or address == account.contact_email:
        return
    await mail_limits.count_contact_address(scope, "contact_email")
    if not await links.may_mail(scope, Purpose.CONTACT_EMAIL, address):
        raise TooMany("contact_email", most=links.MAILS_PER_HOUR)


async def _ask_confirmation(scope: Scope, account: Account, address: str, record: Record) -> None:
    """The new address waits until its owner follows the link; asking for the present one again ends the waiting."""
    waited_for, account.pending_contact_email = account.pending_contact_email, address
    if address != account.contact_email:
        await links.send(scope, account, Purpose.CONTACT_EMAIL)
    elif waited_for is not None:
        account.pending_contact_email = None
        await tokens.void(account.id, Purpose.CONTACT_EMAIL)
    else:
        account.pending_contact_email = None
        return
    before, after = {"pending_contact_email": waited_for}, {"pending_contact_email": account.pending_contact_email}
    await record(ContactEmailChangeRequested(subject_id=account.id, before=before, after=after))


async def _change_password(scope: Scope, account: Account, password_hash: str) -> None:
    """Store it, end every other session and every reset link, forget every other device, and tell the owner."""
    await credentials.store_password(account, password_hash, scope)
    present = scope.signed_in().session_id
    await sessions.end(account.id, keep=present)
    await devices.forget(account.id, keep=min(await sessions.devices_of(account.id, {present}), default=None))
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
        account.contact_email_refusal = account.contact_email_refused_at = None
        account.normalise_name()
        await account.save()
        for address in {old, account.login_email} - {new}:  # whichever of them is still the owner's
            await scope.mail(ContactEmailChanged(new_address=new, at=scope.now()), account, address=address)
        before, after = {"contact_email": old}, {"contact_email": new}
        await record(ContactEmailConfirmed(subject_id=account.id, before=before, after=after), by=account.id)
