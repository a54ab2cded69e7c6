"""The structures by whose managers a person won't be attached any more."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("models", "0010_epochs")]

    operations = [
        ops.CreateModel(
            name="StructureRefusal",
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
                (
                    "structure",
                    fields.ForeignKeyField(
                        "models.Structure",
                        source_field="structure_id",
                        db_constraint=True,
                        to_field="id",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("refused_at", fields.DatetimeField()),
            ],
            options={"table": "structure_refusals", "pk_attr": "id"},
        ),
        ops.RunSQL("CREATE UNIQUE INDEX structure_refusal_once ON structure_refusals (account_id, structure_id)"),
    ]
