"""Sessions: who came in with which opaque token, and until when it is good."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

from tortoise import fields
from tortoise.models import Model

from models import database
from models.accounts import Account, AccountState, Language
from models.actors import Actor, PlatformRole
from models.reading import Column, Order, Source, moment

LONGEST = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)  # how stale `last_seen_at` may be: a busy client doesn't write at each request


class Session(Model):
    """One signed-in device; the token itself is never stored, only its SHA-256."""

    id = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.CASCADE)
    account_id: int
    token_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    user_agent = fields.CharField(max_length=255, null=True)

    class Meta:
        table = "sessions"


def hashed(token: str) -> str:
    """What is stored of an opaque 256-bit token; being random, it needs no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_for(account: Account, token: str, *, at: datetime, user_agent: str | None) -> Session:
    """A new session of the account, good for 7 days at most."""
    return await Session.create(
        account=account,
        token_hash=hashed(token),
        created_at=at,
        last_seen_at=at,
        expires_at=at + LONGEST,
        user_agent=user_agent[:255] if user_agent else None,
    )


@database.guarded
async def actor_of(token: str, *, now: datetime, idle: timedelta) -> Actor | None:
    """Who the token stands for: None when it is unknown, idle too long or too old, or the account isn't active."""
    rows = await database.fetch(
        "SELECT s.id, s.account_id, s.last_seen_at < :stale AS stale, u.platform_role, u.language FROM sessions s"
        " JOIN accounts u ON u.id = s.account_id WHERE s.token_hash = :hash AND s.expires_at > :now"
        " AND s.last_seen_at > :idle_since AND u.state = :active",
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


SESSIONS = Source(
    "sessions s",
    columns={
        "id": Column("s.id"),
        "account_id": Column("s.account_id"),
        "user_agent": Column("s.user_agent"),
        "created_at": moment("s.created_at"),
        "last_seen_at": moment("s.last_seen_at"),
    },
)
NEWEST_FIRST = Order(("id",), descending=True)
LIVE = "s.expires_at > :now AND s.last_seen_at > :idle_since"
