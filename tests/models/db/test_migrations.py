"""The tables that the migrations make are those that the models describe: a forgotten migration is named, by engine."""

import re
from typing import Any

from tortoise import Tortoise
from tortoise.fields.base import Field

from models.db import database

Description = tuple[bool, int | None]  # may it be null, and how many characters it takes
# What the database fills in by itself, and no model reads.
THE_DATABASES_OWN = {("events", "transaction_id"), ("events", "epoch")}


def _described(field: Field[Any]) -> Description:
    return field.null, getattr(field, "max_length", None) if "CHAR" in field.SQL_TYPE else None


def _models() -> dict[tuple[str, str], Description]:
    """(table, column) -> what the models say of it."""
    return {
        (model._meta.db_table, field.source_field or name): _described(field)
        for model in Tortoise.apps["models"].values()
        for name, field in model._meta.fields_map.items()
        if field.has_db_field
    }


async def _columns() -> dict[tuple[str, str], Description]:
    """(table, column) -> what the database says of it."""
    if database.is_sqlite():
        rows = await database.fetch(
            'SELECT m.name AS tbl, c.name AS col, c.type AS kind, c."notnull" OR c.pk AS wanted FROM sqlite_master m'
            " JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
            {},
        )
        found = {}
        for row in rows:
            length = re.fullmatch(r"VARCHAR\((\d+)\)", row["kind"], re.IGNORECASE)
            found[row["tbl"], row["col"]] = (not row["wanted"], int(length[1]) if length else None)
        return found
    rows = await database.fetch(
        "SELECT table_name AS tbl, column_name AS col, is_nullable = 'YES' AS free,"
        " character_maximum_length AS most FROM information_schema.columns WHERE table_schema = 'public'",
        {},
    )
    return {(row["tbl"], row["col"]): (row["free"], row["most"]) for row in rows}


async def test_every_column_of_the_models_was_migrated_as_they_describe_it(db: str) -> None:
    described, found = _models(), await _columns()
    tables = {table for table, _ in described}
    assert len(described) > 150
    assert {place: found.get(place) for place in described} == described
    kept = {place for place in found if place[0] in tables}
    assert kept - THE_DATABASES_OWN == set(described), "columns that no model has"
