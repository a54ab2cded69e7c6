"""Sweeps: rows and contents of documents that don't belong together any more, put in order after whatever happened.

A row whose content was never stored in time, a removed row whose content is still there, and an object that no row
names: the first two by their rows, the last by going through the store. What is young is left: its upload may go on.
"""

from datetime import timedelta

import structlog

from models.documents import documents
from models.documents.documents import Document
from models.errors.errors import DatabaseAway
from resolvers import jobs, storage
from resolvers.scope import Scope

ROW_JOB, OBJECT_JOB = "document-sweep", "object-sweep"
UPLOAD_SPAN = timedelta(minutes=15)  # longer than any request lives
REMOVAL_SPAN = timedelta(minutes=1)  # the request that removed it deletes the content itself
OBJECT_SPAN = timedelta(hours=1)
AT_ONCE = 200

log = structlog.get_logger(__name__)


async def discard(scope: Scope, document: Document) -> None:
    """Delete the content of a document that nobody has any more, then its row.

    Raises:
        StorageAway: when the store can't be used; then both stay.
        DatabaseAway: when the database can't be reached; then the row stays.
    """
    await storage.delete(scope.office.store, document.object_key)
    await documents.forget(document.id)


async def discard_soon(scope: Scope, document: Document) -> None:
    """The same now if it can be, else by the next sweep: for whoever removed it, it is gone already."""
    try:
        await discard(scope, document)
    except DatabaseAway as away:  # the store's being away is one
        log.warning("content_left_for_the_sweep", document=document.id, reason=str(away))


# ------------------------------------------------------------------ by the clock
async def sweep_rows(scope: Scope) -> int:
    """Documents whose content was never stored, or that were removed, are deleted from store and database."""

    async def act(found: Document) -> bool:
        if found.removed_at is None and not await _given_up(scope, found):
            return False  # it was stored after all
        await discard(scope, found)
        return True

    done, last, now = 0, 0, scope.now()
    while batch := await documents.left_over(now - UPLOAD_SPAN, now - REMOVAL_SPAN, AT_ONCE, last):
        done += await jobs.each(ROW_JOB, batch, act)
        last = batch[-1].id
    return done


async def _given_up(scope: Scope, found: Document) -> bool:
    async with scope.transaction():
        document = await documents.lock_reserved(found.id)
        if document is not None:
            document.removed_at = scope.now()
            await document.save()
    return document is not None


async def sweep_objects(scope: Scope) -> int:
    """Objects of the store that no document names are deleted."""

    async def act(key: str) -> bool:
        await storage.delete(scope.office.store, key)
        log.info("orphan_deleted", key=key)
        return True

    done = 0
    async for batch in storage.keys(scope.office.store):
        old = [key for key, written_at in batch if written_at <= scope.now() - OBJECT_SPAN]
        known = await documents.known_keys(old)
        done += await jobs.each(OBJECT_JOB, [key for key in old if key not in known], act)
    return done
