"""The identifiers of structures: their types, the form they are stored in and the format of each."""

import re
from enum import StrEnum

from models.accounts import countries
from models.errors.errors import InvalidIdentifier, Missing

LA_POSTE = "356000000"


class IdentifierType(StrEnum):
    """The kinds of identifier the portal knows; one structure has exactly one."""

    SIRET = "SIRET"
    EU_VAT = "EU_VAT"
    NON_EU = "NON_EU"
    RIDET = "RIDET"
    TAHITI = "TAHITI"
    INDIVIDUAL = "INDIVIDUAL"
    OTHER = "OTHER"


# Council Directive 2006/112/EC, article 215: the ISO code, but EL for Greece. XI (Northern Ireland, goods only) names
# no member state: a structure there has a NON_EU identifier starting with GB.
VAT_PREFIXES = countries.EU_MEMBERS - {"FR", "GR"} | {"EL"}

_EU_VAT = re.compile(r"([A-Z]{2})[0-9A-Z]{2,12}")
_NON_EU = re.compile(r"([A-Z]{2}).{1,16}", re.DOTALL)
_RIDET = re.compile(r"[0-9]{9,10}")
_TAHITI = re.compile(r"[0-9A-Z][0-9]{5}([0-9]{3})?")
_SIRET = re.compile(r"[0-9]{14}")
_MOST_FREE = 80


def normalise(value: str) -> str:
    """The identifier as it is stored and searched: upper-case, without any white space."""
    return "".join(value.upper().split())


def check(type: IdentifierType, value: str | None) -> str:
    """The normalised identifier, once it is known to have the format of its type.

    Raises:
        Missing: nothing, or only white space, was given.
        InvalidIdentifier: the value doesn't have the format of `type`.
    """
    identifier = normalise(value or "")
    if not identifier:
        raise Missing("identifier")
    if not _has_format(type, identifier):
        raise InvalidIdentifier("identifier", type=type.value)
    return identifier


def is_public_siret(siret: str) -> bool:
    """Whether a normalised SIRET is a public body's: INSEE gives them SIRENs that start with 1 or 2."""
    return siret.startswith(("1", "2"))


def is_public_body(type: IdentifierType, identifier: str) -> bool:
    """Whether the normalised identifier is a SIRET that INSEE gave to a public body."""
    return type is IdentifierType.SIRET and is_public_siret(identifier)


def _has_format(type: IdentifierType, identifier: str) -> bool:
    match type:
        case IdentifierType.SIRET:
            return _is_siret(identifier)
        case IdentifierType.EU_VAT:
            vat = _EU_VAT.fullmatch(identifier)
            return vat is not None and vat[1] in VAT_PREFIXES
        case IdentifierType.NON_EU:
            foreign = _NON_EU.fullmatch(identifier)
            return foreign is not None and identifier.isprintable() and _is_outside_eu(foreign[1])
        case IdentifierType.RIDET:
            return _RIDET.fullmatch(identifier) is not None
        case IdentifierType.TAHITI:
            return _TAHITI.fullmatch(identifier) is not None
        case IdentifierType.INDIVIDUAL | IdentifierType.OTHER:
            return len(identifier) <= _MOST_FREE and identifier.isprintable()


def _is_outside_eu(country: str) -> bool:
    return country in countries.codes() and country not in countries.EU_MEMBERS


def _is_siret(identifier: str) -> bool:
    if not _SIRET.fullmatch(identifier):
        return False
    if _luhn_sum(identifier) % 10 == 0:
        return True
    # La Poste has more establishments than Luhn leaves room for; INSEE gave it a rule of its own.
    return identifier.startswith(LA_POSTE) and sum(map(int, identifier)) % 5 == 0


def _luhn_sum(digits: str) -> int:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(doubled) + sum(map(int, digits[-1::-2]))
