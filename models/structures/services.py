"""Services: the departments of a structure, each with a code unique inside it."""

import unicodedata
from datetime import date
from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.db import database
from models.db.query import Column, Order, Source, day, flag
from models.structures.structures import Structure

DOUBLE = "\x1f"  # no code holds it: what stands behind it keeps a double from before apart


def code_key(code: str) -> str:
    """What makes two codes of a structure the same: the code without case."""
    return unicodedata.normalize("NFC", code.casefold())


def double_key(code: str, service_id: int) -> str:
    """The key of a service that had a code of another case before codes were unique without it."""
    return f"{code_key(code)}{DOUBLE}{service_id}"


class Service(Model):
    """A department of a structure; `valid_from` and `valid_until` are calendar days, both inclusive."""

    id = fields.BigIntField(primary_key=True)
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT
    )
    structure_id: int
    code = fields.CharField(max_length=50)
    code_key = fields.CharField(max_length=200, db_default="")
    name = fields.CharField(max_length=120)
    active = fields.BooleanField(default=True)
    valid_from = fields.DateField(null=True)
    valid_until = fields.DateField(null=True)
    engagement_number_required = fields.BooleanField(default=False)

    class Meta:
        table = "services"

    async def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the row; a code that is new to it brings its key along."""
        key = code_key(self.code)
        if not isinstance(self.code_key, str) or self.code_key.partition(DOUBLE)[0] != key:
            self.code_key = key
        await super().save(*args, **kwargs)

    def is_active_on(self, today: date) -> bool:
        """May anybody be entitled to it from this day on?"""
        return bool(self.active) and not (self.valid_until and self.valid_until < today)


async def by_id(service_id: int) -> Service | None:
    """The service of this id."""
    return await Service.get_or_none(id=service_id)


async def is_code_taken(structure_id: int, code: str, *, but: int | None) -> bool:
    """Has another service of the structure than `but` this code, in whatever case?"""
    key = code_key(code)
    rows = await SERVICES.read(
        ["id"],
        [
            "v.structure_id = :structure",
            "v.id <> :but",
            'v.code_key = :key OR (v.code_key COLLATE "C" > :double AND v.code_key COLLATE "C" < :beyond)',
        ],
        {
            "structure": structure_id,
            "but": but or 0,
            "key": key,
            "double": f"{key}{DOUBLE}",
            "beyond": f"{key}{chr(ord(DOUBLE) + 1)}",
        },
    )
    return bool(rows)


async def coded(pairs: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """The service's id by its structure and code, in whatever case; of doubles the one whose case is the same."""
    rows = await SERVICES.read(
        ["id", "structure_id", "code", "code_key"],
        ["v.structure_id IN :structures", "v.code_key IN :keys OR v.code IN :codes"],
        {
            "structures": sorted({structure_id for structure_id, _ in pairs}),
            "keys": sorted({code_key(code) for _, code in pairs}),
            "codes": sorted({code for _, code in pairs}),
        },
    )
    exact = {(row.structure_id, row.code): row.id for row in rows}
    folded = {(row.structure_id, row.code_key): row.id for row in rows}
    found = {pair: exact.get(pair) or folded.get((pair[0], code_key(pair[1]))) for pair in pairs}
    return {pair: id for pair, id in found.items() if id is not None}


async def doubles() -> list[tuple[str, list[str]]]:
    """The structures, by name, that have services whose codes differ by case alone; each with those codes."""
    rows = await database.fetch(
        "SELECT s.id, s.name, v.code FROM services v JOIN structures s ON s.id = v.structure_id WHERE v.structure_id IN"
        " (SELECT structure_id FROM services WHERE code_key LIKE :doubles) ORDER BY s.folded_name, s.id, v.id",
        {"doubles": f"%{DOUBLE}%"},
    )
    codes: dict[tuple[int, str, str], list[str]] = {}
    for row in rows:
        codes.setdefault((row["id"], row["name"], code_key(row["code"])), []).append(row["code"])
    return [(name, same) for (_, name, _), same in codes.items() if len(same) > 1]


@database.guarded
async def of_structure(structure_id: int, service_ids: set[int]) -> dict[int, Service]:
    """Those of the ids that are services of the structure, by id."""
    found = await Service.filter(structure_id=structure_id, id__in=service_ids)
    return {service.id: service for service in found}


async def all_of(service_ids: set[int]) -> list[Service]:
    """The services of these ids, by code."""
    return await Service.filter(id__in=service_ids).order_by("code", "id")


SERVICES = Source(
    "services v",
    columns={name: Column(f"v.{name}") for name in ("id", "structure_id", "code", "code_key", "name")}
    | {
        "active": flag("v.active"),
        "valid_from": day("v.valid_from"),
        "valid_until": day("v.valid_until"),
        "engagement_number_required": flag("v.engagement_number_required"),
        "attachment_id": Column("e.attachment_id"),
        "subscription_id": Column("f.subscription_id"),
    },
    joins={
        "e": "JOIN attachment_services e ON e.service_id = v.id",
        "f": "JOIN subscription_services f ON f.service_id = v.id",
    },
)
BY_CODE = Order(("code", "id"))
ACTIVE = (
    "v.active AND (v.valid_from IS NULL OR v.valid_from <= :today)"
    " AND (v.valid_until IS NULL OR v.valid_until >= :today)"
)
