"""Exports read batch by batch: every row once, in the list's order, whatever the size of the batches."""

from datetime import date
from itertools import chain

import pytest

from models import exports
from models.attachments.attachments import AttachmentStatus, Role
from models.structures.structures import Structure, StructureKind, StructureSearch
from tests.support import factories

NAMES = ["Même nom", "meme nom", "MÊME NOM", "Même-nom", "Alpha", "Zoé", "Épi", "Epi", "Œuf", "Oeuf", "Même nom"]


async def _found(criteria: StructureSearch, batch: int, most: int) -> tuple[list[int], list[int]]:
    batches = [rows async for rows in exports.structures(criteria, batch, most)]
    return [row.id for row in chain(*batches)], [len(rows) for rows in batches]


@pytest.mark.parametrize("most", [0, 1_000], ids=["along all names", "sought anew"])
@pytest.mark.parametrize("batch", [1, 2, 3, 10, 11, 12, 100])
@pytest.mark.parametrize(
    "criteria",
    [
        StructureSearch(kind=StructureKind.PRIVATE),
        StructureSearch(city="évreux"),
        StructureSearch(name="e", city="Évreux"),
        StructureSearch(identifier="TEST"),
    ],
    ids=["broad", "narrow", "short name", "prefix"],
)
async def test_batches_hold_every_structure_once_by_name(
    db: str, criteria: StructureSearch, batch: int, most: int
) -> None:
    made = [await factories.structure(name=name, city="Évreux", folded_city="evreux") for name in NAMES]
    await factories.structure(name="Autre", kind=StructureKind.PUBLIC, city="Lyon", folded_city="lyon", identifier="X1")
    expected = [one.id for one in sorted(made, key=lambda one: (one.folded_name, one.id))]
    if criteria.name:
        expected = [id for id in expected if "e" in next(one for one in made if one.id == id).folded_name]
    ids, sizes = await _found(criteria, batch, most)
    assert ids == expected
    assert all(size == batch for size in sizes[:-1])


@pytest.mark.parametrize("most", [0, 1_000], ids=["along all names", "sought anew"])
async def test_part_of_a_name_finds_the_same_both_ways(db: str, most: int) -> None:
    for name in NAMES:
        await factories.structure(name=name)
    expected = [row.id for row in await Structure.filter(folded_name="meme nom").order_by("id")]
    assert await _found(StructureSearch(name="ÊME-N"), 2, most) == (expected, [2, 2, 1])


async def test_nothing_found_is_one_empty_batch(db: str) -> None:
    assert await _found(StructureSearch(name="nowhere"), 2, 0) == ([], [0])


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
async def test_batches_hold_the_live_users_of_the_structure_by_name(db: str, batch: int) -> None:
    ada, bea = [await factories.person(first_name=name, last_name="Même") for name in ("Ada", "Béa")]
    twin, waiting, gone, refused = [await factories.person(first_name="Ada", last_name="Même") for _ in range(4)]
    structure, elsewhere = await factories.structure(bea), await factories.structure(gone)
    await factories.attachment(twin, structure, status=AttachmentStatus.DEACTIVATED)
    await factories.attachment(ada, structure, role=Role.SECONDARY_MANAGER)
    await factories.attachment(waiting, structure, status=AttachmentStatus.PENDING)
    await factories.attachment(gone, structure, status=AttachmentStatus.REMOVED)
    await factories.attachment(refused, structure, status=AttachmentStatus.REFUSED)
    await factories.attachment(ada, elsewhere)
    found = [one async for rows in exports.users(structure.id, date(2027, 3, 15), batch) for one in rows]
    assert [one.attachment.user_id for one in found] == [twin.id, ada.id, waiting.id, bea.id]
