"""Migration operations for what Tortoise's own leave out: CHECK constraints inside a table, on both engines."""

from collections.abc import Sequence
from typing import Any

from tortoise.migrations.operations import CreateModel, TortoiseOperation
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


class EngineSQL(TortoiseOperation):
    """Statements that each engine has its own text for."""

    reduces_to_sql = True

    def __init__(self, *, sqlite: Sequence[str], postgres: Sequence[str]) -> None:
        self.sqlite = sqlite
        self.postgres = postgres

    def describe(self) -> str:
        """How the operation is named in a migration plan."""
        return "Run each engine's own SQL"

    def state_forward(self, app_label: str, state: State) -> None:
        """Nothing: models know nothing of it."""

    async def database_forward(
        self, app_label: str, old_state: State, new_state: State, state_editor: BaseSchemaEditor | None = None
    ) -> None:
        """Run the statements of the engine that is being migrated."""
        if state_editor is None:
            return
        sqlite = state_editor.client.capabilities.dialect == "sqlite"
        for statement in self.sqlite if sqlite else self.postgres:
            await state_editor.client.execute_query(statement)
