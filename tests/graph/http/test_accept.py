"""What a client would rather have, read from its weighted headers."""

import pytest

from graph.http import accept
from models.accounts.accounts import Language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", None),
        ("de", None),
        ("*", None),
        ("fr", Language.FR),
        ("EN-us", Language.EN),
        ("de, en;q=0.3, fr;q=0.2", Language.EN),
        ("en;q=0.3, fr-CH;q=0.9", Language.FR),
        ("en;q=0", None),
        ("en;q=nonsense", None),
        ("en;q=2, fr;q=0.1", Language.FR),
        ("en, fr", Language.EN),
    ],
)
def test_the_header_names_the_language(header: str, language: Language | None) -> None:
    assert accept.language_of(header) is language


def test_an_item_has_its_weight_and_its_parameters() -> None:
    header = "application/JSON; charset=UTF-8 ;q=0.25, text/html"
    assert accept.ranges(header) == (
        accept.Range("application/json", 0.25, {"charset": "utf-8"}), accept.Range("text/html", 1.0)
    )  # fmt: skip


def test_what_lies_beyond_the_bounds_counts_as_not_said() -> None:
    assert len(accept.ranges("a," * 1000)) == accept.MOST_RANGES
    assert accept.language_of(" " * accept.MOST_CHARACTERS + "en") is None
