"""Digests: who has periodical mails switched on and is due for one, and what each of them is to be told, as sets."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from models.activities.activities import CONCERNS
from models.attachments.attachments import IN_EFFECT_SQL
from models.db import database
from models.db.query import Column, Row, Source, document, flag, moment

MOST_TOLD = 30  # what a mail tells one by one; of more it says how many

# What the weekly recap tells on a structure `a` is attached to: everything to managers; to a simple user what happened
# to themselves, to the services they are entitled to and to the spaces they subscribe to. Activities are the daily
# digest's. Source: DOMAIN 7.
_THEIR_SERVICE = (
    "EXISTS (SELECT 1 FROM attachment_services e WHERE e.attachment_id = a.id"
    " AND e.service_id = CAST(ev.after ->> 'service_id' AS BIGINT))"
)
_THEIR_SPACE = (
    "EXISTS (SELECT 1 FROM space_subscriptions b WHERE b.user_id = a.user_id AND b.structure_id = a.structure_id"
    """ AND b.status = 'VALIDATED' AND ev.after ->> 'spaces' LIKE '%"' || b.space || '"%')"""
)
MOVES = (
    f"a.structure_id = ev.structure_id AND {IN_EFFECT_SQL}"
    " AND ev.type NOT IN ('ActivityRecorded', 'ActivityAcknowledged')"
    " AND (a.role <> 'SIMPLE_USER' OR ev.subject_id = a.user_id"
    f" OR (ev.type = 'ServiceSaved' AND {_THEIR_SERVICE})"
    f" OR (ev.type IN ('SpacesOpened', 'SpacesClosed') AND {_THEIR_SPACE}))"
)
_ACTIVITIES_OF_READERS = (
    "activities ac JOIN attachments a ON a.structure_id = ac.structure_id JOIN accounts u ON u.id = a.user_id"
)
_EVENTS_OF_READERS = (
    "events ev JOIN attachments a ON a.structure_id = ev.structure_id JOIN accounts u ON u.id = a.user_id"
)


@dataclass(frozen=True)
class Periodical:
    """One of the two periodical mails: what it is made of, and the account's column that holds what was told so far."""

    name: str
    mark: str
    longest: timedelta  # after a longer silence what is older isn't told any more
    rows: str
    id: str
    instant: str
    concerns: str

    def told(self) -> str:
        """The newest rows for each of many readers, and how many there are, in one statement."""
        return (
            "SELECT user_id, id, total FROM ("
            f"SELECT a.user_id, {self.id} AS id, count(*) OVER (PARTITION BY a.user_id) AS total,"
            f" row_number() OVER (PARTITION BY a.user_id ORDER BY {self.id} DESC) AS place FROM {self.rows}"
            f" WHERE a.user_id IN :readers AND {self.instant} < :until AND {self.instant} >= :floor"
            f" AND {self.instant} >= COALESCE(u.{self.mark}, :since) AND {self.concerns}"
            ") told WHERE place <= :most ORDER BY user_id, place"
        )


DAILY = Periodical(
    "daily-digest", "digested_until", timedelta(days=7), _ACTIVITIES_OF_READERS, "ac.id", "ac.recorded_at", CONCERNS
)
WEEKLY = Periodical(
    "weekly-recap", "recapped_until", timedelta(days=28), _EVENTS_OF_READERS, "ev.id", "ev.occurred_at", MOVES
)


@dataclass
class Matter:
    """What one reader is to be told: the ids of the newest rows, newest first, and how many there are in all."""

    total: int
    ids: list[int] = field(default_factory=list)


# ------------------------------------------------------------------ who is due
_WANTED = "u.receive_activity_notifications AND u.state = 'ACTIVE'"


async def time_zones() -> list[str]:
    """The time zones of those who want periodical mails."""
    rows = await database.fetch(f"SELECT DISTINCT u.time_zone FROM accounts u WHERE {_WANTED} ORDER BY u.time_zone", {})
    return [row[0] for row in rows]


async def due(periodical: Periodical, zones: Sequence[str], until: datetime, *, after: int, limit: int) -> list[int]:
    """The ids, above `after`, of those in the zones who weren't told up to `until`, the lowest first."""
    mark = f"u.{periodical.mark}"
    rows = await database.fetch(
        f"SELECT u.id FROM accounts u WHERE {_WANTED} AND u.time_zone IN :zones AND u.id > :after"
        f" AND ({mark} IS NULL OR {mark} < :until) ORDER BY u.id LIMIT :limit",
        {"zones": list(zones), "until": until, "after": after, "limit": limit},
    )
    return [row[0] for row in rows]


async def matter(
    periodical: Periodical, readers: Collection[int], *, since: datetime, until: datetime, today: date
) -> dict[int, Matter]:
    """What each of the readers is to be told of the time before `until`, by reader; absent when there is nothing.

    It begins where their last one ended, or at `since` when they never had one.
    """
    rows = await database.fetch(
        periodical.told(),
        {
            "readers": sorted(readers), "since": since, "until": until, "floor": until - periodical.longest,
            "today": today, "most": MOST_TOLD,
        },
    )  # fmt: skip
    found: dict[int, Matter] = {}
    for user_id, id, total in rows:
        found.setdefault(user_id, Matter(total)).ids.append(id)
    return found


async def mark(periodical: Periodical, readers: Collection[int], until: datetime) -> None:
    """Note that the readers were told everything before `until`, in the running transaction."""
    await database.fetch(
        f"UPDATE accounts SET {periodical.mark} = :until WHERE id IN :readers RETURNING id",
        {"readers": sorted(readers), "until": until},
    )


# ------------------------------------------------------------------ what the mails say
_READERS = f"a.user_id IN :readers AND {_WANTED}"
_OF_ACTIVITIES = Source(
    f"{_ACTIVITIES_OF_READERS} JOIN structures s ON s.id = ac.structure_id",
    columns={
        "user_id": Column("a.user_id"),
        "id": Column("ac.id"),
        "structure": Column("s.name"),
        "service": Column("v.name"),
        "space": Column("ac.space"),
        "kind": Column("ac.kind"),
        "title": Column("ac.title"),
        "url": Column("ac.url"),
        "at": moment("ac.occurred_at"),
        "asks": flag("ac.requires_acknowledgement AND k.id IS NULL"),
    },
    joins={
        "v": "LEFT JOIN services v ON v.id = ac.service_id",
        "k": "LEFT JOIN acknowledgements k ON k.activity_id = ac.id AND k.user_id = a.user_id",
    },
)
_OF_EVENTS = Source(
    f"{_EVENTS_OF_READERS} JOIN structures s ON s.id = ev.structure_id",
    columns={
        "user_id": Column("a.user_id"),
        "id": Column("ev.id"),
        "structure": Column("s.name"),
        "type": Column("ev.type"),
        "after": document("ev.after"),
        "subject": Column("p.first_name || ' ' || p.last_name"),
        "actor": Column("q.first_name || ' ' || q.last_name"),
        "at": moment("ev.occurred_at"),
    },
    joins={
        "p": "LEFT JOIN accounts p ON p.id = ev.subject_id",
        "q": "LEFT JOIN accounts q ON q.id = ev.actor_id",
    },
)


async def told(
    periodical: Periodical, ids: Collection[int], readers: Collection[int], today: date
) -> dict[int, list[Row]]:
    """The rows of these ids that concern each reader now, by reader, in no order; none for who is told no more."""
    source = _OF_ACTIVITIES if periodical is DAILY else _OF_EVENTS
    found: dict[int, list[Row]] = defaultdict(list)
    for row in await source.read(
        source.columns,
        [f"{periodical.id} IN :ids", _READERS, periodical.concerns],
        {"ids": sorted(ids), "readers": sorted(readers), "today": today},
    ):
        found[row.user_id].append(row)
    return found
