"""Wishes for an account or a mailed link, as they came: whoever grants them looks up whose their address is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.db import database


class WishKind(StrEnum):
    """What is wished for: an account of one's own, or a link of one purpose."""

    SIGN_UP = "SIGN_UP"
    ACTIVATION = "ACTIVATION"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 - the name of a kind
    REACTIVATION = "REACTIVATION"


class Wish(Model):
    """One wish; what it says is sealed, since it may be of somebody who has nothing to do with the installation.

    `details` are what a sign-up says besides its address.
    """

    id: int = fields.BigIntField(primary_key=True)
    purpose = fields.CharEnumField(WishKind, max_length=20)
    address = fields.TextField()
    at = fields.DatetimeField()
    details = fields.TextField(null=True)

    class Meta:
        table = "wishes"


@dataclass(frozen=True)
class Asked:
    """A wish that was taken out: what it is for, its sealed address and details, and when it came."""

    id: int
    kind: WishKind
    address: str
    at: datetime
    details: str | None


async def add(kind: WishKind, address: str, at: datetime, details: str | None = None) -> None:
    """Keep a wish.

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    await database.fetch(
        "INSERT INTO wishes (purpose, address, at, details) VALUES (:kind, :address, :at, :details) RETURNING id",
        {"kind": kind.value, "address": address, "at": at, "details": details},
    )


async def any_waits(after: int = 0) -> bool:
    """Is there a wish that came after the one of this id?

    Raises:
        DatabaseAway: when the database can't be reached.
    """
    return bool(await database.fetch("SELECT id FROM wishes WHERE id > :after LIMIT 1", {"after": after}))


async def take(after: int = 0) -> Asked | None:
    """The oldest wish that nobody else is granting, and that came after the one of this id; None when there is none.

    The running transaction takes it out: it is there again if that is undone.
    """
    skip = "" if database.is_sqlite() else " FOR UPDATE SKIP LOCKED"
    rows = await database.fetch(
        f"DELETE FROM wishes WHERE id = (SELECT id FROM wishes WHERE id > :after ORDER BY id LIMIT 1{skip})"
        " RETURNING id, purpose, address, at, details",
        {"after": after},
    )
    if not rows:
        return None
    id, kind, address, at, details = (rows[0][name] for name in ("id", "purpose", "address", "at", "details"))
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Asked(id, WishKind(kind), address, when, details)
