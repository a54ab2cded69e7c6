"""Spaces: the reference list of sets of functions, and which of them are open on a structure."""

from dataclasses import dataclass
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.db import database
from models.db.query import Column, Order, Source
from models.structures.structures import Structure


class SpaceCode(StrEnum):
    """The spaces of the portal's reference list."""

    HOME = "HOME"
    MY_ACCOUNT = "MY_ACCOUNT"
    MANAGER_ACTIVITIES = "MANAGER_ACTIVITIES"
    INVOICES_ISSUED = "INVOICES_ISSUED"
    INVOICES_RECEIVED = "INVOICES_RECEIVED"
    INVOICES_TO_VALIDATE = "INVOICES_TO_VALIDATE"
    WORKS_INVOICES = "WORKS_INVOICES"
    LEGAL_FEES = "LEGAL_FEES"
    FUEL_TAX_REFUNDS = "FUEL_TAX_REFUNDS"
    REQUESTS_ISSUED = "REQUESTS_ISSUED"
    REQUESTS_RECEIVED = "REQUESTS_RECEIVED"
    COMMITMENTS = "COMMITMENTS"
    CONNECTIONS = "CONNECTIONS"


@dataclass(frozen=True)
class Wording:
    """A space's label and one-sentence description in both languages."""

    fr: str
    en: str
    about_fr: str
    about_en: str


WORDING = {
    SpaceCode.HOME: Wording(
        "Accueil connecté", "Home", "La page d'accueil une fois connecté.", "The page shown after signing in."
    ),
    SpaceCode.MY_ACCOUNT: Wording(
        "Mon compte", "My account", "Le profil, les rattachements et les pièces jointes de la personne.",
        "The person's profile, attachments and documents.",
    ),
    SpaceCode.MANAGER_ACTIVITIES: Wording(
        "Activités du gestionnaire", "Manager's activities",
        "Les demandes à traiter et les utilisateurs de la structure.",
        "Requests to decide and the users of the structure.",
    ),
    SpaceCode.INVOICES_ISSUED: Wording(
        "Factures émises", "Invoices issued", "Le dépôt et le suivi des factures envoyées.",
        "Sending invoices and following them.",
    ),
    SpaceCode.INVOICES_RECEIVED: Wording(
        "Factures reçues", "Invoices received", "Le traitement des factures reçues par une structure publique.",
        "Handling the invoices that a public structure receives.",
    ),
    SpaceCode.INVOICES_TO_VALIDATE: Wording(
        "Factures à valider", "Invoices to validate", "Les factures qui attendent un accord avant d'être envoyées.",
        "Invoices that wait for agreement before they are sent.",
    ),
    SpaceCode.WORKS_INVOICES: Wording(
        "Factures de travaux", "Works invoices", "Les pièces de facturation des marchés de travaux.",
        "Billing documents of works contracts.",
    ),
    SpaceCode.LEGAL_FEES: Wording(
        "Mémoires de frais de justice", "Legal fees", "Les mémoires de frais de justice et leur suivi.",
        "Statements of legal fees and their progress.",
    ),
    SpaceCode.FUEL_TAX_REFUNDS: Wording(
        "Demandes de remboursement TIC", "Fuel tax refunds",
        "Les demandes de remboursement de taxe sur les carburants.",
        "Requests for refunds of fuel tax.",
    ),
    SpaceCode.REQUESTS_ISSUED: Wording(
        "Sollicitations émises", "Requests issued", "Les questions posées à l'assistance ou à une structure.",
        "Questions put to support or to a structure.",
    ),
    SpaceCode.REQUESTS_RECEIVED: Wording(
        "Sollicitations reçues", "Requests received", "Les questions reçues d'autres structures.",
        "Questions received from other structures.",
    ),
    SpaceCode.COMMITMENTS: Wording(
        "Engagements", "Commitments", "Les engagements auxquels les factures se rapportent.",
        "The commitments that invoices refer to.",
    ),
    SpaceCode.CONNECTIONS: Wording(
        "Raccordements", "Connections", "Le raccordement technique de la structure au portail.",
        "The structure's technical connection to the portal.",
    ),
}  # fmt: skip

GIVEN_TO_ALL = frozenset({SpaceCode.HOME, SpaceCode.INVOICES_ISSUED, SpaceCode.REQUESTS_ISSUED, SpaceCode.MY_ACCOUNT})
GIVEN_TO_MANAGERS = frozenset({SpaceCode.MANAGER_ACTIVITIES})
# Neither asked for nor removed: they come and go with the attachment and its role.
ALWAYS_THERE = frozenset({SpaceCode.HOME, SpaceCode.MY_ACCOUNT, SpaceCode.MANAGER_ACTIVITIES})
DEFAULTS = GIVEN_TO_ALL | GIVEN_TO_MANAGERS  # open everywhere by nature
PUBLIC_ONLY = frozenset({SpaceCode.INVOICES_RECEIVED})


class OpenSpace(Model):
    """A space that a structure's managers opened; the default ones are open with no row."""

    id = fields.BigIntField(primary_key=True)
    structure: fields.ForeignKeyRelation[Structure] = fields.ForeignKeyField(
        "models.Structure", on_delete=fields.RESTRICT
    )
    structure_id: int
    space = fields.CharEnumField(SpaceCode, max_length=32)

    class Meta:
        table = "open_spaces"


@database.guarded
async def opened(structure_id: int) -> set[SpaceCode]:
    """The spaces that managers opened on the structure."""
    codes = await OpenSpace.filter(structure_id=structure_id).values_list("space", flat=True)
    return {SpaceCode(str(code)) for code in codes}


async def open_on(structure_id: int, codes: set[SpaceCode]) -> set[SpaceCode]:
    """Open the spaces that aren't yet; which ones that were."""
    opening = codes - await opened(structure_id)
    await OpenSpace.bulk_create([OpenSpace(structure_id=structure_id, space=code) for code in sorted(opening)])
    return opening


async def close_on(structure_id: int, codes: set[SpaceCode]) -> set[SpaceCode]:
    """Close the spaces that are open; which ones that were."""
    rows = OpenSpace.filter(structure_id=structure_id, space__in=codes)
    closing = {SpaceCode(str(code)) for code in await rows.values_list("space", flat=True)}
    await rows.delete()
    return closing


OPEN_SPACES = Source(
    "open_spaces o",
    columns={"id": Column("o.id"), "structure_id": Column("o.structure_id"), "space": Column("o.space")},
)
BY_ID = Order(("id",))
