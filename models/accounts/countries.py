"""The country codes that addresses and identifiers carry (ISO 3166-1 alpha-2), kept current by Babel's CLDR data."""

from functools import cache

from babel import Locale

EU_MEMBERS = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
        "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip

# France and the collectivities that La Poste serves: their postcodes are French ones.
FRENCH_POSTCODES = frozenset({"FR", "GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "WF", "PF", "NC"})

# Pairs of letters in CLDR that ISO 3166-1 doesn't assign. Kosovo's XK isn't assigned either, but post and banks use it.
_NOT_COUNTRIES = frozenset(
    {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
)  # fmt: skip


@cache
def codes() -> frozenset[str]:
    """Every country code accepted, upper-case."""
    territories = map(str, Locale("en").territories)
    return frozenset(code for code in territories if len(code) == 2 and code.isalpha()) - _NOT_COUNTRIES
