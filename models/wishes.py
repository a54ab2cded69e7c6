"""Wishes for a mailed link, as they came: whoever grants them looks up whether their address is anybody's."""

from dataclasses import dataclass
from datetime import datetime

from tortoise import fields
from tortoise.models import Model

from models import database
from models.tokens import Purpose


class Wish(Model):
    """One wish; its address is sealed, since it may be of somebody who has nothing to do with the installation."""

    id: int = fields.BigIntField(primary_key=True)
    purpose = fields.CharEnumField(Purpose, max_length=20)
    address = fields.TextField()
    at = fields.DatetimeField()

    class Meta:
        table = "wishes"


@dataclass(frozen=True)
class Asked:
    """A wish that was taken out: its link's purpose, its sealed address, and when it came."""

    purpose: Purpose
    address: str
    at: datetime


async def add(purpose: Purpose, address: str, at: datetime) -> None:
    """Keep a wish.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    await database.fetch(
        "INSERT INTO wishes (purpose, address, at) VALUES (:purpose, :address, :at) RETURNING id",
        {"purpose": purpose.value, "address": address, "at": at},
    )


async def any_waits() -> bool:
    """Is there a wish?

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    return bool(await database.fetch("SELECT id FROM wishes LIMIT 1", {}))


async def take() -> Asked | None:
    """The oldest wish that nobody else is granting, taken out by the running transaction; None when there is none."""
    skip = "" if database.is_sqlite() else " FOR UPDATE SKIP LOCKED"
    rows = await database.fetch(
        f"DELETE FROM wishes WHERE id = (SELECT id FROM wishes ORDER BY id LIMIT 1{skip})"
        " RETURNING purpose, address, at",
        {},
    )
    if not rows:
        return None
    purpose, address, at = (rows[0][name] for name in ("purpose", "address", "at"))
    return Asked(Purpose(purpose), address, datetime.fromisoformat(at) if isinstance(at, str) else at)
