"""Occasions: what a job has done once and never does again, however many workers run it."""

from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from models.db import database


class IdempotencyKey(Model):
    """One occasion of one job, by a key that names it; the database lets no second row of the same in."""

    id: int = fields.BigIntField(primary_key=True)
    job = fields.CharField(max_length=60)
    key = fields.CharField(max_length=120)
    at = fields.DatetimeField()

    class Meta:
        table = "occasions"


async def take(job: str, key: str, *, at: datetime) -> bool:
    """Take the occasion in the running transaction; False when it was taken before, and nothing is left to do.

    Another worker that takes it at the same time waits for this transaction, and takes it only if this one is undone.
    """
    rows = await database.fetch(
        "INSERT INTO occasions (job, key, at) VALUES (:job, :key, :at) ON CONFLICT (job, key) DO NOTHING RETURNING id",
        {"job": job, "key": key, "at": at},
    )
    return bool(rows)
