"""Activities: what integrations report from outside, whom that concerns, and who has acknowledged reading it."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.activities.api_keys import ApiKey
from models.attachments.attachments import IN_EFFECT_SQL
from models.db import database, texts
from models.db.query import Column, Order, Source, flag, moment
from models.errors.errors import DomainError, Invalid, Missing, TooLong
from models.structures.services import Service
from models.structures.structures import Structure
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import SPACE_OPEN_SQL, SUBSCRIPTIONS


class ActivityKind(StrEnum):
    """What is reported."""

    EVENT = "EVENT"
    INVOICE_PROGRESS = "INVOICE_PROGRESS"
    INVOICE_REJECTED = "INVOICE_REJECTED"


LONGEST_KEY = 200
LONGEST_TITLE = 255
LONGEST_URL = 2048


class Activity(Model):
    """One thing that happened outside, on a structure; `key` is the integration's own and never comes twice."""

    id: int = fields.BigIntField(primary_key=True)
    api_key: fields.ForeignKeyRelation[ApiKey] = fields.ForeignKeyField("models.ApiKey", on_delete=fields.RESTRICT)
    api_key_id: int
    key = fields.CharField(max_length=LONGEST_KEY)
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT, related_name="activities"
    )
    structure_id: int
    service: fields.ForeignKeyNullableRelation[Service] = fields.ForeignKeyField(
        "models.Service", on_delete=fields.RESTRICT, null=True
    )
    service_id: int | None
    space = fields.CharEnumField(SpaceCode, max_length=32, null=True)
    kind = fields.CharEnumField(ActivityKind, max_length=20)
    title = fields.CharField(max_length=LONGEST_TITLE)
    url = fields.CharField(max_length=LONGEST_URL, null=True)
    occurred_at = fields.DatetimeField()
    recorded_at = fields.DatetimeField()
    requires_acknowledgement = fields.BooleanField(default=False)

    class Meta:
        table = "activities"


class Acknowledgement(Model):
    """That a person has read an activity which asks for it; once per person."""

    id: int = fields.BigIntField(primary_key=True)
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField("models.Activity", on_delete=fields.RESTRICT)
    activity_id: int
    user: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.RESTRICT)
    user_id: int
    at = fields.DatetimeField()

    class Meta:
        table = "acknowledgements"


# ------------------------------------------------------------------ what is taken from outside
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+", re.IGNORECASE)  # RFC 3986's characters alone
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)  # how far another system's clock may be in front of ours


def key(problems: list[DomainError], value: str, *path: str) -> str:
    """An integration's own name for an activity, exactly as it was sent: 1 to 200 printable characters."""
    if not value.strip():
        problems.append(Missing(*path))
    elif len(value) > LONGEST_KEY:
        problems.append(TooLong(*path, most=LONGEST_KEY))
    elif not texts.is_visible(value):
        problems.append(Invalid(*path, rule="text"))
    return value


def link(problems: list[DomainError], value: str | None, *path: str) -> str | None:
    """An absolute http or https address that names a host and nobody's password; None when absent or blank."""
    url = texts.optional(problems, value, *path, most=LONGEST_URL)
    if url is not None and not _is_link(url):
        problems.append(Invalid(*path, rule="url"))
    return url


def _is_link(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that hold no address, a port that is no number
        return False
    return named and "@" not in parts.netloc and _URL.fullmatch(url) is not None


def occurrence(problems: list[DomainError], value: datetime, *path: str, now: datetime) -> datetime:
    """The instant in UTC at which something happened: since 2000, and at most a day ahead of our clock."""
    if value.utcoffset() is None:
        problems.append(Invalid(*path, rule="time_zone_given"))
    elif not EARLIEST <= value <= now + AHEAD:
        problems.append(Invalid(*path, rule="occurrence"))
    else:
        return value.astimezone(UTC)
    return EARLIEST


# ------------------------------------------------------------------ whom an activity concerns
_SUBSCRIBED = (
    f"EXISTS (SELECT 1 FROM space_subscriptions b {SUBSCRIPTIONS.joins['o']}"
    " WHERE b.user_id = a.user_id AND b.structure_id = a.structure_id"
    f" AND b.space = ac.space AND b.status = 'VALIDATED' AND b.effective_from <= :today AND {SPACE_OPEN_SQL}"
    " AND (NOT EXISTS (SELECT 1 FROM subscription_services n WHERE n.subscription_id = b.id)"
    " OR EXISTS (SELECT 1 FROM subscription_services n WHERE n.subscription_id = b.id"
    " AND n.service_id = ac.service_id)))"
)
_ENTITLED = "EXISTS (SELECT 1 FROM attachment_services e WHERE e.attachment_id = a.id AND e.service_id = ac.service_id)"
# Does the activity `ac` concern the user `u` by the attachment `a`? Recomputed at every read. An attachment in effect
# shows its structure's activities, older ones too, also of one that has ended: all of them to managers, to a simple
# user those of the services it entitles to and of the spaces subscribed to in effect. What names no service or no
# space asks for none. Source: DOMAIN 7.
CONCERNS = (
    f"a.structure_id = ac.structure_id AND {IN_EFFECT_SQL} AND (a.role <> 'SIMPLE_USER'"
    f" OR ((ac.service_id IS NULL OR {_ENTITLED}) AND (ac.space IS NULL OR {_SUBSCRIBED})))"
)
# The first half says nothing new: it keeps the database from looking at other structures' activities.
CONCERNS_VIEWER = (
    "ac.structure_id IN (SELECT mine.structure_id FROM attachments mine"
    " WHERE mine.user_id = :viewer AND mine.status = 'VALIDATED')"
    " AND EXISTS (SELECT 1 FROM attachments a JOIN accounts u ON u.id = a.user_id"
    f" WHERE a.user_id = :viewer AND {CONCERNS})"
)


async def concerned(activity_ids: Collection[int], today: date) -> dict[int, set[int]]:
    """The ids of the users whom each of the activities concerns today, by activity; empty for nobody."""
    rows = await database.fetch(
        "SELECT ac.id, a.user_id FROM activities ac JOIN attachments a ON a.structure_id = ac.structure_id"
        f" JOIN accounts u ON u.id = a.user_id WHERE ac.id IN :ids AND {CONCERNS}",
        {"ids": sorted(activity_ids), "today": today},
    )
    found: dict[int, set[int]] = {id: set() for id in activity_ids}
    for activity_id, user_id in rows:
        found[activity_id].add(user_id)
    return found


# ------------------------------------------------------------------ reading and writing
_PLAIN = ("id", "api_key_id", "key", "structure_id", "service_id", "space", "kind", "title", "url")
ACTIVITIES = Source(
    "activities ac",
    columns={name: Column(f"ac.{name}") for name in _PLAIN}
    | {
        "occurred_at": moment("ac.occurred_at"),
        "recorded_at": moment("ac.recorded_at"),
        "requires_acknowledgement": flag("ac.requires_acknowledgement"),
        "acknowledged_at": moment("k.at"),
    },
    joins={"k": "LEFT JOIN acknowledgements k ON k.activity_id = ac.id AND k.user_id = :viewer"},
)
NEWEST_FIRST = Order(("id",), descending=True)
UNACKNOWLEDGED = "ac.requires_acknowledgement AND k.id IS NULL"


async def store(rows: Sequence[Activity]) -> None:
    """Insert the activities by one statement; their ids are read again by their keys."""
    await Activity.bulk_create(rows)


async def acknowledge(activity_ids: Sequence[int], user_id: int, *, at: datetime) -> None:
    """Store that the person has read the activities; their account is held, and none of it is stored yet."""
    await Acknowledgement.bulk_create([Acknowledgement(activity_id=id, user_id=user_id, at=at) for id in activity_ids])
