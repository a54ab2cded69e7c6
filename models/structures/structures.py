"""Structures: legal entities, how one is found to be changed, and how many are searched."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from tortoise import fields
from tortoise.expressions import Q
from tortoise.models import Model

from models.db import database
from models.db.normalisation import LONGEST_CITY, LONGEST_NAME, normalise_name
from models.db.query import Column, Order, Page, Selection, Slice, Source, flag
from models.structures.identifiers import IdentifierType, normalise

FREED = "freed"  # lower case: no identifier that people give begins with it


class StructureKind(StrEnum):
    """Whether the entity is a public body or not."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


class StructureStatus(StrEnum):
    """Whether anybody may still be attached to the structure."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class Structure(Model):
    """A legal entity. `managed` is true once it has had a principal manager: an imported one waits to be adopted."""

    id = fields.BigIntField(primary_key=True)
    identifier_type = fields.CharEnumField(IdentifierType, max_length=12)
    identifier = fields.CharField(max_length=80)
    name = fields.CharField(max_length=255)
    folded_name = fields.CharField(max_length=LONGEST_NAME)
    first_name = fields.CharField(max_length=80, null=True)
    last_name = fields.CharField(max_length=80, null=True)
    kind = fields.CharEnumField(StructureKind, max_length=8)
    status = fields.CharEnumField(StructureStatus, max_length=8, default=StructureStatus.ACTIVE)
    managed = fields.BooleanField(default=False)
    line1 = fields.CharField(max_length=160, null=True)
    line2 = fields.CharField(max_length=160, null=True)
    line3 = fields.CharField(max_length=160, null=True)
    postcode = fields.CharField(max_length=20, null=True)
    city = fields.CharField(max_length=120, null=True)
    folded_city = fields.CharField(max_length=LONGEST_CITY, null=True)
    country = fields.CharField(max_length=2, null=True)
    email = fields.CharField(max_length=254, null=True)
    phone = fields.CharField(max_length=32, null=True)
    service_code_required = fields.BooleanField(default=False)
    engagement_number_required = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "structures"

    def normalise_name(self) -> None:
        """Bring what searches look in up to date."""
        self.folded_name = normalise_name(self.name, LONGEST_NAME)
        self.folded_city = normalise_name(self.city, LONGEST_CITY) if self.city else None

    @property
    def is_public(self) -> bool:
        """Is this a public body?"""
        return self.kind is StructureKind.PUBLIC

    def free_identifier(self) -> None:
        """Give the identifier up: in its place stands one that nobody can ask for, since it isn't normalised."""
        self.identifier_type, self.identifier = IdentifierType.OTHER, f"{FREED} {self.id}"

    @property
    def is_identified(self) -> bool:
        """Has it an identifier, or was it freed?"""
        return not self.identifier.startswith(FREED)

    @property
    def is_active(self) -> bool:
        """May people still be attached here?"""
        return self.status is StructureStatus.ACTIVE


# ------------------------------------------------------------------ finding rows to change
@database.guarded
async def is_any() -> bool:
    """Is there any structure at all?"""
    return await Structure.all().exists()


async def by_id(structure_id: int) -> Structure | None:
    """The structure of this id, not locked."""
    return await Structure.get_or_none(id=structure_id)


async def existing(structure_ids: set[int]) -> set[int]:
    """Those of the ids that are structures'."""
    return {row.id for row in await STRUCTURES.read(["id"], ["s.id IN :ids"], {"ids": sorted(structure_ids)})}


async def lock(structure_id: int) -> Structure | None:
    """The structure, held until the transaction ends: every act on its attachments takes this lock first."""
    return await Structure.filter(id=structure_id).select_for_update(no_key=True).get_or_none()


async def lock_all(structure_ids: set[int]) -> dict[int, Structure]:
    """The structures by id, held until the transaction ends; in id order, so that no two acts wait for each other."""
    found = await Structure.filter(id__in=structure_ids).order_by("id").select_for_update(no_key=True)
    return {structure.id: structure for structure in found}


async def lock_identified(identifier_type: IdentifierType, identifier: str) -> Structure | None:
    """The structure of this normalised identifier, held until the transaction ends."""
    rows = Structure.filter(identifier_type=identifier_type, identifier=identifier)
    return await rows.select_for_update(no_key=True).get_or_none()


@database.guarded
async def active_among(structure_ids: list[int]) -> list[Structure]:
    """Those of the structures that are active, by name."""
    return await Structure.filter(id__in=structure_ids, status=StructureStatus.ACTIVE).order_by("folded_name", "id")


@database.guarded
async def private_public_bodies() -> list[tuple[str, str]]:
    """The private structures that hold a public body's SIRET, from before that was refused: name and SIRET, by name."""
    private = Structure.filter(kind=StructureKind.PRIVATE, identifier_type=IdentifierType.SIRET)
    found = private.filter(Q(identifier__startswith="1") | Q(identifier__startswith="2"))
    return [(structure.name, structure.identifier) for structure in await found.order_by("folded_name", "id")]


# ------------------------------------------------------------------ reading
ADDRESS = ("line1", "line2", "line3", "postcode", "city", "country")
STRUCTURES = Source(
    "structures s",
    columns={
        name: Column(f"s.{name}")
        for name in ("id", "identifier_type", "identifier", "name", "kind", "status", "email", "phone", *ADDRESS)
    }
    | {
        "folded_name": Column('s.folded_name COLLATE "C"'),
        "service_code_required": flag("s.service_code_required"),
        "engagement_number_required": flag("s.engagement_number_required"),
        "managed": flag("s.managed"),
    },
)
BY_NAME = Order(("folded_name", "id"))
TRIGRAM = 3


@dataclass(frozen=True)
class StructureSearch:
    """The criteria of a search; each that is given must hold. Texts as people typed them. Source: DOMAIN 3."""

    identifier: str | None = None
    identifier_type: IdentifierType | None = None
    name: str | None = None
    kind: StructureKind | None = None
    status: StructureStatus | None = None
    postcode: str | None = None
    city: str | None = None

    def parameters(self) -> dict[str, object]:
        """The values of the criteria by name, absent and blank ones left out; empty when there is none."""
        identifier = normalise(self.identifier or "")
        name = normalise_name(self.name or "")
        given: dict[str, object] = {
            "identifier": identifier,
            "identifier_type": self.identifier_type,
            "name": name,
            "kind": self.kind,
            "status": self.status,
            "postcode": " ".join((self.postcode or "").upper().split()),
            "city": normalise_name(self.city or "", LONGEST_CITY),
        }
        return {key: str(value) for key, value in given.items() if value}

    @property
    def is_narrow(self) -> bool:
        """Does some criterion leave few structures, by an index of its own?"""
        given = self.parameters()
        return bool({"identifier", "postcode", "city"} & given.keys()) or len(str(given.get("name", ""))) >= TRIGRAM

    def conditions(self, sqlite: bool) -> tuple[list[str], dict[str, object]]:
        """The SQL conditions and all their parameters, on either engine."""
        given = self.parameters()
        conditions = [f"s.{key} = :{key}" for key in ("identifier_type", "kind", "status") if key in given]
        if "postcode" in given:  # French ones are stored without spaces, others as their country writes them
            given["postcode_bare"] = str(given["postcode"]).replace(" ", "")
            conditions.append("s.postcode = :postcode OR s.postcode = :postcode_bare")
        if "city" in given:
            conditions.append("s.folded_city = :city")
        if "identifier" in given:
            prefix = len(str(given["identifier"])) >= SHORTEST_PREFIX
            given["identifier_end"] = f"{given['identifier']}\U0010ffff"
            within = 's.identifier COLLATE "C" >= :identifier AND s.identifier COLLATE "C" < :identifier_end'
            conditions.append(within if prefix else "s.identifier = :identifier")
        if "name" in given:
            indexed = sqlite and len(str(given["name"])) >= TRIGRAM
            given["phrase"] = f'"{given["name"]}"'
            given["words"] = f"%{given['name']}%"  # folded: letters, digits and spaces, so nothing to escape
            matching = "s.id IN (SELECT rowid FROM structure_names WHERE structure_names MATCH :phrase)"
            conditions.append(matching if indexed else "s.folded_name LIKE :words")
        return conditions, given


SHORTEST_PREFIX = 3


async def search(criteria: StructureSearch, page: Page, selection: Selection) -> Slice:
    """A page of the structures that meet every criterion, by name; there must be one."""
    sqlite = database.is_sqlite()
    where, parameters = criteria.conditions(sqlite)
    source = STRUCTURES
    if criteria.is_narrow and not sqlite:
        source, where = _narrowed(tuple(where)), []
    return await source.slice(selection=selection, page=page, order=BY_NAME, where=where, parameters=parameters)


async def walk(criteria: StructureSearch, page: Page, selection: Selection) -> Slice:
    """The same page, met along all names: for searches that find so many that looking for them anew costs more."""
    where, parameters = criteria.conditions(sqlite=False)
    return await STRUCTURES.slice(selection=selection, page=page, order=BY_NAME, where=where, parameters=parameters)


@lru_cache(maxsize=256)
def _narrowed(where: tuple[str, ...]) -> Source:
    """The structures that meet the conditions, found before any order is looked at.

    PostgreSQL would else rather walk along all names, hoping to meet a page of them early: seconds, when they come late
    or never. OFFSET 0 is what it doesn't look through.
    """
    conditions = " AND ".join(f"({condition})" for condition in where)
    return replace(STRUCTURES, table=f"(SELECT * FROM structures s WHERE {conditions} OFFSET 0) s")
