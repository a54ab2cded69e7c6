"""Reading people: by id, and what of them the viewer may see."""

from collections.abc import Sequence

from models.accounts import accounts
from models.accounts.accounts import ACCOUNTS, CANDIDATES, REACTIVATION_WINDOW
from models.db.normalisation import normalise_name
from models.db.query import Page, Row, Selection, Slice, like, pattern
from models.errors.errors import Forbidden, Invalid
from resolvers.policy import Right, has
from resolvers.scope import Scope


async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The people of these ids, in their order; None for None. What leads here was already visible."""
    return await ACCOUNTS.found(ids, selection, parameters=clock(scope))


async def visible(scope: Scope, ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The people of these ids whom the viewer may see, in their order; None for the others."""
    return await ACCOUNTS.found(ids, selection, [accounts.VISIBLE], scope.viewing(**clock(scope)))


async def are_contactable(scope: Scope, ids: Sequence[int]) -> list[bool]:
    """Which of these people the viewer may write to: themselves, anyone for support, and who shares a structure."""
    return await _related(scope, ids, accounts.SHARES_STRUCTURE)


async def are_managed(scope: Scope, ids: Sequence[int]) -> list[bool]:
    """Whose postal address the viewer may see: their own, anyone's for support, and of those they manage."""
    return await _related(scope, ids, accounts.MANAGED_BY_VIEWER)


def clock(scope: Scope) -> dict[str, object]:
    """The parameter by which a deactivated account reads as closed."""
    return {"closed_since": scope.now() - REACTIVATION_WINDOW}


async def _related(scope: Scope, ids: Sequence[int], relation: str) -> list[bool]:
    parameters = {**accounts.visibility(scope.signed_in()), "today": scope.today(), "ids": sorted(set(ids))}
    rows = await ACCOUNTS.read(
        ["id"], ["u.id IN :ids", f"u.id = :viewer OR :viewer_is_support OR {relation}"], parameters
    )
    found = {row.id for row in rows}
    return [id in found for id in ids]


async def candidates(
    scope: Scope, structure_ids: Sequence[int], page: Page, search: str | None, selection: Selection
) -> list[Slice | None]:
    """A page of who may become each structure's principal manager: active people attached there in effect, by name;
    None where the viewer could not hand it over. `search` looks in names, contact e-mails and postal addresses."""
    roles = {} if scope.signed_in().is_support else await scope.roles()
    able = scope.signed_in().is_support
    seen = sorted({id for id in structure_ids if able or has(roles.get(id), Right.HAND_OVER)})
    slices = await CANDIDATES.slices(
        "structure_id",
        seen,
        selection=selection,
        page=page,
        order=accounts.BY_NAME,
        where=[accounts.ELIGIBLE, *([accounts.PERSON_MATCHES] if search is not None else [])],
        parameters={**clock(scope), "today": scope.today(), "words": pattern(search or "")},
    )
    found = dict(zip(seen, slices, strict=True))
    return [found.get(id) for id in structure_ids]


async def search(scope: Scope, text: str, page: Page, selection: Selection) -> Slice:
    """A page of the people whose name or e-mail has the text, by name; for support only.

    Raises:
        Forbidden: to anyone else.
        Invalid: when there is nothing to search for.
    """
    if not scope.signed_in().is_support:
        raise Forbidden
    words = normalise_name(text)
    if not words:
        raise Invalid("search", rule="criterion")
    return await ACCOUNTS.slice(
        selection=selection,
        page=page,
        order=accounts.BY_NAME,
        where=[f"{accounts.PERSON_MATCHES} OR u.login_key LIKE :login ESCAPE '!'"],
        parameters={**clock(scope), "words": pattern(text), "login": like(text.strip().casefold())},
    )
