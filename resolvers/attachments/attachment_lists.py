"""Reading attachments: a person's own, a structure's, those to be decided, and by id."""

from collections.abc import Sequence

from models.accounts.accounts import MATCHES_FOR_VIEWER
from models.attachments.attachments import (
    ATTACHMENTS,
    LIVE_SQL,
    MANAGED_BY_VIEWER,
    NEWEST_FIRST,
    OLDEST_FIRST,
    VISIBLE,
    AttachmentFilter,
    Role,
)
from models.db.query import Page, Row, Selection, Slice, pattern
from models.structures.services import BY_CODE, SERVICES
from resolvers.policy import Right, has
from resolvers.scope import Scope


async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The attachments of these ids, in their order; None for None. What leads here was already visible."""
    return await ATTACHMENTS.found(ids, selection, parameters={"today": scope.today()})


async def visible(scope: Scope, ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The attachments of these ids that the viewer may see, in their order; None for the others."""
    return await ATTACHMENTS.found(ids, selection, [VISIBLE], scope.viewing())


async def of_users(
    scope: Scope, user_ids: Sequence[int], page: Page, filter: AttachmentFilter, selection: Selection
) -> list[Slice]:
    """A page of each person's attachments, newest first."""
    return await ATTACHMENTS.slices(
        "user_id",
        user_ids,
        selection=selection,
        page=page,
        order=NEWEST_FIRST,
        where=filter.conditions(),
        parameters=scope.viewing() | filter.parameters(),
    )


async def of_structures(
    scope: Scope,
    structure_ids: Sequence[int],
    page: Page,
    filter: AttachmentFilter,
    search: str | None,
    selection: Selection,
) -> list[Slice | None]:
    """A page of each structure's attachments, newest first; None where the viewer may not see its users.

    `search` looks in names and, of those whom the viewer still manages, in contact e-mails and postal addresses.
    """
    seen = await seeing(scope, structure_ids)
    slices = await ATTACHMENTS.slices(
        "structure_id",
        seen,
        selection=selection,
        page=page,
        order=NEWEST_FIRST,
        where=[*filter.conditions(), *([MATCHES_FOR_VIEWER] if search is not None else [])],
        parameters=scope.viewing(words=pattern(search or "")) | filter.parameters(),
    )
    found = dict(zip(seen, slices, strict=True))
    return [found.get(id) for id in structure_ids]


async def to_review(scope: Scope, user_ids: Sequence[int], page: Page, selection: Selection) -> list[Slice]:
    """A page of the requests that the viewer may decide now, oldest first: nobody asks where they are attached."""
    viewer = scope.signed_in().account_id
    slice = await ATTACHMENTS.slice(
        selection=selection,
        page=page,
        order=OLDEST_FIRST,
        where=["a.status = 'PENDING'", MANAGED_BY_VIEWER],
        parameters=scope.viewing(),
    )
    return [slice if id == viewer else Slice() for id in user_ids]


async def of_viewer(scope: Scope, structure_ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The viewer's own live attachment to each structure."""
    rows = await ATTACHMENTS.read(
        selection.columns | {"structure_id"},
        ["a.structure_id IN :structures", "a.user_id = :viewer", LIVE_SQL],
        scope.viewing(structures=sorted(set(structure_ids))),
    )
    found = {row.structure_id: row for row in rows}
    return [found.get(id) for id in structure_ids]


async def services_of(scope: Scope, attachment_ids: Sequence[int], selection: Selection) -> list[list[Row]]:
    """The services each attachment entitles to, by code."""
    columns, ids = selection.columns | {"attachment_id"}, sorted(set(attachment_ids))
    rows = await SERVICES.read(columns, ["e.attachment_id IN :ids"], {"ids": ids}, BY_CODE)
    return [[row for row in rows if row.attachment_id == id] for id in attachment_ids]


async def roles_on(scope: Scope, structure_ids: Sequence[int]) -> list[Role | None]:
    """The viewer's role on each structure, by an attachment in effect."""
    roles = await scope.roles()
    return [roles.get(id) for id in structure_ids]


async def seeing(scope: Scope, structure_ids: Sequence[int]) -> list[int]:
    """Those of the structures whose users and history the viewer may see: the ones they manage, all for support."""
    if scope.signed_in().is_support:
        return sorted(set(structure_ids))
    roles = await scope.roles()
    return sorted({id for id in structure_ids if has(roles.get(id), Right.SEE_USERS)})
