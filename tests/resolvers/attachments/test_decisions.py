"""Managers decide requests: validating, who may, refusing; requesters withdraw."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import (
    DomainError,
    Forbidden,
    Invalid,
    Missing,
    NotFound,
    OwnRequest,
    PersonUnavailable,
    RequestAlreadyDecided,
    ServiceNotEntitled,
    StructureInactive,
    TooLong,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.services import Service
from models.structures.structures import Structure, StructureStatus
from resolvers.attachments import requests
from resolvers.attachments.requests import Validation
from resolvers.bulk import Outcome
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.answers import GIVEN_TO_ALL, live_spaces, told
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import overtaken
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
TODAY = date(2027, 3, 15)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus


async def pending(structure: Structure, user: Account | None = None, **changes: Any) -> Attachment:
    return await factories.attachment(user or await factories.person(), structure, status=PENDING, **changes)


async def service(structure: Structure, code: str = "S1", **changes: Any) -> Service:
    return await Service.create(structure=structure, code=code, name=f"Service {code}", **changes)


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
    assert told(again) == [[(RequestAlreadyDecided, "validations", "0", "id")]]
    assert told(refused) == [[(RequestAlreadyDecided, "ids", "0")]]
    for outcome in (*again, *refused):
        assert outcome.error is not None
        assert outcome.error.data == {"by": "Zoe Chief", "at": decided_at}
    assert await factories.traces() == before


async def test_manager_dismissed_while_the_decision_waits_sees_the_request_no_more(
    house: House, scope_of: ScopeOf
) -> None:
    async def dismiss(structure: Structure) -> None:
        await Attachment.filter(structure=structure, user=house.secondary).update(role=Role.SIMPLE_USER)

    asked = await factories.attachment(await factories.person(), house.structure, status=AttachmentStatus.PENDING)
    act = requests.validate(scope_of(house.secondary), [Validation(asked.id)])
    assert told(await overtaken(house.structure, act, dismiss)) == [[(NotFound, "validations", "0", "id")]]


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
        (AccountState.SUSPENDED, PersonUnavailable),
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
