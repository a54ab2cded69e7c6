"""Reading the history: of one's own account, and of the structures one manages."""

from collections.abc import Sequence

from models.db.query import Page, Row, Selection, Slice
from models.events.events import EVENTS, NEWEST_FIRST
from resolvers.attachments.attachment_lists import seeing
from resolvers.scope import Scope

OWN = "(ev.subject_id = :viewer OR ev.actor_id = :viewer)"


async def of_accounts(scope: Scope, account_ids: Sequence[int], page: Page, selection: Selection) -> list[Slice]:
    """A page of what happened to the viewer or by them, newest first; nobody else's."""
    viewer = scope.signed_in().account_id
    slice = await EVENTS.slice(
        selection=selection, page=page, order=NEWEST_FIRST, where=[OWN], parameters={"viewer": viewer}
    )
    return [slice if id == viewer else Slice() for id in account_ids]


async def of_structures(
    scope: Scope, structure_ids: Sequence[int], page: Page, selection: Selection
) -> list[Slice | None]:
    """A page of what happened on each structure, newest first; None where the viewer may not see it."""
    seen = await seeing(scope, structure_ids)
    slices = await EVENTS.slices("structure_id", seen, selection=selection, page=page, order=NEWEST_FIRST)
    found = dict(zip(seen, slices, strict=True))
    return [found.get(id) for id in structure_ids]


async def visible(scope: Scope, ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The events of these ids that the viewer may see, in their order; None for the others."""
    seen = await seeing(scope, list(await scope.roles()))
    where = [f"{OWN} OR :viewer_is_support OR ev.structure_id IN :structures"]
    return await EVENTS.found(ids, selection, where, scope.viewing(structures=seen))
