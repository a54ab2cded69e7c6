"""Refusals: the structures by whose managers a person won't be attached any more."""

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.db import database
from models.structures.structures import Structure


class StructureRefusal(Model):
    """One structure that one person refused, since when; there is at most one row for both."""

    id: int = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.CASCADE)
    account_id: int
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT
    )
    structure_id: int
    refused_at = fields.DatetimeField()

    class Meta:
        table = "structure_refusals"


REFUSED_BY_VIEWER = "s.id IN (SELECT structure_id FROM structure_refusals WHERE account_id = :viewer)"


@database.guarded
async def find(account_id: int, structure_id: int) -> StructureRefusal | None:
    """The person's refusal of the structure."""
    return await StructureRefusal.get_or_none(account_id=account_id, structure_id=structure_id)
