"""Attachments that managers give on their own initiative, and the limit on probing addresses."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments import attachments as rows
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.attachments.refused_structures import StructureRefusal
from models.db.query import Selection
from models.errors.errors import AlreadyAttached, Forbidden, Invalid, Missing, NotFound, ServiceNotEntitled, TooMany
from models.events.events import Event
from models.structures.services import Service
from models.structures.structures import Structure
from resolvers.attachments import attach_user
from resolvers.attachments.attach_user import NewAttachment
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.answers import GIVEN_TO_ALL, GIVEN_TO_MANAGERS, live_spaces
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import overtaken, refused
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
TODAY, YESTERDAY, TOMORROW = date(2027, 3, 15), date(2027, 3, 14), date(2027, 3, 16)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus
PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER
READ = Selection(frozenset({"id", "status"}), total_count=True)
READ_USER = Selection(frozenset({"id", "folded_name"}), total_count=True)


async def status_of(attachment: Attachment) -> AttachmentStatus:
    await attachment.refresh_from_db()
    return AttachmentStatus(attachment.status)


@pytest.mark.parametrize("state", [AccountState.ACTIVE, AccountState.PENDING_ACTIVATION])
async def test_manager_attaches_the_owner_of_an_address(
    house: House, scope_of: ScopeOf, clock: Clock, state: AccountState
) -> None:
    lea = await factories.person(login_email="Lea@people.example", state=state)
    one = await Service.create(structure=house.structure, code="S1", name="Sales")
    new = NewAttachment(house.structure.id, " LEA@people.example ", SU, TODAY, date(2027, 6, 30), frozenset({one.id}))
    id = await attach_user.attach(scope_of(house.secondary), new)
    link = await Attachment.get(id=id)
    assert (link.user_id, link.status, link.role) == (lea.id, VALIDATED, SU)
    assert (link.valid_from, link.valid_until, link.decided_by_id) == (TODAY, date(2027, 6, 30), house.secondary.id)
    assert await rows.service_ids_of(id) == {one.id}
    assert await live_spaces(lea, house.structure) == GIVEN_TO_ALL
    assert await factories.event_types() == ["AttachmentGiven"]
    assert await factories.mails() == [("user_attached", "Lea@people.example")]
    await invariants.check(clock.now)


async def test_principal_manager_gives_a_secondary_seat_and_nobody_else_does(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    lea = await factories.person()
    new = NewAttachment(house.structure.id, lea.login_email, SM, TODAY)
    async with refused((Forbidden, "role")):
        await attach_user.attach(scope_of(house.secondary), new)
    async with refused((Forbidden, "structure_id")):
        await attach_user.attach(scope_of(house.simple), new)
    async with refused((Forbidden, "structure_id")):
        await attach_user.attach(scope_of(await factories.person(platform_role="SUPPORT")), new)
    id = await attach_user.attach(scope_of(house.principal), new)
    assert (await Attachment.get(id=id)).role is SM
    assert await live_spaces(lea, house.structure) == GIVEN_TO_MANAGERS
    await invariants.check(clock.now)


async def test_gift_decides_the_persons_own_request(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    lea = await factories.person()
    asked = await factories.attachment(lea, house.structure, status=PENDING)
    id = await attach_user.attach(
        scope_of(house.principal), NewAttachment(house.structure.id, lea.login_email, SU, TODAY)
    )
    assert id == asked.id
    assert await status_of(asked) is VALIDATED
    assert (await Attachment.get(id=id)).role_since == clock.now
    event = await Event.get()
    assert (event.type, event.before["status"]) == ("AttachmentGiven", "PENDING")
    await invariants.check(clock.now)


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"login_email": " "}, [(Missing, "login_email")]),
        ({"login_email": "nobody@people.example"}, [(NotFound, "login_email")]),
        ({"structure_id": None}, [(NotFound, "structure_id")]),
        ({"role": PM}, [(Invalid, "role")]),
        (
            {
                "login_email": "", "role": PM, "valid_from": date(1899, 1, 1), "valid_until": YESTERDAY,
                "service_ids": frozenset({None}),
            },
            [
                (Missing, "login_email"), (Invalid, "role"), (Invalid, "valid_from"), (Invalid, "valid_until"),
                (ServiceNotEntitled, "service_ids"),
            ],
        ),
    ],
)  # fmt: skip
async def test_wrong_gift_is_refused_whole(
    house: House, scope_of: ScopeOf, changes: dict[str, Any], problems: list[Any]
) -> None:
    lea = await factories.person()
    given = {"structure_id": house.structure.id, "login_email": lea.login_email, "role": SU, "valid_from": TODAY}
    async with refused(*problems):
        await attach_user.attach(scope_of(house.principal), NewAttachment(**(given | changes)))
    assert await Attachment.filter(user=lea).count() == 0


async def test_gift_to_somebody_attached_already_is_refused(house: House, scope_of: ScopeOf) -> None:
    for person in (house.principal, house.simple):
        async with refused((AlreadyAttached, "login_email")):
            await attach_user.attach(
                scope_of(house.principal), NewAttachment(house.structure.id, person.login_email, SU, TODAY)
            )


async def test_nobody_is_given_to_once_the_manager_is_dismissed_or_the_person_leaves_or_refuses_meanwhile(
    house: House, scope_of: ScopeOf
) -> None:
    lea = await factories.person()
    given = NewAttachment(house.structure.id, lea.login_email, SU, TODAY)

    async def dismiss(structure: Structure) -> None:
        await Attachment.filter(structure=structure, user=house.secondary).update(role=SU)

    async def leave(account: Account) -> None:
        await account.update_from_dict({"state": AccountState.SUSPENDED}).save()

    async def refuse(account: Account) -> None:
        await StructureRefusal.create(account=account, structure=house.structure, refused_at=factories.LONG_AGO)
        await account.update_from_dict({"state": AccountState.ACTIVE}).save()

    async with refused((Forbidden, "structure_id")):
        await overtaken(house.structure, attach_user.attach(scope_of(house.secondary), given), dismiss)
    for change in (leave, refuse):
        await lea.update_from_dict({"state": AccountState.ACTIVE}).save()
        async with refused((NotFound, "login_email")):
            await overtaken(lea, attach_user.attach(scope_of(house.principal), given), change)
    assert await Attachment.filter(user=lea).count() == 0


async def test_gift_replaces_an_ended_attachment(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    link = house.links["simple"]
    await Attachment.filter(id=link.id).update(valid_until=YESTERDAY)
    await attach_user.attach(
        scope_of(house.principal), NewAttachment(house.structure.id, house.simple.login_email, SU, TODAY)
    )
    assert await status_of(link) is REMOVED
    assert await factories.event_types() == ["AttachmentReplaced", "AttachmentGiven"]
    await invariants.check(clock.now)


async def test_manager_probes_twenty_unknown_addresses_a_day_and_then_none(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    suspended = await factories.person(state=AccountState.SUSPENDED)
    known, later = await factories.person(), await factories.person()

    async def give(address: str) -> None:
        await attach_user.attach(scope_of(house.principal), NewAttachment(house.structure.id, address, SU, TODAY))

    await give(known.login_email)  # a known one isn't counted
    for number in range(19):
        async with refused((NotFound, "login_email")):
            await give(f"nobody{number}@people.example")
    async with refused((NotFound, "login_email")):
        await give(suspended.login_email)
    for address in ("nobody@people.example", later.login_email):  # or the answer would still tell
        async with refused((TooMany, "login_email")):
            await give(address)
    clock.advance(hours=24)
    await give(later.login_email)


async def test_secondary_manager_cannot_replace_anothers_ended_attachment_by_a_gift(
    house: House, scope_of: ScopeOf
) -> None:
    other = await factories.person()
    await factories.attachment(other, house.structure, role=SM, valid_until=date(2027, 3, 14))
    async with refused((AlreadyAttached, "login_email")):
        await attach_user.attach(
            scope_of(house.secondary), NewAttachment(house.structure.id, other.login_email, SU, TODAY)
        )
    await attach_user.attach(scope_of(house.principal), NewAttachment(house.structure.id, other.login_email, SU, TODAY))
