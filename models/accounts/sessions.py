"""Sessions: who came in with which opaque token, and until when it is good."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account, AccountState, Language
from models.accounts.actors import Actor, PlatformRole
from models.db import database
from models.db.query import Column, Order, Source, moment

LONGEST = timedelta(days=7)
MOST = 20
UNKNOWN_SOURCE = "unknown"
SEEN_EVERY = timedelta(minutes=1)  # how stale `last_seen_at` may be: a busy client doesn't write at each request


class Session(Model):
    """One signed-in device; the token itself is never stored, only its SHA-256.

    `source` is where it was opened from; a session that is older than the column has none.
    """

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.CASCADE)
    account_id: int
    token_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    user_agent = fields.CharField(max_length=255, null=True)
    source = fields.CharField(max_length=64, null=True)
    device_id = fields.BigIntField(null=True)  # of a device that may have been forgotten since

    class Meta:
        table = "sessions"


def hashed(token: str) -> str:
    """What is stored of an opaque 256-bit token; being random, it needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_for(
    account: Account,
    token: str,
    *,
    at: datetime,
    user_agent: str | None,
    source: str | None = None,
    device_id: int | None = None,
) -> Session:
    """A new session of the account, good for 7 days at most."""
    return await Session.create(
        account=account,
        token_hash=hashed(token),
        created_at=at,
        last_seen_at=at,
        expires_at=at + LONGEST,
        user_agent=user_agent[:255] if user_agent else None,
        source=source or UNKNOWN_SOURCE,
        device_id=device_id,
    )


@database.guarded
async def actor_of(token: str, *, now: datetime, idle: timedelta, before_sources: bool = False) -> Actor | None:
    """Who the token stands for: None when it is unknown, idle too long or too old, or the account isn't active.

    With `before_sources`, only a session that was opened before sources were kept counts.
    """
    older = " AND s.source IS NULL" if before_sources else ""
    rows = await database.fetch(
        "SELECT s.id, s.account_id, s.last_seen_at < :stale AS stale, u.platform_role, u.language FROM sessions s"
        " JOIN accounts u ON u.id = s.account_id WHERE s.token_hash = :hash AND s.expires_at > :now"
        f" AND s.last_seen_at > :idle_since AND u.state = :active{older}",
        {
            "hash": hashed(token),
            "now": now,
            "idle_since": now - idle,
            "stale": now - SEEN_EVERY,
            "active": AccountState.ACTIVE,
        },
    )
    if not rows:
        return None
    session_id, account_id, stale, role, language = rows[0]
    if stale:
        await Session.filter(id=session_id, last_seen_at__lt=now).update(last_seen_at=now)
    return Actor(account_id, session_id, PlatformRole(role) if role else None, Language(language))


@database.guarded
async def actors_of(session_ids: Collection[int], *, now: datetime, idle: timedelta) -> dict[int, Actor]:
    """Who comes by each of these sessions; those that are over, or whose account isn't active, are missing."""
    rows = await database.fetch(
        "SELECT s.id, s.account_id, u.platform_role, u.language FROM sessions s"
        f" JOIN accounts u ON u.id = s.account_id WHERE s.id IN :ids AND {LIVE} AND u.state = :active",
        {"ids": sorted(session_ids), "now": now, "idle_since": now - idle, "active": AccountState.ACTIVE},
    )
    return {
        id: Actor(account_id, id, PlatformRole(role) if role else None, Language(language))
        for id, account_id, role, language in rows
    }


async def end(account_id: int, *, only: set[int] | None = None, keep: int | None = None) -> int:
    """End the account's sessions, those of `only` when given, all but `keep`; how many ended."""
    ending = Session.filter(account_id=account_id)
    if only is not None:
        ending = ending.filter(id__in=only)
    if keep is not None:
        ending = ending.exclude(id=keep)
    return await ending.delete()


async def make_room(account_id: int, *, now: datetime, idle: timedelta) -> list[Session]:
    """End as many of the account's sessions as leaves room for one more within 20, those first that are over or were
    longest unused; the ones of them that were still good."""
    live = await Session.filter(account_id=account_id, expires_at__gt=now, last_seen_at__gt=now - idle).order_by(
        "-last_seen_at", "-id"
    )
    kept = [session.id for session in live[: MOST - 1]]
    await Session.filter(account_id=account_id).exclude(id__in=kept).delete()
    return live[MOST - 1 :]


async def end_by_token(token: str) -> int | None:
    """End the session of this token; whose it was."""
    ended = "DELETE FROM sessions WHERE token_hash = :hash RETURNING account_id"
    rows = await database.fetch(ended, {"hash": hashed(token)})
    return int(rows[0]["account_id"]) if rows else None


async def devices_of(account_id: int, ids: Collection[int]) -> set[int]:
    """The devices by which these sessions of the account were opened."""
    found = await Session.filter(account_id=account_id, id__in=list(ids))
    return {session.device_id for session in found if session.device_id is not None}


SESSIONS = Source(
    "sessions s",
    columns={
        "id": Column("s.id"),
        "account_id": Column("s.account_id"),
        "user_agent": Column("s.user_agent"),
        "source": Column("s.source"),
        "created_at": moment("s.created_at"),
        "last_seen_at": moment("s.last_seen_at"),
    },
)
NEWEST_FIRST = Order(("id",), descending=True)
LIVE = "s.expires_at > :now AND s.last_seen_at > :idle_since"
