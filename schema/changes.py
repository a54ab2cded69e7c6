"""Changes as they happen: the four live streams, each delivery with the cursor to resume after it."""

from collections.abc import AsyncIterable
from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.accounts.accounts import AccountState
from models.attachments.attachments import AttachmentStatus, Role
from models.errors.errors import Invalid
from models.events.changes import Position, Topic
from models.subscriptions.subscriptions import SpaceSubscriptionStatus
from resolvers import live
from resolvers.accounts import accounts, users
from resolvers.activities import activities
from resolvers.attachments import attachment_lists
from resolvers.subscriptions import subscription_lists
from schema.accounts.accounts import Account
from schema.accounts.users import User
from schema.activities import Activity
from schema.attachments.attachments import Attachment
from schema.base import ids
from schema.base.connections import cursor_of, position_of
from schema.base.context import Info
from schema.base.fields import column
from schema.base.roots import query, stream
from schema.base.selections import selection_of
from schema.subscriptions.subscriptions import SpaceSubscription

MARK = "live"  # in the first place of these cursors, which no list's cursor has
CURSOR = "Where this delivery stands: give it as `after` to go on behind it, on any connection and any server."
OCCURRED = "When it happened."
ACTOR = "Who did it; null for nobody signed in, or the portal itself."

StructureId = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only on this structure; without it, everything that concerns the person."),
]
After = Annotated[
    str | None,
    strawberry.argument(
        description="First everything missed since this cursor, in order, then live; from now on without it."
    ),
]


@strawberry.type(description="A delivery: a change, and where it stands.")
class Delivery:
    @strawberry.field(description=CURSOR)
    def cursor(self: Any) -> str:
        return text_of(self.position)

    occurred_at: datetime = column(OCCURRED)


@strawberry.type(description="An attachment got another status or role.")
class AttachmentStatusChanged(Delivery):
    @strawberry.field(description="The attachment, as it is when this is delivered.")
    async def attachment(self: Any, info: Info) -> Attachment:
        return await info.context.load(attachment_lists.by_ids, self.attachment_id, selection_of(info))

    previous_status: AttachmentStatus | None = column("The status before; null for a new attachment.")
    status: AttachmentStatus = column("The status that it got, as it read that day.")
    role: Role = column("The role that it got.")

    @strawberry.field(description=ACTOR)
    async def actor(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.actor_id, selection_of(info))


@strawberry.type(description="A space subscription got another status.")
class SpaceSubscriptionStatusChanged(Delivery):
    @strawberry.field(description="The subscription, as it is when this is delivered.")
    async def space_subscription(self: Any, info: Info) -> SpaceSubscription:
        return await info.context.load(subscription_lists.by_ids, self.subscription_id, selection_of(info))

    previous_status: SpaceSubscriptionStatus | None = column("The status before; null for a new subscription.")
    status: SpaceSubscriptionStatus = column("The status that it got.")

    @strawberry.field(description=ACTOR)
    async def actor(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.actor_id, selection_of(info))


@strawberry.type(description="The person's account got another state.")
class AccountStateChanged(Delivery):
    @strawberry.field(description="The account, as it is when this is delivered.")
    async def account(self: Any, info: Info) -> Account:
        return await info.context.load(accounts.by_ids, self.subject_id, selection_of(info))

    @strawberry.field(description="The state before.")
    def previous_state(self: Any) -> AccountState | None:
        return self.previous_status

    @strawberry.field(description="The state that it got.")
    def state(self: Any) -> AccountState:
        return self.status


@strawberry.type(description="An integration recorded an activity that concerns the person.")
class ActivityRecorded(Delivery):
    @strawberry.field(description="The activity.")
    async def activity(self: Any, info: Info) -> Activity:
        return await info.context.load(activities.by_ids, self.activity_id, selection_of(info))


# ------------------------------------------------------------------ the streams
@strawberry.type
class ChangeQuery:
    @query(
        "The present place in the order of changes, as an `after` of the live streams: ask for it before"
        " what is then to be kept up to date, and nothing falls in between."
    )
    async def live_cursor(self, info: Info) -> str:
        return text_of(await live.now(info.context.scope))


@strawberry.type(
    description="Live streams, over graphql-transport-ws and graphql-sse. A stream ends when the right to it ends."
)
class Subscription:
    @stream("Attachments that change status or role: the person's own, and those of the structures they manage.")
    async def attachment_status_changed(
        self, info: Info, structure_id: StructureId = None, after: After = None
    ) -> AsyncIterable[AttachmentStatusChanged]:
        return await _followed(info, Topic.ATTACHMENT, structure_id, after)

    @stream("Space subscriptions that change status: the person's own, and those of the structures they manage.")
    async def space_subscription_status_changed(
        self, info: Info, structure_id: StructureId = None, after: After = None
    ) -> AsyncIterable[SpaceSubscriptionStatusChanged]:
        return await _followed(info, Topic.SUBSCRIPTION, structure_id, after)

    @stream(
        "The person's own account when it changes state. What ends the session isn't delivered to it: it is"
        " among what was missed, once the person is back."
    )
    async def account_state_changed(self, info: Info, after: After = None) -> AsyncIterable[AccountStateChanged]:
        return await _followed(info, Topic.ACCOUNT, None, after)

    @stream("Activities that integrations record and that concern the person.")
    async def activity_recorded(self, info: Info, after: After = None) -> AsyncIterable[ActivityRecorded]:
        return await _followed(info, Topic.ACTIVITY, None, after)


async def _followed(info: Info, topic: Topic, structure_id: str | None, after: str | None) -> Any:
    scope = info.context.scope
    structure = ids.decode(structure_id, "Structure", "structure_id") if structure_id is not None else None
    return await live.follow(scope, topic, structure, _place(after))


def text_of(position: Position) -> str:
    """The cursor of a place in the order of changes; the first epoch goes unsaid, as in cursors made before there
    were others."""
    epoch = [position.epoch] if position.epoch else []
    return cursor_of([MARK, *epoch, position.transaction, position.id])


def _place(cursor: str | None) -> Position | None:
    parts = position_of(cursor, "after")
    if parts is None:
        return None
    match parts:
        case (mark, int(transaction), int(id)) if mark == MARK:
            place = Position(0, transaction, id)
        case (mark, int(epoch), int(transaction), int(id)) if mark == MARK:
            place = Position(epoch, transaction, id)
        case _:
            raise Invalid("after", rule="cursor")
    if 0 <= place.epoch < 2**31 and 0 <= place.transaction < 2**63 and 0 <= place.id < 2**63:
        return place
    raise Invalid("after", rule="cursor")
