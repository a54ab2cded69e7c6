"""People as others see them."""

from typing import Any

import strawberry

from models.accounts.accounts import ACCOUNTS, CANDIDATES, AccountState
from resolvers.accounts import users
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.nodes import Node


@strawberry.type(description="A postal address.")
class PostalAddress:
    line1: str = column("Number and street.")
    line2: str | None = column("First complement.")
    line3: str | None = column("Second complement.")
    postcode: str = column("Postcode; 5 digits in France.")
    city: str = column("City.")
    country: str = column("Country, ISO 3166-1 alpha-2.")


ADDRESS_COLUMNS = ("line1", "line2", "line3", "postcode", "city", "country")


def address_of(row: Any) -> Any:
    """The row itself where it has an address, which is whole or absent."""
    return row if row.line1 is not None else None


@rows_of(ACCOUNTS, CANDIDATES)
@strawberry.type(description="A person as colleagues and managers see them.")
class User(Node):
    first_name: str = column("First name.")
    last_name: str = column("Last name.")

    @made_from("first_name", "last_name", description="First and last name, as one text.")
    def display_name(self: Any) -> str:
        return f"{self.first_name} {self.last_name}"

    @made_from(
        "id", "contact_email", description="Contact e-mail; null for those who share no structure with the person."
    )
    async def contact_email(self: Any, info: Info) -> str | None:
        return self.contact_email if await info.context.load(users.are_contactable, self.id) else None

    @made_from(
        "id",
        *ADDRESS_COLUMNS,
        description="Postal address; null for those who neither manage a structure of the person's nor are support.",
    )
    async def postal_address(self: Any, info: Info) -> PostalAddress | None:
        return address_of(self) if await info.context.load(users.are_managed, self.id) else None

    state: AccountState = column("Whether the person's account is in use.")
