"""Activities: what integrations report from outside, and who has acknowledged reading it. Source: DOMAIN 7."""

from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts import Account
from models.keys import ApiKey
from models.services import Service
from models.spaces import SpaceCode
from models.structures import Structure


class ActivityKind(StrEnum):
    """What is reported."""

    EVENT = "EVENT"
    INVOICE_PROGRESS = "INVOICE_PROGRESS"
    INVOICE_REJECTED = "INVOICE_REJECTED"


class Activity(Model):
    """One thing that happened outside, on a structure; `key` is the integration's own and never comes twice."""

    id: int = fields.BigIntField(primary_key=True)
    api_key: fields.ForeignKeyRelation[ApiKey] = fields.ForeignKeyField("models.ApiKey", on_delete=fields.RESTRICT)
    api_key_id: int
    key = fields.CharField(max_length=200)
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT, related_name="activities"
    )
    structure_id: int
    service: fields.ForeignKeyNullableRelation[Service] = fields.ForeignKeyField(
        "models.Service", on_delete=fields.RESTRICT, null=True
    )
    service_id: int | None
    space = fields.CharEnumField(SpaceCode, max_length=32, null=True)
    kind = fields.CharEnumField(ActivityKind, max_length=20)
    title = fields.CharField(max_length=255)
    url = fields.CharField(max_length=2048, null=True)
    occurred_at = fields.DatetimeField()
    recorded_at = fields.DatetimeField()
    requires_acknowledgement = fields.BooleanField(default=False)

    class Meta:
        table = "activities"


class Acknowledgement(Model):
    """That a person has read an activity which asks for it; once per person."""

    id: int = fields.BigIntField(primary_key=True)
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField("models.Activity", on_delete=fields.RESTRICT)
    activity_id: int
    user: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField("models.Account", on_delete=fields.RESTRICT)
    user_id: int
    at = fields.DatetimeField()

    class Meta:
        table = "acknowledgements"
