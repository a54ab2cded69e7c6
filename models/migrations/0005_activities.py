"""Activities that integrations record, their keys, and what people acknowledged."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.activities.activities import ActivityKind
from models.db.schema_operations import CreateTable
from models.subscriptions.spaces import SpaceCode


class Migration(migrations.Migration):
    dependencies = [("models", "0004_supervision")]

    operations = [
        CreateTable(
            name="ApiKey",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("name", fields.CharField(max_length=100)),
                ("key_hash", fields.CharField(max_length=64)),
                ("created_at", fields.DatetimeField()),
                ("revoked_at", fields.DatetimeField(null=True)),
            ],
            checks={},
            options={"table": "api_keys", "pk_attr": "id"},
        ),
        CreateTable(
            name="Activity",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "api_key",
                    fields.ForeignKeyField(
                        "models.ApiKey",
                        source_field="api_key_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("key", fields.CharField(max_length=200)),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="activities",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "service",
                    fields.ForeignKeyField(
                        "models.Service",
                        source_field="service_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("space", fields.CharEnumField(null=True, enum_type=SpaceCode, max_length=32)),
                ("kind", fields.CharEnumField(enum_type=ActivityKind, max_length=20)),
                ("title", fields.CharField(max_length=255)),
                ("url", fields.CharField(null=True, max_length=2048)),
                ("occurred_at", fields.DatetimeField()),
                ("recorded_at", fields.DatetimeField()),
                ("requires_acknowledgement", fields.BooleanField(default=False)),
            ],
            checks={
                "activity_kind_known": "kind IN ('EVENT', 'INVOICE_PROGRESS', 'INVOICE_REJECTED')",
                "activity_space_known": "space IN ('HOME', 'MY_ACCOUNT', 'MANAGER_ACTIVITIES', 'INVOICES_ISSUED', 'INVOICES_RECEIVED', 'INVOICES_TO_VALIDATE', 'WORKS_INVOICES', 'LEGAL_FEES', 'FUEL_TAX_REFUNDS', 'REQUESTS_ISSUED', 'REQUESTS_RECEIVED', 'COMMITMENTS', 'CONNECTIONS')",
            },
            options={"table": "activities", "pk_attr": "id"},
        ),
        CreateTable(
            name="Acknowledgement",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "activity",
                    fields.ForeignKeyField(
                        "models.Activity",
                        source_field="activity_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("at", fields.DatetimeField()),
            ],
            checks={},
            options={"table": "acknowledgements", "pk_attr": "id"},
        ),
        ops.AddField(
            "Event",
            "activity",
            fields.ForeignKeyField(
                "models.Activity",
                source_field="activity_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="events",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.RunSQL(
            [
                "CREATE UNIQUE INDEX api_key_hash ON api_keys (key_hash)",
                "CREATE UNIQUE INDEX api_key_name ON api_keys (name) WHERE revoked_at IS NULL",
                "CREATE UNIQUE INDEX activity_once ON activities (api_key_id, key)",
                "CREATE UNIQUE INDEX acknowledgement_once ON acknowledgements (activity_id, user_id)",
                "CREATE INDEX acknowledgement_user ON acknowledgements (user_id)",
                "CREATE INDEX activity_structure ON activities (structure_id, id)",
                "CREATE INDEX activity_service ON activities (service_id)",
                "CREATE INDEX event_activity ON events (activity_id)",
            ]
        ),
    ]
