"""Requests that nobody decides: brought before support, and support's queue of them."""

import strawberry

from resolvers.attachments import escalations
from schema.attachments.attachments import Attachment, AttachmentPayload
from schema.base import ids
from schema.base.connections import After, Before, Connection, First, Last, connection_of, page_of
from schema.base.context import Info
from schema.base.roots import query
from schema.base.selections import selection_of
from schema.base.user_errors import mutation


@strawberry.type
class EscalationQuery:
    @query(
        "Requests to be attached that were escalated, or that nobody on their structure can decide now"
        " or, the principal manager staying away, does; oldest first, for support only."
    )
    async def undecided_attachments(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Attachment]:
        page = page_of(first, after, last, before)
        return connection_of(await escalations.undecided(info.context.scope, page, selection_of(info)))


@strawberry.type
class EscalationMutation:
    @mutation(
        "Bring a request that nobody decided for 30 days before support, once; by its requester or a manager there."
    )
    async def escalate_attachment(self, info: Info, id: strawberry.ID, message: str | None = None) -> AttachmentPayload:
        attachment_id = await escalations.escalate(info.context.scope, ids.number(id, "Attachment"), message)
        return AttachmentPayload(attachment_id=attachment_id)
