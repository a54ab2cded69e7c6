"""Migration operations for what Tortoise's own leave out: CHECK constraints inside a table, on both engines."""

from typing import Any

from tortoise.migrations.operations import CreateModel
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State


class CreateTable(CreateModel):
    """CreateModel whose table also has the named CHECK constraints; `Meta.constraints` would be dropped silently."""

    def __init__(self, name: str, fields: list[tuple[str, Any]], checks: dict[str, str], **options: Any) -> None:
        super().__init__(name, fields, **options)
        self.checks = checks

    async def database_forward(
        self, app_label: str, old_state: State, new_state: State, state_editor: BaseSchemaEditor | None = None
    ) -> None:
        """Create the table, its constraints inside: SQLite can't add one later."""
        if state_editor is None:
            return
        model = new_state.apps.get_model(f"{app_label}.{self.name}")
        columns, end, rest = state_editor._get_model_sql_data(model).table_sql.partition("\n)")
        checks = "".join(f",\n    CONSTRAINT {name} CHECK ({rule})" for name, rule in self.checks.items())
        await state_editor._run_sql(f"{columns}{checks}{end}{rest}")
