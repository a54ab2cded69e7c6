"""The searched form of names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.db import normalisation


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Évêché d’Angoulême", "eveche d angouleme"),
        ("  L'ŒUVRE   des Sœurs-Cadettes ", "l oeuvre des soeurs cadettes"),
        ("S.A.R.L. Lætitia & Fils (93)", "s a r l laetitia fils 93"),
        ("Straße ØRSTED Łódź", "strasse orsted lodz"),
        ("co\u00adopérative", "cooperative"),
        ("ＡＢＣ ﬁn", "abc fin"),
        ("100 %_", "100"),
        ("ΑΘΉΝΑ", "αθηνα"),
        ("…", ""),
        ("", ""),
    ],
)
def test_searcher_finds_names_whatever_the_accents_case_and_signs(text: str, folded: str) -> None:
    assert normalisation.normalise_name(text) == folded


def test_text_that_unfolds_beyond_its_column_is_cut() -> None:
    name = "\ufdfa" * 80  # one character, eighteen when unfolded
    assert len(normalisation.normalise_name(name)) == 80 * 18
    assert len(normalisation.normalise_name(name, normalisation.LONGEST_NAME)) == normalisation.LONGEST_NAME
    assert normalisation.normalise_name("abc def", 4) == "abc"


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = normalisation.normalise_name(text)
    assert normalisation.normalise_name(once) == once


@given(st.text())
def test_folded_text_has_single_inner_spaces_only(text: str) -> None:
    folded = normalisation.normalise_name(text)
    assert folded == " ".join(folded.split())
