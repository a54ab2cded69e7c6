"""The formats of structure identifiers, one table per type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors.errors import InvalidIdentifier, Missing
from models.structures import identifiers
from models.structures.identifiers import IdentifierType

GOOD = [
    (IdentifierType.SIRET, "73282932000074"),
    (IdentifierType.SIRET, "11000201100044"),
    (IdentifierType.SIRET, "26750045200011"),
    (IdentifierType.SIRET, "35600000000048"),
    (IdentifierType.SIRET, "35600000049837"),
    (IdentifierType.EU_VAT, "DE123456789"),
    (IdentifierType.EU_VAT, "EL999999999"),
    (IdentifierType.EU_VAT, "IE1A"),
    (IdentifierType.EU_VAT, "NL123456789B01"),
    (IdentifierType.NON_EU, "GB1"),
    (IdentifierType.NON_EU, "CHCHE-123.456.78"),
    (IdentifierType.NON_EU, "US1234567890123456"),
    (IdentifierType.RIDET, "123456789"),
    (IdentifierType.RIDET, "1234567890"),
    (IdentifierType.TAHITI, "A12345"),
    (IdentifierType.TAHITI, "012345678"),
    (IdentifierType.INDIVIDUAL, "X"),
    (IdentifierType.INDIVIDUAL, "É" * 80),
    (IdentifierType.OTHER, "W-751/000.001"),
]

BAD = [
    (IdentifierType.SIRET, "12345678912345"),
    (IdentifierType.SIRET, "73282932000075"),
    (IdentifierType.SIRET, "7328293200007"),
    (IdentifierType.SIRET, "732829320000740"),
    (IdentifierType.SIRET, "7328293200007A"),
    (IdentifierType.SIRET, "٧٣٢٨٢٩٣٢٠٠٠٠٧٤"),
    (IdentifierType.SIRET, "35600000049838"),
    (IdentifierType.EU_VAT, "FR12345678901"),
    (IdentifierType.EU_VAT, "GR999999999"),
    (IdentifierType.EU_VAT, "GB123456789"),
    (IdentifierType.EU_VAT, "XI123456789"),
    (IdentifierType.EU_VAT, "DE1"),
    (IdentifierType.EU_VAT, "DE1234567890123"),
    (IdentifierType.EU_VAT, "DE12-45"),
    (IdentifierType.NON_EU, "DE123"),
    (IdentifierType.NON_EU, "FR123"),
    (IdentifierType.NON_EU, "GR123"),
    (IdentifierType.NON_EU, "EU123"),
    (IdentifierType.NON_EU, "ZZ123"),
    (IdentifierType.NON_EU, "US"),
    (IdentifierType.NON_EU, "US12345678901234567"),
    (IdentifierType.NON_EU, "US1\x002"),
    (IdentifierType.RIDET, "12345678"),
    (IdentifierType.RIDET, "12345678901"),
    (IdentifierType.RIDET, "12345678A"),
    (IdentifierType.TAHITI, "12345"),
    (IdentifierType.TAHITI, "A1234567"),
    (IdentifierType.TAHITI, "AB2345"),
    (IdentifierType.INDIVIDUAL, "X" * 81),
    (IdentifierType.INDIVIDUAL, "A\u200bB"),
    (IdentifierType.OTHER, "A\x00B"),
    (IdentifierType.OTHER, "A\ud800"),
]


@pytest.mark.parametrize(("type", "value"), GOOD)
def test_good_identifier_is_kept_as_it_is(type: IdentifierType, value: str) -> None:
    assert identifiers.check(type, value) == value


@pytest.mark.parametrize(("type", "value"), BAD)
def test_bad_identifier_is_refused_with_its_type(type: IdentifierType, value: str) -> None:
    with pytest.raises(InvalidIdentifier) as refusal:
        identifiers.check(type, value)
    assert refusal.value.path == ("identifier",)
    assert refusal.value.data == {"type": type.value}


@pytest.mark.parametrize("type", list(IdentifierType))
@pytest.mark.parametrize("value", [None, "", " \t\u00a0\n"])
def test_blank_identifier_is_missing(type: IdentifierType, value: str | None) -> None:
    with pytest.raises(Missing) as refusal:
        identifiers.check(type, value)
    assert refusal.value.path == ("identifier",)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" 732 829\u00a0320\u202f00074\n", "73282932000074"),
        ("de 123 456 789", "DE123456789"),
        ("Jeanne Équille", "JEANNEÉQUILLE"),
    ],
)
def test_person_types_spaces_and_small_letters_and_the_stored_form_has_none(typed: str, stored: str) -> None:
    assert identifiers.normalise(typed) == stored


@given(st.text())
def test_normalising_twice_changes_nothing_more(value: str) -> None:
    once = identifiers.normalise(value)
    assert identifiers.normalise(once) == once


@given(st.integers(min_value=0, max_value=10**13 - 1), st.integers(0, 12))
def test_siret_has_one_last_digit_and_a_wrong_digit_shows(number: int, place: int) -> None:
    start = f"{number:013d}"
    if start.startswith(identifiers.LA_POSTE):
        return
    good = [start + last for last in "0123456789" if _passes(start + last)]
    assert len(good) == 1
    siret = good[0]
    wrong = siret[:place] + str((int(siret[place]) + 1) % 10) + siret[place + 1 :]
    assert wrong.startswith(identifiers.LA_POSTE) or not _passes(wrong)


@pytest.mark.parametrize(
    ("siret", "public"),
    [("11000201100044", True), ("26750045200011", True), ("73282932000074", False), ("35600000000048", False)],
)
def test_siret_of_a_public_body_starts_with_one_or_two(siret: str, public: bool) -> None:
    assert identifiers.is_public_siret(siret) is public


def _passes(siret: str) -> bool:
    try:
        identifiers.check(IdentifierType.SIRET, siret)
    except InvalidIdentifier:
        return False
    return True
