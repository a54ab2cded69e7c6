"""Documents: the files that people keep in their account, each a row here and an object in the store.

The row comes first and goes last, so that no object is ever without one: a document is reserved before its content is
stored, counts from then on, exists once it is stored, and is marked removed before its content is deleted. What a kill
leaves in between is swept (`resolvers/documents/sweeps.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.accounts.accounts import Account
from models.db import database, texts
from models.db.normalisation import normalise_name
from models.db.query import Column, Order, Source, moment, pattern
from models.documents import content_types, filenames
from models.errors.errors import DomainError

LONGEST_DESIGNATION, LONGEST_FOLDED = 100, 400


class DocumentType(StrEnum):
    """What a document is to the portal."""

    RIB = "RIB"
    PURCHASE_ORDER = "PURCHASE_ORDER"
    SUPPORTING_DOCUMENT = "SUPPORTING_DOCUMENT"
    QUOTE = "QUOTE"
    VEHICLE_REGISTRATION = "VEHICLE_REGISTRATION"
    MANDATE = "MANDATE"
    CERTIFICATE = "CERTIFICATE"
    BROCHURE = "BROCHURE"
    OTHER = "OTHER"


class DocumentState(StrEnum):
    """Whether a document can be downloaded; without a virus scanner all can."""

    AWAITING_SCAN = "AWAITING_SCAN"
    AVAILABLE = "AVAILABLE"
    REFUSED = "REFUSED"


class Document(Model):
    """One file of an account; `object_key` is where the store has its content, and says nothing of it."""

    id: int = fields.BigIntField(primary_key=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "models.Account", on_delete=fields.RESTRICT, related_name="documents"
    )
    account_id: int
    designation = fields.CharField(max_length=LONGEST_DESIGNATION)
    folded = fields.CharField(max_length=LONGEST_FOLDED)
    type = fields.CharEnumField(DocumentType, max_length=30)
    filename = fields.CharField(max_length=filenames.LONGEST_NAME)
    mime_type = fields.CharField(max_length=100)
    size = fields.IntField()
    sha256 = fields.CharField(max_length=64)
    object_key = fields.CharField(max_length=64)
    state = fields.CharEnumField(DocumentState, max_length=20)
    created_at = fields.DatetimeField()
    stored_at = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "documents"

    def relabel(self, designation: str, type: DocumentType) -> None:
        """Give the document this designation and type."""
        self.designation, self.folded, self.type = designation, normalise_name(designation, LONGEST_FOLDED), type


@dataclass(frozen=True)
class Quota:
    """How many documents, and how many bytes of them together, an account may keep. Source: DOMAIN 6."""

    files: int = 100
    bytes: int = 100 * 1024 * 1024


@dataclass(frozen=True)
class File:
    """What was received of a file: its name, its size in bytes, its SHA-256 in hexadecimal, how it begins and ends."""

    name: str
    size: int
    sha256: str
    ends: bytes


def designation(problems: list[DomainError], value: str | None, *path: str) -> str:
    """What the document is called: 1 to 100 characters."""
    return texts.required(problems, value, *path, most=LONGEST_DESIGNATION)


def checked(problems: list[DomainError], file: File, *path: str) -> tuple[str, str]:
    """The file's name and media type, once name, extension, size and content are as they must be."""
    wrong = len(problems)
    name = filenames.check(problems, file.name, *path)
    if len(problems) > wrong:
        return name, ""
    return name, content_types.check(problems, name, file.size, file.ends, *path)


# ------------------------------------------------------------------ finding rows to change
STORED = "d.stored_at IS NOT NULL AND d.removed_at IS NULL"


async def used(account_id: int) -> tuple[int, int]:
    """How many documents the account has and how many bytes together, those being stored included; it is held."""
    rows = await database.fetch(
        "SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes FROM documents"
        " WHERE account_id = :account AND removed_at IS NULL AND state <> 'REFUSED'",
        {"account": account_id},
    )
    return int(rows[0][0]), int(rows[0][1])


async def lock_reserved(document_id: int) -> Document | None:
    """The document that is being stored, held until the transaction ends; None once it was swept."""
    rows = Document.filter(id=document_id, stored_at__isnull=True, removed_at__isnull=True)
    return await rows.select_for_update(no_key=True).get_or_none()


async def lock(document_id: int) -> Document | None:
    """The document, held until the transaction ends; None while it is being stored and once it is removed."""
    rows = Document.filter(id=document_id, stored_at__isnull=False, removed_at__isnull=True)
    return await rows.select_for_update(no_key=True).get_or_none()


@database.guarded
async def awaiting_scan(most: int, after: int) -> list[Document]:
    """The next documents of which the scanner has said nothing yet, by id above `after`."""
    rows = Document.filter(state=DocumentState.AWAITING_SCAN, stored_at__isnull=False, removed_at__isnull=True)
    return await rows.filter(id__gt=after).order_by("id").limit(most)


@database.guarded
async def left_over(reserved_before: datetime, removed_before: datetime, most: int, after: int) -> list[Document]:
    """The next rows, by id above `after`, of documents that were reserved but not stored in time, or removed."""
    found = await database.fetch(
        "SELECT id FROM documents WHERE id > :after AND ((removed_at IS NOT NULL AND removed_at <= :removed)"
        " OR (removed_at IS NULL AND stored_at IS NULL AND created_at <= :reserved)) ORDER BY id LIMIT :most",
        {"after": after, "removed": removed_before, "reserved": reserved_before, "most": most},
    )
    return await Document.filter(id__in=[row[0] for row in found]).order_by("id")


@database.guarded
async def forget(document_id: int) -> None:
    """Delete the row of a document that was removed, or never stored, once its content is gone."""
    await Document.filter(id=document_id).delete()


@database.guarded
async def known_keys(keys: Collection[str]) -> set[str]:
    """Those of the store's keys that a row has, whatever its state."""
    rows = await database.fetch("SELECT object_key FROM documents WHERE object_key IN :keys", {"keys": sorted(keys)})
    return {row[0] for row in rows}


# ------------------------------------------------------------------ reading
_PLAIN = ("id", "account_id", "designation", "type", "filename", "mime_type", "size", "sha256", "object_key", "state")
DOCUMENTS = Source(
    "documents d", columns={name: Column(f"d.{name}") for name in _PLAIN} | {"created_at": moment("d.created_at")}
)
NEWEST_FIRST = Order(("id",), descending=True)
OF_VIEWER = f"d.account_id = :viewer AND {STORED}"


@dataclass(frozen=True)
class DocumentFilter:
    """What a list of documents is narrowed to; None narrows nothing."""

    types: tuple[DocumentType, ...] | None = None
    designation: str | None = None

    def conditions(self) -> list[str]:
        """The SQL conditions over the documents source."""
        found = [] if self.types is None else ["d.type IN :types"]
        return found if self.designation is None else [*found, "d.folded LIKE :designation ESCAPE '!'"]

    def parameters(self) -> dict[str, object]:
        """The values that the conditions name."""
        return {
            "types": [str(type) for type in self.types or ()],
            "designation": pattern(self.designation or ""),
        }
