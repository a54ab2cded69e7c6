"""Changes: the events that live streams deliver, read in the order of commits, and whom each of them concerns.

On PostgreSQL an event is read only once every transaction that began before its own has ended, in the order of
(transaction, id): one that commits late comes late, never behind a cursor. SQLite's writers are serial: the id does.

Transaction ids are of one cluster. What came from another one by dump and restore, where no transaction can add to it
any more, keeps its order and its cursors; where its ids are ahead of the new cluster's, what is written there is of the
next epoch, and follows all of it. Which epoch that is, the database itself decides at each event.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from models.activities import activities
from models.activities.activities import CONCERNS_VIEWER
from models.attachments import attachments
from models.attachments.attachments import ATTACHMENTS, LIVE_SQL, MANAGES, AttachmentStatus, managed_by_viewer
from models.db import database
from models.events.events import EVENTS


class Topic(StrEnum):
    """What a stream is about."""

    ATTACHMENT = "ATTACHMENT"
    SUBSCRIPTION = "SUBSCRIPTION"
    ACCOUNT = "ACCOUNT"
    ACTIVITY = "ACTIVITY"


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """A place in the order of commits; epoch and transaction are 0 on SQLite, all is 0 before the first event."""

    epoch: int = 0
    transaction: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One event that some stream delivers: `previous_status` and `status` as people read them that day."""

    position: Position
    topic: Topic
    occurred_at: datetime
    actor_id: int | None
    subject_id: int | None
    structure_id: int | None
    attachment_id: int | None
    subscription_id: int | None
    activity_id: int | None
    previous_status: str | None
    status: str | None
    role: str | None


@dataclass(frozen=True)
class Stretch:
    """What comes after a position: the changes among it, whose rights it may touch, where it ends."""

    changes: Sequence[Change]
    touched: frozenset[int]
    end: Position
    is_last: bool


@dataclass(frozen=True)
class Standing:
    """What a person is on which structures: manager, attached in effect, or attached at all (waiting included)."""

    manages: frozenset[int] = frozenset()
    in_effect: frozenset[int] = frozenset()
    attached: frozenset[int] = frozenset()


# ------------------------------------------------------------------ the order of commits, on each engine
# A row that is visible was written below the snapshot's xmax: one at or beyond it came from another cluster.
_UNSETTLED = (
    "ev.epoch = (SELECT max(epoch) FROM events)"
    " AND ev.transaction_id >= pg_snapshot_xmin(pg_current_snapshot())"
    " AND ev.transaction_id < pg_snapshot_xmax(pg_current_snapshot())"
)
_PLACE = (
    "(ev.epoch, ev.transaction_id, ev.id) {sign}"
    " (CAST(:{name}_epoch AS integer), CAST(:{name}_transaction AS text)::xid8, CAST(:{name}_id AS bigint))"
)


def _place() -> str:
    """The columns `epoch` and `transaction` of an event's place."""
    if database.is_sqlite():
        return "0 AS epoch, 0 AS transaction_"
    return "ev.epoch AS epoch, CAST(ev.transaction_id AS text)::bigint AS transaction_"


def _settled() -> str:
    return "1 = 1" if database.is_sqlite() else f"NOT ({_UNSETTLED})"


def _order(descending: bool = False) -> str:
    columns = ("ev.id",) if database.is_sqlite() else ("ev.epoch", "ev.transaction_id", "ev.id")
    return ", ".join(f"{column} DESC" if descending else column for column in columns)


def _compared(sign: str, name: str) -> str:
    return f"ev.id {sign} :{name}_id" if database.is_sqlite() else _PLACE.format(sign=sign, name=name)


def _bound(name: str, position: Position) -> dict[str, object]:
    return {
        f"{name}_epoch": position.epoch,
        f"{name}_transaction": str(position.transaction),
        f"{name}_id": position.id,
    }


# ------------------------------------------------------------------ reading
_COLUMNS = (
    "id", "type", "occurred_at", "actor_id", "subject_id", "structure_id", "attachment_id", "subscription_id",
    "activity_id", "before", "after",
)  # fmt: skip
_SELECTED = ", ".join(f"{EVENTS.columns[name].sql} AS {name}" for name in _COLUMNS)


@database.guarded
async def head() -> Position:
    """The place of the last event that every reader may have seen."""
    rows = await database.fetch(
        f"SELECT {_place()}, ev.id FROM events ev WHERE {_settled()} ORDER BY {_order(descending=True)} LIMIT 1", {}
    )
    return Position(*rows[0]) if rows else Position()


@database.guarded
async def is_known(position: Position) -> bool:
    """Does an event stand at that place here, or is it the place before the first one?"""
    if position == Position():
        return True
    rows = await database.fetch(
        f"SELECT 1 FROM events ev WHERE ev.id = :at_id AND {_compared('=', 'at')}", _bound("at", position)
    )
    return bool(rows)


@database.guarded
async def is_waiting() -> bool:
    """Are there events that can't be read yet, since an older transaction may still add some before them?"""
    if database.is_sqlite():
        return False
    rows = await database.fetch(f"SELECT EXISTS(SELECT 1 FROM events ev WHERE {_UNSETTLED})", {})
    return bool(rows[0][0])


@database.guarded
async def first_after(position: Position) -> datetime | None:
    """When the first event after the position occurred; None when there is none."""
    where = f"{_compared('>', 'after')} AND {_settled()}"
    rows = await database.fetch(
        f"SELECT ev.occurred_at FROM events ev WHERE {where} ORDER BY {_order()} LIMIT 1", _bound("after", position)
    )
    decode = EVENTS.columns["occurred_at"].decode
    return decode(rows[0][0]) if rows and decode else None


@database.guarded
async def after(position: Position, *, zone: ZoneInfo, most: int) -> Stretch:
    """What comes after the position, of at most so many events of whatever kind."""
    return await _stretch([_compared(">", "after"), _settled()], _bound("after", position), position, zone, most)


@database.guarded
async def missed(
    topic: Topic,
    structure_id: int | None,
    viewing: Mapping[str, object],
    *,
    after: Position,
    until: Position,
    zone: ZoneInfo,
    most: int,
) -> Stretch:
    """What concerns the viewer, by their rights now, between two positions; `viewing` as conditions on rows take it."""
    where = [_compared(">", "after"), _compared("<=", "until"), _settled(), _TOPICS[topic], _CONCERNS[topic]]
    if structure_id is not None:
        where.append("ev.structure_id = :structure")
        where[-2] += " OR :viewer_is_support" if topic in MANAGED else ""
    bound = {**viewing, **_bound("after", after), **_bound("until", until), "structure": structure_id}
    found = await _stretch(where, bound, after, zone, most)
    return replace(found, end=until) if found.is_last else found


async def _stretch(
    where: Sequence[str], bound: Mapping[str, object], since: Position, zone: ZoneInfo, most: int
) -> Stretch:
    conditions = " AND ".join(f"({condition})" for condition in where)
    rows = await database.fetch(
        f"SELECT {_SELECTED}, {_place()} FROM events ev WHERE {conditions} ORDER BY {_order()} LIMIT :limit_",
        {**bound, "limit_": most},
    )
    found = [change for row in rows if (change := _change(row, zone)) is not None]
    touched = frozenset(row["subject_id"] for row in rows if row["subject_id"] is not None)
    end = _position(rows[-1]) if rows else since
    return Stretch(found, touched, end, len(rows) < most)


def _change(row: Any, zone: ZoneInfo) -> Change | None:
    """The change that the event is to some stream; None when it is none, such as a request brought before support."""
    values = {name: _decoded(name, row[name]) for name in _COLUMNS}
    before, after = values.pop("before"), values.pop("after")
    type, position = values.pop("type"), _position(row)
    del values["id"]
    if values["subscription_id"] is not None:
        topic, old, new = Topic.SUBSCRIPTION, before.get("status"), after.get("status")
    elif values["attachment_id"] is not None:
        day = values["occurred_at"].astimezone(zone).date()
        topic, old, new = Topic.ATTACHMENT, _read_on(day, before), _read_on(day, after)
    elif type == "ActivityRecorded":
        return Change(position, Topic.ACTIVITY, previous_status=None, status=None, role=None, **values)
    else:
        topic, old, new = Topic.ACCOUNT, before.get("state"), after.get("state")
    role = after.get("role") if topic is Topic.ATTACHMENT else None
    if new is None or (old == new and (role is None or role == before.get("role"))):
        return None
    return Change(position, topic, previous_status=old, status=new, role=role, **values)


def _position(row: Any) -> Position:
    return Position(row["epoch"], row["transaction_"], row["id"])


def _decoded(name: str, value: Any) -> Any:
    decode = EVENTS.columns[name].decode
    return decode(value) if decode else value


def _read_on(day: date, state: Mapping[str, Any]) -> str | None:
    """The status of an attachment's kept state as it reads on the day: VALIDATED past its end is DEACTIVATED."""
    until = state.get("valid_until")
    ended = state.get("status") == AttachmentStatus.VALIDATED and until is not None and until < day.isoformat()
    return AttachmentStatus.DEACTIVATED if ended else state.get("status")


# ------------------------------------------------------------------ whom changes concern
MANAGED = (Topic.ATTACHMENT, Topic.SUBSCRIPTION)
_TOPICS = {
    Topic.ATTACHMENT: "ev.attachment_id IS NOT NULL AND ev.subscription_id IS NULL",
    Topic.SUBSCRIPTION: "ev.subscription_id IS NOT NULL",
    Topic.ACCOUNT: "ev.structure_id IS NULL",
    Topic.ACTIVITY: "ev.type = 'ActivityRecorded'",
}
_OWN_OR_MANAGED = f"ev.subject_id = :viewer OR {managed_by_viewer('ev')}"
_CONCERNS = {
    Topic.ATTACHMENT: _OWN_OR_MANAGED,
    Topic.SUBSCRIPTION: _OWN_OR_MANAGED,
    Topic.ACCOUNT: "ev.subject_id = :viewer",
    Topic.ACTIVITY: f"EXISTS (SELECT 1 FROM activities ac WHERE ac.id = ev.activity_id AND {CONCERNS_VIEWER})",
}


@database.guarded
async def concerned(found: Sequence[Change], today: date) -> dict[Position, set[int]]:
    """Whom each change concerns, by the rights of this moment: the person, the structure's managers, an activity's
    users."""
    managers = await _managers({change.structure_id for change in found if change.topic in MANAGED}, today)
    reported = {change.activity_id for change in found if change.topic is Topic.ACTIVITY}
    users = await activities.concerned([id for id in reported if id], today) if reported else {}
    people: dict[Position, set[int]] = {}
    for change in found:
        if change.topic is Topic.ACTIVITY:
            people[change.position] = users.get(change.activity_id or 0, set())
        else:
            own = {change.subject_id} if change.subject_id is not None else set()
            people[change.position] = own | (
                managers.get(change.structure_id, set()) if change.topic in MANAGED else set()
            )
    return people


async def _managers(structure_ids: Collection[int | None], today: date) -> dict[int | None, set[int]]:
    ids = sorted(id for id in structure_ids if id is not None)
    rows = await database.fetch(
        f"SELECT mine.structure_id, mine.user_id FROM attachments mine WHERE mine.structure_id IN :ids AND {MANAGES}",
        {"ids": ids, "today": today},
    ) if ids else []  # fmt: skip
    found: dict[int | None, set[int]] = {}
    for structure_id, user_id in rows:
        found.setdefault(structure_id, set()).add(user_id)
    return found


@database.guarded
async def standings(user_ids: Collection[int], today: date) -> dict[int, Standing]:
    """What each of these people is today, on all structures, by one statement."""
    rows = await ATTACHMENTS.read(
        ["user_id", "structure_id", "role", "in_effect"],
        ["a.user_id IN :users", LIVE_SQL],
        {"users": sorted(user_ids), "today": today},
    )
    found: dict[int, tuple[set[int], set[int], set[int]]] = {id: (set(), set(), set()) for id in user_ids}
    for row in rows:
        manages, in_effect, attached = found[row.user_id]
        attached.add(row.structure_id)
        if row.in_effect:
            in_effect.add(row.structure_id)
            if row.role in attachments.MANAGERS:
                manages.add(row.structure_id)
    return {id: Standing(*map(frozenset, sets)) for id, sets in found.items()}
