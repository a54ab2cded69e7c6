"""Refusals of one input gathered before any is told."""

import pytest

from models.errors import errors
from models.errors.errors import Invalid, Missing, Refusals, TooLong


def test_refusals_of_several_blocks_are_told_together() -> None:
    problems: list[errors.DomainError] = []
    with errors.collected(problems):
        raise Missing("password")
    with errors.collected(problems):
        raise Refusals([Invalid("phone", rule="phone"), TooLong("city", most=100)])
    with errors.collected(problems):
        pass
    with pytest.raises(Refusals) as refusal:
        errors.refuse_if_any(problems)
    assert [error.path for error in refusal.value.each()] == [("password",), ("phone",), ("city",)]


def test_failure_that_is_no_refusal_leaves_the_block() -> None:
    problems: list[errors.DomainError] = []
    with pytest.raises(ZeroDivisionError), errors.collected(problems):
        raise ZeroDivisionError
    assert problems == []
