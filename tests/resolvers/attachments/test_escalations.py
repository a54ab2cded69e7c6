"""Requests that nobody decides: who can, from which day they reach support, and what stands in support's queue."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.attachments.deciders import Deciders
from models.attachments.escalations import escalable_on
from models.db.query import Page, Selection
from models.errors.errors import (
    AttachmentAlreadyEscalated,
    EscalationTooEarly,
    Forbidden,
    Invalid,
    NotFound,
    TooLong,
    TransitionNotAllowed,
    Unauthenticated,
)
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures.structures import Structure, StructureStatus
from resolvers.accounts import accounts
from resolvers.attachments import deciders, escalations, principal_manager, requests
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import outcomes, refused
from tests.support import factories

ScopeOf = Callable[..., Scope]
PENDING = AttachmentStatus.PENDING
PM, SM = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER
ASKED = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)
READ = Selection(frozenset({"id"}), total_count=True)


@pytest.fixture
async def lea(db: str) -> Account:
    """Somebody who asks to be attached."""
    return await factories.person(first_name="Léa", last_name="Marchand")


@pytest.fixture
async def request_(house: House, lea: Account) -> Attachment:
    """Léa's request to the house, made on 15 March 2027: it may be escalated from 14 April on."""
    return await factories.attachment(lea, house.structure, status=PENDING, requested_at=ASKED)


# ------------------------------------------------------------------ who can decide
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Deciders((PM, SM), 2)),
        ({"principal": {"state": AccountState.SUSPENDED}}, Deciders((SM,), 1)),
        ({"principal": {"state": AccountState.DEACTIVATED, "deactivated_at": ASKED}}, Deciders((SM,), 1)),
        ({"secondary": {"valid_until": date(2027, 3, 14)}}, Deciders((PM,), 1)),
        ({"secondary": {"valid_until": date(2027, 3, 15)}}, Deciders((PM, SM), 2)),
        ({"secondary": {"valid_from": date(2027, 3, 16)}}, Deciders((PM,), 1)),
        ({"secondary": {"status": AttachmentStatus.DEACTIVATED}}, Deciders((PM,), 1)),
        (
            {"principal": {"state": AccountState.SUSPENDED}, "secondary": {"state": AccountState.SUSPENDED}},
            Deciders((), 0),
        ),
    ],
)
async def test_deciders_are_the_managers_in_effect_whose_account_is_active(
    house: House, lea: Account, scope_of: ScopeOf, changes: dict[str, dict[str, Any]], expected: Deciders
) -> None:
    for who, values in changes.items():
        account: Account = getattr(house, who)
        rows = Account.filter(id=account.id) if "state" in values else Attachment.filter(id=house.links[who].id)
        await rows.update(**values)
    assert await deciders.of_requests(scope_of(lea), [(house.structure.id, lea.id)]) == [expected]


async def test_nobody_decides_on_their_own_request(house: House, scope_of: ScopeOf) -> None:
    empty = await factories.structure()
    third = await factories.person()
    await factories.attachment(third, house.structure, role=SM)
    pairs = [(house.structure.id, person.id) for person in (house.secondary, house.principal, house.simple)]
    found = await deciders.of_requests(scope_of(house.simple), [*pairs, (empty.id, house.simple.id)])
    assert found == [Deciders((PM, SM), 2), Deciders((SM,), 2), Deciders((PM, SM), 3), Deciders()]


# ------------------------------------------------------------------ escalating
@pytest.mark.parametrize(
    ("at", "is_due"),
    [
        (ASKED, False),
        (datetime(2027, 4, 13, 21, 59, 59, tzinfo=UTC), False),  # 23:59:59 in Paris
        (datetime(2027, 4, 13, 22, 0, tzinfo=UTC), True),
        (datetime(2028, 4, 13, 22, 0, tzinfo=UTC), True),
    ],
)
async def test_a_request_may_be_escalated_from_the_thirtieth_day_on(
    lea: Account, request_: Attachment, scope_of: ScopeOf, clock: Clock, at: datetime, is_due: bool
) -> None:
    clock.now = at
    if is_due:
        assert await escalations.escalate(scope_of(lea), request_.id, None) == request_.id
        assert (await Attachment.get(id=request_.id)).escalated_at == at
    else:
        async with refused((EscalationTooEarly, "id")):
            await escalations.escalate(scope_of(lea), request_.id, None)
        assert (await Attachment.get(id=request_.id)).escalated_at is None


async def test_every_active_account_of_support_is_told(
    house: House, lea: Account, request_: Attachment, scope_of: ScopeOf, clock: Clock
) -> None:
    support = await factories.person(platform_role=PlatformRole.SUPPORT)
    admin = await factories.person(platform_role=PlatformRole.ADMIN)
    for state in (AccountState.SUSPENDED, AccountState.PENDING_ACTIVATION):
        await factories.person(platform_role=PlatformRole.SUPPORT, state=state)
    clock.advance(days=30)
    await escalations.escalate(scope_of(lea), request_.id, " Personne\nne répond ")
    sent = [("attachment_escalated", person.contact_email) for person in (support, admin)]
    assert await factories.mails() == sent
    assert (await Mail.all().first()).payload == {  # type: ignore[union-attr]
        "structure": "Essais", "identifier": house.structure.identifier, "requester": "Léa Marchand",
        "by": "Léa Marchand", "since": "2027-03-15", "comment": "Personne\nne répond",
    }  # fmt: skip
    event = await Event.get()
    assert (event.type, event.actor_id, event.subject_id) == ("AttachmentEscalated", lea.id, lea.id)
    assert event.after == event.before | {"message": "Personne\nne répond"}


@pytest.mark.parametrize(
    ("who", "refusal"),
    [("simple", NotFound), ("stranger", NotFound), ("support", Forbidden), ("principal", None), ("secondary", None)],
)
async def test_the_requester_and_those_who_can_decide_escalate_and_nobody_else(
    house: House, request_: Attachment, scope_of: ScopeOf, clock: Clock, who: str, refusal: Any
) -> None:
    others = {"stranger": {}, "support": {"platform_role": PlatformRole.SUPPORT}}
    person = await factories.person(**others[who]) if who in others else getattr(house, who)
    clock.advance(days=30)
    if refusal is None:
        await escalations.escalate(scope_of(person), request_.id, None)
        assert await factories.event_types() == ["AttachmentEscalated"]
    else:
        async with refused((refusal, "id")):
            await escalations.escalate(scope_of(person), request_.id, None)


async def test_nobody_escalates_without_a_session(request_: Attachment, scope_of: ScopeOf) -> None:
    with pytest.raises(Unauthenticated):
        await escalations.escalate(scope_of(), request_.id, None)


@pytest.mark.parametrize("status", [status for status in AttachmentStatus if status is not PENDING])
async def test_what_was_decided_is_not_escalated(
    house: House, lea: Account, scope_of: ScopeOf, clock: Clock, status: AttachmentStatus
) -> None:
    row = await factories.attachment(lea, house.structure, status=status, requested_at=ASKED, decided_at=ASKED)
    clock.advance(days=30)
    async with refused((TransitionNotAllowed, "id")):
        await escalations.escalate(scope_of(lea), row.id, None)


async def test_a_request_is_escalated_once(
    house: House, lea: Account, request_: Attachment, scope_of: ScopeOf, clock: Clock
) -> None:
    await factories.person(platform_role=PlatformRole.SUPPORT)
    clock.advance(days=30)
    acts = [escalations.escalate(scope_of(lea), request_.id, None) for _ in range(4)]
    ended = await outcomes(acts)
    assert (ended.count(request_.id), ended.count(AttachmentAlreadyEscalated)) == (1, 3)
    assert await factories.traces() == (1, 1)
    clock.advance(days=1)
    async with refused((AttachmentAlreadyEscalated, "id")):
        await escalations.escalate(scope_of(house.principal), request_.id, None)


@pytest.mark.parametrize(
    ("message", "refusal"), [("x" * 256, TooLong), ("to\0day", Invalid), ("x" * 255, None), (" ", None)]
)
async def test_a_message_has_at_most_255_characters(
    lea: Account, request_: Attachment, scope_of: ScopeOf, clock: Clock, message: str, refusal: Any
) -> None:
    clock.advance(days=30)
    if refusal is None:
        await escalations.escalate(scope_of(lea), request_.id, message)
        assert (await Event.get()).after.get("message") == (message.strip() or None)
    else:
        async with refused((refusal, "message")):
            await escalations.escalate(scope_of(lea), request_.id, message)


# ------------------------------------------------------------------ support's queue
@pytest.fixture
async def support(db: str, scope_of: ScopeOf) -> Scope:
    """An operation by someone of support."""
    return scope_of(await factories.person(platform_role=PlatformRole.SUPPORT))


async def queue(support: Scope) -> list[int]:
    found = await escalations.undecided(support, Page(20), READ)
    assert found.total_count == len(found.rows)
    return [row.id for row in found.rows]


async def test_only_support_reads_the_queue(house: House, scope_of: ScopeOf) -> None:
    for person in (house.principal, house.simple):
        with pytest.raises(Forbidden):
            await escalations.undecided(scope_of(person), Page(20), READ)
    with pytest.raises(Unauthenticated):
        await escalations.undecided(scope_of(), Page(20), READ)


async def test_an_escalated_request_stands_in_the_queue_until_it_is_decided(
    house: House, lea: Account, request_: Attachment, scope_of: ScopeOf, support: Scope, clock: Clock
) -> None:
    clock.advance(days=30)
    assert await queue(support) == []
    await escalations.escalate(scope_of(lea), request_.id, None)
    assert await queue(support) == [request_.id]
    await requests.refuse(scope_of(house.principal), [request_.id], "not known here")
    assert await queue(support) == []


async def test_requests_to_an_imported_structure_stand_in_the_queue_at_once(
    lea: Account, scope_of: ScopeOf, support: Scope
) -> None:
    imported = await factories.structure()
    row = await factories.attachment(lea, imported, status=PENDING)
    assert await queue(support) == [row.id]
    await principal_manager.appoint(support, imported.id, (await factories.person()).id, "nobody manages it")
    assert await queue(support) == []


async def test_the_queue_has_a_request_from_the_instant_nobody_can_decide_it(
    house: House, request_: Attachment, support: Scope
) -> None:
    await accounts.suspend(support, house.secondary.id, "reported")
    assert await queue(support) == []
    await accounts.suspend(support, house.principal.id, "reported")
    assert await queue(support) == [request_.id]
    await accounts.reopen(support, house.secondary.id, "heard")
    assert await queue(support) == []
    await Attachment.filter(id=house.links["secondary"].id).update(valid_until=date(2027, 3, 15))
    assert await queue(support) == []


async def test_the_queue_follows_the_days_of_the_managers(
    house: House, request_: Attachment, support: Scope, clock: Clock
) -> None:
    await Account.filter(id=house.principal.id).update(state=AccountState.SUSPENDED)
    await Attachment.filter(id=house.links["secondary"].id).update(
        valid_from=date(2027, 3, 17), valid_until=date(2027, 3, 18)
    )
    found = []
    for _ in range(6):
        found.append(await queue(support))
        clock.advance(days=1)
    assert found == [[request_.id], [request_.id], [], [], [request_.id], [request_.id]]


async def test_requests_to_a_structure_that_has_ended_are_not_hidden(
    house: House, request_: Attachment, support: Scope
) -> None:
    await Structure.filter(id=house.structure.id).update(status=StructureStatus.INACTIVE)
    assert await queue(support) == []
    await Account.filter(id__in=[house.principal.id, house.secondary.id]).update(state=AccountState.SUSPENDED)
    assert await queue(support) == [request_.id]


async def test_the_queue_is_paged_oldest_first(lea: Account, support: Scope) -> None:
    rows = [(await factories.attachment(lea, await factories.structure(), status=PENDING)).id for _ in range(5)]
    for status in (AttachmentStatus.VALIDATED, AttachmentStatus.REFUSED, AttachmentStatus.REMOVED):
        await factories.attachment(
            lea, await factories.structure(), status=status, decided_by=await factories.person(), decided_at=ASKED
        )
    first = await escalations.undecided(support, Page(2), READ)
    assert ([row.id for row in first.rows], first.has_next, first.total_count) == (rows[:2], True, 5)
    rest = await escalations.undecided(support, Page(3, after=(rows[1],)), READ)
    assert ([row.id for row in rest.rows], rest.has_next, rest.has_previous) == (rows[2:], False, True)
    last = await escalations.undecided(support, Page(2, backward=True), READ)
    assert [row.id for row in last.rows] == rows[3:]


async def test_who_can_decide_and_the_queue_agree(scope_of: ScopeOf, support: Scope) -> None:
    """Every state of every manager: a request nobody can decide is in the queue, any other isn't."""
    days = {"ended": {"valid_until": date(2027, 3, 14)}, "later": {"valid_from": date(2027, 3, 16)}, "in effect": {}}
    pairs = []
    for state in (AccountState.ACTIVE, AccountState.SUSPENDED):
        for span in days.values():
            for status in (AttachmentStatus.VALIDATED, AttachmentStatus.DEACTIVATED):
                for role in (SM, Role.SIMPLE_USER):
                    place = await factories.structure(await factories.person(state=AccountState.SUSPENDED))
                    other = await factories.person(state=state)
                    await factories.attachment(other, place, role=role, status=status, **span)
                    waiting = await factories.person()
                    row = await factories.attachment(waiting, place, status=PENDING)
                    pairs.append((row.id, place.id, waiting.id))
    found = await deciders.of_requests(support, [(place, waiting) for _, place, waiting in pairs])
    empty = [pair[0] for pair, able in zip(pairs, found, strict=True) if able.count == 0]
    assert (len(pairs), len(empty)) == (24, 23)
    whole = await escalations.undecided(support, Page(100), READ)
    assert [row.id for row in whole.rows] == empty


async def test_a_request_escalated_and_decided_at_once_is_one_or_both_in_order(
    house: House, lea: Account, request_: Attachment, scope_of: ScopeOf, clock: Clock
) -> None:
    clock.advance(days=30)
    escalated, decided = await asyncio.gather(
        escalations.escalate(scope_of(lea), request_.id, None),
        requests.refuse(scope_of(house.principal), [request_.id], "not known here"),
        return_exceptions=True,
    )
    assert not isinstance(decided, BaseException)
    assert decided[0].error is None
    row = await Attachment.get(id=request_.id)
    assert row.status is AttachmentStatus.REFUSED
    assert (row.escalated_at is None) == isinstance(escalated, TransitionNotAllowed)


@pytest.mark.parametrize(("minute", "day"), [(59, date(2027, 4, 14)), (60, date(2027, 4, 15))])
def test_thirty_days_are_counted_from_the_requests_day_in_paris(minute: int, day: date) -> None:
    asked = datetime(2027, 3, 15, 22, 0, tzinfo=UTC) + timedelta(minutes=minute)  # 23:00 in Paris, and more
    assert escalable_on(asked, ZoneInfo("Europe/Paris")) == day
