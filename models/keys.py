"""API keys: what integrations are let in by; only a hash of each is kept."""

from tortoise import fields
from tortoise.models import Model


class ApiKey(Model):
    """An integration's key, under the name that operators know it by."""

    id: int = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=100)
    key_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "api_keys"
