"""Changes in the order of commits: what is a change, where a stretch ends, whom it concerns."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from models.accounts.accounts import visibility
from models.accounts.actors import Actor
from models.attachments.attachments import AttachmentStatus, Role
from models.events import changes, events
from models.events.changes import Position, Standing, Topic
from models.events.events import Event
from tests.support import factories

PARIS = ZoneInfo("Europe/Paris")
AT = datetime(2027, 3, 15, 9, 0, tzinfo=UTC)
TODAY = date(2027, 3, 15)


async def settled() -> None:
    """Return once what was committed can be read: other databases of the same PostgreSQL can hold it back."""
    while await changes.is_waiting():
        await asyncio.sleep(0.02)


async def read(since: Position = Position(), most: int = 100) -> changes.Stretch:
    await settled()
    return await changes.after(since, zone=PARIS, most=most)


async def happened(before: dict[str, Any], after: dict[str, Any]) -> changes.Change | None:
    """What an attachment's event from the one state to the other is to streams."""
    user = await factories.person()
    attachment = await factories.attachment(user, await factories.structure())
    fact = events.AttachmentUpdated(
        subject_id=user.id,
        structure_id=attachment.structure_id,
        attachment_id=attachment.id,
        before=before,
        after=after,
    )
    await events.append(fact, actor_id=None, at=AT)
    found = (await read()).changes
    return found[-1] if found else None


SIMPLE, SECONDARY = {"role": "SIMPLE_USER"}, {"role": "SECONDARY_MANAGER"}
UNTIL = {"status": "VALIDATED", "valid_until": "2027-03-14", **SIMPLE}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {"status": "PENDING", **SIMPLE}, (None, "PENDING", "SIMPLE_USER")),
        ({"status": "PENDING", **SIMPLE}, {"status": "VALIDATED", **SIMPLE}, ("PENDING", "VALIDATED", "SIMPLE_USER")),
        ({"status": "VALIDATED", **SIMPLE}, {"status": "VALIDATED", **SECONDARY}, ("VALIDATED", "VALIDATED", "SECONDARY_MANAGER")),
        ({"status": "VALIDATED", **SIMPLE}, {"status": "VALIDATED", "services": [1], **SIMPLE}, None),
        ({"status": "PENDING", **SIMPLE}, {"status": "PENDING", "message": "x", **SIMPLE}, None),
        (UNTIL, UNTIL | {"valid_until": "2027-03-15"}, ("DEACTIVATED", "VALIDATED", "SIMPLE_USER")),  # its end was moved
        (UNTIL, UNTIL | {"valid_until": "2027-03-13"}, None),
        (UNTIL, UNTIL | {"status": "REMOVED"}, ("DEACTIVATED", "REMOVED", "SIMPLE_USER")),
    ],
)  # fmt: skip
async def test_a_change_is_another_status_as_people_read_it_or_another_role(
    db: str, before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str, str] | None
) -> None:
    found = await happened(before, after)
    assert (found and (found.previous_status, found.status, found.role)) == expected


async def test_a_stretch_ends_where_the_next_begins(db: str) -> None:
    person = await factories.person()
    for _ in range(5):
        await events.append(
            events.SignedIn(subject_id=person.id), events.SignedOut(subject_id=person.id), actor_id=None, at=AT
        )
    ids = [event.id for event in await Event.all().order_by("id")]
    seen, place, lasts = [], Position(), []
    for _ in range(4):
        stretch = await read(place, most=3)
        lasts.append(stretch.is_last)
        place = stretch.end
        seen.append(place.id)
    assert seen == [ids[2], ids[5], ids[8], ids[9]]
    assert lasts == [False, False, False, True]
    assert stretch.touched == {person.id}
    assert await changes.head() == place
    assert (await read(place)).end == place


async def test_nothing_has_happened_in_an_empty_log(db: str) -> None:
    await settled()
    assert await changes.head() == Position()
    assert await changes.first_after(Position()) is None
    assert await read() == changes.Stretch([], frozenset(), Position(), True)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite's writers come one after the other
async def test_what_commits_late_is_read_late_and_in_its_place(db: str, database_url: str) -> None:
    person = await factories.person()
    late = await asyncpg.connect(db)
    held = late.transaction()
    await held.start()
    row = f"INSERT INTO events (type, occurred_at, subject_id, before, after) VALUES ('SignedIn', now(), {person.id}, '{{}}', '{{}}')"
    await late.execute(row)
    first = await late.fetchval("SELECT max(id) FROM events")
    await events.append(events.SignedOut(subject_id=person.id), actor_id=None, at=AT)
    assert await changes.is_waiting()
    assert await changes.head() == Position()
    assert (await changes.after(Position(), zone=PARIS, most=10)).end == Position()
    await held.commit()
    await late.close()
    stretch = await read()
    assert stretch.end.id > first
    assert (await read(most=1)).end.id == first


async def test_managers_in_effect_the_person_and_nobody_else_are_concerned(db: str) -> None:
    principal, user = await factories.person(), await factories.person()
    structure = await factories.structure(principal)
    attachment = await factories.attachment(user, structure)
    roles = {"role": Role.SECONDARY_MANAGER}
    secondary, ended, off, colleague = [await factories.person() for _ in range(4)]
    await factories.attachment(secondary, structure, **roles)
    await factories.attachment(ended, structure, valid_until=date(2027, 3, 14), **roles)
    await factories.attachment(off, structure, status=AttachmentStatus.DEACTIVATED, **roles)
    await factories.attachment(colleague, structure)
    fact = events.AttachmentDeactivated(
        subject_id=user.id, structure_id=structure.id, attachment_id=attachment.id,
        before={"status": "VALIDATED"}, after={"status": "DEACTIVATED", **SIMPLE},
    )  # fmt: skip
    await events.append(fact, actor_id=principal.id, at=AT)
    stretch = await read()
    expected = {principal.id, secondary.id, user.id}
    assert await changes.concerned(stretch.changes, TODAY) == {stretch.end: expected}
    for person in (principal, secondary, user, ended, off, colleague):  # a replay asks the other way round
        viewing = {**visibility(Actor(person.id, 0)), "today": TODAY, "now": AT}
        found = await changes.missed(
            Topic.ATTACHMENT, None, viewing, after=Position(), until=stretch.end, zone=PARIS, most=10
        )
        assert bool(found.changes) == (person.id in expected)


async def test_standings_tell_what_people_are_today(db: str) -> None:
    one, two = await factories.person(), await factories.person()
    managed, joined, waiting = [await factories.structure() for _ in range(3)]
    await factories.attachment(one, managed, role=Role.PRINCIPAL_MANAGER)
    await factories.attachment(one, joined)
    await factories.attachment(one, waiting, status=AttachmentStatus.PENDING)
    await factories.attachment(one, await factories.structure(), status=AttachmentStatus.REMOVED)
    found = await changes.standings({one.id, two.id}, TODAY)
    in_effect = frozenset({managed.id, joined.id})
    assert found == {
        one.id: Standing(frozenset({managed.id}), in_effect, in_effect | {waiting.id}),
        two.id: Standing(),
    }
