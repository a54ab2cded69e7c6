"""Scans: each new document shown to the virus scanner, where there is one, and what comes of its verdict."""

from mailer.messages import DocumentRefused as RefusedMail
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.documents import documents
from models.documents.documents import Document, DocumentState
from models.events.events import DocumentCleared, DocumentRefused
from resolvers import jobs, storage
from resolvers.scope import Scope
from resolvers.storage import ContentMissing

JOB = "document-scans"
AT_ONCE = 50


async def scan(scope: Scope) -> int:
    """Documents that await the virus scanner are shown to it; clean ones become available."""

    async def act(found: Document) -> bool:
        scanner = scope.office.scanner
        try:
            content = await storage.read(scope.office.store, found.object_key, 0, found.size)
        except ContentMissing:
            return False  # removed meanwhile
        # a scanner that was taken away lets wait nobody
        threat = await scanner(content) if scanner is not None else None
        return await _judged(scope, found, threat)

    done, last = 0, 0
    while batch := await documents.awaiting_scan(AT_ONCE, last):
        done += await jobs.each(JOB, batch, act)
        last = batch[-1].id
    return done


async def _judged(scope: Scope, found: Document, threat: str | None) -> bool:
    async with scope.transaction() as record:
        owner = await accounts.lock(found.account_id)
        document = await documents.lock(found.id)
        if document is None or document.state is not DocumentState.AWAITING_SCAN:
            return False  # removed, or another worker was first
        said = {"designation": document.designation, "filename": document.filename}
        if threat is None:
            document.state = DocumentState.AVAILABLE
            await record(DocumentCleared(subject_id=owner.id, after=said))
        else:
            document.state = DocumentState.REFUSED
            await record(DocumentRefused(subject_id=owner.id, after=said | {"threat": threat}))
            if owner.state is AccountState.ACTIVE:
                await scope.mail(RefusedMail(designation=document.designation, filename=document.filename), owner)
        await document.save()
    if threat is not None:
        await storage.delete(scope.office.store, found.object_key)
    return True
