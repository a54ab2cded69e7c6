"""Byte ranges, case by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from graph.files import ranges

TAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None), ("", None), ("bytes=0-", (0, 10)), ("bytes=0-0", (0, 1)), ("bytes=2-4", (2, 5)), ("bytes=9-", (9, 10)),
        ("bytes=3-99", (3, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)), ("Bytes = 1 - 2", (1, 3)),
        ("bytes=5-4", None), ("bytes=-", None), ("bytes=0-1,3-4", None), ("items=0-1", None), ("bytes=a-b", None), ("bytes=1", None),
        ("bytes=" + "9" * 40 + "-", None), ("bytes=٣-", None),
    ],
)  # fmt: skip
def test_one_range_is_served_and_what_is_none_is_ignored(header: str | None, part: tuple[int, int] | None) -> None:
    assert ranges.asked(header, None, 10, TAG) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=9999999999999999999-"])
def test_a_range_outside_is_not_satisfiable(header: str) -> None:
    with pytest.raises(ranges.NotSatisfiable):
        ranges.asked(header, None, 10, TAG)


def test_a_range_of_another_version_is_the_whole_file() -> None:
    assert ranges.asked("bytes=1-2", TAG, 10, TAG) == (1, 3)
    assert ranges.asked("bytes=1-2", '"old"', 10, TAG) is None
    assert ranges.asked("bytes=1-2", 'W/"abc"', 10, TAG) is None


@given(some.text(max_size=40), some.integers(1, 5000))
def test_whatever_is_asked_lies_within_the_file(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            part = ranges.asked(text, None, size, TAG)
        except ranges.NotSatisfiable:
            continue
        assert part is None or 0 <= part[0] < part[1] <= size
