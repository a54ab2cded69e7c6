"""Pages of a connection: how many rows, where from, and what a bad cursor or size is told."""

import base64
from typing import Any

import pytest

from models.db.query import Page, Slice
from models.errors.errors import Invalid
from schema.base.connections import connection_of, page_of


class Row:
    def __init__(self, folded_name: str, id: int) -> None:
        self.folded_name, self.id = folded_name, id


def test_page_is_twenty_from_the_start_unless_said_otherwise() -> None:
    assert page_of(None, None, None, None) == Page(size=20)
    assert page_of(None, None, 5, None) == Page(size=5, backward=True)


@pytest.mark.parametrize(
    ("arguments", "path", "rule"),
    [
        ((0, None, None, None), "first", "page_size"),
        ((101, None, None, None), "first", "page_size"),
        ((None, None, -1, None), "last", "page_size"),
        ((1, None, 1, None), "last", "first_or_last"),
        ((None, "nonsense!", None, None), "after", "cursor"),
        ((None, None, None, base64.urlsafe_b64encode(b"[]").decode()), "before", "cursor"),
        ((None, base64.urlsafe_b64encode(b'[{"a":1}]').decode(), None, None), "after", "cursor"),
        ((None, base64.urlsafe_b64encode(b"[99999999999999999999]").decode(), None, None), "after", "cursor"),
        ((None, base64.urlsafe_b64encode(b'["a\\u0000",1]').decode(), None, None), "after", "cursor"),
    ],
)
def test_page_with_a_wrong_argument_is_refused_by_its_name(
    arguments: tuple[int | None, str | None, int | None, str | None], path: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        page_of(*arguments)
    assert (refusal.value.path, refusal.value.data["rule"]) == ((path,), rule)


def test_cursor_leads_back_to_its_row() -> None:
    rows: list[Any] = [Row("été", 7), Row("hiver", 9)]
    found = connection_of(Slice(rows, keys=("folded_name", "id")))
    assert page_of(None, found.edges[0].cursor, None, found.page_info.end_cursor) == Page(
        size=20, after=("été", 7), before=("hiver", 9)
    )


def test_empty_page_has_no_cursors() -> None:
    info = connection_of(Slice(keys=("id",))).page_info
    assert (info.start_cursor, info.end_cursor, info.has_next_page, info.has_previous_page) == (
        None,
        None,
        False,
        False,
    )
