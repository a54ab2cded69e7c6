"""What a field reads when the same one merges with others in one place and not in another."""

from tests import factories
from tests.schema.conftest import Ask

MERGED = """{ first: me { ...Own user { firstName } } second: me { ...Own user { lastName } } }
fragment Own on Account { user { id } }"""


async def test_person_reads_a_fragment_merged_with_other_fields_in_each_place(ask: Ask) -> None:
    ada = await factories.person(first_name="Ada", last_name="Byron")
    data = await ask(MERGED, ada)
    own = data["first"]["user"]["id"]
    assert data["first"]["user"] == {"id": own, "firstName": "Ada"}
    assert data["second"]["user"] == {"id": own, "lastName": "Byron"}
