"""Who can decide a request that waits."""

from datetime import date, datetime

import strawberry

from models.attachments.attachments import Role
from resolvers.attachments import deciders
from schema.base.context import Info
from schema.base.fields import column


@strawberry.type(
    description="Who can decide a request now: managers in effect whose account is active, never the requester."
)
class Deciders:
    roles: list[Role] = column("The roles of those who can decide, the principal manager's first.")
    count: int = column(
        "How many people can decide; 0: nobody there can. Support's queue has requests to be attached then."
    )
    escalable_on: date | None = column(
        "From which day, in the structures' time zone, it may be escalated to support; null for what can't be."
    )
    escalated_at: datetime | None = column("When it was escalated to support; null while it wasn't.")


async def deciders_of(
    info: Info,
    structure_id: int,
    requester_id: int,
    *,
    escalable_on: date | None = None,
    escalated_at: datetime | None = None,
) -> Deciders:
    """Who can decide the request that the person made to the structure, with all others of its level."""
    found = await info.context.load(deciders.of_requests, (structure_id, requester_id))
    return Deciders(roles=list(found.roles), count=found.count, escalable_on=escalable_on, escalated_at=escalated_at)
