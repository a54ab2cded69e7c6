"""Where sessions come from, the devices that signed in before, and API keys with an end and a last use."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.db.schema_operations import CreateTable


class Migration(migrations.Migration):
    dependencies = [("models", "0011_refusals")]

    operations = [
        CreateTable(
            name="Device",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("token_hash", fields.CharField(max_length=64)),
                ("created_at", fields.DatetimeField()),
                ("last_used_at", fields.DatetimeField()),
                ("presented_at", fields.DatetimeField(null=True)),
                ("source", fields.CharField(max_length=64)),
                ("user_agent", fields.CharField(max_length=255, null=True)),
            ],
            checks={},
            options={"table": "devices", "pk_attr": "id"},
        ),
        ops.AddField("Session", "source", fields.CharField(max_length=64, null=True)),
        ops.AddField("Session", "device_id", fields.BigIntField(null=True)),
        ops.AddField("ApiKey", "expires_at", fields.DatetimeField(null=True)),
        ops.AddField("ApiKey", "last_used_at", fields.DatetimeField(null=True)),
        ops.RunSQL(
            [
                "CREATE UNIQUE INDEX device_token ON devices (token_hash)",
                "CREATE INDEX device_account ON devices (account_id, last_used_at)",
            ]
        ),
    ]
