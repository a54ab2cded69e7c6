"""Wishes for a mailed link, which whoever sends it looks into."""

from tortoise import fields, migrations

from models.accounts.tokens import Purpose
from models.db.schema_operations import CreateTable


class Migration(migrations.Migration):
    dependencies = [("models", "0012_devices")]

    operations = [
        CreateTable(
            name="Wish",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True)),
                ("purpose", fields.CharEnumField(enum_type=Purpose, max_length=20)),
                ("address", fields.TextField()),
                ("at", fields.DatetimeField()),
            ],
            checks={
                "wish_purpose_known": "purpose IN ('ACTIVATION', 'PASSWORD_RESET', 'REACTIVATION', 'CONTACT_EMAIL')"
            },
            options={"table": "wishes", "pk_attr": "id"},
        ),
    ]
