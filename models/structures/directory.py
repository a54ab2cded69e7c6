"""The directory of structures as an operator loads it: lines checked one by one, written many at a time.

A structure that has a manager is never touched: what its managers said of it counts more than the directory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson

from models.accounts import profiles
from models.db import database
from models.db.database import is_sqlite
from models.db.normalisation import LONGEST_CITY, LONGEST_NAME, normalise_name, without_accents
from models.errors.errors import DomainError, Invalid, PublicBodyIdentifier, collected, refuse_if_any
from models.structures import identifiers
from models.structures.identifiers import IdentifierType
from models.structures.structures import StructureKind, StructureStatus

# The directory's own names of the types, beside ours; compared in capitals, without accents.
TYPES: Mapping[str, IdentifierType] = {type.value: type for type in IdentifierType} | {
    "UE_HORS_FRANCE": IdentifierType.EU_VAT,
    "HORS_UE": IdentifierType.NON_EU,
    "PARTICULIER": IdentifierType.INDIVIDUAL,
    "AUTRE": IdentifierType.OTHER,
}
YES = frozenset({"1", "TRUE", "VRAI", "OUI", "O", "YES", "Y"})
NO = frozenset({"0", "FALSE", "FAUX", "NON", "N", "NO"})
HAS_COUNTRY_WITHOUT_SAYING = (IdentifierType.SIRET, IdentifierType.RIDET, IdentifierType.TAHITI)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the directory, checked: the columns of a structure that nobody manages yet."""

    identifier_type: str
    identifier: str
    name: str
    folded_name: str
    kind: str
    status: str
    line1: str | None
    line2: str | None
    line3: str | None
    postcode: str | None
    city: str | None
    folded_city: str | None
    country: str | None
    email: str | None
    phone: str | None
    service_code_required: bool
    engagement_number_required: bool


COLUMNS = tuple(field.name for field in fields(Entry))
FLAGS = ("service_code_required", "engagement_number_required")


@dataclass
class Tally:
    """What became of lines: `managed` ones were left alone, `emptied` counts fields that were wrong and left empty."""

    new: int = 0
    changed: int = 0
    same: int = 0
    managed: int = 0
    refused: int = 0
    emptied: int = 0

    @property
    def lines(self) -> int:
        """How many lines there were."""
        return self.new + self.changed + self.same + self.managed + self.refused


# ------------------------------------------------------------------ checking a line
def check(line: Mapping[str, str], kind: StructureKind | None, tally: Tally) -> Entry:
    """The structure that a line (column -> cell) describes; its kind is told by its identifier unless one is given.

    Identifier, name and the yes-or-no cells must be right, and no public body's SIRET is a private structure's. A
    wrong e-mail, telephone number or address is left empty and counted: the structure is worth more than those.

    Raises:
        DomainError: everything that is wrong with what must be right, by the column's name.
    """
    problems: list[DomainError] = []
    type, identifier = _identifier(problems, line)
    name = profiles.business_name(problems, line.get("RaisonSociale"), "RaisonSociale")
    active = _flag(problems, line, "StructureActive", default=True)
    flags = {
        "service_code_required": _flag(problems, line, "GestionService"),
        "engagement_number_required": _flag(problems, line, "GestionEngagement"),
    }
    refuse_if_any(problems)
    public = identifiers.is_public_body(type, identifier)
    if public and kind is StructureKind.PRIVATE:
        raise PublicBodyIdentifier("Identifiant")
    kind = kind or (StructureKind.PUBLIC if public else StructureKind.PRIVATE)
    status = StructureStatus.ACTIVE if active else StructureStatus.INACTIVE
    columns: dict[str, Any] = {
        "identifier_type": type.value,
        "identifier": identifier,
        "name": name,
        "folded_name": normalise_name(name, LONGEST_NAME),
        "kind": kind.value,
        "status": status.value,
    }
    columns |= {flag: value and kind is StructureKind.PUBLIC for flag, value in flags.items()}
    columns |= {**_contact(line, tally), **_address(line, type, tally)}
    return Entry(**columns)


def _identifier(problems: list[DomainError], line: Mapping[str, str]) -> tuple[IdentifierType, str]:
    said = without_accents(line.get("TypeIdentifiant", "")).strip().upper()
    type = TYPES.get("_".join(said.replace("-", " ").split()))
    if type is None:
        problems.append(Invalid("TypeIdentifiant", rule="directory_type"))
        return IdentifierType.OTHER, ""
    identifier = ""
    found: list[DomainError] = []
    with collected(found):
        identifier = identifiers.check(type, line.get("Identifiant"))
    for error in found:
        error.path = ("Identifiant",)
    problems += found
    return type, identifier


def _flag(problems: list[DomainError], line: Mapping[str, str], column: str, *, default: bool = False) -> bool:
    said = without_accents(line.get(column, "")).strip().upper()
    if said and said not in YES | NO:
        problems.append(Invalid(column, rule="yes_or_no"))
    return said in YES if said else default


def _contact(line: Mapping[str, str], tally: Tally) -> dict[str, str | None]:
    problems: list[DomainError] = []
    email = profiles.email(problems, line["Courriel"], "Courriel") if line.get("Courriel", "").strip() else None
    phone = profiles.phone(problems, line.get("NumTelephone"), "NumTelephone")
    tally.emptied += len(problems)
    return {"email": email or None, "phone": phone}


def _address(line: Mapping[str, str], type: IdentifierType, tally: Tally) -> dict[str, str | None]:
    """The whole address; of half of one, the postcode and city alone, which searches look in but nobody is shown."""
    given = {
        "line1": line.get("Adresse"),
        "line2": line.get("ComplementAdresse1"),
        "line3": line.get("ComplementAdresse2"),
        "postcode": line.get("CodePostal"),
        "city": line.get("Ville"),
        "country": line.get("CodePays", "").strip() or ("FR" if type in HAS_COUNTRY_WITHOUT_SAYING else ""),
    }
    problems: list[DomainError] = []
    address = profiles.postal_address(problems, given)
    whole = not problems
    # what is absent isn't wrong: only what was said and couldn't be kept counts
    tally.emptied += sum(1 for error in problems if (given.get(error.path[0]) or "").strip())
    kept = {name: getattr(address, name) or None for name in given}
    if not whole:
        kept |= {"line1": None, "line2": None, "line3": None}
    return kept | {"folded_city": normalise_name(kept["city"], LONGEST_CITY) if kept["city"] else None}


# ------------------------------------------------------------------ writing many lines
async def absorb(entries: Sequence[Entry], tally: Tally, at: datetime) -> None:
    """Write the entries, whose identifiers differ from each other, in one transaction and two statements; count them.

    Raises:
        DatabaseAway: when the database can't be reached; then none is written.
    """
    async with database.transaction():
        known = await _known([entry.identifier for entry in entries])
        written: list[Entry] = []
        for entry in entries:
            present = known.get((entry.identifier_type, entry.identifier))
            if present is None:
                tally.new += 1
            elif present["managed"]:
                tally.managed += 1
                continue
            elif all(present[name] == getattr(entry, name) for name in COLUMNS):
                tally.same += 1
                continue
            else:
                tally.changed += 1
            written.append(entry)
        if written:
            await _write(written, at)


async def _known(wanted: list[str]) -> dict[tuple[str, str], dict[str, Any]]:
    names = ("managed", *COLUMNS)
    rows = await database.fetch(
        f'SELECT {", ".join(names)} FROM structures WHERE identifier COLLATE "C" IN :identifiers',
        {"identifiers": wanted},
    )
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        values = {name: row[name] for name in names} | {name: bool(row[name]) for name in ("managed", *FLAGS)}
        found[values["identifier_type"], values["identifier"]] = values
    return found


def _statement(sqlite: bool) -> str:
    """One INSERT for all rows, given as a JSON list of lists; a row that got a manager meanwhile stays as it is."""
    if sqlite:
        picked = ", ".join(f"json_extract(r.value, '$[{place}]')" for place in range(len(COLUMNS)))
        source = "json_each(:rows) r"
    else:
        types = dict.fromkeys(COLUMNS, "text") | dict.fromkeys(FLAGS, "boolean")
        picked = ", ".join(f"CAST(r.value->>{place} AS {type})" for place, type in enumerate(types.values()))
        source = "jsonb_array_elements(CAST(CAST(:rows AS text) AS jsonb)) AS r(value)"
    moment = ":at" if sqlite else "CAST(:at AS timestamptz)"
    taken = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
    return (
        f"INSERT INTO structures ({', '.join(COLUMNS)}, managed, created_at)"
        f" SELECT {picked}, false, {moment} FROM {source} WHERE true"
        f" ON CONFLICT (identifier_type, identifier) DO UPDATE SET {taken} WHERE NOT structures.managed"
    )


async def _write(entries: Sequence[Entry], at: datetime) -> None:
    rows = [[getattr(entry, name) for name in COLUMNS] for entry in entries]
    await database.fetch(_statement(is_sqlite()), {"rows": orjson.dumps(rows).decode(), "at": at})
