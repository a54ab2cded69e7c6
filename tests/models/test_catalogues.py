"""Every index and constraint that the migrations declare is read back from the database's own catalogue."""

import importlib
import pkgutil
import re
from typing import Any

import pytest
from tortoise import Tortoise
from tortoise.exceptions import IntegrityError
from tortoise.fields.relational import ForeignKeyFieldInstance

from models import migrations
from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db import database
from tests.support import factories

INDEX = re.compile(r"CREATE (UNIQUE )?INDEX (\w+) ON (\w+)(.*)", re.DOTALL)


def _operations() -> list[Any]:
    names = [module.name for module in pkgutil.iter_modules(migrations.__path__) if module.name[0].isdigit()]
    return [
        operation
        for name in sorted(names)
        for operation in importlib.import_module(f"models.migrations.{name}").Migration.operations
    ]


def _statements(engine: str) -> list[str]:
    found: list[str] = []
    for operation in _operations():
        said = getattr(operation, "sql", None) or getattr(operation, engine, None) or []
        found += [said] if isinstance(said, str) else list(said)
    return found


def _declared_indexes(engine: str) -> dict[str, tuple[str, bool, bool]]:
    """Name -> (table, unique, partial) of every index the migrations create on this engine."""
    matches = [match for statement in _statements(engine) if (match := INDEX.match(statement.strip()))]
    return {match[2]: (match[3], bool(match[1]), " WHERE " in match[4]) for match in matches}


def _declared_checks() -> dict[str, str]:
    """Name -> table of every check the migrations create."""
    return {
        name: operation.options["table"] for operation in _operations() for name in getattr(operation, "checks", {})
    }


async def _indexes(sqlite: bool) -> dict[str, tuple[str, bool, bool]]:
    if sqlite:
        rows = await database.fetch("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'", {})
        return {
            row["name"]: (row["tbl_name"], "UNIQUE" in row["sql"], " WHERE " in row["sql"])
            for row in rows
            if row["sql"]
        }
    rows = await database.fetch(
        "SELECT c.relname AS name, t.relname AS tbl, i.indisunique AS uniq, i.indpred IS NOT NULL AS partial"
        " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
        " JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'public' AND i.indisvalid",
        {},
    )
    return {row["name"]: (row["tbl"], row["uniq"], row["partial"]) for row in rows}


async def _checks(sqlite: bool) -> dict[str, str]:
    if sqlite:
        rows = await database.fetch("SELECT name, sql FROM sqlite_master WHERE type = 'table'", {})
        return {match: row["name"] for row in rows for match in re.findall(r"CONSTRAINT (\w+) CHECK", row["sql"] or "")}
    rows = await database.fetch(
        "SELECT k.conname AS name, t.relname AS tbl FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid"
        " WHERE k.contype = 'c' AND k.convalidated AND k.connamespace = 'public'::regnamespace",
        {},
    )
    return {row["name"]: row["tbl"] for row in rows}


async def _foreign_keys(sqlite: bool) -> set[tuple[str, str, str]]:
    """(table, column, referred table) of every foreign key."""
    if sqlite:
        rows = await database.fetch(
            'SELECT m.name AS tbl, k."from" AS col, k."table" AS target FROM sqlite_master m'
            " JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table'",
            {},
        )
    else:
        rows = await database.fetch(
            "SELECT t.relname AS tbl, a.attname AS col, r.relname AS target FROM pg_constraint k"
            " JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid"
            " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.conkey[1]"
            " WHERE k.contype = 'f' AND k.convalidated",
            {},
        )
    return {(row["tbl"], row["col"], row["target"]) for row in rows}


async def test_catalogue_holds_every_declared_index(db: str) -> None:
    declared = _declared_indexes("sqlite" if database.is_sqlite() else "postgres")
    assert len(declared) > 25
    found = await _indexes(database.is_sqlite())
    assert {name: found.get(name) for name in declared} == declared


async def test_catalogue_holds_every_declared_check(db: str) -> None:
    declared = _declared_checks()
    assert len(declared) > 25
    found = await _checks(database.is_sqlite())
    assert {name: found.get(name) for name in declared} == declared


async def test_catalogue_holds_every_foreign_key_of_the_models(db: str) -> None:
    expected = set()
    for model in Tortoise.apps["models"].values():
        for name, field in model._meta.fields_map.items():
            if isinstance(field, ForeignKeyFieldInstance):
                expected.add((model._meta.db_table, f"{name}_id", field.related_model._meta.db_table))
    assert len(expected) > 10
    assert expected <= await _foreign_keys(database.is_sqlite())


async def test_database_refuses_a_second_live_attachment(db: str) -> None:
    user = await factories.person()
    structure = await factories.structure()
    await factories.attachment(user, structure, status=AttachmentStatus.REMOVED)
    await factories.attachment(user, structure, status=AttachmentStatus.PENDING)
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        await factories.attachment(user, structure, status=AttachmentStatus.DEACTIVATED)


async def test_database_refuses_a_second_principal_manager(db: str) -> None:
    structure = await factories.structure(await factories.person())
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        await factories.attachment(await factories.person(), structure, role=Role.PRINCIPAL_MANAGER)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"valid_until": factories.LONG_AGO.date().replace(year=2025)}, "attachment_dates_ordered"),
        ({"role": Role.SECONDARY_MANAGER, "status": AttachmentStatus.PENDING}, "attachment_request_is_simple"),
        ({"refusal_reason": "none"}, "attachment_refusal_has_reason"),
        ({"decided_at": None}, "attachment_decision_has_date"),
        (
            {"role": Role.PRINCIPAL_MANAGER, "valid_until": factories.LONG_AGO.date().replace(year=2030)},
            "attachment_principal_has_no_end",
        ),
    ],
)
async def test_database_refuses_an_attachment_against_its_checks(db: str, changes: dict[str, Any], check: str) -> None:
    user, structure = await factories.person(), await factories.structure()
    with pytest.raises(IntegrityError, match=check):
        await factories.attachment(user, structure, **changes)
    assert await Attachment.all().count() == 0
