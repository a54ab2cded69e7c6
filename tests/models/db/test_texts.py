"""What every typed text goes through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.db import texts
from models.errors.errors import DomainError

HIDDEN = [
    "\x00",
    "\x1b",
    "\x7f",
    "\u200b",
    "\u200e",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\u00ad",
    "\ud800",
    "\u3164",
    "\ufffe",
    "\ufdd0",
]


@pytest.mark.parametrize("character", HIDDEN)
def test_text_with_a_hidden_character_is_refused(character: str) -> None:
    problems: list[DomainError] = []
    assert texts.required(problems, f"a{character}b", "first_name", most=80) == ""
    assert _told(problems) == [("Invalid", ("first_name",), {"rule": "text"})]


@pytest.mark.parametrize("value", [None, "", "  ", "\u00a0\t\n"])
def test_blank_text_is_missing_where_required_and_nothing_where_optional(value: str | None) -> None:
    problems: list[DomainError] = []
    assert texts.optional(problems, value, "line2", most=10) is None
    assert problems == []
    assert texts.required(problems, value, "line1", most=10) == ""
    assert _told(problems) == [("Missing", ("line1",), {})]


def test_text_is_trimmed_composed_and_its_spaces_made_ordinary() -> None:
    problems: list[DomainError] = []
    assert texts.required(problems, " Rene\u0301e\u00a0Dupont \n", "name", most=80) == "Renée Dupont"
    assert problems == []


def test_length_is_counted_in_characters_after_trimming() -> None:
    problems: list[DomainError] = []
    assert texts.required(problems, " " + "é" * 10 + " ", "name", most=10, least=10) == "é" * 10
    assert texts.required(problems, "😀" * 11, "a", most=10) == ""
    assert texts.required(problems, "x", "b", most=10, least=2) == ""
    assert _told(problems) == [("TooLong", ("a",), {"most": 10}), ("TooShort", ("b",), {"least": 2})]


def test_several_lines_are_kept_only_where_a_text_has_lines() -> None:
    problems: list[DomainError] = []
    assert texts.optional(problems, "a\r\nb\tc", "comment", most=255, multiline=True) == "a\nb\tc"
    assert problems == []
    assert texts.optional(problems, "a\nb", "name", most=255) is None
    assert _told(problems) == [("Invalid", ("name",), {"rule": "text"})]


@given(st.text(st.characters(exclude_categories=())))
def test_accepted_text_can_be_encoded_and_is_stable(value: str) -> None:
    text = texts.optional([], value, "name", most=1000)
    if text is not None:
        assert "\x00" not in text
        assert text.encode() != b""
        assert texts.optional([], text, "name", most=1000) == text


def _told(problems: list[DomainError]) -> list[tuple[object, ...]]:
    return [(type(problem).__name__, problem.path, problem.data) for problem in problems]
