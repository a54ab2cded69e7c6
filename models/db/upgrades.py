"""Upgrades: which migrations a database has, read so that trouble is trouble, and applying those that it lacks."""

from collections.abc import Mapping
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.loader import MigrationLoader
from tortoise.migrations.recorder import MigrationRecorder


class _Recorder(MigrationRecorder):
    """Reads the table of migrations; Tortoise's own takes every error for an empty table."""

    async def applied_migrations(self) -> list[MigrationKey]:
        catalogue = "sqlite_master" if self._dialect == "sqlite" else "pg_tables"
        column = "name" if self._dialect == "sqlite" else "schemaname = ANY (current_schemas(false)) AND tablename"
        sought = f"SELECT 1 FROM {catalogue} WHERE {column} = '{self.table_name}'"
        _, found = await self.connection.execute_query(sought)
        if not found:
            return []
        _, rows = await self.connection.execute_query(f'SELECT app, name FROM "{self.table_name}" ORDER BY id')
        return [MigrationKey(app_label=row["app"], name=row["name"]) for row in rows]


def executor(connection: BaseDBAsyncClient, apps: Mapping[str, Mapping[str, Any]]) -> MigrationExecutor:
    """What plans and applies the migrations of these applications."""
    found = MigrationExecutor(connection, {name: dict(app) for name, app in apps.items()})
    found.recorder = _Recorder(connection)
    found.loader = MigrationLoader(found.loader.apps_config, found.recorder, load=False)
    return found
