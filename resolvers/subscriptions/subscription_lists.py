"""Reading space subscriptions: a person's own, those to be decided, and by id."""

from collections.abc import Sequence

from models.db.query import Page, Row, Selection, Slice
from models.structures.services import BY_CODE, SERVICES
from models.subscriptions.subscriptions import (
    MANAGED_BY_VIEWER,
    NEWEST_FIRST,
    OLDEST_FIRST,
    SUBSCRIPTIONS,
    VISIBLE,
    SubscriptionFilter,
)
from resolvers.scope import Scope


async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The subscriptions of these ids, in their order; None for None. What leads here was already visible."""
    return await SUBSCRIPTIONS.found(ids, selection, parameters={"today": scope.today()})


async def visible(scope: Scope, ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The subscriptions of these ids that the viewer may see, in their order; None for the others."""
    return await SUBSCRIPTIONS.found(ids, selection, [VISIBLE], scope.viewing())


async def of_users(
    scope: Scope, user_ids: Sequence[int], page: Page, filter: SubscriptionFilter, selection: Selection
) -> list[Slice]:
    """A page of each person's subscriptions, newest first."""
    return await SUBSCRIPTIONS.slices(
        "user_id",
        user_ids,
        selection=selection,
        page=page,
        order=NEWEST_FIRST,
        where=filter.conditions(),
        parameters=scope.viewing() | filter.parameters(),
    )


async def to_review(scope: Scope, user_ids: Sequence[int], page: Page, selection: Selection) -> list[Slice]:
    """A page of the requests that the viewer may decide now, oldest first; their own never among them."""
    viewer = scope.signed_in().account_id
    slice = await SUBSCRIPTIONS.slice(
        selection=selection,
        page=page,
        order=OLDEST_FIRST,
        where=["b.status = 'PENDING'", "b.user_id <> :viewer", MANAGED_BY_VIEWER],
        parameters=scope.viewing(),
    )
    return [slice if id == viewer else Slice() for id in user_ids]


async def services_of(scope: Scope, subscription_ids: Sequence[int], selection: Selection) -> list[list[Row]]:
    """The services each subscription is for, by code."""
    columns, ids = selection.columns | {"subscription_id"}, sorted(set(subscription_ids))
    rows = await SERVICES.read(columns, ["f.subscription_id IN :ids"], {"ids": ids}, BY_CODE)
    return [[row for row in rows if row.subscription_id == id] for id in subscription_ids]
