"""Services: the departments of a structure, each with a code unique inside it."""

from datetime import date

from tortoise import fields
from tortoise.models import Model

from models import database
from models.reading import Column, Order, Source, day, flag
from models.structures import Structure


class Service(Model):
    """A department of a structure; `valid_from` and `valid_until` are calendar days, both inclusive."""

    id = fields.BigIntField(primary_key=True)
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT
    )
    structure_id: int
    code = fields.CharField(max_length=50)
    name = fields.CharField(max_length=120)
    active = fields.BooleanField(default=True)
    valid_from = fields.DateField(null=True)
    valid_until = fields.DateField(null=True)
    engagement_number_required = fields.BooleanField(default=False)

    class Meta:
        table = "services"

    def is_active_on(self, today: date) -> bool:
        """May anybody be entitled to it from this day on?"""
        return bool(self.active) and not (self.valid_until and self.valid_until < today)


async def by_id(service_id: int) -> Service | None:
    """The service of this id."""
    return await Service.get_or_none(id=service_id)


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
    columns={name: Column(f"v.{name}") for name in ("id", "structure_id", "code", "name")}
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
