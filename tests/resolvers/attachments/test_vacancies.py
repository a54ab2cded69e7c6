"""Seats nobody acts from: seen at once, told, kept by signing in, claimed by the senior secondary manager, once."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailer import payloads
from mailer.facts import Reader
from mailer.messages import PrincipalManagerClaimable
from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db.query import Page, Selection
from models.errors.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PrincipalManagerNotYetClaimable,
    PrincipalManagerPresent,
    StructureInactive,
)
from models.mail.outbox import Mail
from models.structures.structures import Structure, StructureStatus
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from resolvers.accounts import accounts, sessions
from resolvers.attachments import escalations, principal_manager, vacancies
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.houses import House
from tests.resolvers.support.mailbox import outcomes, overtaken, refused
from tests.support import factories, invariants

ScopeOf = Callable[..., Scope]
SM = Role.SECONDARY_MANAGER
READ = Selection(frozenset({"structure_id", "reason", "since", "claimant_id"}), total_count=True)


@pytest.fixture
async def support(db: str) -> Account:
    return await factories.person(platform_role="SUPPORT")


async def seen(scope: Scope, structure: Structure) -> tuple[str, int | None] | None:
    """The vacancy of the structure's seat, as this viewer sees it: why, and who may claim it."""
    (found,) = await vacancies.of_structures(scope, [structure.id])
    return (found.reason, found.claimant_id) if found else None


async def principal_of(structure: Structure) -> int:
    seat = await Attachment.get(structure=structure, role=Role.PRINCIPAL_MANAGER, status=AttachmentStatus.VALIDATED)
    return int(seat.user_id)


async def junior_of(house: House, clock: Clock) -> Account:
    """One more secondary manager, in the role since later than the house's own."""
    junior = await factories.person()
    await factories.attachment(junior, house.structure, role=SM, role_since=clock.now)
    return junior


async def absent(house: House, clock: Clock, *, days: int = 90, waiting: bool = True) -> None:
    """The holder signed in that many days ago; a request waits, unless said otherwise."""
    await house.principal.update_from_dict({"last_signed_in_at": clock.now - timedelta(days=days)}).save()
    if waiting:
        await factories.attachment(
            await factories.person(), house.structure, status=AttachmentStatus.PENDING, requested_at=clock.now
        )


# ------------------------------------------------------------------ after a suspension
async def test_suspended_holder_leaves_a_seat_that_the_managers_are_told_of(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    junior = await junior_of(house, clock)
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    assert await factories.event_types() == ["AccountSuspended", "SeatVacated"]
    assert sorted(await factories.mails()) == sorted(
        [
            ("account_suspended", house.principal.login_email),
            ("principal_manager_claimable", house.secondary.contact_email),
            ("principal_manager_claimable", junior.contact_email),
        ]
    )
    for viewer in (house.secondary, junior, support):
        assert await seen(scope_of(viewer), house.structure) == ("SUSPENDED", house.secondary.id)
    for viewer in (house.simple, await factories.person()):
        assert await seen(scope_of(viewer), house.structure) is None
    await invariants.check(clock.now)


async def test_senior_manager_claims_at_once_and_nobody_else_does(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    junior = await junior_of(house, clock)
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    for viewer in (junior, house.simple, support, await factories.person()):
        async with refused((Forbidden, "structure_id")):
            await vacancies.claim(scope_of(viewer), house.structure.id)
    async with refused((NotFound, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id + 1)
    before = await factories.mails()
    await vacancies.claim(scope_of(house.secondary), house.structure.id)
    assert await principal_of(house.structure) == house.secondary.id
    former = await Attachment.get(id=house.links["principal"].id)
    assert (former.role, former.status) == (Role.SIMPLE_USER, AttachmentStatus.VALIDATED)
    assert (await factories.event_types())[-2:] == ["RoleChanged", "PrincipalManagerClaimed"]
    assert sorted((await factories.mails())[len(before) :]) == sorted(
        ("principal_manager_claimed", person.contact_email) for person in (house.secondary, junior)
    )
    assert await seen(scope_of(house.secondary), house.structure) is None
    await invariants.check(clock.now)


async def test_managers_are_told_who_may_claim_and_from_when(
    house: House, support: Account, scope_of: ScopeOf, office: Office, clock: Clock
) -> None:
    junior = await junior_of(house, clock)

    async def told() -> dict[str, tuple[Reader, bool, datetime]]:
        found = {}
        for mail in await Mail.filter(message="principal_manager_claimable"):
            said = payloads.decode(mail.message, mail.payload, sealer=office.sealer, bound_to=mail.message_id)
            assert isinstance(said, PrincipalManagerClaimable)
            assert said.claimant == house.secondary.display_name
            found[mail.address] = (said.reader, said.absent, said.claimable_from)
        await Mail.all().delete()
        return found

    senior, other = house.secondary.contact_email, junior.contact_email
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    until = clock.now + timedelta(days=14)
    assert await told() == {senior: (Reader.SUCCESSOR, True, until), other: (Reader.MANAGER, True, until)}
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    assert await told() == {senior: (Reader.SUCCESSOR, False, clock.now), other: (Reader.MANAGER, False, clock.now)}


async def test_seat_of_somebody_who_can_act_is_not_claimed(house: House, scope_of: ScopeOf) -> None:
    async with refused((PrincipalManagerPresent, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id)
    assert await seen(scope_of(house.secondary), house.structure) is None
    for viewer in (house.principal, house.simple, await factories.person()):
        async with refused((Forbidden, "structure_id")):
            await vacancies.claim(scope_of(viewer), house.structure.id)


async def test_reopened_holder_has_the_seat_again(house: House, support: Account, scope_of: ScopeOf) -> None:
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    await accounts.reopen(scope_of(support), house.principal.id, "by mistake")
    assert await seen(scope_of(house.secondary), house.structure) is None
    async with refused((PrincipalManagerPresent, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id)


async def test_seat_of_an_ended_structure_is_not_claimed(house: House, support: Account, scope_of: ScopeOf) -> None:
    await house.structure.update_from_dict({"status": StructureStatus.INACTIVE}).save()
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    assert await factories.event_types() == ["AccountSuspended"]
    assert await seen(scope_of(support), house.structure) is None
    async with refused((StructureInactive, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id)


async def test_seniority_is_the_time_in_the_role_then_the_attachment(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    promoted = house.simple
    await principal_manager.change_role(scope_of(house.principal), house.links["simple"].id, SM)
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    assert await seen(scope_of(promoted), house.structure) == ("SUSPENDED", house.secondary.id)
    for change in (
        {"valid_until": clock.now.date() - timedelta(days=1)},
        {"valid_from": clock.now.date() + timedelta(days=1)},
    ):
        link = house.links["secondary"]
        await link.update_from_dict({"valid_until": None, "valid_from": factories.LONG_AGO.date()} | change).save()
        assert await seen(scope_of(promoted), house.structure) == ("SUSPENDED", promoted.id)
    await vacancies.claim(scope_of(promoted), house.structure.id)
    assert await principal_of(house.structure) == promoted.id


async def test_senior_is_who_has_the_role_for_longer_though_attached_later_and_of_equals_the_first_attached(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    later = await factories.person()
    link = await factories.attachment(later, house.structure, role=SM, role_since=clock.now - timedelta(days=1))
    await house.links["secondary"].update_from_dict({"role_since": clock.now}).save()
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    assert await seen(scope_of(support), house.structure) == ("SUSPENDED", later.id)
    await link.update_from_dict({"role_since": clock.now}).save()
    assert await seen(scope_of(support), house.structure) == ("SUSPENDED", house.secondary.id)


async def test_many_claims_at_once_make_one(house: House, support: Account, scope_of: ScopeOf) -> None:
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    ended = await outcomes([vacancies.claim(scope_of(house.secondary), house.structure.id) for _ in range(20)])
    assert ended.count(None) == 1
    assert set(ended) - {None} <= {Forbidden, PrincipalManagerPresent}
    assert (await factories.event_types()).count("PrincipalManagerClaimed") == 1


async def test_claim_and_appointment_at_once_leave_one_principal_manager(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    other = await factories.person()
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    ended = await outcomes(
        [
            vacancies.claim(scope_of(house.secondary), house.structure.id),
            principal_manager.appoint(scope_of(support), house.structure.id, other.id, "nobody there"),
        ]
    )
    assert ended.count(None) == 1
    assert set(ended) - {None} <= {Forbidden, PrincipalManagerPresent, Conflict}
    await invariants.check(clock.now)


# ------------------------------------------------------------------ absence
async def test_holder_away_for_ninety_days_while_a_request_waits_is_told_once(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock, days=89)
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 0
    clock.advance(days=1)
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 1
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 0
    clock.advance(days=30)
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 0
    assert await factories.event_types() == ["HolderFoundAbsent"]
    assert sorted(await factories.mails()) == sorted(
        [
            ("principal_manager_absent", house.principal.contact_email),
            ("principal_manager_claimable", house.secondary.contact_email),
        ]
    )
    await invariants.check(clock.now)


@pytest.mark.parametrize("waiting", ["nothing", "attachment", "space"])
async def test_only_a_waiting_request_makes_an_absence(
    house: House, scope_of: ScopeOf, clock: Clock, waiting: str
) -> None:
    await absent(house, clock, days=200, waiting=waiting == "attachment")
    if waiting == "space":
        await factories.subscription(
            house.simple, house.structure, SpaceCode.COMMITMENTS, status=SpaceSubscriptionStatus.PENDING
        )
    assert await vacancies.tell_absent_principal_managers(scope_of()) == int(waiting != "nothing")


async def test_whoever_never_signed_in_is_absent_since_the_activation(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    changes = {"last_signed_in_at": None, "activated_at": clock.now - timedelta(days=89)}
    await house.principal.update_from_dict(changes).save()
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 0
    clock.advance(days=1)
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 1


async def test_seat_of_an_absent_holder_is_claimable_after_fourteen_days(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    assert await seen(scope_of(house.secondary), house.structure) == ("ABSENT", house.secondary.id)
    clock.advance(days=14, seconds=-1)
    async with refused((PrincipalManagerNotYetClaimable, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id)
    clock.advance(seconds=1)
    await vacancies.claim(scope_of(house.secondary), house.structure.id)
    assert await principal_of(house.structure) == house.secondary.id
    told = [mail for mail in await factories.mails() if mail[0] == "principal_manager_claimed"]
    assert sorted(told) == sorted(
        ("principal_manager_claimed", person.contact_email) for person in (house.principal, house.secondary)
    )
    await invariants.check(clock.now)


async def test_holder_who_signs_in_keeps_the_seat_and_may_be_absent_anew(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    clock.advance(days=13)
    await sessions.sign_in(scope_of(), house.principal.login_email, factories.PASSWORD)
    assert await seen(scope_of(house.secondary), house.structure) is None
    clock.advance(days=2)
    async with refused((PrincipalManagerPresent, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id)
    clock.advance(days=88)
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 1


async def test_seat_that_is_handed_back_is_not_vacant_by_the_notice_of_absence_before(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    clock.advance(days=14)
    await vacancies.claim(scope_of(house.secondary), house.structure.id)
    await principal_manager.transfer(scope_of(house.secondary), house.structure.id, house.principal.id)
    assert await principal_of(house.structure) == house.principal.id
    assert await seen(scope_of(support), house.structure) is None


async def test_holder_who_was_seen_at_the_very_instant_of_the_notice_may_be_absent_anew(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    await house.principal.update_from_dict({"last_signed_in_at": clock.now}).save()
    clock.advance(days=90)
    assert await vacancies.tell_absent_principal_managers(scope_of()) == 1


async def decide(structure: Structure) -> None:
    decided = {"status": AttachmentStatus.REFUSED, "decided_at": factories.LONG_AGO, "refusal_reason": "unknown"}
    await Attachment.filter(structure=structure, status=AttachmentStatus.PENDING).update(**decided)


async def hand_over(structure: Structure) -> None:
    await Attachment.filter(structure=structure, role=Role.PRINCIPAL_MANAGER).update(role=Role.SIMPLE_USER)
    await Attachment.filter(structure=structure, role=SM).update(role=Role.PRINCIPAL_MANAGER)
    await come_back(structure)


async def end(structure: Structure) -> None:
    await structure.update_from_dict({"status": StructureStatus.INACTIVE}).save()


async def suspend(structure: Structure) -> None:
    await Account.filter(id=await principal_of(structure)).update(state=AccountState.SUSPENDED)


async def come_back(structure: Structure) -> None:
    await Account.filter(id=await principal_of(structure)).update(last_signed_in_at=datetime(2027, 3, 15, tzinfo=UTC))


@pytest.mark.parametrize("change", [decide, hand_over, end, suspend, come_back])
async def test_nobody_is_told_of_an_absence_that_ended_since_it_was_looked_for(
    house: House, scope_of: ScopeOf, clock: Clock, change: Callable[[Structure], Awaitable[None]]
) -> None:
    await absent(house, clock)
    assert await overtaken(house.structure, vacancies.tell_absent_principal_managers(scope_of()), change) == 0
    assert await factories.traces() == (0, 0)


async def test_claim_against_a_sign_in_at_the_same_instant_has_one_outcome(
    house: House, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    clock.advance(days=14)
    claimed, _ = await outcomes(
        [
            vacancies.claim(scope_of(house.secondary), house.structure.id),
            sessions.sign_in(scope_of(), house.principal.login_email, factories.PASSWORD),
        ]
    )
    holder = house.secondary if claimed is None else house.principal
    assert claimed in (None, PrincipalManagerPresent)
    assert await principal_of(house.structure) == holder.id
    await invariants.check(clock.now)


async def test_workers_side_by_side_tell_once(house: House, scope_of: ScopeOf, clock: Clock) -> None:
    await absent(house, clock)
    assert sum(await outcomes([vacancies.tell_absent_principal_managers(scope_of()) for _ in range(5)])) == 1  # type: ignore[arg-type]
    assert (await factories.event_types()).count("HolderFoundAbsent") == 1


# ------------------------------------------------------------------ support's queue
async def test_support_sees_the_seats_that_nobody_may_claim(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    alone = await factories.person()
    orphan = await factories.structure(alone)
    await factories.attachment(await factories.person(), orphan, status=AttachmentStatus.PENDING)
    await factories.structure()  # imported, nobody ever managed it
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")  # has a secondary manager
    await alone.update_from_dict({"last_signed_in_at": clock.now - timedelta(days=90)}).save()
    await vacancies.tell_absent_principal_managers(scope_of())
    for days, expected in ((0, []), (13, []), (1, [orphan.id])):
        clock.advance(days=days)
        queue = await escalations.undecided(scope_of(support), Page(10), Selection(frozenset({"structure_id"})))
        assert [row.structure_id for row in queue.rows] == expected
        slice = await vacancies.unclaimable(scope_of(support), Page(10), READ)
        assert ([row.structure_id for row in slice.rows], slice.total_count) == (expected, len(expected))
    await accounts.suspend(scope_of(support), house.secondary.id, "abuse")
    slice = await vacancies.unclaimable(scope_of(support), Page(10), READ)
    assert [row.structure_id for row in slice.rows] == [house.structure.id, orphan.id]
    former = await Account.get(id=await principal_of(orphan))
    before = await factories.mails()
    await principal_manager.appoint(scope_of(support), orphan.id, house.simple.id, "the holder is away")
    assert await principal_of(orphan) == house.simple.id
    assert (await factories.mails())[len(before) :] == [
        ("principal_manager_appointed", former.contact_email),
        ("principal_manager_appointed", house.simple.contact_email),
    ]
    await invariants.check(clock.now)


async def test_seats_of_ended_structures_wait_for_nobody(support: Account, scope_of: ScopeOf) -> None:
    alone = await factories.person()
    ended = await factories.structure(alone, status=StructureStatus.INACTIVE)
    await accounts.suspend(scope_of(support), alone.id, "abuse")
    slice = await vacancies.unclaimable(scope_of(support), Page(10), READ)
    assert (slice.rows, slice.total_count) == ([], 0)
    assert await principal_of(ended) == alone.id


async def test_support_names_nobody_while_the_absent_holder_may_come_back_or_a_manager_claim(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    for days in (0, 15):
        clock.advance(days=days)
        async with refused((PrincipalManagerPresent, "structure_id")):
            await principal_manager.appoint(scope_of(support), house.structure.id, house.simple.id, "away")


async def test_support_names_nobody_within_fourteen_days_of_the_notice_of_absence(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    await house.links["secondary"].update_from_dict({"role": Role.SIMPLE_USER}).save()  # nobody there could claim
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    for passed in (timedelta(0), timedelta(days=14, seconds=-1)):
        clock.now += passed
        async with refused((PrincipalManagerPresent, "structure_id")):
            await principal_manager.appoint(scope_of(support), house.structure.id, house.simple.id, "away")
    clock.advance(seconds=1)
    await principal_manager.appoint(scope_of(support), house.structure.id, house.simple.id, "away")
    assert await principal_of(house.structure) == house.simple.id


async def test_suspension_voids_the_notice_of_absence(
    house: House, support: Account, scope_of: ScopeOf, clock: Clock
) -> None:
    await absent(house, clock)
    await vacancies.tell_absent_principal_managers(scope_of())
    await accounts.suspend(scope_of(support), house.principal.id, "abuse")
    await accounts.reopen(scope_of(support), house.principal.id, "by mistake")
    clock.advance(days=14)
    assert await seen(scope_of(house.secondary), house.structure) is None
    async with refused((PrincipalManagerPresent, "structure_id")):
        await vacancies.claim(scope_of(house.secondary), house.structure.id)


async def test_queue_is_for_support(house: House, scope_of: ScopeOf) -> None:
    with pytest.raises(Forbidden):
        await vacancies.unclaimable(scope_of(house.principal), Page(10), READ)
    assert house.principal.state is AccountState.ACTIVE
