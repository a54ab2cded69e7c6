"""Documents: the type, its payloads, the acts on them, and the address of several as one archive."""

from datetime import datetime
from typing import Any

import strawberry

from models.documents import documents as models
from models.documents.documents import DOCUMENTS, DocumentState, DocumentType
from resolvers.documents import documents, downloads
from schema.base import ids
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.inputs import given
from schema.base.nodes import Node
from schema.base.payloads import answers_of
from schema.base.roots import query
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation
from schema.documents.uploads import Upload


@rows_of(DOCUMENTS)
@strawberry.type(description="A file that a person keeps in their account, and nobody else sees.")
class Document(Node):
    designation: str = column("What the person calls it.")
    type: DocumentType = column("What it is.")
    filename: str = column("The file's name.")
    mime_type: str = column("Its media type, by the extension of its name.")
    size: int = column("Its size in bytes.")
    sha256: str = column("The SHA-256 of its content, in hexadecimal.")
    state: DocumentState = column("Whether it can be downloaded.")
    created_at: datetime = column("When it was added.")

    @made_from(
        "id",
        description="Where the file comes, as a download, byte ranges too: for 5 minutes, for the owner alone, with no"
        " session needed; dead once the document is removed.",
    )
    def download_url(self: Any, info: Info) -> str:
        return downloads.url(info.context.scope, self.id)


@strawberry.input(description="What a list of documents is narrowed to; each part that is given must hold.")
class DocumentFilter:
    types: list[DocumentType] | None = strawberry.field(default=None, description="Any of these types.")
    designation: str | None = strawberry.field(
        default=None, description="Any part of the designation, without regard to case and accents."
    )


def filter_of(given: DocumentFilter | None) -> models.DocumentFilter:
    """The filter as a plain value."""
    if given is None:
        return models.DocumentFilter()
    return models.DocumentFilter(tuple(given.types) if given.types is not None else None, given.designation)


@strawberry.input(description="A file to keep: at most 4 MiB, its content agreeing with its extension.")
class AddDocumentInput:
    file: Upload = strawberry.field(
        description="The file. Extensions: BMP HTM FAX PNG XHTML BZ2 JPEG PPS XLC CSV JPG PPT PPTX XLM DOC ODP RTF XLS"
        " GIF ODS SVG XML GZ ODT TGZ XSD GZIP P7S TIF XSL HTML PDF TXT ZIP TIFF XLSX DOCX."
    )
    designation: str = strawberry.field(description="What to call it, 1 to 100 characters.")
    type: DocumentType = strawberry.field(description="What it is.")


@strawberry.input(description="What is to be different about a document; what is absent stays.")
class UpdateDocumentInput:
    id: strawberry.ID = strawberry.field(description="The document.")
    designation: str | None = strawberry.field(
        default=strawberry.UNSET, description="What to call it, 1 to 100 characters."
    )
    type: DocumentType | None = strawberry.field(default=strawberry.UNSET, description="What it is.")


@strawberry.type(description="The document after the act.")
class DocumentPayload:
    document_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The document; null when the act was refused.")
    async def document(self, info: Info) -> Document | None:
        return await info.context.load(documents.by_ids, self.document_id, selection_of(info))


@strawberry.type(description="What became of one document.")
class DocumentResult:
    id: strawberry.ID = column("The id that was sent.")
    errors: list[UserError] = column(ERRORS)


@strawberry.type(description="One answer per document, in the order they were sent in.")
class DocumentsPayload:
    results: list[DocumentResult] = strawberry.field(default_factory=list, description="What became of each.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing at all was done; empty otherwise."
    )


@strawberry.type
class DocumentQuery:
    @query(
        "Where these documents come as one ZIP, in the order given: for 5 minutes, for the owner alone,"
        " with no session needed; dead once one of them is removed."
    )
    async def documents_archive_url(self, info: Info, ids: list[strawberry.ID]) -> str:
        return await downloads.archive_url(info.context.scope, [_number(id) for id in ids])


@strawberry.type
class DocumentMutation:
    @mutation("Keep a file in the account.")
    async def add_document(self, info: Info, input: AddDocumentInput) -> DocumentPayload:
        received: Any = input.file
        added = await documents.add(info.context.scope, received, input.designation, input.type)
        return DocumentPayload(document_id=added)

    @mutation("Change a document's designation or type.")
    async def update_document(self, info: Info, input: UpdateDocumentInput) -> DocumentPayload:
        changes = given(input)
        changed = await documents.update(info.context.scope, _number(changes.pop("id")), changes)
        return DocumentPayload(document_id=changed)

    @mutation("Remove documents; their room is free at once.")
    async def remove_documents(self, info: Info, ids: list[strawberry.ID]) -> DocumentsPayload:
        outcomes = await documents.remove(info.context.scope, [_number(id) for id in ids])
        answers = zip(ids, answers_of(info, "Document", ids, outcomes), strict=True)
        return DocumentsPayload(results=[DocumentResult(id=id, errors=errors) for id, (_, _, errors) in answers])


def _number(global_id: strawberry.ID) -> int | None:
    return ids.number(global_id, "Document")
