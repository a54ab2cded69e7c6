"""The payload that several nouns share."""

import strawberry

from schema.errors import ERRORS, UserError


@strawberry.type(description="An answer that tells nothing about who exists.")
class AcknowledgedPayload:
    acknowledged: bool = strawberry.field(
        default=False, description="The request was taken; whatever follows goes by mail."
    )
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)
