"""Service codes are unique without regard to case: from now on, and in a database that has doubles from before."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tortoise.migrations import api

from models.db import database
from models.db.database import Duplicate, configuration
from models.migrations import __path__ as folders
from models.structures import services
from models.structures.services import Service
from tests.conftest import new_postgres, on_server
from tests.support import factories


def _before() -> str:
    """The migration before the one that makes codes unique."""
    names = sorted(path.stem for folder in folders for path in Path(folder).glob("[0-9]*.py"))
    return names[next(place for place, name in enumerate(names) if "service_codes" in name) - 1]


async def _made_before(url: str) -> None:
    """A database as it was, with a structure whose services FIN, fin and Fin are three."""
    await api.migrate(config=configuration(url), target=f"models.{_before()}")
    await database.close()
    await database.connect(url)
    await database.fetch(
        "INSERT INTO structures (id, identifier_type, identifier, name, folded_name, kind, status, managed,"
        " service_code_required, engagement_number_required, created_at)"
        " VALUES (1, 'OTHER', 'A', 'Avant', 'avant', 'PRIVATE', 'ACTIVE', true, false, false, :at)",
        {"at": factories.LONG_AGO},
    )
    for id, code in enumerate(("FIN", "fin", "DIR", "Fin"), start=1):
        await database.fetch(
            "INSERT INTO services (id, structure_id, code, name, active, engagement_number_required)"
            " VALUES (:id, 1, :code, 'S', true, false)",
            {"id": id, "code": code},
        )
    await database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def older_url(request: pytest.FixtureRequest, tmp_path: Path, worker_id: str) -> Iterator[str]:
    """The address of a database from before, on each engine."""
    if request.param == "sqlite":
        url = f"sqlite://{tmp_path / 'older.db'}"
        asyncio.run(_made_before(url))
        yield url
        shutil.rmtree(tmp_path, ignore_errors=True)
        return
    name = f"rattache_older_codes_{worker_id}"
    url = asyncio.run(new_postgres(name))
    asyncio.run(_made_before(url))
    yield url
    asyncio.run(on_server(f"DROP DATABASE {name} WITH (FORCE)"))


async def test_operator_upgrades_a_database_with_doubles_which_stay_and_are_told(older_url: str) -> None:
    await database.migrate(older_url)
    await database.connect(older_url)
    try:
        rows = await Service.all().order_by("id")
        assert [row.code for row in rows] == ["FIN", "fin", "DIR", "Fin"]
        assert [row.code_key for row in rows] == ["fin", "fin\x1f2", "dir", "fin\x1f4"]
        assert await services.doubles() == [("Avant", ["FIN", "fin", "Fin"])]
        rows[1].name = "Finances"
        await rows[1].save()  # a double can still be changed, and keeps its place
        assert (await Service.get(id=2)).code_key == "fin\x1f2"
        with pytest.raises(Duplicate):
            async with database.transaction():
                await Service.create(structure_id=1, code="fIN", name="One more")
        rows[0].code = "FINANCES"
        await rows[0].save()
        assert await services.is_code_taken(1, "FIN", but=None)  # the doubles still have it
        assert await services.is_code_taken(1, "finances", but=2)
        assert not await services.is_code_taken(1, "FINANCES", but=1)
        assert not await services.is_code_taken(1, "FI", but=None)
        found = await services.coded({(1, "Fin"), (1, "fin"), (1, "FINANCES"), (1, "dir"), (2, "DIR")})
        assert found == {(1, "Fin"): 4, (1, "fin"): 2, (1, "FINANCES"): 1, (1, "dir"): 3}
    finally:
        await database.close()


async def test_database_refuses_a_code_that_differs_by_case_alone(db: str) -> None:
    structure, other = await factories.structure(), await factories.structure()
    await Service.create(structure=structure, code="Été", name="One")
    await Service.create(structure=other, code="ÉTÉ", name="Elsewhere")
    with pytest.raises(Duplicate):
        async with database.transaction():
            await Service.create(structure=structure, code="ÉTÉ", name="Two")
    assert await services.doubles() == []
