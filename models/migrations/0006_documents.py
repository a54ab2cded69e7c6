"""Documents that people keep in their account."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.db.schema_operations import CreateTable
from models.documents.documents import DocumentState, DocumentType


class Migration(migrations.Migration):
    dependencies = [("models", "0005_activities")]

    operations = [
        CreateTable(
            name="Document",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "account",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="account_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="documents",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("designation", fields.CharField(max_length=100)),
                ("folded", fields.CharField(max_length=400)),
                ("type", fields.CharEnumField(enum_type=DocumentType, max_length=30)),
                ("filename", fields.CharField(max_length=200)),
                ("mime_type", fields.CharField(max_length=100)),
                ("size", fields.IntField()),
                ("sha256", fields.CharField(max_length=64)),
                ("object_key", fields.CharField(max_length=64)),
                ("state", fields.CharEnumField(enum_type=DocumentState, max_length=20)),
                ("created_at", fields.DatetimeField()),
                ("stored_at", fields.DatetimeField(null=True)),
                ("removed_at", fields.DatetimeField(null=True)),
            ],
            checks={
                "document_type_known": "type IN ('RIB', 'PURCHASE_ORDER', 'SUPPORTING_DOCUMENT', 'QUOTE', 'VEHICLE_REGISTRATION', 'MANDATE', 'CERTIFICATE', 'BROCHURE', 'OTHER')",
                "document_state_known": "state IN ('AWAITING_SCAN', 'AVAILABLE', 'REFUSED')",
                "document_size_allowed": "size BETWEEN 1 AND 4194304",
            },
            options={"table": "documents", "pk_attr": "id"},
        ),
        ops.RunSQL(
            [
                "CREATE UNIQUE INDEX document_object ON documents (object_key)",
                "CREATE INDEX document_account ON documents (account_id, id)",
                "CREATE INDEX document_removed ON documents (id) WHERE removed_at IS NOT NULL",
                "CREATE INDEX document_reserved ON documents (id) WHERE stored_at IS NULL",
                "CREATE INDEX document_unscanned ON documents (id) WHERE state = 'AWAITING_SCAN'",
            ]
        ),
    ]
