"""What a subscription that somebody asked for holds beside a default one, and its place in the history."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.db.schema_operations import CreateTable


class Migration(migrations.Migration):
    dependencies = [("models", "0002_structure_search")]

    operations = [
        ops.AddField("SpaceSubscription", "comment", fields.CharField(null=True, max_length=255)),
        ops.AddField("SpaceSubscription", "refusal_reason", fields.CharField(null=True, max_length=255)),
        ops.AddField("SpaceSubscription", "decided_at", fields.DatetimeField(null=True)),
        ops.AddField(
            "SpaceSubscription",
            "decided_by",
            fields.ForeignKeyField(
                "models.Account",
                source_field="decided_by_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="decided_subscriptions",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddField(
            "Event",
            "subscription",
            fields.ForeignKeyField(
                "models.SpaceSubscription",
                source_field="subscription_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="events",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        CreateTable(
            name="SubscriptionService",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "subscription",
                    fields.ForeignKeyField(
                        "models.SpaceSubscription",
                        source_field="subscription_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "service",
                    fields.ForeignKeyField(
                        "models.Service",
                        source_field="service_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
            ],
            checks={},
            options={"table": "subscription_services", "pk_attr": "id"},
        ),
        ops.RunSQL(
            [
                "CREATE UNIQUE INDEX subscription_service_once ON subscription_services (subscription_id, service_id)",
                "CREATE INDEX subscription_service_service ON subscription_services (service_id)",
                "CREATE INDEX space_subscription_user ON space_subscriptions (user_id, id)",
                "CREATE INDEX space_subscription_pending ON space_subscriptions (structure_id, id)"
                " WHERE status = 'PENDING'",
                "CREATE INDEX event_subscription ON events (subscription_id)",
            ]
        ),
    ]
