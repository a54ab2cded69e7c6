"""Leaving and coming back: a deactivation hands all structures over in one act, a mailed link undoes it for 60 days."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.messages import AccountDeactivated as AccountDeactivatedMail
from mailer.messages import AccountReactivated as AccountReactivatedMail
from models.accounts import accounts, tokens
from models.accounts.accounts import REACTIVATION_WINDOW, Account, AccountState
from models.accounts.tokens import Purpose
from models.attachments import attachments, deciders
from models.attachments.attachments import Attachment, AttachmentStatus
from models.errors.errors import (
    ConfirmationRequired,
    Conflict,
    DomainError,
    Invalid,
    NotFound,
    ReactivationExpired,
    SuccessorRequired,
    collected,
    refuse_if_any,
)
from models.events.events import AccountDeactivated, AccountReactivated, AttachmentWithdrawn, SpaceSubscriptionRemoved
from models.structures import structures
from models.structures.structures import Structure
from models.subscriptions import subscriptions
from resolvers.accounts import credentials, wishes
from resolvers.accounts import sessions as entries
from resolvers.accounts.accounts import end_access
from resolvers.accounts.sessions import Entry
from resolvers.attachments import principal_manager
from resolvers.scope import Record, Scope
from resolvers.subscriptions import terms


@dataclass(frozen=True)
class Succession:
    """Who takes over one structure; a position in the list that was sent, for error paths."""

    structure_id: int
    successor_id: int


@dataclass(frozen=True)
class Preview:
    """What a deactivation would ask for and take along."""

    structure_ids: Sequence[int]
    pending_requests: int
    without_candidate: frozenset[int] = frozenset()

    @property
    def can_deactivate(self) -> bool:
        """Has every structure that needs a successor somebody to name?"""
        return not self.without_candidate

    @property
    def reactivation_days(self) -> int:
        """For how many days the person could come back."""
        return REACTIVATION_WINDOW.days


@dataclass(frozen=True)
class Deactivation:
    """When the account was deactivated, and until when it can come back."""

    at: datetime
    reactivable_until: datetime


async def preview(scope: Scope) -> Preview:
    """The active structures that need a successor, those with nobody to name, and how many requests would go."""
    actor = scope.signed_in()
    active = await structures.active_among(
        [
            principal_attachment.structure_id
            for principal_attachment in await attachments.principal_attachments_of(actor.account_id)
        ]
    )
    waiting = [*await attachments.pending_of(actor.account_id), *await subscriptions.pending_of(actor.account_id)]
    needed = [structure.id for structure in active]
    return Preview(needed, len(waiting), frozenset(needed) - await accounts.with_candidates(needed, scope.today()))


async def deactivate(
    scope: Scope, *, confirm: bool, successor_for_all: int | None, successions: Sequence[Succession]
) -> Deactivation:
    """The account deactivated, structures handed over, requests withdrawn, sessions and mails ended: all or nothing.

    Raises:
        ConfirmationRequired: unless confirmed.
        SuccessorRequired, SuccessorNotEligible, NotFound: for every active structure that isn't well handed over.
        Invalid: for a structure that is named twice.
        Conflict: when the person became principal manager of another structure, or asked for one, meanwhile.
    """
    actor = scope.signed_in()
    if not confirm:
        raise ConfirmationRequired("confirm", what="deactivation")
    concerned, now = await _concerned(actor.account_id), scope.now()
    async with scope.transaction() as record:
        held = await structures.lock_all(concerned)
        told = await deciders.secondary_managers_of(held)
        people = {actor.account_id, *(item.successor_id for item in successions)} | told
        locked = await accounts.lock_all(people | ({successor_for_all} if successor_for_all else set()))
        account = locked[actor.account_id]
        if not await _concerned(account.id) <= concerned:
            raise Conflict  # the principal management of one more structure, or a request, came in between
        account.deactivate(now)
        handed_over = await _hand_over_all(scope, record, account, held, successor_for_all, successions)
        await _withdraw_requests(scope, record, account)
        await _say_goodbye(scope, account, handed_over)
        before, after = {"state": AccountState.ACTIVE}, {"state": AccountState.DEACTIVATED}
        await record(AccountDeactivated(subject_id=account.id, before=before, after=after))
    scope.actor = None
    return Deactivation(now, now + REACTIVATION_WINDOW)


async def _say_goodbye(scope: Scope, account: Account, handed_over: Sequence[str]) -> None:
    """Save the deactivated account with nothing left to act by, and no mail left but the one that says so."""
    account.pending_contact_email = None
    await account.save()
    await end_access(scope, account)
    at = account.deactivated_at or scope.now()
    message = AccountDeactivatedMail(at=at, reactivable_until=at + REACTIVATION_WINDOW, handed_over=tuple(handed_over))
    await scope.mail(message, account, address=account.login_email)


async def _concerned(account_id: int) -> set[int]:
    """The structures where the person is principal manager or waits for something, all locked before the account."""
    rows = [*await attachments.principal_attachments_of(account_id), *await attachments.pending_of(account_id)]
    return {row.structure_id for row in rows} | {row.structure_id for row in await subscriptions.pending_of(account_id)}


async def _hand_over_all(
    scope: Scope,
    record: Record,
    account: Account,
    held: Mapping[int, Structure],
    successor_for_all: int | None,
    successions: Sequence[Succession],
) -> list[str]:
    """Hand every active structure's principal management over; lines "structure - successor" for the farewell."""
    problems: list[DomainError] = []
    lines: list[str] = []
    managed = {
        principal_attachment.structure_id: principal_attachment
        for principal_attachment in await attachments.principal_attachments_of(account.id)
    }
    named = _named(problems, successions, managed)
    for structure_id, principal_attachment in sorted(managed.items()):
        structure = held[structure_id]
        if not structure.is_active and structure_id not in named:
            continue
        successor, path = named.get(structure_id, (successor_for_all, ("successor_for_all_id",)))
        if successor is None:
            problems.append(SuccessorRequired("successions", structure=structure.name))
            continue
        with collected(problems):
            taken = await principal_manager.hand_over(
                scope, record, structure, principal_attachment, successor, *path, farewell=False
            )
            lines.append(f"{structure.name} - {taken.display_name}")
    refuse_if_any(problems)
    return lines


def _named(
    problems: list[DomainError], successions: Sequence[Succession], managed: Collection[int]
) -> dict[int, tuple[int | None, tuple[str, ...]]]:
    """Per structure the successor named for it, and where; one that isn't theirs, or named twice, is wrong."""
    named: dict[int, tuple[int | None, tuple[str, ...]]] = {}
    for index, item in enumerate(successions):
        path = ("successions", str(index))
        if item.structure_id not in managed:
            problems.append(NotFound(*path, "structure_id"))
        elif item.structure_id in named:
            problems.append(Invalid(*path, "structure_id", rule="twice"))
        else:
            named[item.structure_id] = item.successor_id, (*path, "successor_id")
    return named


async def _withdraw_requests(scope: Scope, record: Record, account: Account) -> None:
    """Take back what waits; all of it is on the locked structures, so nobody decides it meanwhile."""
    for request in await attachments.pending_of(account.id):
        await _withdraw(record, request)
    for space in await subscriptions.pending_of(account.id):
        before = await terms.state_of(space)
        space.remove(scope.now())
        await terms.keep(record, SpaceSubscriptionRemoved, space, before)


async def _withdraw(record: Record, request: Attachment) -> None:
    request.withdraw()
    await request.save()
    await record(
        AttachmentWithdrawn(
            subject_id=request.user_id,
            structure_id=request.structure_id,
            attachment_id=request.id,
            before={"status": AttachmentStatus.PENDING, "role": request.role},
            after={"status": AttachmentStatus.REMOVED, "role": request.role},
        )
    )


async def request_reactivation(scope: Scope, login_email: str) -> None:
    """A link to come back is mailed, if the address is that of an account deactivated for less than 60 days.

    Raises:
        Missing: when the address is blank; whoever asks learns nothing else.
    """
    await wishes.ask(scope, Purpose.REACTIVATION, login_email)


async def reactivate(scope: Scope, *, token: str, password: str, secret_question: str, secret_answer: str) -> Entry:
    """The account active again, with a new password, question and answer, by the mailed link; a session opens.

    Raises:
        InvalidToken, ExpiredToken: when the link isn't good.
        ReactivationExpired: when the 60 days passed meanwhile.
        DomainError: all that is wrong with the three others at once; the link stays good.
    """
    chosen = await credentials.chosen(scope, Purpose.REACTIVATION, token, password, secret_question, secret_answer)
    async with scope.transaction() as record:
        account = await accounts.lock(chosen.account_id)
        await tokens.use(token, Purpose.REACTIVATION, scope.now())
        if account.state_at(scope.now()) is AccountState.CLOSED:
            raise ReactivationExpired("token")
        account.reactivate(scope.now())
        await chosen.apply(account, scope)
        entry = await entries.open_for(scope, account, record)
        await scope.mail(AccountReactivatedMail(at=scope.now()), account, address=account.login_email)
        before, after = {"state": AccountState.DEACTIVATED}, {"state": AccountState.ACTIVE}
        await record(AccountReactivated(subject_id=account.id, before=before, after=after), by=account.id)
    return entry
