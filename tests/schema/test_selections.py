"""What a field reads: its columns, which must be there, also where it merges with others in one place only.

What is missing beside a new field, argument or enumeration is told in a sentence as the schema is made.
"""

from enum import Enum

import pytest
import strawberry

from models.db.query import Column, Source
from schema.base import arguments, enums
from schema.base.arguments import ArgumentNotDescribed
from schema.base.enums import EnumValueNotDescribed
from schema.base.fields import ColumnNotRead, column, rows_of
from tests.schema.conftest import Ask
from tests.support import factories

MERGED = """{ first: me { ...Own user { firstName } } second: me { ...Own user { lastName } } }
fragment Own on Account { user { id } }"""


async def test_person_reads_a_fragment_merged_with_other_fields_in_each_place(ask: Ask) -> None:
    ada = await factories.person(first_name="Ada", last_name="Byron")
    data = await ask(MERGED, ada)
    own = data["first"]["user"]["id"]
    assert data["first"]["user"] == {"id": own, "firstName": "Ada"}
    assert data["second"]["user"] == {"id": own, "lastName": "Byron"}


def test_field_without_its_column_is_named_as_the_schema_is_imported() -> None:
    with pytest.raises(
        ColumnNotRead, match=r"Thing\.height needs the column `height`, which the source `things t` lacks"
    ):

        @rows_of(Source("things t", columns={"id": Column("t.id")}))
        @strawberry.type
        class Thing:
            id: int = column("Its number.")
            height: int = column("Its height.")


def test_argument_that_nothing_describes_is_named_with_the_place_for_its_sentence() -> None:
    @strawberry.type
    class Query:
        @strawberry.field(description="Its weight.")
        def weight(self, in_grammes: bool) -> int:
            return 1

    with pytest.raises(ArgumentNotDescribed, match=r"Query\.weight has an argument `inGrammes` .* DESCRIPTIONS in"):
        arguments.complete(strawberry.Schema(query=Query)._schema)


def test_value_of_an_enumeration_that_nothing_describes_is_named() -> None:
    class Colour(Enum):
        RED = "RED"
        BLUE = "BLUE"

    with pytest.raises(EnumValueNotDescribed, match=r"Colour has a value `BLUE` that nothing describes"):
        enums._described(Colour, "A colour.", {"RED": "Red."})
