"""What must hold in the tables after every act, whoever did what: DOMAIN's invariants, read with plain queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from models.accounts.accounts import REACTIVATION_WINDOW, Account, AccountState
from models.accounts.sessions import Session
from models.accounts.tokens import OneTimeToken, Purpose
from models.activities.activities import Acknowledgement, Activity, ActivityKind
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.events.events import Event
from models.mail.idempotency_keys import IdempotencyKey
from models.mail.outbox import Mail, MailState
from models.structures.structures import Structure, StructureStatus
from models.subscriptions import spaces
from models.subscriptions.subscriptions import LIVE as LIVE_SUBSCRIPTIONS
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus

LIVE = (AttachmentStatus.PENDING, AttachmentStatus.VALIDATED, AttachmentStatus.DEACTIVATED)
MANAGERS = (Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER)
DEFAULT_SPACES = {
    True: {str(code) for code in spaces.GIVEN_TO_ALL | spaces.GIVEN_TO_MANAGERS},
    False: {str(code) for code in spaces.GIVEN_TO_ALL},
}
ALWAYS_THERE = {str(code) for code in spaces.ALWAYS_THERE}
# What may still wait in the outbox for somebody who has no access, by the state of the account.
LAST_WORDS = {
    AccountState.DEACTIVATED: {"account_deactivated", "reactivation_link", "account_reopened"},
    AccountState.SUSPENDED: {"account_suspended"},
}
# Which facts each mail may tell, or which job sends it; the two that answer a repeated sign-up tell none.
TOLD_BY = {
    "account_activation": {"AccountSignedUp", "ActivationResent", "AccountReopened"},
    "password_reset": {"PasswordResetRequested"},
    "password_changed": {"PasswordReset", "PasswordChanged"},
    "contact_email_confirmation": {"ContactEmailChangeRequested"},
    "contact_email_changed": {"ContactEmailConfirmed"},
    "account_deactivated": {"AccountDeactivated"},
    "document_refused": {"DocumentRefused"},
    "reactivation_link": {"ReactivationRequested"},
    "account_reactivated": {"AccountReactivated", "AccountReopened"},
    "account_reopened": {"AccountReopened"},
    "account_suspended": {"AccountSuspended"},
    "attachment_requested": {"AttachmentRequested"},
    "attachment_validated": {"AttachmentValidated"},
    "attachment_refused": {"AttachmentRefused"},
    "attachment_deactivated": {"AttachmentDeactivated"},
    "attachment_reactivated": {"AttachmentReactivated"},
    "attachment_removed": {"AttachmentRemoved"},
    "user_attached": {"AttachmentGiven"},
    "attachment_updated": {"AttachmentUpdated"},
    "role_changed": {"RoleChanged"},
    "principal_manager_transferred": {"PrincipalManagerTransferred"},
    "principal_manager_appointed": {"PrincipalManagerAppointed"},
    "space_subscription_requested": {"SpaceSubscriptionRequested"},
    "space_subscription_validated": {"SpaceSubscriptionValidated", "SpaceSubscriptionGiven"},
    "space_subscription_refused": {"SpaceSubscriptionRefused"},
    "space_subscription_removed": {"SpaceSubscriptionRemoved"},
    "attachment_escalated": {"AttachmentEscalated"},
    "request_reminder": {"attachment-reminders", "subscription-reminders"},
    "attachment_ending": {"attachment-endings"},
    "principal_manager_claimable": {"SeatVacated", "HolderFoundAbsent"},
    "principal_manager_absent": {"HolderFoundAbsent"},
    "principal_manager_claimed": {"PrincipalManagerClaimed"},
    "principal_manager_offered": {"SeatOffered"},
    "principal_manager_offer_declined": {"SeatOfferDeclined"},
    "principal_manager_offer_expired": {"SeatOfferExpired"},
    "structure_registered": {"PublicStructureRegistered", "StructureAdopted"},
    "structure_ended": {"StructureEnded"},
}
SECRET_WORDS = ("password", "answer", "token", "hash")


async def check(now: datetime) -> None:
    """Assert every invariant on the tables as they stand; `now` decides which deactivated accounts are closed."""
    accounts = {account.id: account for account in await Account.all()}
    attachments = {attachment.id: attachment for attachment in await Attachment.all()}
    events = await Event.all().order_by("id")
    mails = await Mail.all()
    _attachments_are_sound(attachments.values())
    _seats_are_held(await Structure.all(), attachments.values(), accounts)
    live = await SpaceSubscription.filter(status__in=LIVE_SUBSCRIPTIONS)
    _subscriptions_follow(attachments.values(), live, _born_by_an_act(events))
    await _nobody_without_access_has_any(accounts, attachments.values(), mails)
    _states_are_those_of_the_last_event(accounts, attachments, events, now)
    _mails_tell_events(mails, events, await IdempotencyKey.all())
    _events_hold_no_secret(events)
    _activities_are_told_once(await Activity.all(), await Acknowledgement.all(), events)


def _attachments_are_sound(attachments: Iterable[Attachment]) -> None:
    live: dict[tuple[int, int], int] = defaultdict(int)
    for row in attachments:
        name = f"attachment {row.id}"
        live[row.user_id, row.structure_id] += row.status in LIVE
        assert row.valid_until is None or row.valid_until >= row.valid_from, f"{name} ends before it starts"
        assert row.decided_by_id != row.user_id, f"{name} was decided by its own user"
        assert row.decided_at is None or row.decided_at >= row.requested_at, f"{name} was decided before it was asked"
        assert (row.status == AttachmentStatus.REFUSED) == bool(row.refusal_reason), f"{name}: a refusal has its reason"
        if row.status == AttachmentStatus.PENDING:
            assert row.role == Role.SIMPLE_USER, f"{name} asks to be {row.role}"
            assert (row.decided_at, row.decided_by_id) == (None, None), f"{name} waits and was decided"
        if row.status == AttachmentStatus.REFUSED:
            assert row.decided_by_id is not None, f"{name} was refused by nobody"
        if row.role == Role.PRINCIPAL_MANAGER and row.status in LIVE:
            assert row.status == AttachmentStatus.VALIDATED, f"{name} is a seat that is {row.status}"
            assert row.valid_until is None, f"{name} is a seat with an end"
    assert [key for key, number in live.items() if number > 1] == [], "two live attachments of one user and structure"


def _seats_are_held(
    structures: Iterable[Structure], attachments: Iterable[Attachment], accounts: Mapping[int, Account]
) -> None:
    """One principal manager per structure that ever had one, who can act or was stopped by support."""
    holders: dict[int, list[int]] = defaultdict(list)
    for row in attachments:
        if row.role == Role.PRINCIPAL_MANAGER and row.status == AttachmentStatus.VALIDATED:
            holders[row.structure_id].append(row.user_id)
    for structure in structures:
        if not structure.managed:
            assert holders[structure.id] == [], f"structure {structure.id} isn't managed, yet somebody manages it"
        elif structure.status == StructureStatus.ACTIVE:
            assert len(holders[structure.id]) == 1, f"structure {structure.id} is managed by {holders[structure.id]}"
            state = accounts[holders[structure.id][0]].state
            assert state in {AccountState.ACTIVE, AccountState.SUSPENDED}, f"structure {structure.id}: manager {state}"


def _born_by_an_act(events: Iterable[Event]) -> set[int]:
    """The attachments that have their first event, unlike those that a test put straight in the table."""
    return {event.attachment_id for event in events if event.attachment_id is not None and not event.before}  # type: ignore[attr-defined]


def _subscriptions_follow(
    attachments: Iterable[Attachment], subscriptions: Iterable[SpaceSubscription], born: set[int]
) -> None:
    """Subscriptions come and go with the attachment; a manager's own space is for managers only.

    Of the default ones, two can be given up; the others are held as long as the attachment is validated.
    """
    held: dict[tuple[int, int], set[str]] = defaultdict(set)
    for subscription in subscriptions:
        held[subscription.user_id, subscription.structure_id].add(str(subscription.space))
    validated = {
        (row.user_id, row.structure_id): row for row in attachments if row.status == AttachmentStatus.VALIDATED
    }
    orphans = [key for key in held if key not in validated]
    assert orphans == [], f"live subscriptions with no validated attachment: {orphans}"
    for key, row in validated.items():
        due = DEFAULT_SPACES[row.role in MANAGERS] & ALWAYS_THERE
        kept = held[key] & ALWAYS_THERE
        assert kept <= due, f"attachment {row.id}, {row.role}, has {kept - due}"
        assert row.id not in born or kept == due, f"attachment {row.id}, {row.role}, lacks {due - kept}"


async def _nobody_without_access_has_any(
    accounts: Mapping[int, Account], attachments: Iterable[Attachment], mails: Iterable[Mail]
) -> None:
    shut = {id: account.state for id, account in accounts.items() if account.state in LAST_WORDS}
    sessions = [row.account_id for row in await Session.all()]
    assert [id for id in sessions if accounts[id].state != AccountState.ACTIVE] == [], "a session outlives its account"
    for token in await OneTimeToken.all():
        if token.account_id in shut:
            came_back = shut[token.account_id] == AccountState.DEACTIVATED and token.purpose == Purpose.REACTIVATION
            assert came_back, f"account {token.account_id} is {shut[token.account_id]} and has a {token.purpose} link"
        elif token.purpose == Purpose.REACTIVATION:
            raise AssertionError(f"account {token.account_id} isn't deactivated and has a reactivation link")
    for row in attachments:
        waiting = row.status == AttachmentStatus.PENDING and shut.get(row.user_id) == AccountState.DEACTIVATED
        assert not waiting, f"attachment {row.id} still asks for somebody who left"
    for asked in await SpaceSubscription.filter(status=SpaceSubscriptionStatus.PENDING):
        left = shut.get(asked.user_id) == AccountState.DEACTIVATED
        assert not left, f"subscription {asked.id} still asks for somebody who left"
    for mail in mails:
        if mail.state == MailState.PENDING and mail.account_id in shut:
            state = shut[mail.account_id]
            assert mail.message in LAST_WORDS[state], f"{mail.message} waits for account {mail.account_id}, {state}"


def _states_are_those_of_the_last_event(
    accounts: Mapping[int, Account], attachments: Mapping[int, Attachment], events: Iterable[Event], now: datetime
) -> None:
    """Rows that a test made without events have none to agree with."""
    states: dict[int, Any] = {}
    told: dict[int, dict[str, Any]] = defaultdict(dict)
    for event in events:
        assert event.occurred_at <= now, f"event {event.id} lies in the future"
        if event.attachment_id is not None:  # type: ignore[attr-defined]
            told[event.attachment_id] |= event.after  # type: ignore[attr-defined]
        elif event.subject_id is not None and "state" in event.after:
            states[event.subject_id] = event.after["state"]
    for id, state in states.items():
        assert accounts[id].state == state, f"account {id} is {accounts[id].state}, its last event says {state}"
    for id, after in told.items():
        row = attachments[id]
        assert (row.status, row.role) == (after["status"], after["role"]), f"attachment {id} isn't as told: {after}"
    for account in accounts.values():
        left = account.deactivated_at
        if account.state == AccountState.DEACTIVATED:
            assert left is not None, f"account {account.id} left at no time"
        if account.state in {AccountState.PENDING_ACTIVATION, AccountState.ACTIVE}:
            assert left is None, f"account {account.id} is {account.state} and left at {left}"
        closed = account.state_at(now) is AccountState.CLOSED
        due = account.state == AccountState.DEACTIVATED and left is not None and now >= left + REACTIVATION_WINDOW
        assert closed == due, f"account {account.id} is closed: {closed}"


def _mails_tell_events(mails: Iterable[Mail], events: Iterable[Event], occasions: Iterable[IdempotencyKey]) -> None:
    """Every mail was written at the instant of a fact it may tell, or of an occasion that a job took: with a clock that tests move, in the same act."""
    facts: dict[datetime, set[str]] = defaultdict(set)
    for event in events:
        facts[event.occurred_at].add(event.type)
    for occasion in occasions:
        facts[occasion.at].add(occasion.job)
    for mail in mails:
        if mail.message in {"address_already_known", "activity_digest", "weekly_recap"}:
            continue  # the periodical ones tell facts of before
        told = facts[mail.created_at] & TOLD_BY[mail.message]
        resent_by_sign_up = mail.message == "account_activation"
        assert told or resent_by_sign_up, f"{mail.message} tells nothing: {facts[mail.created_at]}"


def _events_hold_no_secret(events: Iterable[Event]) -> None:
    for event in events:
        for values in (event.before, event.after):
            assert not any(word in key.casefold() for key in values for word in SECRET_WORDS), event.type
            assert "$argon2" not in str(values), event.type


def _activities_are_told_once(
    activities: Iterable[Activity], acknowledgements: Iterable[Acknowledgement], events: Iterable[Event]
) -> None:
    """Every event of an activity has its row, and no row two events; only what asks for it is acknowledged."""
    asking = {row.id: row.requires_acknowledgement for row in activities}
    for row in activities:
        assert row.kind != ActivityKind.INVOICE_REJECTED or asking[row.id], f"activity {row.id} asks for nothing"
    given = {(row.activity_id, row.user_id) for row in acknowledgements}
    assert all(asking[activity_id] for activity_id, _ in given), "what didn't ask was acknowledged"
    recorded = [event.activity_id for event in events if event.type == "ActivityRecorded"]  # type: ignore[attr-defined]
    read = [
        (event.activity_id, event.subject_id)  # type: ignore[attr-defined]
        for event in events
        if event.type == "ActivityAcknowledged"
    ]
    assert (len(recorded), len(read)) == (len(set(recorded)), len(set(read))), "an activity is told twice"
    assert set(recorded) <= asking.keys(), "an event tells of no activity"
    assert set(read) <= given, "an event tells of no acknowledgement"
