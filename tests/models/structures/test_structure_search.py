"""What a search of structures finds, on both engines: parts of names, identifiers and their beginnings, places."""

from collections.abc import Callable
from typing import Any

import pytest

from models.db.query import Page, Selection, Slice
from models.errors.errors import Invalid
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure, StructureKind, StructureSearch, StructureStatus, search
from resolvers.scope import Scope
from resolvers.structures import structures
from tests.support import factories

SIRET = IdentifierType.SIRET


async def world() -> None:
    made: list[dict[str, Any]] = [
        {"name": "Mairie d'Évry", "identifier": "11000201100044", "identifier_type": SIRET, "kind": "PUBLIC"},
        {"name": "Société Œuvre & Cie", "identifier": "73282932000074", "identifier_type": SIRET, "city": "Lyon"},
        {"name": "SOCIETE des eaux", "identifier": "DE123456789", "postcode": "SW1A 1AA", "country": "GB"},
        {"name": "AB", "identifier": "X1", "status": StructureStatus.INACTIVE},
        {"name": "Évry eau", "identifier": "1100", "postcode": "91000"},
        {"name": "100% pur_jus", "identifier": "JUS"},
    ]
    for values in made:
        structure = await factories.structure(**values)
        structure.normalise_name()
        await structure.save()


async def find(page: Page | None = None, **criteria: Any) -> Slice:
    selection = Selection(frozenset({"id", "name"}), total_count=True)
    return await search(StructureSearch(**criteria), page or Page(20), selection)


@pytest.mark.parametrize(
    ("criteria", "names"),
    [
        ({"name": "EVRY"}, ["Évry eau", "Mairie d'Évry"]),
        ({"name": "d evry"}, ["Mairie d'Évry"]),
        ({"name": "oeuv"}, ["Société Œuvre & Cie"]),
        ({"name": "sociéte"}, ["SOCIETE des eaux", "Société Œuvre & Cie"]),
        ({"name": "eau"}, ["Évry eau", "SOCIETE des eaux"]),
        ({"name": "b"}, ["AB"]),
        ({"name": "ab"}, ["AB"]),
        ({"name": "evry mairie"}, []),
        ({"name": "%"}, None),
        ({"name": "pur_j"}, ["100% pur_jus"]),
        ({"name": 'eau" OR "ab'}, []),
        ({"identifier": "110 002 011 00044"}, ["Mairie d'Évry"]),
        ({"identifier": "110"}, ["Évry eau", "Mairie d'Évry"]),
        ({"identifier": "de1"}, ["SOCIETE des eaux"]),
        ({"identifier": "x1"}, ["AB"]),
        ({"identifier": "11"}, []),
        ({"identifier": "110", "identifier_type": SIRET}, ["Mairie d'Évry"]),
        ({"identifier": "1%0"}, []),
        ({"postcode": "sw1a 1aa"}, ["SOCIETE des eaux"]),
        ({"postcode": "91 000"}, ["Évry eau"]),
        ({"city": "LYON"}, ["Société Œuvre & Cie"]),
        ({"status": StructureStatus.INACTIVE}, ["AB"]),
        ({"kind": StructureKind.PUBLIC, "name": "evry"}, ["Mairie d'Évry"]),
        ({"name": "   ", "city": ""}, None),
    ],
)
async def test_search_finds(db: str, criteria: dict[str, Any], names: list[str] | None) -> None:
    await world()
    if names is None:  # nothing to search for
        assert StructureSearch(**criteria).parameters() == {}
        return
    found = await find(**criteria)
    assert [row.name for row in found.rows] == names
    assert found.total_count == len(names)


async def test_search_finds_a_renamed_structure_by_its_new_name_only(db: str) -> None:
    await world()
    structure = await Structure.get(identifier="X1")
    structure.name = "Nouveau nom"
    structure.normalise_name()
    await structure.save()
    assert [row.name for row in (await find(name="nouveau")).rows] == ["Nouveau nom"]
    await structure.delete()
    assert (await find(name="nouveau")).rows == []


async def test_search_pages_joined_are_the_whole_list(db: str) -> None:
    for number in range(7):
        await factories.structure(name=f"Même {number % 3}", folded_name=f"meme {number % 3}")
    whole = [row.id for row in (await find(name="meme")).rows]
    assert len(whole) == 7
    found: list[int] = []
    page = Page(2)
    while True:
        slice = await find(page, name="meme")
        found += [row.id for row in slice.rows]
        if not slice.has_next:
            break
        page = Page(2, after=(slice.rows[-1].folded_name, slice.rows[-1].id))
    assert found == whole


@pytest.mark.parametrize("criterion", ["identifier", "postcode"])
@pytest.mark.parametrize("text", ["75\x000", "75\ud8000"])
async def test_anyone_searches_for_unstorable_text_and_is_told(
    db: str, scope_of: Callable[..., Scope], criterion: str, text: str
) -> None:
    scope, criteria = scope_of(await factories.person()), {criterion: text}
    with pytest.raises(Invalid) as caught:
        await structures.search(scope, StructureSearch(**criteria), Page(5), Selection())  # type: ignore[arg-type]
    assert (caught.value.path, caught.value.data["rule"]) == (("search", criterion), "text")
