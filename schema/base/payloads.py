"""What the payloads of several nouns share."""

from collections.abc import Sequence

import strawberry

from resolvers.bulk import Outcome
from schema.base import ids
from schema.base.context import Info
from schema.base.user_errors import ERRORS, UserError, user_errors

Answer = tuple[int | None, strawberry.ID | None, list[UserError]]


@strawberry.type(description="An answer that tells nothing about who exists.")
class AcknowledgedPayload:
    acknowledged: bool = strawberry.field(
        default=False, description="The request was taken; whatever follows goes by mail."
    )
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)


def answers_of(
    info: Info, type_name: str, sent: Sequence[strawberry.ID | None], outcomes: Sequence[Outcome]
) -> list[Answer]:
    """Of each outcome of a bulk act the row, the id that was sent or else the new row's, and why it was refused."""
    return [
        (
            outcome.id,
            given if given is not None or outcome.id is None else strawberry.ID(ids.encode(type_name, outcome.id)),
            user_errors(outcome.error, info) if outcome.error else [],
        )
        for given, outcome in zip(sent, outcomes, strict=True)
    ]
