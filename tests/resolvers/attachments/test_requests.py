"""Asking to be attached, and what becomes of requests: validated, refused, withdrawn, each with its event and mails."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.errors.errors import (
    AlreadyAttached,
    ConfirmationRequired,
    DomainError,
    Invalid,
    NotFound,
    ServiceNotEntitled,
    StructureInactive,
    TooLong,
    TooMany,
    Unauthenticated,
)
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.services import Service
from models.structures.structures import Structure, StructureKind, StructureStatus
from resolvers.attachments import requests
from resolvers.attachments.requests import NewRequest
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.answers import live_spaces, told
from tests.support import factories, invariants

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
