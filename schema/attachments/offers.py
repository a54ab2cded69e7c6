"""Offers of the principal management: the type, its payload, and the acts on it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.attachments.offers import OFFERS, OfferStatus
from resolvers.accounts import users
from resolvers.attachments import offers
from resolvers.structures import structures
from schema.accounts.users import User
from schema.base import ids
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.nodes import Node
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation

if TYPE_CHECKING:
    from schema.structures.structures import Structure


@rows_of(OFFERS)
@strawberry.type(description="The principal management offered to somebody, who may take it up within 14 days.")
class PrincipalManagerOffer(Node):
    @made_from("structure_id", description="Of which structure.")
    async def structure(
        self: Any, info: Info
    ) -> Annotated["Structure", strawberry.lazy("schema.structures.structures")]:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    @made_from("holder_id", description="The principal manager, who keeps the principal management until it is taken.")
    async def holder(self: Any, info: Info) -> User:
        return await info.context.load(users.by_ids, self.holder_id, selection_of(info))

    @made_from("successor_id", description="To whom it was made.")
    async def successor(self: Any, info: Info) -> User:
        return await info.context.load(users.by_ids, self.successor_id, selection_of(info))

    status: OfferStatus = column("Where it stands now.")
    offered_at: datetime = column("When it was made.")
    expires_at: datetime = column("Until when it can be answered.")
    ended_at: datetime | None = column("When it was answered, withdrawn or found to have expired.")


@strawberry.type(description="The offer after the act.")
class PrincipalManagerOfferPayload:
    offer_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The offer; null when the act was refused.")
    async def offer(self, info: Info) -> PrincipalManagerOffer | None:
        return await info.context.load(offers.by_ids, self.offer_id, selection_of(info))


@strawberry.type
class OfferMutation:
    @mutation("Offer the principal management to somebody, who may accept or decline for 14 days.")
    async def offer_principal_manager(
        self, info: Info, structure_id: strawberry.ID, successor_id: strawberry.ID
    ) -> PrincipalManagerOfferPayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        successor = ids.decode(successor_id, "User", "successor_id")
        return PrincipalManagerOfferPayload(offer_id=await offers.offer(info.context.scope, structure, successor))

    @mutation("Accept the principal management one was offered; the former principal manager stays as a simple user.")
    async def accept_principal_manager_offer(self, info: Info, id: strawberry.ID) -> PrincipalManagerOfferPayload:
        return PrincipalManagerOfferPayload(offer_id=await offers.accept(info.context.scope, _number(id)))

    @mutation("Decline the principal management one was offered; the principal manager is told.")
    async def decline_principal_manager_offer(self, info: Info, id: strawberry.ID) -> PrincipalManagerOfferPayload:
        return PrincipalManagerOfferPayload(offer_id=await offers.decline(info.context.scope, _number(id)))

    @mutation("Take back an offer of the principal management that one made.")
    async def withdraw_principal_manager_offer(self, info: Info, id: strawberry.ID) -> PrincipalManagerOfferPayload:
        return PrincipalManagerOfferPayload(offer_id=await offers.withdraw(info.context.scope, _number(id)))


def _number(global_id: strawberry.ID) -> int | None:
    return ids.number(global_id, "PrincipalManagerOffer")
