"""The list of country codes."""

from models.accounts import countries


def test_codes_are_those_of_iso_3166_and_kosovo() -> None:
    codes = countries.codes()
    assert len(codes) == 250
    assert {"FR", "GP", "NC", "PF", "GB", "US", "XK"} <= codes
    assert not codes & {"EU", "EZ", "UN", "XA", "XB", "ZZ", "AC", "EL", "UK"}


def test_union_has_twenty_seven_members_and_all_are_countries() -> None:
    assert len(countries.EU_MEMBERS) == 27
    assert countries.codes() >= countries.EU_MEMBERS | countries.FRENCH_POSTCODES
