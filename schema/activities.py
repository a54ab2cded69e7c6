"""Activities: what integrations report from outside, read and acknowledged by those whom it concerns."""

import dataclasses
from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.activities.activities import ACTIVITIES, ActivityKind
from models.errors.errors import Refusals
from models.subscriptions.spaces import SpaceCode
from resolvers.activities import activities
from resolvers.activities.activities import NewActivity
from resolvers.scope import Scope
from resolvers.structures import services, structures
from schema.base import ids as global_ids
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.nodes import Node
from schema.base.selections import selection_of
from schema.base.user_errors import UserError, mutation, user_errors
from schema.structures.services import Service
from schema.structures.structures import Structure, StructureIdentifierInput
from schema.subscriptions.spaces import Space

UnacknowledgedOnly = Annotated[
    bool | None,
    strawberry.argument(description="Only those that ask to be acknowledged and that the person hasn't yet."),
]


@rows_of(ACTIVITIES)
@strawberry.type(description="Something that happened outside, on a structure, as an integration reported it.")
class Activity(Node):
    kind: ActivityKind = column("What it reports.")

    @made_from("structure_id", description="On which structure.")
    async def structure(self: Any, info: Info) -> Structure:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    @made_from("service_id", description="In which of its services; null for none in particular.")
    async def service(self: Any, info: Info) -> Service | None:
        return await info.context.load(services.by_ids, self.service_id, selection_of(info))

    @made_from("space", description="In which space; null for none in particular.")
    def space(self: Any) -> Space | None:
        return Space(code=SpaceCode(self.space)) if self.space is not None else None

    title: str = column("What happened, in one line.")
    url: str | None = column("Where to see it; http or https.")
    occurred_at: datetime = column("When it happened.")
    requires_acknowledgement: bool = column("Is everyone whom it concerns asked to acknowledge having read it?")
    acknowledged_at: datetime | None = column("When the viewer acknowledged it; null when they haven't.")


# ------------------------------------------------------------------ inputs and payloads
@strawberry.input(description="One activity to record.")
class RecordActivityInput:
    key: str = strawberry.field(
        description="The integration's own name for it, 1 to 200 printable characters: a repeat is known by it."
    )
    structure_identifier: StructureIdentifierInput = strawberry.field(description="The structure.")
    service_code: str | None = strawberry.field(default=None, description="The code of a service of the structure.")
    space: SpaceCode | None = strawberry.field(default=None, description="The space.")
    kind: ActivityKind = strawberry.field(description="What it reports.")
    title: str = strawberry.field(description="What happened, in one line of at most 255 characters.")
    url: str | None = strawberry.field(
        default=None, description="Where to see it: an absolute http or https address, at most 2,048 characters."
    )
    occurred_at: datetime = strawberry.field(
        description="When it happened, with its time zone; since 2000, at most a day ahead of now."
    )
    requires_acknowledgement: bool | None = strawberry.field(
        default=False,
        description="Is everyone whom it concerns to acknowledge having read it? A rejected invoice always asks.",
    )


@strawberry.type(description="How many activities were stored; one that is refused doesn't undo the others.")
class RecordActivitiesPayload:
    recorded: int = strawberry.field(
        default=0, description="How many were new; those that had been recorded before aren't counted again."
    )
    errors: list[UserError] = strawberry.field(
        default_factory=list,
        description="What was wrong with which: `path` starts with the place in the list. Empty on success.",
    )


@strawberry.type(description="The activities after the act; one that is refused doesn't undo the others.")
class ActivitiesPayload:
    activity_ids: strawberry.Private[list[int]] = dataclasses.field(default_factory=list)
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why which ids were refused, by their places; empty on success."
    )

    @strawberry.field(description="Those that the act was done on, in the order of the ids.")
    async def activities(self, info: Info) -> list[Activity]:
        found: list[Any] = await activities.visible(info.context.scope, self.activity_ids, selection_of(info))
        return [row for row in found if row is not None]


def _new(given: RecordActivityInput) -> NewActivity:
    return NewActivity(
        key=given.key,
        identifier_type=given.structure_identifier.type,
        identifier=given.structure_identifier.value,
        service_code=given.service_code,
        space=given.space,
        kind=given.kind,
        title=given.title,
        url=given.url,
        occurred_at=given.occurred_at,
        requires_acknowledgement=bool(given.requires_acknowledgement),
    )


# ------------------------------------------------------------------ acts
@strawberry.type
class ActivityMutation:
    @mutation(
        "Record activities, at most 500; for integrations alone, by `Authorization: ApiKey`. What comes again under the"
        " same key is stored once.",
        admits=Scope.integrated,
    )
    async def record_activities(self, info: Info, input: list[RecordActivityInput]) -> RecordActivitiesPayload:
        done = await activities.record(info.context.scope, [_new(given) for given in input])
        errors = user_errors(Refusals(done.errors), info)
        return RecordActivitiesPayload(recorded=len(done.ids), errors=errors)

    @mutation("Acknowledge having read activities that ask for it; done again, it changes nothing.")
    async def acknowledge_activities(self, info: Info, ids: list[strawberry.ID]) -> ActivitiesPayload:
        done = await activities.acknowledge(info.context.scope, [global_ids.number(id, "Activity") for id in ids])
        return ActivitiesPayload(activity_ids=done.ids, errors=user_errors(Refusals(done.errors), info))
