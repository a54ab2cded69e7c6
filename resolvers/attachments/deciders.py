"""Reading who can decide requests that wait, for attachments and for spaces alike."""

from collections.abc import Sequence

from models.attachments import deciders
from models.attachments.deciders import Deciders
from resolvers.scope import Scope


async def of_requests(scope: Scope, requests: Sequence[tuple[int, int]]) -> list[Deciders]:
    """Who can decide each request now, told by its structure's id and its requester's; in one statement for all."""
    able = await deciders.able_on({structure_id for structure_id, _ in requests}, scope.today())
    return [deciders.among(able[structure_id], requester_id) for structure_id, requester_id in requests]
