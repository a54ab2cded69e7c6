"""What a field reads: its columns, which must be there, also where it merges with others in one place only."""

import pytest
import strawberry

from models.db.query import Column, Source
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
