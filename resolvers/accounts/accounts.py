"""Accounts: signing up, activating by the mailed link, reading one's own, support's acts on them."""

from collections.abc import Sequence

from mailer import outbox
from mailer.facts import LinkToken
from mailer.messages import AccountReactivated as AccountReactivatedMail
from mailer.messages import AccountReopened as AccountReopenedMail
from mailer.messages import AccountSuspended as AccountSuspendedMail
from models.accounts import accounts, devices, profiles, sessions, tokens
from models.accounts.accounts import ACCOUNTS, Account, AccountState
from models.accounts.tokens import Purpose
from models.attachments import attachments, deciders
from models.db import texts
from models.db.query import Row, Selection
from models.errors.errors import (
    ConfirmationRequired,
    Conflict,
    DomainError,
    Forbidden,
    NotFound,
    TooMany,
    TransitionNotAllowed,
    refuse_if_any,
)
from models.events.events import AccountActivated, AccountReopened, AccountSuspended, ActivationResent
from models.structures import structures
from resolvers.accounts import credentials, links, users, wishes
from resolvers.accounts import sessions as entries
from resolvers.accounts.sessions import Entry
from resolvers.accounts.sign_ups import SignUp
from resolvers.attachments import vacancies
from resolvers.policy import Right, has, require
from resolvers.scope import Scope

LONGEST_REASON = 255


async def sign_up(
    scope: Scope, *, login_email: str, first_name: str, last_name: str, language: profiles.Language, accept_terms: bool
) -> None:
    """An account that waits for activation is wished for, and granted apart with its mailed link.

    A known address is answered the same, in the same time; its owner is told.

    Raises:
        DomainError: all that is wrong with the input at once.
    """
    problems: list[DomainError] = []
    email = profiles.email(problems, login_email, "login_email")
    first = profiles.name(problems, first_name, "first_name")
    last = profiles.name(problems, last_name, "last_name")
    if not accept_terms:
        problems.append(ConfirmationRequired("accept_terms", what="terms"))
    refuse_if_any(problems)
    await wishes.ask_for_account(scope, SignUp(email, first, last, language))


async def resend_activation(scope: Scope, login_email: str) -> None:
    """Another activation link is mailed, if the address waits for one; whoever asks learns nothing.

    Raises:
        Missing: when the address is blank.
    """
    await wishes.ask(scope, Purpose.ACTIVATION, login_email)


async def resend_activation_for(scope: Scope, user_id: int) -> None:
    """Another activation link to someone attached to a structure that the actor manages; support may for anyone.

    Raises:
        NotFound: when the actor doesn't see the person.
        Forbidden: when the actor manages no structure of theirs.
        TransitionNotAllowed: when the account doesn't wait for activation.
    """
    actor = scope.signed_in()
    account = await accounts.by_id(user_id)
    visible = await users.visible(scope, [user_id], Selection())
    if account is None or visible == [None]:
        raise NotFound("user_id")
    managed = [id for id, role in (await scope.roles()).items() if has(role, Right.DECIDE)]
    require(actor.is_support or await attachments.any_live(account.id, managed))
    if account.state is not AccountState.PENDING_ACTIVATION:
        raise TransitionNotAllowed("user_id", status=account.state_at(scope.now()), act="ACTIVATE")
    if not await links.may_mail(scope, Purpose.ACTIVATION, account.login_email):
        raise TooMany("user_id", most=links.MAILS_PER_HOUR)
    await _resend(scope, account)


async def _resend(scope: Scope, account: Account) -> None:
    async with scope.transaction() as record:
        account = await accounts.lock(account.id)
        if account.state is AccountState.PENDING_ACTIVATION:
            await links.send(scope, account, Purpose.ACTIVATION)
            await record(ActivationResent(subject_id=account.id))


async def activate(scope: Scope, *, token: str, password: str, secret_question: str, secret_answer: str) -> Entry:
    """The account active, its password, question and answer set by whoever holds the mailed link; a session opens.

    Raises:
        InvalidToken, ExpiredToken: when the link isn't good.
        DomainError: all that is wrong with the three others at once; the link stays good.
    """
    chosen = await credentials.chosen(scope, Purpose.ACTIVATION, token, password, secret_question, secret_answer)
    async with scope.transaction() as record:
        account = await accounts.lock(chosen.account_id)
        await tokens.use(token, Purpose.ACTIVATION, scope.now())
        account.activate(scope.now())
        await chosen.apply(account, scope)
        entry = await entries.open_for(scope, account, record)
        before, after = {"state": AccountState.PENDING_ACTIVATION}, {"state": AccountState.ACTIVE}
        await record(AccountActivated(subject_id=account.id, before=before, after=after), by=account.id)
    return entry


# ------------------------------------------------------------------ support
async def reopen(scope: Scope, user_id: int, reason: str) -> None:
    """A closed account deactivated anew, its person mailed a link to come back by; a suspended one as it was.

    Raises:
        Forbidden: to anyone but support.
        Missing, TooLong, Invalid: when the reason isn't good.
        NotFound: when there is no such person.
        TransitionNotAllowed: when the account is neither closed nor suspended.
    """
    reason = _reason(scope, reason)
    async with scope.transaction() as record:
        account = await _locked(user_id)
        before = account.state_at(scope.now())
        account.reopen(scope.now())
        await account.save()
        await _mail_way_back(scope, account)
        await record(
            AccountReopened(
                subject_id=account.id, before={"state": before}, after={"state": account.state, "reason": reason}
            )
        )


async def suspend(scope: Scope, user_id: int, reason: str) -> None:
    """The account stopped: its sessions and links end at once, and no mail goes but the one that says so.

    Raises:
        Forbidden, Missing, TooLong, Invalid, NotFound: as `reopen`.
        TransitionNotAllowed: when the account is suspended or closed already.
        Conflict: when the person became principal manager of another structure meanwhile.
    """
    reason = _reason(scope, reason)
    held = {
        principal_attachment.structure_id
        for principal_attachment in await attachments.principal_attachments_of(user_id)
    }
    async with scope.transaction() as record:
        concerned = await structures.lock_all(held)
        told = await deciders.secondary_managers_of(concerned)
        account = (await accounts.lock_all({user_id} | told)).get(user_id)
        if account is None:
            raise NotFound("user_id")
        if {
            principal_attachment.structure_id
            for principal_attachment in await attachments.principal_attachments_of(user_id)
        } - held:
            raise Conflict("user_id")  # they became principal manager of one more structure in between
        if account.platform_role is not None:
            raise Forbidden("user_id")
        before = account.state_at(scope.now())
        account.suspend(scope.now())
        account.pending_contact_email = None
        await account.save()
        await end_access(scope, account)
        if before is AccountState.ACTIVE:
            await scope.mail(AccountSuspendedMail(at=scope.now()), account, address=account.login_email)
        after = {"state": AccountState.SUSPENDED, "reason": reason}
        await record(AccountSuspended(subject_id=account.id, before={"state": before}, after=after))
        await vacancies.tell_of_suspension(scope, record, account, concerned)


async def end_access(scope: Scope, account: Account) -> None:
    """End at once all by which the person could act: sessions, known devices, links, and the mails that wait."""
    await sessions.end(account.id)
    await devices.forget(account.id)
    await tokens.void(account.id)
    await outbox.withdraw(account.id)


async def _mail_way_back(scope: Scope, account: Account) -> None:
    """Tell the owner of a reopened account, with the link by which they come in where one is needed."""
    if account.state is AccountState.ACTIVE:
        await scope.mail(AccountReactivatedMail(at=scope.now()), account, address=account.login_email)
        return
    if account.state is AccountState.PENDING_ACTIVATION:
        await links.send(scope, account, Purpose.ACTIVATION)
        return
    token = scope.office.token()
    issued = await tokens.issue(account, Purpose.REACTIVATION, token, scope.now())
    until = account.reactivable_until or issued.expires_at
    message = AccountReopenedMail(token=LinkToken(token), expires_at=issued.expires_at, reactivable_until=until)
    await scope.mail(message, account, address=account.login_email)


def _reason(scope: Scope, reason: str) -> str:
    """Support's reason for an act, mandatory and kept in the history."""
    require(scope.signed_in().is_support)
    problems: list[DomainError] = []
    tidied = texts.required(problems, reason, "reason", most=LONGEST_REASON, multiline=True)
    refuse_if_any(problems)
    return tidied


async def _locked(user_id: int) -> Account:
    account = (await accounts.lock_all({user_id})).get(user_id)
    if account is None:
        raise NotFound("user_id")
    return account


# ------------------------------------------------------------------ reading
async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The accounts of these ids, for their owner: never another's."""
    actor = scope.actor
    if actor is None or actor.account_id not in ids:
        return [None] * len(ids)
    rows = await ACCOUNTS.read(selection.columns, ["u.id = :id"], {**users.clock(scope), "id": actor.account_id})
    return [rows[0] if rows and id == actor.account_id else None for id in ids]
