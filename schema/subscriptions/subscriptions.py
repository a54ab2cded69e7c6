"""Space subscriptions: the type, its inputs and payloads, and the acts on it."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.attachments.attachments import DecisionAct, Role
from models.subscriptions.spaces import SpaceCode
from models.subscriptions.subscriptions import (
    SUBSCRIPTIONS,
    SpaceSubscriptionStatus,
    SubscriptionFilter,
    SubscriptionMode,
)
from resolvers import policy
from resolvers.accounts import users
from resolvers.attachments import attachment_lists
from resolvers.bulk import Outcome
from resolvers.structures import structures
from resolvers.subscriptions import grants, space_requests, subscription_lists
from resolvers.subscriptions.terms import Terms
from schema.accounts.users import User
from schema.attachments.deciders import Deciders, deciders_of
from schema.base import ids
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.nodes import Node
from schema.base.payloads import answers_of
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation
from schema.structures.services import Service
from schema.subscriptions.spaces import Space

if TYPE_CHECKING:
    from schema.structures.structures import Structure

StructureType = Annotated["Structure", strawberry.lazy("schema.structures.structures")]


@rows_of(SUBSCRIPTIONS)
@strawberry.type(description="The right of an attached user to use one space of one structure.")
class SpaceSubscription(Node):
    @made_from("user_id", description="Who is subscribed.")
    async def user(self: Any, info: Info) -> User:
        return await info.context.load(users.by_ids, self.user_id, selection_of(info))

    @made_from("structure_id", description="On which structure.")
    async def structure(self: Any, info: Info) -> StructureType:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    @made_from("space", description="To which space.")
    def space(self: Any) -> Space:
        return Space(code=SpaceCode(self.space))

    @made_from("id", description="The services it is for; none means all those the attachment entitles to.")
    async def services(self: Any, info: Info) -> list[Service]:
        return await info.context.load(subscription_lists.services_of, self.id, selection_of(info))

    mode: SubscriptionMode = column("What the user may do in the space.")
    status: SpaceSubscriptionStatus = column("Where it stands.")
    in_effect: bool = column(
        "Does it give access today: validated, begun, the attachment in effect, space open, structure active?"
    )
    effective_from: date = column("First day, in the structures' time zone.")
    comment: str | None = column("What the requester wrote.")
    refusal_reason: str | None = column("Why it was refused.")
    requested_at: datetime = column("When it was asked for or given.")
    decided_at: datetime | None = column("When it was validated or refused; null for one given by default.")

    @made_from("decided_by_id", description="Who validated or refused it; null when nobody did.")
    async def decided_by(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.decided_by_id, selection_of(info))

    @made_from(
        "user_id", "structure_id", "status", description="Who can decide the request now; null once it was decided."
    )
    async def deciders(self: Any, info: Info) -> Deciders | None:
        waiting = self.status == SpaceSubscriptionStatus.PENDING
        return await deciders_of(info, self.structure_id, self.user_id) if waiting else None

    @made_from(
        "user_id",
        "structure_id",
        "structure_active",
        "space",
        "space_open",
        "status",
        "subscriber_role",
        "attached",
        description="What the viewer may do with it now.",
    )
    async def viewer_acts(self: Any, info: Info) -> list[DecisionAct]:
        return policy.acts_on_subscription(
            SpaceSubscriptionStatus(self.status),
            SpaceCode(self.space),
            role=await info.context.load(attachment_lists.roles_on, self.structure_id),
            target=Role(self.subscriber_role or Role.SIMPLE_USER),
            own=self.user_id == info.context.scope.signed_in().account_id,
            usable=self.structure_active and self.space_open and self.attached,
        )


@strawberry.input(description="What a list of subscriptions is narrowed to; each part that is given must hold.")
class SpaceSubscriptionFilter:
    statuses: list[SpaceSubscriptionStatus] | None = strawberry.field(
        default=None, description="Any of these statuses."
    )
    spaces: list[SpaceCode] | None = strawberry.field(default=None, description="Any of these spaces.")
    structure_id: strawberry.ID | None = strawberry.field(default=None, description="On this structure only.")
    in_effect: bool | None = strawberry.field(default=None, description="In effect today, or not.")


def filter_of(given: SpaceSubscriptionFilter | None) -> SubscriptionFilter:
    """The filter as a plain value; an id that is no structure's finds nothing."""
    if given is None:
        return SubscriptionFilter()
    return SubscriptionFilter(
        statuses=tuple(given.statuses) if given.statuses is not None else None,
        spaces=tuple(given.spaces) if given.spaces is not None else None,
        structure_id=ids.number(given.structure_id, "Structure") or 0 if given.structure_id is not None else None,
        in_effect=given.in_effect,
    )


# ------------------------------------------------------------------ payloads
@strawberry.type(description="What became of one element of a bulk act.")
class SpaceSubscriptionResult:
    subscription_id: strawberry.Private[int | None] = None
    id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The id that was sent (of a user where spaces are granted), or the new subscription's.",
    )
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The subscription after the act; null when it was refused.")
    async def space_subscription(self, info: Info) -> SpaceSubscription | None:
        return await info.context.load(subscription_lists.by_ids, self.subscription_id, selection_of(info))


@strawberry.type(description="One result for each element sent, in order; one that is refused doesn't undo the others.")
class SpaceSubscriptionsPayload:
    results: list[SpaceSubscriptionResult] = strawberry.field(default_factory=list, description="What became of each.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why the whole was refused; empty otherwise."
    )


def _results(info: Info, sent: list[strawberry.ID | None], outcomes: list[Outcome]) -> SpaceSubscriptionsPayload:
    answers = answers_of(info, "SpaceSubscription", sent, outcomes)
    return SpaceSubscriptionsPayload(
        results=[SpaceSubscriptionResult(subscription_id=row, id=id, errors=errors) for row, id, errors in answers]
    )


# ------------------------------------------------------------------ inputs
@strawberry.input(description="One space that the person asks for.")
class SpaceSubscriptionRequestInput:
    structure_id: strawberry.ID = strawberry.field(description="The structure, to which the person is attached.")
    space: SpaceCode = strawberry.field(description="The space; it must be open on the structure.")
    service_ids: list[strawberry.ID] | None = strawberry.field(
        default_factory=list, description="Services among those the attachment entitles to."
    )
    mode: SubscriptionMode | None = strawberry.field(
        default=SubscriptionMode.READ, description="What the person needs to do in the space."
    )
    effective_from: date = strawberry.field(description="First day.")
    comment: str | None = strawberry.field(default=None, description="A word to the managers, at most 255 characters.")


@strawberry.input(description="Requests for spaces.")
class RequestSpaceSubscriptionsInput:
    requests: list[SpaceSubscriptionRequestInput] = strawberry.field(description="At most 100.")


@strawberry.input(description="A space given to people who are attached to a structure.")
class GrantSpaceSubscriptionsInput:
    structure_id: strawberry.ID = strawberry.field(description="The structure, which the actor manages.")
    user_ids: list[strawberry.ID] = strawberry.field(description="Who gets it, at most 100.")
    space: SpaceCode = strawberry.field(description="The space; it must be open on the structure.")
    service_ids: list[strawberry.ID] | None = strawberry.field(
        default_factory=list, description="Services, among those to which each of the people is entitled."
    )
    mode: SubscriptionMode | None = strawberry.field(
        default=SubscriptionMode.READ, description="What they may do in the space."
    )
    effective_from: date = strawberry.field(description="First day.")


def _terms(given: SpaceSubscriptionRequestInput | GrantSpaceSubscriptionsInput, comment: str | None = None) -> Terms:
    return Terms(
        structure_id=ids.number(given.structure_id, "Structure"),
        space=given.space,
        effective_from=given.effective_from,
        service_ids=ids.numbers(given.service_ids, "Service"),
        mode=given.mode or SubscriptionMode.READ,
        comment=comment,
    )


# ------------------------------------------------------------------ acts
@strawberry.type
class SpaceSubscriptionMutation:
    @mutation("Ask for spaces; a manager has them at once.")
    async def request_space_subscriptions(
        self, info: Info, input: RequestSpaceSubscriptionsInput
    ) -> SpaceSubscriptionsPayload:
        asked = [_terms(given, given.comment) for given in input.requests]
        outcomes = await space_requests.request(info.context.scope, asked)
        return _results(info, [None] * len(outcomes), outcomes)

    @mutation("Give a space to people attached to a structure; the ids of the results are theirs.")
    async def grant_space_subscriptions(
        self, info: Info, input: GrantSpaceSubscriptionsInput
    ) -> SpaceSubscriptionsPayload:
        people = [ids.number(id, "User") for id in input.user_ids]
        return _results(info, [*input.user_ids], await grants.grant(info.context.scope, _terms(input), people))

    @mutation("Accept requests for spaces.")
    async def validate_space_subscriptions(self, info: Info, ids: list[strawberry.ID]) -> SpaceSubscriptionsPayload:
        return _results(info, [*ids], await space_requests.validate(info.context.scope, _numbers(ids)))

    @mutation("Refuse requests for spaces; the requesters are told the reason.")
    async def refuse_space_subscriptions(
        self, info: Info, ids: list[strawberry.ID], reason: str
    ) -> SpaceSubscriptionsPayload:
        return _results(info, [*ids], await space_requests.refuse(info.context.scope, _numbers(ids), reason))

    @mutation("End subscriptions, or take one's own requests back; the spaces that everybody has stay.")
    async def remove_space_subscriptions(self, info: Info, ids: list[strawberry.ID]) -> SpaceSubscriptionsPayload:
        return _results(info, [*ids], await space_requests.remove(info.context.scope, _numbers(ids)))


def _numbers(global_ids: list[strawberry.ID]) -> list[int | None]:
    return [ids.number(id, "SpaceSubscription") for id in global_ids]
