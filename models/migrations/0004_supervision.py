"""What keeps a structure governed: escalation, seniority, absence, offers of the seat, and jobs that act once."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.attachments.offers import OfferStatus
from models.db.schema_operations import CreateTable


class Migration(migrations.Migration):
    dependencies = [("models", "0003_subscriptions")]

    operations = [
        ops.AddField("Attachment", "escalated_at", fields.DatetimeField(null=True)),
        ops.AddField("Attachment", "role_since", fields.DatetimeField(null=True)),
        ops.AddField("Attachment", "absence_told_at", fields.DatetimeField(null=True)),
        CreateTable(
            name="Occasion",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("job", fields.CharField(max_length=60)),
                ("key", fields.CharField(max_length=120)),
                ("at", fields.DatetimeField()),
            ],
            checks={},
            options={"table": "occasions", "pk_attr": "id"},
        ),
        CreateTable(
            name="SeatOffer",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="seat_offers",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "holder",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="holder_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="offers_made",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "successor",
                    fields.ForeignKeyField(
                        "models.Account",
                        source_field="successor_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="offers_received",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("status", fields.CharEnumField(default=OfferStatus.OPEN, enum_type=OfferStatus, max_length=10)),
                ("offered_at", fields.DatetimeField()),
                ("expires_at", fields.DatetimeField()),
                ("ended_at", fields.DatetimeField(null=True)),
            ],
            checks={
                "seat_offer_status_known": "status IN ('OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED')",
                "seat_offer_to_another": "holder_id <> successor_id",
                "seat_offer_ended": "(status = 'OPEN') = (ended_at IS NULL)",
            },
            options={"table": "seat_offers", "pk_attr": "id"},
        ),
        ops.RunSQL(
            [
                "UPDATE attachments SET role_since = COALESCE(decided_at, requested_at)",
                "CREATE UNIQUE INDEX occasion_once ON occasions (job, key)",
                "CREATE UNIQUE INDEX seat_offer_one_open ON seat_offers (structure_id) WHERE status = 'OPEN'",
                "CREATE INDEX seat_offer_successor ON seat_offers (successor_id) WHERE status = 'OPEN'",
                "CREATE INDEX attachment_escalated ON attachments (id)"
                " WHERE status = 'PENDING' AND escalated_at IS NOT NULL",
                "CREATE INDEX attachment_absence ON attachments (id) WHERE absence_told_at IS NOT NULL",
                "CREATE INDEX account_stopped ON accounts (id) WHERE state IN ('SUSPENDED', 'DEACTIVATED')",
                "CREATE INDEX attachment_waiting ON attachments (requested_at) WHERE status = 'PENDING'",
                "CREATE INDEX attachment_ending ON attachments (valid_until) WHERE status = 'VALIDATED'",
            ]
        ),
    ]
