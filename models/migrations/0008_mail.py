"""What periodical mails have told so far, every try of every mail, and an address that its server refused."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.db.schema_operations import CreateTable
from models.mail.mail_attempts import Outcome


class Migration(migrations.Migration):
    dependencies = [("models", "0007_live")]

    operations = [
        ops.AddField("Account", "digested_until", fields.DatetimeField(null=True)),
        ops.AddField("Account", "recapped_until", fields.DatetimeField(null=True)),
        ops.AddField("Account", "contact_email_refusal", fields.CharField(max_length=300, null=True)),
        ops.AddField("Account", "contact_email_refused_at", fields.DatetimeField(null=True)),
        CreateTable(
            name="MailAttempt",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                (
                    "mail",
                    fields.ForeignKeyField(
                        "models.Mail",
                        source_field="mail_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField()),
                ("courier", fields.CharField(max_length=100)),
                ("outcome", fields.CharEnumField(enum_type=Outcome, max_length=12)),
                ("code", fields.IntField(null=True)),
                ("answer", fields.TextField(null=True)),
            ],
            checks={
                "mail_attempt_outcome_known": "outcome IN ('SENT', 'POSTPONED', 'REFUSED', 'EXHAUSTED', 'EXPIRED', 'UNRENDERABLE', 'WITHDRAWN')"
            },
            options={"table": "mail_attempts", "pk_attr": "id"},
        ),
        ops.RunSQL(
            [
                "CREATE INDEX mail_attempt_mail ON mail_attempts (mail_id, id)",
                "CREATE INDEX account_notified ON accounts (id) WHERE receive_activity_notifications",
                "CREATE INDEX activity_recorded ON activities (structure_id, recorded_at)",
                "CREATE INDEX event_occurred ON events (structure_id, occurred_at)",
            ]
        ),
    ]
