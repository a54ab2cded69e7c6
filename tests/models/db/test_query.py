"""Pages by keyset against the plain list they are cut from, on both engines."""

from datetime import UTC, date, datetime

import pytest

from models.accounts.accounts import ACCOUNTS
from models.attachments.attachments import ATTACHMENTS, NEWEST_FIRST
from models.db.query import Order, Page, Selection
from models.errors.errors import Invalid
from tests.support import factories

BY_NAME = Order(("folded_name", "id"))
TODAY = {"today": date(2027, 3, 15), "closed_since": datetime(2027, 1, 1, tzinfo=UTC)}
NAMES = ["Zoé", "Abel", "abel", "Éric", "Bob", "Bob", "Bob", "Œdipe", "Zoé"]


async def people() -> list[int]:
    made = [await factories.person(last_name=name, first_name="X") for name in NAMES]
    ordered = sorted(made, key=lambda account: (account.folded_name.encode(), account.id))
    return [account.id for account in ordered]


@pytest.mark.parametrize("size", [1, 2, 4, 9, 50])
@pytest.mark.parametrize("backward", [False, True])
async def test_pages_joined_are_the_whole_list(db: str, size: int, backward: bool) -> None:
    expected = await people()
    found: list[int] = []
    position = None
    for _ in range(len(NAMES) + 1):
        page = Page(size, backward, before=position) if backward else Page(size, after=position)
        slice = await ACCOUNTS.slice(selection=Selection(), page=page, order=BY_NAME, parameters=TODAY)
        ids = [row.id for row in slice.rows]
        found = ids + found if backward else found + ids
        if not (slice.has_previous if backward else slice.has_next):
            break
        edge = slice.rows[0 if backward else -1]
        position = (edge.folded_name, edge.id)
    assert found == expected


async def test_pages_of_many_parents_are_cut_for_each(db: str) -> None:
    users = [await factories.person() for _ in range(3)]
    structures = [await factories.structure() for _ in range(4)]
    made = {
        user.id: [(await factories.attachment(user, structure)).id for structure in structures[: place + 2]]
        for place, user in enumerate(users)
    }
    stranger = (await factories.person()).id
    slices = await ATTACHMENTS.slices(
        "user_id",
        [users[2].id, stranger, users[0].id],
        selection=Selection(frozenset({"id"}), total_count=True),
        page=Page(2),
        order=NEWEST_FIRST,
        parameters=TODAY,
    )
    assert [[row.id for row in slice.rows] for slice in slices] == [
        made[users[2].id][::-1][:2],
        [],
        made[users[0].id][::-1][:2],
    ]
    assert [(slice.has_next, slice.total_count) for slice in slices] == [(True, 4), (False, 0), (False, 2)]


async def test_total_without_rows_reads_no_rows(db: str) -> None:
    await people()
    only_total = Selection(rows=False, total_count=True)
    slice = await ACCOUNTS.slice(selection=only_total, page=Page(5), order=BY_NAME, parameters=TODAY)
    assert (slice.rows, slice.total_count) == ([], len(NAMES))


@pytest.mark.parametrize("position", [("a",), (1, 1), ("a", "b"), ("a", 1, 1)])
async def test_cursor_of_another_list_is_refused(db: str, position: tuple[str | int, ...]) -> None:
    with pytest.raises(Invalid) as refusal:
        await ACCOUNTS.slice(selection=Selection(), page=Page(5, after=position), order=BY_NAME, parameters=TODAY)
    assert (refusal.value.path, refusal.value.data) == (("after",), {"rule": "cursor"})


async def test_columns_come_back_as_python_values_on_both_engines(db: str) -> None:
    user, structure = await factories.person(), await factories.structure()
    made = await factories.attachment(user, structure, valid_until=date(2027, 3, 14))
    columns = ["id", "status", "in_effect", "valid_from", "valid_until", "requested_at", "decided_by_id"]
    (row,) = await ATTACHMENTS.read(columns, ["a.id = :id"], {**TODAY, "id": made.id})
    assert row.status == "DEACTIVATED"
    assert row.in_effect is False
    assert (row.valid_from, row.valid_until) == (date(2026, 1, 5), date(2027, 3, 14))
    assert row.requested_at == factories.LONG_AGO
    assert row.decided_by_id is None
