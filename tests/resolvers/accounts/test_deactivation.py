"""Leaving: no structure is left without a principal manager, no way in is left open."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from models.accounts import sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.devices import Device
from models.accounts.sessions import Session
from models.accounts.tokens import OneTimeToken, Purpose
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import (
    ConfirmationRequired,
    Invalid,
    NotFound,
    SuccessorNotEligible,
    SuccessorRequired,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.mail.outbox import Mail, MailState
from models.structures.structures import Structure, StructureStatus
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from resolvers.accounts import deactivation, links
from resolvers.accounts import sessions as entries
from resolvers.accounts.deactivation import Deactivation, Preview, Succession
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import outcomes, refused
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
DAYS = timedelta(days=60)


async def deactivate(scope: Scope, for_all: Account | None = None, *named: tuple[Structure, Account]) -> Deactivation:
    successions = [Succession(structure.id, successor.id) for structure, successor in named]
    return await deactivation.deactivate(
        scope, confirm=True, successor_for_all=for_all.id if for_all else None, successions=successions
    )


async def roles(structure: Structure) -> dict[int, Role]:
    rows = Attachment.filter(structure_id=structure.id, status=AttachmentStatus.VALIDATED)
    return {row.user_id: row.role for row in await rows}


async def colleague(*structures: Structure, **changes: object) -> Account:
    """An active person attached to the structures."""
    person = await factories.person()
    for structure in structures:
        await factories.attachment(person, structure, **changes)
    return person


# ------------------------------------------------------------------ what it would take
async def test_preview_tells_active_seats_and_undecided_requests(scope_of: ScopeOf) -> None:
    person = await factories.person()
    zed, alpha = await factories.structure(person, name="Zed"), await factories.structure(person, name="Alpha")
    await factories.structure(person, status=StructureStatus.INACTIVE)
    await factories.attachment(person, await factories.structure())
    await factories.attachment(person, await factories.structure(), status=AttachmentStatus.PENDING)
    before = await factories.traces()
    nobody = frozenset({alpha.id, zed.id})
    assert await deactivation.preview(scope_of(person)) == Preview([alpha.id, zed.id], 1, nobody)
    assert (await deactivation.preview(scope_of(person))).reactivation_days == 60
    assert await deactivation.preview(scope_of(await factories.person())) == Preview([], 0)
    assert await factories.traces() == before


# ------------------------------------------------------------------ leaving
async def test_person_leaves_and_every_way_in_is_closed(scope_of: ScopeOf, office: Office, clock: Clock) -> None:
    person = await factories.person(pending_contact_email="new@people.example")
    entry = await entries.sign_in(scope_of(), person.login_email, PASSWORD)
    for purpose in (Purpose.PASSWORD_RESET, Purpose.CONTACT_EMAIL):
        async with scope_of().transaction():
            await links.send(scope_of(), person, purpose)
    scope = scope_of(person)
    assert await deactivate(scope) == Deactivation(clock.now, clock.now + DAYS)
    account = await Account.get()
    assert (account.state, account.deactivated_at) == (AccountState.DEACTIVATED, clock.now)
    assert (account.pending_contact_email, scope.actor) == (None, None)
    assert await sessions.actor_of(entry.token, now=clock.now, idle=office.session_idle) is None
    assert (await Session.all().count(), await OneTimeToken.all().count(), await Device.all().count()) == (0, 0, 0)
    states = {mail.message: mail.state for mail in await Mail.all()}
    assert states == {
        "password_reset": MailState.WITHDRAWN,
        "contact_email_confirmation": MailState.WITHDRAWN,
        "account_deactivated": MailState.PENDING,
    }
    event = await Event.get(type="AccountDeactivated")
    assert (event.before, event.after) == ({"state": "ACTIVE"}, {"state": "DEACTIVATED"})
    assert event.actor_id == event.subject_id == person.id


async def test_goodbye_goes_to_the_login_address_and_names_successors(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person(contact_email="elsewhere@people.example")
    alpha, beta = await factories.structure(person, name="Alpha"), await factories.structure(person, name="Beta")
    successor = await colleague(alpha, beta)
    await deactivate(scope_of(person), successor)
    goodbye = await Mail.get(account_id=person.id)
    assert (goodbye.message, goodbye.address) == ("account_deactivated", person.login_email)
    assert goodbye.payload == {
        "at": clock.now.isoformat(),
        "reactivable_until": (clock.now + DAYS).isoformat(),
        "handed_over": [f"Alpha - {successor.display_name}", f"Beta - {successor.display_name}"],
    }
    told = [mail.payload["reader"] for mail in await Mail.filter(account_id=successor.id)]
    assert told == ["SUCCESSOR", "SUCCESSOR"]


async def test_person_names_one_successor_for_all_and_another_for_one(scope_of: ScopeOf) -> None:
    person = await factories.person()
    alpha, beta = await factories.structure(person), await factories.structure(person)
    one, other = await colleague(alpha, beta), await colleague(beta, role=Role.SECONDARY_MANAGER)
    await deactivate(scope_of(person), one, (beta, other))
    assert await roles(alpha) == {person.id: Role.SIMPLE_USER, one.id: Role.PRINCIPAL_MANAGER}
    expected = {person.id: Role.SIMPLE_USER, one.id: Role.SIMPLE_USER, other.id: Role.PRINCIPAL_MANAGER}
    assert await roles(beta) == expected


async def test_everything_wrong_with_the_successors_is_told_and_nothing_happens(scope_of: ScopeOf) -> None:
    person = await factories.person()
    held = [await factories.structure(person) for _ in range(4)]
    elsewhere = await factories.structure()
    good, suspended = await colleague(*held), await colleague(*held)
    await Account.filter(id=suspended.id).update(state=AccountState.SUSPENDED)
    async with refused(
        (NotFound, "successions", "3", "structure_id"),
        (Invalid, "successions", "4", "structure_id"),
        (SuccessorNotEligible, "successions", "1", "successor_id"),
        (Invalid, "successions", "2", "successor_id"),
        (SuccessorRequired, "successions"),
    ):
        named = [(held[0], good), (held[1], suspended), (held[2], person), (elsewhere, good), (held[0], suspended)]
        await deactivate(scope_of(person), None, *named)
    assert (await Account.get(id=person.id)).state is AccountState.ACTIVE
    for structure in held:
        assert (await roles(structure))[person.id] is Role.PRINCIPAL_MANAGER


@pytest.mark.parametrize(
    "changes",
    [
        {"status": AttachmentStatus.PENDING},
        {"status": AttachmentStatus.DEACTIVATED},
        {"valid_until": date(2027, 3, 14)},
        {"valid_from": date(2027, 3, 16)},
    ],
)
async def test_successor_must_be_attached_in_effect(scope_of: ScopeOf, changes: dict[str, object]) -> None:
    person = await factories.person()
    structure = await factories.structure(person)
    async with refused((SuccessorNotEligible, "successor_for_all_id")):
        await deactivate(scope_of(person), await colleague(structure, **changes))


async def test_successor_must_be_attached_there_and_exist(scope_of: ScopeOf) -> None:
    person = await factories.person()
    structure = await factories.structure(person)
    former = await colleague(structure, status=AttachmentStatus.REMOVED)
    for stranger in (former, await factories.person()):
        async with refused((SuccessorNotEligible, "successor_for_all_id")):
            await deactivate(scope_of(person), stranger)
    async with refused((SuccessorNotEligible, "successor_for_all_id")):
        await deactivate(scope_of(person), Account(id=987_654))
    assert (await Account.get(id=person.id)).state is AccountState.ACTIVE


async def test_seat_of_an_inactive_structure_needs_no_successor(scope_of: ScopeOf) -> None:
    person = await factories.person()
    await factories.structure(person, status=StructureStatus.INACTIVE)
    await deactivate(scope_of(person))
    assert (await Account.get()).state is AccountState.DEACTIVATED


async def test_requests_for_spaces_are_withdrawn_and_subscriptions_stay(scope_of: ScopeOf) -> None:
    person, place = await factories.person(), await factories.structure(await factories.person())
    await factories.attachment(person, place)
    kept = await factories.subscription(person, place, SpaceCode.INVOICES_ISSUED)
    asked = await factories.subscription(person, place, SpaceCode.COMMITMENTS, status=SpaceSubscriptionStatus.PENDING)
    assert await deactivation.preview(scope_of(person)) == Preview([], 1)
    await deactivation.deactivate(scope_of(person), confirm=True, successor_for_all=None, successions=[])
    for row, status in ((kept, SpaceSubscriptionStatus.VALIDATED), (asked, SpaceSubscriptionStatus.REMOVED)):
        await row.refresh_from_db()
        assert row.status is status
    assert await factories.event_types() == ["SpaceSubscriptionRemoved", "AccountDeactivated"]


async def test_requests_are_withdrawn_and_attachments_stay(scope_of: ScopeOf) -> None:
    person = await factories.person()
    asked, decided = await factories.structure(), await factories.structure()
    request = await factories.attachment(person, asked, status=AttachmentStatus.PENDING)
    kept = await factories.attachment(person, decided, role=Role.SECONDARY_MANAGER)
    await deactivate(scope_of(person))
    await request.refresh_from_db()
    await kept.refresh_from_db()
    assert (request.status, kept.status, kept.role) == (
        AttachmentStatus.REMOVED,
        AttachmentStatus.VALIDATED,
        Role.SECONDARY_MANAGER,
    )
    withdrawn = await Event.get(type="AttachmentWithdrawn")
    assert withdrawn.attachment_id == request.id  # type: ignore[attr-defined]


async def test_person_must_confirm(scope_of: ScopeOf) -> None:
    person = await factories.person()
    async with refused((ConfirmationRequired, "confirm")):
        await deactivation.deactivate(scope_of(person), confirm=False, successor_for_all=None, successions=[])
    with pytest.raises(Unauthenticated):
        await deactivation.deactivate(scope_of(), confirm=True, successor_for_all=None, successions=[])


async def test_person_leaves_once_however_often_asked_at_once(scope_of: ScopeOf) -> None:
    person = await factories.person()
    ended = await outcomes([deactivate(scope_of(person)) for _ in range(10)])
    assert (ended.count(TransitionNotAllowed), len(ended)) == (9, 10)
    assert await factories.event_types() == ["AccountDeactivated"]
