"""API keys: what integrations are let in by; only a hash of each is kept."""

from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from models.accounts.actors import Integration
from models.accounts.sessions import SEEN_EVERY, hashed
from models.db import database

PREFIX = "rattache_"  # by which people, and scanners of published code, recognise a key
LONGEST_NAME = 100


class ApiKey(Model):
    """An integration's key, under the name that operators know it by; no two in use have the same."""

    id: int = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=LONGEST_NAME)
    key_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"


async def keep(name: str, key: str, *, at: datetime, expires_at: datetime | None = None) -> ApiKey:
    """A new key in use, of which the hash is stored; without `expires_at` it has no end.

    Raises:
        Duplicate: at the transaction's level, when a key in use has the name.
    """
    return await ApiKey.create(name=name, key_hash=hashed(key), created_at=at, expires_at=expires_at)


async def retire(name: str, *, at: datetime) -> bool:
    """Whether the key of this name was past its end and is revoked by this, so that the name is free."""
    key = await in_use(name)
    if key is None or key.expires_at is None or key.expires_at > at:
        return False
    key.revoked_at = at
    await key.save()
    return True


async def in_use(name: str) -> ApiKey | None:
    """The key under this name that nobody revoked, held until the transaction ends."""
    return await ApiKey.filter(name=name, revoked_at=None).select_for_update(no_key=True).get_or_none()


async def hold(key_id: int) -> bool:
    """Hold the key until the transaction ends, so that its calls come one after the other; False once revoked."""
    rows = ApiKey.filter(id=key_id, revoked_at=None).select_for_update(no_key=True)
    return await rows.get_or_none() is not None


@database.guarded
async def listed() -> list[ApiKey]:
    """Every key there was, in the order of their making."""
    return await ApiKey.all().order_by("id")


@database.guarded
async def integration_of(key: str, *, now: datetime) -> Integration | None:
    """Whom the key lets in: None when it is unknown, revoked or past its end.

    Raises:
        DatabaseAway: when the database can't be asked.
    """
    rows = await database.fetch(
        "SELECT id, name, last_used_at IS NULL OR last_used_at < :stale AS stale FROM api_keys"
        " WHERE key_hash = :hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)",
        {"hash": hashed(key), "now": now, "stale": now - SEEN_EVERY},
    )
    if not rows:
        return None
    if rows[0]["stale"]:
        await ApiKey.filter(id=rows[0]["id"]).update(last_used_at=now)
    return Integration(rows[0]["id"], rows[0]["name"])
