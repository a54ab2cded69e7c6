"""The brakes on guessing: tries are counted in the database before the secret is looked at, parallel ones included."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise import fields
from tortoise.expressions import F
from tortoise.models import Model

from models.db import database

FREE_TRIES = 5
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(hours=24)
NEVER = timedelta.max


class Throttle(Model):
    """How often something was tried lately; `key` is a digest, so the table names nobody."""

    key = fields.CharField(max_length=64, primary_key=True)
    tries = fields.IntField()
    began_at = fields.DatetimeField()
    last_try_at = fields.DatetimeField()

    class Meta:
        table = "brakes"


@dataclass(frozen=True)
class Limit:
    """Tries that are counted under one key: how many are free before the pauses begin; None when none ever does."""

    key: str
    free: int | None = FREE_TRIES

    @property
    def forgotten_after(self) -> timedelta:
        """How long after the first try they are forgotten: what only counts is kept until somebody asks for it."""
        return NEVER if self.free is None else FORGOTTEN_AFTER


def key_of(kind: str, *subject: str) -> str:
    """The digest under which tries of one kind on one subject are counted."""
    return hashlib.sha256("\0".join((kind, *subject)).encode("utf-8", "surrogatepass")).hexdigest()


def pause_after(tries: int, free: int | None = FREE_TRIES) -> timedelta:
    """How long to wait after so many tries: nothing for those that are free, then a minute, doubling to an hour."""
    if free is None or tries < free:
        return timedelta(0)
    doublings: int = min(tries - free, 10)
    return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


async def admit(limits: Collection[Limit], now: datetime) -> timedelta:
    """Count one more try under every key and answer zero, if all let it pass; else the longest wait, uncounted."""
    async with database.transaction():
        # in one order, so that two tries never wait for each other
        ordered = sorted(limits, key=lambda limit: limit.key)
        held = [(await _held(limit.key, now, limit.forgotten_after), limit.free) for limit in ordered]
        waits = [brake.last_try_at + pause_after(brake.tries, free) - now for brake, free in held if brake.tries]
        waiting = max(waits, default=timedelta(0))
        if waiting > timedelta(0):
            return waiting
        for brake, _ in held:
            await _count(brake, now)
        return timedelta(0)


async def take(key: str, now: datetime, *, most: int, per: timedelta) -> bool:
    """Count one of at most `most` per period; False, and nothing counted, when the period's are used up."""
    async with database.transaction():
        return await take_along(key, now, most=most, per=per)


async def take_along(key: str, now: datetime, *, most: int, per: timedelta) -> bool:
    """The same inside a running transaction: what is rolled back was never counted."""
    brake = await _held(key, now, per)
    if brake.tries >= most:
        return False
    await _count(brake, now)
    return True


@database.guarded
async def give_back(key: str) -> None:
    """Uncount one that was taken: it turned out to be none of those that are limited."""
    await Throttle.filter(key=key, tries__gt=0).update(tries=F("tries") - 1)


@database.guarded
async def release(*keys: str) -> None:
    """Forget the tries: the secret was right."""
    await Throttle.filter(key__in=keys).delete()


async def settle(key: str) -> int:
    """How many tries were counted under the key, which are forgotten; in the running transaction."""
    rows = await database.fetch("DELETE FROM brakes WHERE key = :key RETURNING tries", {"key": key})
    return int(rows[0]["tries"]) if rows else 0


async def _held(key: str, now: datetime, forgotten_after: timedelta = FORGOTTEN_AFTER) -> Throttle:
    """The key's row, locked; counted from zero again when its period is over.

    A row that is there is written to, though nothing of it changes: so it is held, and nobody forgets it in between.
    """
    await database.fetch(
        "INSERT INTO brakes (key, tries, began_at, last_try_at) VALUES (:key, 0, :now, :now)"
        " ON CONFLICT (key) DO UPDATE SET key = excluded.key",
        {"key": key, "now": now},
    )
    brake = await Throttle.filter(key=key).get()
    if now - brake.began_at >= forgotten_after:
        brake.tries, brake.began_at = 0, now
    return brake


async def _count(brake: Throttle, now: datetime) -> None:
    brake.tries += 1
    brake.last_try_at = now
    await brake.save()
