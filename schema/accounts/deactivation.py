"""Leaving and asking to come back: the preview, its payload and input, and the two acts."""

from datetime import datetime

import strawberry

from resolvers.accounts import deactivation, users
from resolvers.accounts.deactivation import Succession
from resolvers.structures import structures
from schema.accounts.users import User
from schema.base import ids
from schema.base.connections import After, Before, Connection, First, Last, connection_of, page_of
from schema.base.context import Info
from schema.base.fields import column
from schema.base.inputs import SuccessionInput
from schema.base.payloads import AcknowledgedPayload
from schema.base.roots import anybody
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation
from schema.structures.structures import Structure


@strawberry.type(description="A structure whose principal management must be handed over.")
class SuccessionNeeded:
    structure_id: strawberry.Private[int]

    @strawberry.field(description="The structure.")
    async def structure(self, info: Info) -> Structure:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    @strawberry.field(
        description="Who may take over: active people attached there in effect; `search` looks in names and addresses."
    )
    async def candidates(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: str | None = None,
    ) -> Connection[User]:
        page = page_of(first, after, last, before)
        return connection_of(
            await info.context.load(users.candidates, self.structure_id, page, search, selection_of(info))
        )


@strawberry.type(description="What deactivating the account would ask for and take along.")
class DeactivationPreview:
    can_deactivate: bool = column(
        "Can the account be deactivated now: has every structure that needs a successor somebody to name?"
    )
    successions_needed: list[SuccessionNeeded] = column("The structures that each need a successor.")
    pending_requests_lost: int = column("How many undecided requests would be withdrawn.")
    reactivation_days: int = column("For how many days the account could come back.")


async def previewed(info: Info) -> DeactivationPreview:
    """What the signed-in person's deactivation would ask for now."""
    preview = await deactivation.preview(info.context.scope)
    return DeactivationPreview(
        can_deactivate=preview.can_deactivate,
        successions_needed=[SuccessionNeeded(structure_id=id) for id in preview.structure_ids],
        pending_requests_lost=preview.pending_requests,
        reactivation_days=preview.reactivation_days,
    )


@strawberry.input(
    description="A deactivation, with a successor for every structure the person is principal manager of."
)
class DeactivateAccountInput:
    confirm: bool = strawberry.field(description="Must be true.")
    successor_for_all_id: strawberry.ID | None = strawberry.field(
        default=None, description="The user who takes over every structure that `successions` doesn't name."
    )
    successions: list[SuccessionInput] | None = strawberry.field(
        default_factory=list, description="Successors, structure by structure."
    )


@strawberry.type(description="The account deactivated.")
class DeactivateAccountPayload:
    deactivated_at: datetime | None = strawberry.field(default=None, description="Since when.")
    reactivable_until: datetime | None = strawberry.field(default=None, description="Until when it can come back.")
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)


@strawberry.type
class DeactivationMutation:
    @mutation("Deactivate the account; it can come back for 60 days by a mailed link.")
    async def deactivate_account(self, info: Info, input: DeactivateAccountInput) -> DeactivateAccountPayload:
        for_all = input.successor_for_all_id
        done = await deactivation.deactivate(
            info.context.scope,
            confirm=input.confirm,
            successor_for_all=ids.decode(for_all, "User", "successor_for_all_id") if for_all is not None else None,
            successions=successions_of(input.successions or []),
        )
        info.context.cookies.sign_out()
        return DeactivateAccountPayload(deactivated_at=done.at, reactivable_until=done.reactivable_until)

    @mutation("Ask for the link that reactivates a deactivated account; the older ones die.", admits=anybody)
    async def request_reactivation(self, info: Info, login_email: str) -> AcknowledgedPayload:
        await info.context.admit("requestReactivation")
        await deactivation.request_reactivation(info.context.scope, login_email)
        return AcknowledgedPayload(acknowledged=True)


def successions_of(inputs: list[SuccessionInput]) -> list[Succession]:
    """The successions as plain values.

    Raises:
        NotFound: at the path of the first id that is none of its type.
    """
    return [
        Succession(
            structure_id=ids.decode(item.structure_id, "Structure", "successions", str(index), "structure_id"),
            successor_id=ids.decode(item.successor_id, "User", "successions", str(index), "successor_id"),
        )
        for index, item in enumerate(inputs)
    ]
