"""Rules that are written twice, in Python for one row and in SQL for many, give the same answer on every combination.

The grid has each status, role, first and last day around today, state of the account and of the structure.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from models.accounts import accounts
from models.accounts.accounts import REACTIVATION_WINDOW, Account, AccountState
from models.accounts.actors import Actor
from models.attachments import attachments, deciders, vacancies
from models.attachments.attachments import ATTACHMENTS, Attachment, AttachmentStatus, Role
from models.attachments.offers import OFFERS, OfferStatus, PrincipalManagerOffer
from models.attachments.vacancies import VacancyReason
from models.db import database
from models.db.query import Row
from models.structures.structures import Structure, StructureStatus
from tests.support import factories

NOW = datetime(2027, 3, 15, 9, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
FIRST_DAYS = (TODAY - DAY, TODAY, TODAY + DAY)
LAST_DAYS = (None, TODAY - DAY, TODAY, TODAY + DAY)
UNTIL_CLOSED = (REACTIVATION_WINDOW - timedelta(seconds=1), REACTIVATION_WINDOW, REACTIVATION_WINDOW + DAY)


STORED = [state for state in AccountState if state is not AccountState.CLOSED]  # which DEACTIVATED becomes by the clock


async def _person(state: AccountState, deactivated_at: datetime) -> Account:
    return await factories.person(
        state=state, deactivated_at=deactivated_at if state is AccountState.DEACTIVATED else None
    )


def _is_storable(status: AttachmentStatus, role: Role, first: date, last: date | None) -> bool:
    """Could such a row be there? The database's checks refuse the others."""
    if last is not None and last < first:
        return False
    if role is Role.PRINCIPAL_MANAGER:
        return status is AttachmentStatus.VALIDATED and last is None
    asked_for = status in (AttachmentStatus.PENDING, AttachmentStatus.REFUSED)
    return role is Role.SIMPLE_USER or not asked_for


@pytest.fixture
async def grid(db: str) -> list[Attachment]:
    """An attachment of each kind, of a person of each state, each to a structure of its own."""
    people = {state: await _person(state, NOW) for state in STORED}
    cells = [
        cell
        for cell in product(AttachmentStatus, Role, FIRST_DAYS, LAST_DAYS, STORED, StructureStatus)
        if _is_storable(*cell[:4])
    ]
    made = Structure(
        identifier_type="OTHER", identifier="", name="", kind="PRIVATE", line1="1", postcode="75001", city="Paris",
        folded_city="paris", folded_name="", country="FR", created_at=NOW,
    )  # fmt: skip
    plain = {name: getattr(made, name) for name in made._meta.db_fields if name != "id"}
    await Structure.bulk_create(
        [
            Structure(**plain | {"identifier": f"GRID-{number}", "name": f"S{number}", "status": cell[5]})
            for number, cell in enumerate(cells)
        ]
    )
    structures = await Structure.filter(identifier__startswith="GRID-").order_by("id")
    await Attachment.bulk_create(
        [
            Attachment(
                user=people[state], structure=structure, status=status, role=role, valid_from=first, valid_until=last,
                requested_at=NOW,
                decided_at=None if status is AttachmentStatus.PENDING else NOW,
                refusal_reason="no" if status is AttachmentStatus.REFUSED else None,
            )
            for structure, (status, role, first, last, state, _) in zip(structures, cells, strict=True)
        ]
    )  # fmt: skip
    rows = await Attachment.all().prefetch_related("user", "structure").order_by("id")
    assert len(rows) > 500
    return rows


async def _found(condition: str, tables: str, **bound: object) -> set[int]:
    rows = await database.fetch(f"SELECT a.id FROM {tables} WHERE {condition}", {"today": TODAY, **bound})
    return {row[0] for row in rows}


async def _read(*columns: str) -> dict[int, Row]:
    return {row.id: row for row in await ATTACHMENTS.read([*columns, "id"], [], {"today": TODAY})}


async def test_status_on_a_day(grid: list[Attachment]) -> None:
    read = await _read("status")
    assert {row.id: read[row.id].status for row in grid} == {row.id: row.status_on(TODAY) for row in grid}


async def test_in_effect(grid: list[Attachment]) -> None:
    read = await _read("in_effect")
    expected = {row.id: row.is_valid_on(TODAY) and row.user.state is AccountState.ACTIVE for row in grid}
    assert {row.id: read[row.id].in_effect for row in grid} == expected
    assert 0 < sum(expected.values()) < len(grid)


async def test_roles_of_a_person(grid: list[Attachment]) -> None:
    for user in {row.user_id: row.user for row in grid}.values():
        active = user.state is AccountState.ACTIVE
        expected = {
            row.structure_id: row.role for row in grid if row.user_id == user.id and active and row.is_valid_on(TODAY)
        }
        assert await attachments.roles_of(user.id, TODAY) == expected


async def test_structures_that_a_viewer_manages(grid: list[Attachment]) -> None:
    for user in {row.user_id: row.user for row in grid if row.user.state is AccountState.ACTIVE}.values():
        expected = {row.id for row in grid if row.user_id == user.id and row.is_manager and row.is_valid_on(TODAY)}
        assert expected
        found = await _found(attachments.MANAGED_BY_VIEWER, "attachments a", viewer=user.id)
        assert found == expected


async def test_managers_who_can_decide(grid: list[Attachment]) -> None:
    able = await deciders.able_on({row.structure_id for row in grid}, TODAY)
    for row in grid:
        decides = row.is_manager and row.is_valid_on(TODAY) and row.user.state is AccountState.ACTIVE
        assert able[row.structure_id] == ({row.user_id: row.role} if decides else {})


async def test_requests_that_nobody_can_decide(grid: list[Attachment]) -> None:
    """Somebody asks to be attached to each structure: the queue has those where the one manager can't decide."""
    asking = await factories.person()
    await Attachment.bulk_create(
        [
            Attachment(
                user=asking, structure_id=row.structure_id, status=AttachmentStatus.PENDING, valid_from=TODAY,
                requested_at=NOW,
            )
            for row in grid
        ]
    )  # fmt: skip
    asked = {row.structure_id: row.id for row in await Attachment.filter(user=asking)}
    expected = {
        asked[row.structure_id]
        for row in grid
        if not (row.is_manager and row.is_valid_on(TODAY) and row.user.state is AccountState.ACTIVE)
    }
    mine = "attachments a WHERE a.user_id = :asking AND"
    undecided = await database.fetch(
        f"SELECT a.id FROM {mine} a.id IN ({deciders.UNDECIDED_IDS})", {"today": TODAY, "asking": asking.id}
    )
    assert {row[0] for row in undecided} == expected
    decidable = await database.fetch(
        f"SELECT a.id FROM {mine} ({deciders.decidable('a')})", {"today": TODAY, "asking": asking.id}
    )
    assert {row[0] for row in decidable} == set(asked.values()) - expected


async def test_people_who_may_become_principal_manager(grid: list[Attachment]) -> None:
    expected = {
        row.id
        for row in grid
        if row.role is not Role.PRINCIPAL_MANAGER and row.is_valid_on(TODAY) and row.user.state is AccountState.ACTIVE
    }
    assert await _found(accounts.ELIGIBLE, "attachments a JOIN accounts u ON u.id = a.user_id") == expected


async def test_managers_of_a_structure_read_as_rows(grid: list[Attachment]) -> None:
    for row in grid[::7]:
        found = [manager.id for manager in await attachments.managers_of(row.structure_id, TODAY)]
        assert found == ([row.id] if row.is_manager and row.is_valid_on(TODAY) else [])


async def test_people_who_share_a_structure_with_a_viewer(db: str) -> None:
    """The viewer's attachment and the other's, each of every kind; the other is seen by right, managed by a manager's."""
    viewer = await factories.person()
    expected_seen, expected_managed = set(), set()
    for mine, last, theirs in product(Role, LAST_DAYS, AttachmentStatus):
        if not _is_storable(AttachmentStatus.VALIDATED, mine, TODAY - 2 * DAY, last):
            continue
        structure, other = await factories.structure(), await factories.person()
        seen_by = await factories.attachment(viewer, structure, role=mine, valid_from=TODAY - 2 * DAY, valid_until=last)
        await factories.attachment(other, structure, status=theirs)
        live = theirs not in (AttachmentStatus.REFUSED, AttachmentStatus.REMOVED)
        if seen_by.is_valid_on(TODAY) and live:
            if seen_by.is_manager or theirs is AttachmentStatus.VALIDATED:
                expected_seen.add(other.id)
            if seen_by.is_manager:
                expected_managed.add(other.id)
    bound = {**accounts.visibility(Actor(viewer.id, 0, None)), "today": TODAY, "me": viewer.id}
    for condition, expected in (
        (accounts.SHARES_STRUCTURE, expected_seen),
        (accounts.MANAGED_BY_VIEWER, expected_managed),
    ):
        rows = await database.fetch(f"SELECT u.id FROM accounts u WHERE u.id <> :me AND {condition}", bound)
        assert {row[0] for row in rows} == expected


async def test_state_at_an_instant(db: str) -> None:
    people = [await _person(state, NOW - ago) for state, ago in product(STORED, UNTIL_CLOSED)]
    rows = await accounts.ACCOUNTS.read(["id", "state"], [], {"closed_since": NOW - REACTIVATION_WINDOW})
    assert {row.id: row.state for row in rows} == {person.id: person.state_at(NOW) for person in people}


async def test_vacancy_of_a_seat_at_an_instant(db: str) -> None:
    """The holder in each state, told of an absence never, before, at and after they were last seen."""
    seen, moment = NOW - 20 * DAY, timedelta(seconds=1)
    expected = {}
    came = ({"last_signed_in_at": seen}, {"activated_at": seen})
    for state, ago, told, last in product(STORED, UNTIL_CLOSED, (None, seen - moment, seen, seen + moment), came):
        holder = await _person(state, NOW - ago)
        await holder.update_from_dict(last).save()
        seat = await factories.attachment(
            holder, await factories.structure(), role=Role.PRINCIPAL_MANAGER, absence_told_at=told
        )
        expected[seat.id] = vacancies.reason_of(holder, seat, NOW)
    rows = await vacancies.VACANCIES.read(["id", "reason"], [], {"today": TODAY, **vacancies.instants(NOW)})
    assert {row.id: row.reason for row in rows} == expected
    assert set(expected.values()) == {None, *VacancyReason}


async def test_status_of_an_offer_at_an_instant(db: str) -> None:
    holder, successor = await factories.person(), await factories.person()
    offers = []
    for status, until in product(OfferStatus, (NOW - timedelta(seconds=1), NOW, NOW + timedelta(seconds=1))):
        structure = await factories.structure(await factories.person())
        offers.append(
            await PrincipalManagerOffer.create(
                structure=structure, holder=holder, successor=successor, status=status, offered_at=NOW - DAY,
                expires_at=until, ended_at=None if status is OfferStatus.OPEN else NOW,
            )
        )  # fmt: skip
    rows = await OFFERS.read(["id", "status"], [], {"now": NOW})
    assert {row.id: row.status for row in rows} == {offer.id: offer.status_at(NOW) for offer in offers}
