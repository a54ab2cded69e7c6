"""From GraphQL inputs to plain values: what was sent, by Python name, and nothing that wasn't."""

from dataclasses import fields, is_dataclass
from typing import Any

import strawberry


def given(value: Any) -> Any:
    """The fields of an input that the client sent, nested inputs as well; an explicit null stays None."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: given(item) for name, item in pairs if item is not strawberry.UNSET}
    if isinstance(value, list):
        return [given(item) for item in value]
    return value


@strawberry.input(description="A postal address: line 1, postcode, city and country are mandatory together.")
class PostalAddressInput:
    line1: str | None = strawberry.field(default=None, description="Number and street; mandatory.")
    line2: str | None = strawberry.field(default=None, description="First complement.")
    line3: str | None = strawberry.field(default=None, description="Second complement.")
    postcode: str | None = strawberry.field(default=None, description="Postcode; mandatory, 5 digits in France.")
    city: str | None = strawberry.field(default=None, description="City; mandatory.")
    country: str | None = strawberry.field(default=None, description="Country, ISO 3166-1 alpha-2; mandatory.")


@strawberry.input(description="Who takes over one structure's principal management.")
class SuccessionInput:
    structure_id: strawberry.ID = strawberry.field(description="The structure.")
    successor_id: strawberry.ID = strawberry.field(description="The user who becomes its principal manager.")
