"""Spaces of a structure: opened and closed by its managers, the default ones open by nature."""

from collections.abc import Sequence

from models.db.query import Selection
from models.errors.errors import NotFound, SpaceForPublicOnly, SpaceGivenByDefault
from models.events.events import SpacesClosed, SpacesOpened
from models.structures import structures
from models.structures.structures import Structure
from models.subscriptions import spaces
from models.subscriptions.spaces import BY_ID, DEFAULTS, OPEN_SPACES, PUBLIC_ONLY, SpaceCode
from resolvers.policy import Right, has, require
from resolvers.scope import Record, Scope


async def open_some(scope: Scope, structure_id: int, codes: Sequence[SpaceCode]) -> None:
    """The spaces open on the structure; those that were, and the default ones, change nothing.

    Raises:
        NotFound: when there is no such structure.
        Forbidden: to anyone but its managers.
        SpaceForPublicOnly: for a space of public structures on a private one.
    """
    async with scope.transaction() as record:
        structure = await _managed(scope, structure_id)
        check_kind(structure.is_public, codes, "spaces")
        await open_on(scope, record, structure_id, codes)


async def close_some(scope: Scope, structure_id: int, codes: Sequence[SpaceCode]) -> None:
    """The spaces closed on the structure; those that were closed change nothing.

    Raises:
        NotFound, Forbidden: as `open_some`.
        SpaceGivenByDefault: for a space that is open everywhere by nature.
    """
    async with scope.transaction() as record:
        await _managed(scope, structure_id)
        if DEFAULTS & set(codes):
            raise SpaceGivenByDefault("spaces")
        closed = await spaces.close_on(structure_id, set(codes))
        if closed:
            await record(SpacesClosed(structure_id=structure_id, after={"spaces": sorted(closed)}))


def check_kind(public: bool, codes: Sequence[SpaceCode], *path: str) -> None:
    """Nothing, when the spaces exist on a structure of this kind.

    Raises:
        SpaceForPublicOnly: otherwise.
    """
    if not public and PUBLIC_ONLY & set(codes):
        raise SpaceForPublicOnly(*path)


async def open_on(scope: Scope, record: Record, structure_id: int, codes: Sequence[SpaceCode]) -> None:
    """Open those of the spaces that are neither open nor default, with their event."""
    opened = await spaces.open_on(structure_id, set(codes) - DEFAULTS)
    if opened:
        await record(SpacesOpened(structure_id=structure_id, after={"spaces": sorted(opened)}))


async def _managed(scope: Scope, structure_id: int) -> Structure:
    structure = await structures.lock(structure_id)
    if structure is None:
        raise NotFound("structure_id")
    require(has(await scope.role_on(structure_id), Right.EDIT_STRUCTURE))
    return structure


async def of_structures(scope: Scope, structure_ids: Sequence[int]) -> list[list[SpaceCode]]:
    """The spaces open on each structure, in the order of the reference list."""
    rows = await OPEN_SPACES.read(
        Selection(frozenset({"structure_id", "space"})).columns,
        ["o.structure_id IN :structures"],
        {"structures": sorted(set(structure_ids))},
        BY_ID,
    )
    opened: dict[int, set[SpaceCode]] = {}
    for row in rows:
        opened.setdefault(row.structure_id, set()).add(SpaceCode(row.space))
    return [[code for code in SpaceCode if code in DEFAULTS or code in opened.get(id, set())] for id in structure_ids]
