"""The outbox: one row per mail, written in the transaction of the change it tells; couriers claim rows by lease."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
from tortoise import fields
from tortoise.models import Model

from models.db import database


class MailState(StrEnum):
    """What has become of a mail; all but PENDING and SENT were given up, each for its own reason."""

    PENDING = "PENDING"
    SENT = "SENT"
    REFUSED = "REFUSED"
    EXHAUSTED = "EXHAUSTED"
    EXPIRED = "EXPIRED"
    UNRENDERABLE = "UNRENDERABLE"
    WITHDRAWN = "WITHDRAWN"


class Mail(Model):
    """One mail to one person: what it says (`message`, `payload`), to whom, when it may go and what was tried.

    `due_at` is the next try, `give_up_at` the last one; past `expires_at` (a dead link) the mail has no sense any more.
    """

    id = fields.BigIntField(primary_key=True)
    message = fields.CharField(max_length=64)
    payload: dict[str, Any] = fields.JSONField()
    key = fields.CharField(max_length=200, null=True, unique=True)
    message_id = fields.CharField(max_length=320, unique=True)
    address = fields.CharField(max_length=320)
    recipient_name = fields.CharField(max_length=300)
    language = fields.CharField(max_length=2)
    time_zone = fields.CharField(max_length=64)
    account_id = fields.BigIntField(null=True)
    state = fields.CharEnumField(MailState, max_length=12, default=MailState.PENDING)
    created_at = fields.DatetimeField()
    due_at = fields.DatetimeField()
    give_up_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    attempts = fields.IntField(default=0)
    lease_owner = fields.CharField(max_length=100, null=True)
    lease_until = fields.DatetimeField(null=True)
    sent_at = fields.DatetimeField(null=True)
    last_error = fields.TextField(null=True)

    class Meta:
        table = "outbox"


@dataclass(frozen=True, kw_only=True)
class NewMail:
    """What is known of a mail when it is put in the outbox."""

    message: str
    payload: Mapping[str, Any]
    key: str | None
    message_id: str
    address: str
    recipient_name: str
    language: str
    time_zone: str
    account_id: int | None
    created_at: datetime
    due_at: datetime
    give_up_at: datetime
    expires_at: datetime | None


async def insert(mail: NewMail) -> bool:
    """Put a mail in the outbox, in the running transaction; False when one of the same key is there already.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    rows = await database.fetch(
        "INSERT INTO outbox (message, payload, key, message_id, address, recipient_name, language, time_zone,"
        " account_id, state, created_at, due_at, give_up_at, expires_at, attempts)"
        " VALUES (:message, :payload, :key, :message_id, :address, :recipient_name, :language, :time_zone, :account_id,"
        " 'PENDING', :created_at, :due_at, :give_up_at, :expires_at, 0) ON CONFLICT (key) DO NOTHING RETURNING id",
        {**vars(mail), "payload": orjson.dumps(dict(mail.payload)).decode()},
    )
    return bool(rows)


async def insert_all(mails: Sequence[NewMail]) -> None:
    """Put many mails in the outbox at once, in the running transaction; one whose key is there already is left out."""
    rows = [Mail(**{**vars(mail), "payload": dict(mail.payload)}) for mail in mails]
    await Mail.bulk_create(rows, ignore_conflicts=True)


# ------------------------------------------------------------------ couriers
# The state is written out in the text, not bound, so that the planner may use the partial indexes.
_DUE = "state = 'PENDING' AND due_at <= :now AND (lease_until IS NULL OR lease_until <= :lapsed AND NOT (id IN :held))"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


async def claim(
    *, owner: str, now: datetime, until: datetime, limit: int, lapsed: datetime | None = None, held: Sequence[int] = ()
) -> list[Mail]:
    """Lease at most `limit` due mails to `owner`, the longest due first; no other courier gets them before `until`.

    Those leased before are among them when their lease ended by `lapsed`, unless they are `held` by whoever asks.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    which = {"now": now, "lapsed": lapsed or _NEVER, "held": list(held)}
    if not await database.fetch(f"SELECT id FROM outbox WHERE {_DUE} LIMIT 1", which):
        return []  # a look is free, while an UPDATE that changes nothing still takes SQLite's only writer's place
    skip = "" if database.is_sqlite() else " FOR UPDATE SKIP LOCKED"
    rows = await database.fetch(
        f"WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE {_DUE} ORDER BY due_at, id LIMIT :limit{skip})"
        " UPDATE outbox SET lease_owner = :owner, lease_until = :until, attempts = attempts + 1"
        " WHERE id IN (SELECT id FROM due) RETURNING id",
        {**which, "limit": limit, "owner": owner, "until": until},
    )
    return await Mail.filter(id__in=[row["id"] for row in rows]).order_by("due_at", "id")


async def renew(ids: Collection[int], *, owner: str, until: datetime) -> set[int]:
    """Lengthen the leases that `owner` still holds on these mails; the ids that are still theirs.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    rows = await database.fetch(
        "UPDATE outbox SET lease_until = :until"
        " WHERE id IN :ids AND lease_owner = :owner AND state = 'PENDING' RETURNING id",
        {"ids": list(ids), "owner": owner, "until": until},
    )
    return {row["id"] for row in rows}


async def release(ids: Sequence[int], *, owner: str, due_at: datetime | None = None) -> None:
    """Give back mails that were claimed but not tried, due as they were or at another instant.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    due = "" if due_at is None else ", due_at = :due_at"
    await database.fetch(
        f"UPDATE outbox SET lease_owner = NULL, lease_until = NULL, attempts = attempts - 1{due}"
        " WHERE id IN :ids AND lease_owner = :owner AND state = 'PENDING' RETURNING id",
        {"ids": list(ids), "owner": owner, "due_at": due_at},
    )


# ------------------------------------------------------------------ acts of the application and of operators
async def withdraw(account_id: int) -> int:
    """Stop every unsent mail of an account; how many there were.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    rows = await database.fetch(
        "UPDATE outbox SET state = 'WITHDRAWN', lease_owner = NULL, lease_until = NULL"
        " WHERE account_id = :account_id AND state = 'PENDING' RETURNING id",
        {"account_id": account_id},
    )
    return len(rows)


async def requeue(ids: Sequence[int] | None, *, now: datetime, give_up_at: datetime) -> int:
    """Make dead letters due again with all their tries before them; all of them when `ids` is None.

    A mail whose link has died stays dead. Mails that wait for their next try are made due at once when they are named.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    which = f"state IN {_DEAD}" if ids is None else f"id IN :ids AND (state = 'PENDING' OR state IN {_DEAD})"
    rows = await database.fetch(
        "UPDATE outbox SET state = 'PENDING', due_at = :now, give_up_at = :give_up_at, attempts = 0,"
        " lease_owner = NULL, lease_until = NULL"
        f" WHERE {which} AND (expires_at IS NULL OR expires_at > :now)"
        " AND (lease_until IS NULL OR lease_until <= :now) RETURNING id",
        {"ids": list(ids or ()), "now": now, "give_up_at": give_up_at},
    )
    return len(rows)


_DEAD = "('REFUSED', 'EXHAUSTED', 'EXPIRED', 'UNRENDERABLE')"


async def listed(states: Sequence[MailState] = (), *, limit: int = 50) -> list[Mail]:
    """The newest mails, of the given states only when there are any."""
    mails = Mail.filter(state__in=list(states)) if states else Mail.all()
    return await mails.order_by("-id").limit(limit)


async def shown(mail_id: int) -> Mail | None:
    """One mail as it stands."""
    return await Mail.get_or_none(id=mail_id)


async def with_living_links(now: datetime) -> list[Mail]:
    """The mails not sent yet, given up or not, whose link can still be used."""
    ended = [MailState.SENT, MailState.WITHDRAWN]
    return await Mail.filter(expires_at__gt=now).exclude(state__in=ended).order_by("id")


async def waiting() -> tuple[int, datetime | None]:
    """How many mails wait to be sent, wishes that may become one included, and since when the oldest does.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    rows = await database.fetch(
        "SELECT COUNT(*) AS number, MIN(since) AS since FROM (SELECT created_at AS since FROM outbox"
        " WHERE state = 'PENDING' UNION ALL SELECT at AS since FROM wishes) waiting",
        {},
    )
    since = rows[0]["since"]
    return rows[0]["number"], datetime.fromisoformat(since) if isinstance(since, str) else since
