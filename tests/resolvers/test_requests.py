"""Asking to be attached, and what becomes of requests: validated, refused, withdrawn, each with its event and mails."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models import attachments
from models.accounts import Account, AccountState
from models.attachments import Attachment, AttachmentStatus, Role
from models.errors import (
    AlreadyAttached,
    AttachmentAlreadyDecided,
    ConfirmationRequired,
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    Missing,
    NotFound,
    OwnRequest,
    ServiceNotEntitled,
    StructureInactive,
    TooLong,
    TooMany,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events import Event
from models.outbox import Mail
from models.services import Service
from models.structures import Structure, StructureKind, StructureStatus
from resolvers import requests
from resolvers.requests import NewRequest, Validation
from resolvers.scope import Scope
from resolvers.targets import Outcome
from tests import factories, invariants
from tests.conftest import Clock
from tests.resolvers.answers import GIVEN_TO_ALL, live_spaces, told

ScopeOf = Callable[..., Scope]
TODAY = date(2027, 3, 15)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus


async def pending(structure: Structure, user: Account | None = None, **changes: Any) -> Attachment:
    return await factories.attachment(user or await factories.person(), structure, status=PENDING, **changes)


async def service(structure: Structure, code: str = "S1", **changes: Any) -> Service:
    return await Service.create(structure=structure, code=code, name=f"Service {code}", **changes)


# ------------------------------------------------------------------ asking
async def test_person_asks_and_every_manager_who_can_act_is_told(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    zoe, max_, sam, late = [await factories.person() for _ in range(4)]
    lea = await factories.person(first_name="Lea", last_name="Simple")
    structure = await factories.structure(zoe, name="Essais")
    await factories.attachment(max_, structure, role=Role.SECONDARY_MANAGER)
    await factories.attachment(sam, structure, role=Role.SECONDARY_MANAGER)
    await factories.attachment(late, structure, role=Role.SECONDARY_MANAGER, valid_until=date(2027, 3, 14))
    await Account.filter(id=sam.id).update(state=AccountState.SUSPENDED)
    sales = await service(structure)

    asked = NewRequest(structure.id, TODAY, date(2027, 12, 31), frozenset({sales.id}), "  Bonjour\r\nZoe ")
    (outcome,) = await requests.request(scope_of(lea), [asked])

    row = await Attachment.get(id=outcome.id)
    assert (row.status, row.role, row.valid_from, row.valid_until) == (
        PENDING,
        Role.SIMPLE_USER,
        TODAY,
        date(2027, 12, 31),
    )
    assert (row.comment, row.requested_at, row.decided_at) == ("Bonjour\nZoe", clock.now, None)
    assert await attachments.service_ids_of(row.id) == {sales.id}
    assert await factories.mails() == [
        ("attachment_requested", zoe.contact_email),
        ("attachment_requested", max_.contact_email),
    ]
    mail = await Mail.all().first()
    assert mail is not None
    assert mail.payload == {
        "structure": "Essais", "requester": "Lea Simple", "valid_from": "2027-03-15", "valid_until": "2027-12-31",
        "services": ["S1 - Service S1"], "comment": "Bonjour\nZoe", "on_behalf_of": None,
    }  # fmt: skip
    event = await Event.get(type="AttachmentRequested")
    assert (event.actor_id, event.subject_id, event.structure_id, event.attachment_id) == (  # type: ignore[attr-defined]
        lea.id, lea.id, structure.id, row.id,
    )  # fmt: skip
    assert (event.before, event.after["status"], event.after["role"]) == ({}, "PENDING", "SIMPLE_USER")
    assert await live_spaces(lea, structure) == set()
    await invariants.check(clock.now)


async def test_person_is_told_everything_wrong_with_a_request_at_once(db: str, scope_of: ScopeOf) -> None:
    lea = await factories.person()
    structure = await factories.structure(kind=StructureKind.PUBLIC)
    elsewhere = await service(await factories.structure(), "S9")
    asked = NewRequest(
        structure.id,
        date(1899, 12, 31),
        date(2027, 3, 14),
        frozenset({elsewhere.id}),
        "x" * 256,
        structure.id,
        on_behalf=True,
    )
    before = await factories.traces()
    assert told(await requests.request(scope_of(lea), [asked])) == [
        [
            (Invalid, "requests", "0", "valid_from"),
            (Invalid, "requests", "0", "valid_until"),
            (TooLong, "requests", "0", "comment"),
            (ConfirmationRequired, "requests", "0", "confirm_public_structure"),
            (ServiceNotEntitled, "requests", "0", "service_ids"),
            (Invalid, "requests", "0", "on_behalf_of_id"),
        ]
    ]
    assert await factories.traces() == before
    assert await Attachment.all().count() == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"valid_until": date(2027, 3, 14)}, (Invalid, "valid_until")),  # before the start
        ({"valid_from": date(2027, 1, 1), "valid_until": date(2027, 3, 14)}, (Invalid, "valid_until")),  # past
        ({"service_ids": frozenset({None})}, (ServiceNotEntitled, "service_ids")),
        ({"comment": "a\u202eb"}, (Invalid, "comment")),
        ({"on_behalf_of_id": 987_654, "on_behalf": True}, (NotFound, "on_behalf_of_id")),
        ({"structure_id": 987_654}, (NotFound, "structure_id")),
        ({"structure_id": None}, (NotFound, "structure_id")),
    ],
)
async def test_wrong_value_is_refused_where_it_stands(
    db: str, scope_of: ScopeOf, changes: dict[str, Any], problem: tuple[type[DomainError], str]
) -> None:
    structure = await factories.structure()
    asked = NewRequest(**({"structure_id": structure.id, "valid_from": TODAY} | changes))
    outcomes = await requests.request(scope_of(await factories.person()), [asked])
    assert told(outcomes) == [[(problem[0], "requests", "0", problem[1])]]
    assert await factories.traces() == (0, 0)


async def test_one_bad_request_does_not_undo_the_others(db: str, scope_of: ScopeOf) -> None:
    lea = await factories.person()
    first, second = await factories.structure(), await factories.structure()
    ended = await factories.structure(status=StructureStatus.INACTIVE)
    outcomes = await requests.request(
        scope_of(lea), [NewRequest(structure.id, TODAY) for structure in (first, ended, first, second)]
    )
    assert told(outcomes) == [
        [],
        [(StructureInactive, "requests", "1", "structure_id")],
        [(AlreadyAttached, "requests", "2", "structure_id")],
        [],
    ]
    assert await factories.event_types() == ["AttachmentRequested"] * 2


async def test_more_than_a_hundred_requests_are_refused_as_a_whole(db: str, scope_of: ScopeOf) -> None:
    structure = await factories.structure()
    with pytest.raises(TooMany) as refusal:
        await requests.request(scope_of(await factories.person()), [NewRequest(structure.id, TODAY)] * 101)
    assert (refusal.value.path, refusal.value.data) == (("requests",), {"most": 100})
    assert await Attachment.all().count() == 0


async def test_public_structure_takes_a_confirmed_request(db: str, scope_of: ScopeOf) -> None:
    structure = await factories.structure(kind=StructureKind.PUBLIC)
    outcomes = await requests.request(
        scope_of(await factories.person()), [NewRequest(structure.id, TODAY, confirm_public=True)]
    )
    assert told(outcomes) == [[]]


@pytest.mark.parametrize(
    ("status", "until", "replaced"),
    [
        (PENDING, None, False),
        (PENDING, date(2027, 3, 14), False),
        (VALIDATED, None, False),
        (VALIDATED, date(2027, 3, 15), False),
        (VALIDATED, date(2027, 3, 14), True),
        (DEACTIVATED, None, False),
        (DEACTIVATED, date(2027, 3, 14), True),
    ],
)
async def test_new_request_replaces_an_ended_attachment_and_no_other(
    db: str, scope_of: ScopeOf, clock: Clock, status: AttachmentStatus, until: date | None, replaced: bool
) -> None:
    lea, structure = await factories.person(), await factories.structure()
    old = await factories.attachment(lea, structure, status=status, valid_until=until)
    outcomes = await requests.request(scope_of(lea), [NewRequest(structure.id, TODAY)])
    await old.refresh_from_db()
    if replaced:
        assert told(outcomes) == [[]]
        assert old.status is REMOVED
        assert await factories.event_types() == ["AttachmentReplaced", "AttachmentRequested"]
    else:
        assert told(outcomes) == [[(AlreadyAttached, "requests", "0", "structure_id")]]
        assert old.status is status
        assert await factories.traces() == (0, 0)
    await invariants.check(clock.now)


@pytest.mark.parametrize("status", [REFUSED, REMOVED])
async def test_final_attachment_leaves_room_for_a_new_request(
    db: str, scope_of: ScopeOf, status: AttachmentStatus
) -> None:
    lea, structure = await factories.person(), await factories.structure()
    await factories.attachment(lea, structure, status=status)
    assert told(await requests.request(scope_of(lea), [NewRequest(structure.id, TODAY)])) == [[]]


async def test_person_asks_on_behalf_of_their_own_structure_only_while_attached_to_it(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    lea, zoe = await factories.person(), await factories.person()
    own, centre = await factories.structure(name="Own"), await factories.structure(zoe)
    link = await factories.attachment(lea, own, valid_until=date(2027, 3, 14))
    asked = NewRequest(centre.id, TODAY, on_behalf_of_id=own.id, on_behalf=True)
    assert told(await requests.request(scope_of(lea), [asked])) == [[(Invalid, "requests", "0", "on_behalf_of_id")]]
    await Attachment.filter(id=link.id).update(valid_until=None)
    (outcome,) = await requests.request(scope_of(lea), [asked])
    assert (await Attachment.get(id=outcome.id)).on_behalf_of_id == own.id
    mail = await Mail.get(message="attachment_requested")
    assert mail.payload["on_behalf_of"] == "Own"


async def test_nobody_and_somebody_who_left_ask_for_nothing(db: str, scope_of: ScopeOf) -> None:
    structure = await factories.structure()
    gone = await factories.person()
    scope = scope_of(gone)
    await Account.filter(id=gone.id).update(state=AccountState.SUSPENDED)
    for asking in (scope_of(), scope):
        with pytest.raises(Unauthenticated):
            await requests.request(asking, [NewRequest(structure.id, TODAY)])
    assert await factories.traces() == (0, 0)


# ------------------------------------------------------------------ validating
async def test_manager_validates_with_fewer_services_and_other_dates(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    zoe, lea = await factories.person(first_name="Zoe", last_name="Chief"), await factories.person()
    structure = await factories.structure(zoe, name="Essais")
    asked = await pending(structure, lea, valid_until=date(2027, 6, 30))
    one, two = await service(structure, "S1"), await service(structure, "S2")
    await attachments.set_services(asked, {one.id, two.id})

    given = Validation(asked.id, date(2027, 4, 1), None, end_given=True, service_ids=frozenset({two.id}))
    (outcome,) = await requests.validate(scope_of(zoe), [given])

    assert outcome == Outcome(asked.id)
    await asked.refresh_from_db()
    assert (asked.status, asked.valid_from, asked.valid_until) == (VALIDATED, date(2027, 4, 1), None)
    assert (asked.decided_by_id, asked.decided_at) == (zoe.id, clock.now)
    assert await attachments.service_ids_of(asked.id) == {two.id}
    assert await live_spaces(lea, structure) == GIVEN_TO_ALL
    assert await factories.mails() == [("attachment_validated", lea.contact_email)]
    mail = await Mail.get()
    assert mail.payload == {
        "structure": "Essais", "by": "Zoe Chief", "valid_from": "2027-04-01", "valid_until": None,
        "services": ["S2 - Service S2"],
    }  # fmt: skip
    event = await Event.get()
    assert (event.type, event.before["status"], event.after["status"]) == (
        "AttachmentValidated",
        "PENDING",
        "VALIDATED",
    )
    await invariants.check(clock.now)


async def test_validation_keeps_what_was_asked_when_nothing_else_is_given(db: str, scope_of: ScopeOf) -> None:
    zoe = await factories.person()
    structure = await factories.structure(zoe)
    asked = await pending(structure, valid_from=date(2027, 4, 1), valid_until=date(2027, 6, 30))
    one = await service(structure)
    await attachments.set_services(asked, {one.id})
    assert told(await requests.validate(scope_of(zoe), [Validation(asked.id)])) == [[]]
    await asked.refresh_from_db()
    assert (asked.valid_from, asked.valid_until) == (date(2027, 4, 1), date(2027, 6, 30))
    assert await attachments.service_ids_of(asked.id) == {one.id}


async def test_manager_gives_any_active_service_only_where_none_was_asked_for(db: str, scope_of: ScopeOf) -> None:
    zoe = await factories.person()
    structure = await factories.structure(zoe)
    one, two, off = (
        await service(structure, "1"),
        await service(structure, "2"),
        await service(structure, "3", active=False),
    )
    past = await service(structure, "4", valid_until=date(2027, 3, 14))
    free, narrow = await pending(structure), await pending(structure)
    await attachments.set_services(narrow, {one.id})
    for refused in (off, past):
        outcomes = await requests.validate(scope_of(zoe), [Validation(free.id, service_ids=frozenset({refused.id}))])
        assert told(outcomes) == [[(ServiceNotEntitled, "validations", "0", "service_ids")]]
    outcomes = await requests.validate(
        scope_of(zoe),
        [
            Validation(free.id, service_ids=frozenset({two.id})),
            Validation(narrow.id, service_ids=frozenset({two.id}), valid_until=date(2027, 3, 14), end_given=True),
        ],
    )
    assert told(outcomes) == [
        [],
        [(Invalid, "validations", "1", "valid_until"), (ServiceNotEntitled, "validations", "1", "service_ids")],
    ]
    await narrow.refresh_from_db()
    assert narrow.status is PENDING
    assert await attachments.service_ids_of(narrow.id) == {one.id}
    assert await factories.event_types() == ["AttachmentValidated"]


async def test_first_decision_wins_and_the_second_is_told_who_and_when(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    zoe, max_ = await factories.person(first_name="Zoe", last_name="Chief"), await factories.person()
    structure = await factories.structure(zoe)
    await factories.attachment(max_, structure, role=Role.SECONDARY_MANAGER)
    asked = await pending(structure)
    await requests.validate(scope_of(zoe), [Validation(asked.id)])
    decided_at = clock.now
    clock.advance(hours=1)
    before = await factories.traces()
    again = await requests.validate(scope_of(max_), [Validation(asked.id)])
    refused = await requests.refuse(scope_of(max_), [asked.id], "no")
    assert told(again) == [[(AttachmentAlreadyDecided, "validations", "0", "id")]]
    assert told(refused) == [[(AttachmentAlreadyDecided, "ids", "0")]]
    for outcome in (*again, *refused):
        assert outcome.error is not None
        assert outcome.error.data == {"by": "Zoe Chief", "at": decided_at}
    assert await factories.traces() == before


async def test_same_request_named_twice_is_validated_once_as_first_said(db: str, scope_of: ScopeOf) -> None:
    zoe = await factories.person()
    asked = await pending(await factories.structure(zoe))
    outcomes = await requests.validate(
        scope_of(zoe),
        [Validation(asked.id, date(2027, 4, 1)), Validation(asked.id, date(2027, 5, 1)), Validation(None)],
    )
    assert told(outcomes) == [[], [(Invalid, "validations", "1", "id")], [(NotFound, "validations", "2", "id")]]
    await asked.refresh_from_db()
    assert asked.valid_from == date(2027, 4, 1)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (AccountState.PENDING_ACTIVATION, None),
        (AccountState.SUSPENDED, Conflict),
    ],
)
async def test_request_of_an_account_out_of_use_waits(
    db: str, scope_of: ScopeOf, state: AccountState, problem: type[DomainError] | None
) -> None:
    zoe, lea = await factories.person(), await factories.person(state=state)
    asked = await pending(await factories.structure(zoe), lea)
    outcomes = await requests.validate(scope_of(zoe), [Validation(asked.id)])
    assert told(outcomes) == [[(problem, "validations", "0", "id")] if problem else []]
    assert await factories.mails() == []


async def test_request_to_a_structure_that_ended_can_only_be_refused(db: str, scope_of: ScopeOf) -> None:
    zoe = await factories.person()
    structure = await factories.structure(zoe, status=StructureStatus.INACTIVE)
    asked = await pending(structure)
    outcomes = await requests.validate(scope_of(zoe), [Validation(asked.id)])
    assert told(outcomes) == [[(StructureInactive, "validations", "0", "id")]]
    assert told(await requests.refuse(scope_of(zoe), [asked.id], "ended")) == [[]]


# ------------------------------------------------------------------ who decides
Decide = Callable[[Scope, int], Any]
DECISIONS: list[Decide] = [
    lambda scope, id: requests.validate(scope, [Validation(id)]),
    lambda scope, id: requests.refuse(scope, [id], "no"),
]


@pytest.mark.parametrize("decide", DECISIONS)
async def test_only_managers_in_effect_decide(db: str, scope_of: ScopeOf, decide: Decide) -> None:
    lea, zoe, colleague, over, early, support = [await factories.person() for _ in range(5)] + [
        await factories.person(platform_role="SUPPORT")
    ]
    structure = await factories.structure(zoe)
    await factories.attachment(colleague, structure)
    await factories.attachment(over, structure, role=Role.SECONDARY_MANAGER, valid_until=date(2027, 3, 14))
    await factories.attachment(early, structure, role=Role.SECONDARY_MANAGER, valid_from=date(2027, 3, 16))
    asked = await pending(structure, lea)
    before = await factories.traces()
    expected = {lea: OwnRequest, colleague: NotFound, over: NotFound, early: NotFound, support: Forbidden}
    for person, problem in expected.items():
        (outcome,) = await decide(scope_of(person), asked.id)
        assert type(outcome.error) is problem
    with pytest.raises(Unauthenticated):
        await decide(scope_of(), asked.id)
    assert await factories.traces() == before
    await asked.refresh_from_db()
    assert asked.status is PENDING


@pytest.mark.parametrize("decide", DECISIONS)
async def test_manager_does_not_decide_on_their_own_request(db: str, scope_of: ScopeOf, decide: Decide) -> None:
    support = await factories.person(platform_role="ADMIN")
    asked = await pending(await factories.structure(), support)
    (outcome,) = await decide(scope_of(support), asked.id)
    assert type(outcome.error) is OwnRequest


@pytest.mark.parametrize("decide", DECISIONS)
async def test_withdrawn_request_is_decided_by_nobody(db: str, scope_of: ScopeOf, decide: Decide) -> None:
    zoe, lea = await factories.person(), await factories.person()
    asked = await pending(await factories.structure(zoe), lea)
    assert told(await requests.withdraw(scope_of(lea), [asked.id])) == [[]]
    (outcome,) = await decide(scope_of(zoe), asked.id)
    assert type(outcome.error) is TransitionNotAllowed


# ------------------------------------------------------------------ refusing, withdrawing
async def test_manager_refuses_and_the_requester_reads_why(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    zoe, lea = await factories.person(first_name="Zoe", last_name="Chief"), await factories.person()
    structure = await factories.structure(zoe, name="Essais")
    asked = await pending(structure, lea)
    outcomes = await requests.refuse(scope_of(zoe), [asked.id, 987_654, None, asked.id], " not known here ")
    assert told(outcomes) == [[], [(NotFound, "ids", "1")], [(NotFound, "ids", "2")], [(Invalid, "ids", "3")]]
    await asked.refresh_from_db()
    assert (asked.status, asked.refusal_reason, asked.decided_by_id) == (REFUSED, "not known here", zoe.id)
    assert await factories.mails() == [("attachment_refused", lea.contact_email)]
    assert (await Mail.get()).payload == {"structure": "Essais", "by": "Zoe Chief", "reason": "not known here"}
    event = await Event.get()
    assert (event.type, event.after["status"], event.after["reason"]) == (
        "AttachmentRefused",
        "REFUSED",
        "not known here",
    )
    await invariants.check(clock.now)


@pytest.mark.parametrize(("reason", "problem"), [(" \n ", Missing), ("x" * 256, TooLong), ("a\u200bb", Invalid)])
async def test_refusal_without_a_good_reason_does_nothing(
    db: str, scope_of: ScopeOf, reason: str, problem: type[DomainError]
) -> None:
    zoe = await factories.person()
    asked = await pending(await factories.structure(zoe))
    with pytest.raises(problem) as refusal:
        await requests.refuse(scope_of(zoe), [asked.id], reason)
    assert refusal.value.path == ("reason",)
    await asked.refresh_from_db()
    assert asked.status is PENDING
    assert await factories.traces() == (0, 0)


async def test_requester_withdraws_and_nobody_else_does(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    zoe, lea = await factories.person(), await factories.person()
    asked = await pending(await factories.structure(zoe), lea)
    assert told(await requests.withdraw(scope_of(zoe), [asked.id])) == [[(Forbidden, "ids", "0")]]
    assert told(await requests.withdraw(scope_of(await factories.person()), [asked.id])) == [[(NotFound, "ids", "0")]]
    assert await factories.traces() == (0, 0)
    assert told(await requests.withdraw(scope_of(lea), [asked.id])) == [[]]
    assert told(await requests.withdraw(scope_of(lea), [asked.id])) == [[(TransitionNotAllowed, "ids", "0")]]
    await asked.refresh_from_db()
    assert (asked.status, asked.decided_at) == (REMOVED, None)
    assert (await factories.event_types(), await factories.mails()) == (["AttachmentWithdrawn"], [])
    await invariants.check(clock.now)
