"""Offers of a principal manager's seat: made by the holder, taken up or declined by the successor within 14 days."""

from datetime import timedelta
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts import Account
from models.structures import Structure

OPEN_FOR = timedelta(days=14)


class OfferStatus(StrEnum):
    """Where an offer stands; all but OPEN are final. An open one past its 14 days reads as EXPIRED."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class SeatOffer(Model):
    """The seat of one structure offered to one person; at most one open offer per structure."""

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
