"""Documents: kept, described, removed, and read by the person whose they are and nobody else. Source: DOMAIN 6."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.db.query import Page, Row, Selection, Slice
from models.documents import documents
from models.documents.documents import (
    DOCUMENTS,
    NEWEST_FIRST,
    OF_VIEWER,
    STORED,
    Document,
    DocumentFilter,
    DocumentState,
    DocumentType,
    File,
)
from models.errors.errors import (
    Conflict,
    DomainError,
    Missing,
    NotFound,
    QuotaExceeded,
    StorageAway,
    Unauthenticated,
    refuse_if_any,
)
from models.events.events import DocumentAdded, DocumentRemoved, DocumentUpdated
from resolvers import bulk, storage
from resolvers.bulk import Outcome
from resolvers.documents import sweeps
from resolvers.scope import Scope


@dataclass(frozen=True)
class Upload:
    """A file that came with a request, its content to be read from the beginning."""

    file: File
    content: IO[bytes]


# ------------------------------------------------------------------ adding
async def add(scope: Scope, upload: Upload, designation: str, type: DocumentType) -> int:
    """The file kept as a document of the actor's, its content stored; its id.

    Raises:
        Missing, TooLong, Invalid, FileEmpty, FileTooLarge, FileTypeNotAllowed, FileContentMismatch: each that is wrong.
        QuotaExceeded: when the account has no place left.
        StorageAway: when the content can't be stored now; then nothing is kept.
    """
    scope.signed_in()
    reserved = await _reserved(scope, upload.file, designation, type)
    try:
        await storage.put(scope.office.store, reserved.object_key, upload.content)
    except StorageAway:
        await documents.forget(reserved.id)  # what the store may have of it after all is swept
        raise
    async with scope.transaction() as record:
        document = await documents.lock_reserved(reserved.id)
        if document is None:
            raise Conflict("file")  # it took so long that it was swept
        document.stored_at = scope.now()
        await document.save()
        await record(DocumentAdded(subject_id=document.account_id, after=_said(document) | {"size": document.size}))
    return document.id


async def _reserved(scope: Scope, file: File, designation: str, type: DocumentType) -> Document:
    """The document's row, which counts for the quota from now on and exists for nobody yet."""
    problems: list[DomainError] = []
    called = documents.designation(problems, designation, "designation")
    name, mime_type = documents.checked(problems, file, "file")
    refuse_if_any(problems)
    scanner, quota = scope.office.scanner, scope.office.quota
    document = Document(
        account_id=scope.signed_in().account_id,
        filename=name,
        mime_type=mime_type,
        size=file.size,
        sha256=file.sha256,
        object_key=secrets.token_hex(16),
        state=DocumentState.AVAILABLE if scanner is None else DocumentState.AWAITING_SCAN,
        created_at=scope.now(),
    )
    document.relabel(called, type)
    async with scope.transaction():
        account = await accounts.lock(document.account_id)  # uploads at once are counted one after the other
        if account.state is not AccountState.ACTIVE:
            raise Unauthenticated
        files, size = await documents.used(account.id)
        if files + 1 > quota.files or size + file.size > quota.bytes:
            raise QuotaExceeded("file", files=quota.files, most_bytes=quota.bytes)
        await document.save()
    return document


# ------------------------------------------------------------------ describing and removing
async def update(scope: Scope, id: int | None, changes: dict[str, Any]) -> int:
    """The document under another designation, another type, or both; what `changes` leaves out stays. Its id.

    Raises:
        NotFound: when the actor has no such document.
        Missing, TooLong, Invalid: when a value that is given is wrong.
    """
    scope.signed_in()
    problems: list[DomainError] = []
    designation = changes.get("designation")
    if "designation" in changes:
        designation = documents.designation(problems, designation, "designation")
    if "type" in changes and changes["type"] is None:
        problems.append(Missing("type"))
    refuse_if_any(problems)
    async with scope.transaction() as record:
        document = await _locked(scope, id)
        before = _said(document)
        document.relabel(designation or document.designation, changes.get("type", document.type))
        if _said(document) != before:
            await document.save()
            await record(DocumentUpdated(subject_id=document.account_id, before=before, after=_said(document)))
    return document.id


async def remove(scope: Scope, ids: Sequence[int | None]) -> list[Outcome]:
    """What became of each: removed, its place free and its addresses dead at once, its content deleted.

    Raises:
        TooMany: when there are more than 100; then nothing is done.
    """
    scope.signed_in()

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            document = await _locked(scope, id, *path)
            document.removed_at = scope.now()
            await document.save()
            await record(DocumentRemoved(subject_id=document.account_id, before=_said(document)))
        await sweeps.discard_soon(scope, document)
        return document.id

    return await bulk.each(ids, "ids", act)


async def _locked(scope: Scope, id: int | None, *path: str) -> Document:
    document = await documents.lock(id) if id is not None else None
    if document is None or document.account_id != scope.signed_in().account_id:
        raise NotFound(*(path or ("id",)))
    return document


def _said(document: Document) -> dict[str, object]:
    return {"designation": document.designation, "type": document.type, "filename": document.filename}


# ------------------------------------------------------------------ reading
async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The viewer's documents of these ids, in their order; None for None, and for those that aren't theirs."""
    return await DOCUMENTS.found(ids, selection, [OF_VIEWER], scope.viewing())


async def of_accounts(
    scope: Scope, account_ids: Sequence[int], page: Page, filter: DocumentFilter, selection: Selection
) -> list[Slice]:
    """A page of each account's documents, newest first; only the viewer's own has any."""
    viewer = scope.signed_in().account_id
    slice = await DOCUMENTS.slice(
        selection=selection,
        page=page,
        order=NEWEST_FIRST,
        where=["d.account_id = :viewer", STORED, *filter.conditions()],
        parameters=scope.viewing(**filter.parameters()),
    )
    return [slice if id == viewer else Slice() for id in account_ids]
