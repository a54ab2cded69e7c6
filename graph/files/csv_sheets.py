"""Lists as CSV files: the columns in both languages, and lines by RFC 4180 whose cells no spreadsheet computes."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from models.accounts.accounts import Language
from models.db.query import Row
from models.events.summaries import ROLES
from models.exports import AttachedUser
from models.subscriptions.spaces import WORDING, SpaceCode

BYTE_ORDER_MARK = "\ufeff".encode()  # without it, spreadsheets take the file for one of a local code page
BETWEEN = " | "  # between the several values of one cell
# What a spreadsheet takes for the start of a formula (OWASP, CSV injection), full-width forms included.
FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
ORDER = {code: place for place, code in enumerate(SpaceCode)}

# French, English
Words = tuple[str, str]
YES_NO: dict[bool, Words] = {True: ("oui", "yes"), False: ("non", "no")}
KINDS: dict[str, Words] = {"PUBLIC": ("publique", "public"), "PRIVATE": ("privée", "private")}
STRUCTURE_STATUSES: dict[str, Words] = {"ACTIVE": ("active", "active"), "INACTIVE": ("inactive", "inactive")}
# French names as the public directory has them.
IDENTIFIER_TYPES: dict[str, Words] = {
    "SIRET": ("SIRET", "SIRET"),
    "EU_VAT": ("UE_HORS_FRANCE", "EU_VAT"),
    "NON_EU": ("HORS_UE", "NON_EU"),
    "RIDET": ("RIDET", "RIDET"),
    "TAHITI": ("TAHITI", "TAHITI"),
    "INDIVIDUAL": ("PARTICULIER", "INDIVIDUAL"),
    "OTHER": ("AUTRE", "OTHER"),
}
STATUSES: dict[str, Words] = {
    "PENDING": ("en attente", "pending"),
    "VALIDATED": ("validé", "validated"),
    "DEACTIVATED": ("désactivé", "deactivated"),
}
MODES: dict[str, Words] = {"READ": ("lecture", "read"), "WRITE": ("écriture", "write")}
SINCE: Words = ("à partir du", "from")


@dataclass(frozen=True)
class Sheet:
    """One kind of file: its columns, and the cells of an element in a language: 0 is French, 1 English."""

    columns: tuple[Words, ...]
    cells: Callable[[Any, int], Sequence[str | None]]

    def opening(self, language: Language) -> bytes:
        """What the file begins with: the byte order mark and the names of the columns."""
        return BYTE_ORDER_MARK + _lines([[words[_place(language)] for words in self.columns]])

    def lines(self, elements: Iterable[Any], language: Language) -> bytes:
        """One line for each element."""
        place = _place(language)
        return _lines([harmless(cell) for cell in self.cells(element, place)] for element in elements)


def harmless(cell: str | None) -> str:
    """The cell as text, with an apostrophe before what would be computed; spaces in front don't hide it."""
    if not cell:
        return ""
    first = cell[0]
    if first in FORMULA or (first.isspace() and cell.lstrip()[:1] in FORMULA):
        return f"'{cell}"
    return cell


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _place(language: Language) -> int:
    return int(language is Language.EN)


# ------------------------------------------------------------------ structures
def _structure(row: Row, place: int) -> Sequence[str | None]:
    address = (row.line1, row.line2, row.line3, row.postcode, row.city, row.country)
    return (
        IDENTIFIER_TYPES[row.identifier_type][place],
        row.identifier,
        row.name,
        KINDS[row.kind][place],
        STRUCTURE_STATUSES[row.status][place],
        *(address if row.line1 is not None else [None] * len(address)),  # whole or absent, as the API shows it
        row.email,
        row.phone,
        YES_NO[row.service_code_required][place],
        YES_NO[row.engagement_number_required][place],
    )


STRUCTURES = Sheet(
    (
        ("Type d'identifiant", "Identifier type"),
        ("Identifiant", "Identifier"),
        ("Raison sociale", "Name"),
        ("Nature", "Kind"),
        ("Statut", "Status"),
        ("Adresse", "Address"),
        ("Complément d'adresse 1", "Address complement 1"),
        ("Complément d'adresse 2", "Address complement 2"),
        ("Code postal", "Postcode"),
        ("Ville", "City"),
        ("Code pays", "Country code"),
        ("Courriel", "E-mail"),
        ("Téléphone", "Telephone"),
        ("Code service exigé", "Service code required"),
        ("Numéro d'engagement exigé", "Engagement number required"),
    ),
    _structure,
)


# ------------------------------------------------------------------ users
def users(today: date) -> Sheet:
    """The sheet of a structure's users, as it reads on that day."""

    def user(found: AttachedUser, place: int) -> Sequence[str | None]:
        row = found.attachment
        return (
            f"{row.first_name} {row.last_name}",
            row.contact_email,
            ROLES[row.role][place],
            STATUSES[row.status][place],
            row.valid_from.isoformat(),
            row.valid_until.isoformat() if row.valid_until else None,
            BETWEEN.join(found.services),
            BETWEEN.join(_subscription(one, place, today) for one in sorted(found.subscriptions, key=_in_order)),
            YES_NO[row.gives_rights][place],
        )

    return Sheet(USER_COLUMNS, user)


USER_COLUMNS: tuple[Words, ...] = (
    ("Nom", "Name"),
    ("Courriel de contact", "Contact e-mail"),
    ("Rôle", "Role"),
    ("Statut", "Status"),
    ("Valable du", "Valid from"),
    ("Valable jusqu'au", "Valid until"),
    ("Services", "Services"),
    ("Espaces", "Spaces"),
    ("En vigueur", "In effect"),
)


def _subscription(row: Row, place: int, today: date) -> str:
    space = WORDING[SpaceCode(row.space)]
    since = f", {SINCE[place]} {row.effective_from.isoformat()}" if row.effective_from > today else ""
    return f"{(space.fr, space.en)[place]} ({MODES[row.mode][place]}{since})"


def _in_order(row: Row) -> int:
    return ORDER[SpaceCode(row.space)]
