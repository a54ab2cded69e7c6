"""Finding any thing again by its global id alone, as Relay's server specification asks."""

import asyncio
from typing import Any

import strawberry

from models.errors.errors import TooMany
from resolvers import history
from resolvers.accounts import accounts, users
from resolvers.activities import activities
from resolvers.attachments import attachment_lists, offers
from resolvers.documents import documents
from resolvers.structures import services, structures
from resolvers.subscriptions import subscription_lists
from schema.base import ids
from schema.base.context import Batch, Info
from schema.base.nodes import Found, Node
from schema.base.roots import query
from schema.base.selections import selection_of

MOST_IDS = 100
FINDERS: dict[str, Batch] = {
    "Account": accounts.by_ids,
    "Activity": activities.visible,
    "Attachment": attachment_lists.visible,
    "Document": documents.by_ids,
    "Event": history.visible,
    "SpaceSubscription": subscription_lists.visible,
    "PrincipalManagerOffer": offers.visible,
    "Service": services.by_ids,
    "Structure": structures.by_ids,
    "User": users.visible,
}


@strawberry.type
class LookupQuery:
    @query("The thing of this global id, when the viewer may see it; null otherwise.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await _found(info, id)

    @query("The things of these global ids, in their order; null for those the viewer can't see. At most 100.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > MOST_IDS:
            raise TooMany("ids", most=MOST_IDS)
        return list(await asyncio.gather(*(_found(info, id) for id in ids)))


async def _found(info: Info, global_id: str) -> Any:
    parsed = ids.parse(global_id)
    if parsed is None or parsed[0] not in FINDERS:
        return None
    type_name, number = parsed
    row = await info.context.load(FINDERS[type_name], number, selection_of(info, type_name))
    return Found(type_name, row) if row is not None else None
