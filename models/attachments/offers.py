"""Offers of the principal management, which the successor takes up or declines within 14 days."""

from datetime import datetime, timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.attachments.attachments import managed_by_viewer
from models.db import database
from models.db.query import Column, Order, Source, moment
from models.errors.errors import OfferOver
from models.structures.structures import Structure

OPEN_FOR = timedelta(days=14)


class OfferStatus(StrEnum):
    """Where an offer stands; all but OPEN are final. An open one past its 14 days reads as EXPIRED."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class PrincipalManagerOffer(Model):
    """The principal management of one structure offered to one person; at most one open offer per structure."""

    id: int = fields.BigIntField(primary_key=True)
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT, related_name="seat_offers"
    )
    structure_id: int
    holder: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="offers_made"
    )
    holder_id: int
    successor: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="offers_received"
    )
    successor_id: int
    status = fields.CharEnumField(OfferStatus, max_length=10, default=OfferStatus.OPEN)
    offered_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "seat_offers"

    def status_at(self, now: datetime) -> OfferStatus:
        """The status people read: an open offer past its 14 days is expired at once, with no job needed."""
        return OfferStatus.EXPIRED if self.status is OfferStatus.OPEN and now >= self.expires_at else self.status

    def end(self, status: OfferStatus, at: datetime) -> None:
        """OPEN becomes another status; what has expired ends as such, at the instant it did.

        Raises:
            OfferOver: when it isn't open any more.
        """
        present = self.status_at(at)
        if present is not OfferStatus.OPEN and status is not OfferStatus.EXPIRED:
            raise OfferOver(status=present)
        self.status, self.ended_at = status, min(at, self.expires_at)


# ------------------------------------------------------------------ finding rows to change
async def by_id(offer_id: int) -> PrincipalManagerOffer | None:
    """The offer of this id, not locked: to learn which structure must be locked first."""
    return await PrincipalManagerOffer.get_or_none(id=offer_id)


async def lock(offer_id: int) -> PrincipalManagerOffer | None:
    """The offer, held until the transaction ends; its structure's lock is taken before."""
    return await PrincipalManagerOffer.filter(id=offer_id).select_for_update(no_key=True).get_or_none()


async def lock_open(structure_id: int) -> PrincipalManagerOffer | None:
    """The structure's offer that was not ended, maybe past its 14 days, held until the transaction ends."""
    rows = PrincipalManagerOffer.filter(structure_id=structure_id, status=OfferStatus.OPEN)
    return await rows.select_for_update(no_key=True).get_or_none()


@database.guarded
async def overdue(now: datetime) -> list[PrincipalManagerOffer]:
    """The offers past their 14 days that nobody has ended."""
    return await PrincipalManagerOffer.filter(status=OfferStatus.OPEN, expires_at__lte=now).order_by("id")


# ------------------------------------------------------------------ reading
_OPEN = "f.status = 'OPEN'"
OPEN_NOW = f"{_OPEN} AND f.expires_at > :now"
OFFERS = Source(
    "seat_offers f",
    columns={name: Column(f"f.{name}") for name in ("id", "structure_id", "holder_id", "successor_id")}
    | {
        "status": Column(f"CASE WHEN {_OPEN} AND f.expires_at <= :now THEN 'EXPIRED' ELSE f.status END"),
        "offered_at": moment("f.offered_at"),
        "expires_at": moment("f.expires_at"),
        "ended_at": moment("f.ended_at"),
    },
)
OLDEST_FIRST = Order(("id",))
VISIBLE = f"f.successor_id = :viewer OR f.holder_id = :viewer OR :viewer_is_support OR {managed_by_viewer('f')}"
