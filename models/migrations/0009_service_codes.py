"""Service codes are unique without regard to case; those that differed by case alone before stay, marked in their key."""

from typing import Any

from tortoise import fields, migrations
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

from models.structures.services import code_key, double_key


async def fill(apps: Any, editor: BaseSchemaEditor) -> None:
    """Give each service its key: the oldest of those with one code the code's own, the others one of their own."""
    taken: set[tuple[int, str]] = set()
    keys: list[list[object]] = []
    for row in await editor.client.execute_query_dict("SELECT id, structure_id, code FROM services ORDER BY id"):
        key = code_key(row["code"])
        if (row["structure_id"], key) in taken:
            key = double_key(row["code"], row["id"])
        taken.add((row["structure_id"], key))
        keys.append([key, row["id"]])
    sqlite = editor.client.capabilities.dialect == "sqlite"
    update = "UPDATE services SET code_key = {} WHERE id = {}".format(*("??" if sqlite else ("$1", "$2")))
    if keys:
        await editor.client.execute_many(update, keys)


class Migration(migrations.Migration):
    dependencies = [("models", "0008_mail")]

    operations = [
        ops.AddField("Service", "code_key", fields.CharField(max_length=200, db_default="")),
        ops.RunPython(fill),
        ops.RunSQL("CREATE UNIQUE INDEX service_code_key_per_structure ON services (structure_id, code_key)"),
    ]
