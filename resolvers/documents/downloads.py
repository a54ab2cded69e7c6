"""Downloads: addresses at which the owner gets documents, and the documents for whoever comes with one in time."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog

from models.db.query import Row, Selection
from models.documents.documents import DocumentState
from models.errors.errors import (
    DocumentBeingChecked,
    DocumentRefused,
    DomainError,
    ExpiredToken,
    Missing,
    NotFound,
    TooMany,
    refuse_if_any,
)
from resolvers import storage, tickets
from resolvers.bulk import MOST_AT_ONCE
from resolvers.documents import documents
from resolvers.scope import Scope
from resolvers.storage import ContentMissing
from resolvers.tickets import Ticket

ONE = "/documents/download"
ARCHIVE = "/documents/archive"
COLUMNS = Selection(frozenset({"id", "filename", "mime_type", "size", "sha256", "object_key", "state", "created_at"}))

log = structlog.get_logger(__name__)


# ------------------------------------------------------------------ giving addresses
def url(scope: Scope, document_id: int) -> str:
    """The address at which the actor gets their document, for 5 minutes."""
    return tickets.url(scope, ONE, document_id)


async def archive_url(scope: Scope, ids: Sequence[int | None]) -> str:
    """The address at which the actor gets these documents as one ZIP, for 5 minutes; one named twice is in it once.

    Raises:
        Missing: when there is none.
        TooMany: when there are more than 100.
        NotFound, DocumentBeingChecked, DocumentRefused: for each that can't be had, by its place.
    """
    if not ids:
        raise Missing("ids")
    if len(ids) > MOST_AT_ONCE:
        raise TooMany("ids", most=MOST_AT_ONCE)
    problems: list[DomainError] = []
    for place, row in enumerate(await documents.by_ids(scope, ids, COLUMNS)):
        error = NotFound() if row is None else _obstacle(row)
        if error is not None:
            problems.append(error.under("ids", str(place)))
    refuse_if_any(problems)
    return tickets.url(scope, ARCHIVE, list(dict.fromkeys(ids)))


# ------------------------------------------------------------------ using them
async def found(scope: Scope, held: Ticket) -> list[Row]:
    """The documents that the ticket leads to, its holder being the actor.

    Raises:
        ExpiredToken: when one of them was removed.
        DocumentBeingChecked, DocumentRefused: when the virus scanner doesn't let one of them go.
    """
    ids: Any = held.subject if isinstance(held.subject, list) else [held.subject]
    rows = [row for row in await documents.by_ids(scope, ids, COLUMNS) if row is not None]
    if len(rows) < len(ids):
        raise ExpiredToken
    refuse_if_any(error for row in rows if (error := _obstacle(row)) is not None)
    return rows


async def content(scope: Scope, document: Row, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
    """The document's bytes from `start` up to `stop`, in pieces.

    Raises:
        ExpiredToken: when the content went with the document meanwhile.
        StorageAway: when the store can't be used.
    """
    try:
        return await storage.read(
            scope.office.store, document.object_key, start, document.size if stop is None else stop
        )
    except ContentMissing:
        log.exception("content_missing", document=document.id)
        raise ExpiredToken from None


def _obstacle(document: Row) -> DomainError | None:
    obstacles = {DocumentState.AWAITING_SCAN: DocumentBeingChecked, DocumentState.REFUSED: DocumentRefused}
    kind = obstacles.get(document.state)
    return kind() if kind is not None else None
