"""Scans: a document waits for the scanner's verdict, and what each verdict brings."""

from collections.abc import AsyncIterator

import pytest

from graph.files.storage import store_of
from models.documents.documents import Document, DocumentState, DocumentType
from models.errors.errors import NoVerdict, StorageAway
from models.events.events import Event
from models.mail.outbox import Mail
from resolvers import storage
from resolvers.documents import documents, scans
from resolvers.scope import Scope
from tests.conftest import Clock
from tests.resolvers.support.crowds import ScopeOf
from tests.resolvers.support.files import SMALL, stored, storing, upload
from tests.support import factories, invariants


class Nose:
    """A scanner that smells the word virus, has no verdict on what is odd, or is away."""

    is_away = False

    async def __call__(self, content: AsyncIterator[bytes]) -> str | None:
        if self.is_away:
            raise StorageAway("no scanner")
        found = b"".join([piece async for piece in content])
        if b"odd" in found:
            raise NoVerdict("it smells of nothing known")
        return "Smelly" if b"virus" in found else None


async def _two(scope: Scope) -> tuple[int, int]:
    clean = await documents.add(scope, upload("a.txt", b"all is well"), "clean", DocumentType.OTHER)
    return clean, await documents.add(scope, upload("b.txt", b"a virus here"), "sick", DocumentType.OTHER)


async def test_clean_becomes_available_and_the_owner_of_the_other_is_told(
    db: str, scope_of: ScopeOf, storage_url: str, clock: Clock
) -> None:
    store, owner = store_of(storage_url), await factories.person()
    scope = storing(scope_of(owner), store, scanner=Nose(), quota=SMALL)
    clean, sick = await _two(scope)
    assert {row.state for row in await Document.all()} == {DocumentState.AWAITING_SCAN}
    assert await scans.scan(storing(scope_of(), store, scanner=Nose())) == 2
    rows = {row.id: row for row in await Document.all()}
    assert (rows[clean].state, rows[sick].state) == (DocumentState.AVAILABLE, DocumentState.REFUSED)
    assert await stored(store) == {rows[clean].object_key}
    mail = await Mail.get()
    assert (mail.message, mail.address) == ("document_refused", owner.contact_email)
    assert await factories.event_types() == ["DocumentAdded", "DocumentAdded", "DocumentCleared", "DocumentRefused"]
    last = await Event.all().order_by("-id").first()
    assert last is not None
    assert (last.actor_id, last.subject_id, last.after["threat"]) == (None, owner.id, "Smelly")
    assert await scans.scan(scope) == 0
    # what was refused takes no place
    for number in range(4):
        await documents.add(scope, upload("a.txt", b"x"), f"{number}", DocumentType.OTHER)
    await invariants.check(clock.now)


async def test_while_the_scanner_is_away_documents_wait(db: str, scope_of: ScopeOf, storage_url: str) -> None:
    store, nose = store_of(storage_url), Nose()
    scope = storing(scope_of(await factories.person()), store, scanner=nose)
    await _two(scope)
    nose.is_away = True
    with pytest.raises(StorageAway):
        await scans.scan(scope)
    assert {row.state for row in await Document.all()} == {DocumentState.AWAITING_SCAN}
    nose.is_away = False
    assert await scans.scan(scope) == 2


async def test_a_document_without_a_verdict_waits_and_holds_up_no_other(
    db: str, scope_of: ScopeOf, storage_url: str
) -> None:
    scope = storing(scope_of(await factories.person()), store_of(storage_url), scanner=Nose())
    odd = await documents.add(scope, upload("a.txt", b"an odd one"), "odd", DocumentType.OTHER)
    clean, sick = await _two(scope)
    assert await scans.scan(scope) == 2
    states = {row.id: row.state for row in await Document.all()}
    assert states == {
        odd: DocumentState.AWAITING_SCAN, clean: DocumentState.AVAILABLE, sick: DocumentState.REFUSED
    }  # fmt: skip
    assert await scans.scan(scope) == 0


async def test_a_document_removed_before_its_verdict_is_no_ones_concern(
    db: str, scope_of: ScopeOf, storage_url: str
) -> None:
    store = store_of(storage_url)
    scope = storing(scope_of(await factories.person()), store, scanner=Nose())
    _, sick = await _two(scope)
    row = await Document.get(id=sick)
    await storage.delete(store, row.object_key)
    assert await scans.scan(scope) == 1
    assert await Mail.all().count() == 0
    await documents.remove(scope, [sick])
    assert await scans.scan(scope) == 0


async def test_a_scanner_that_was_taken_away_lets_nobody_wait(db: str, scope_of: ScopeOf, storage_url: str) -> None:
    store = store_of(storage_url)
    await _two(storing(scope_of(await factories.person()), store, scanner=Nose()))
    assert await scans.scan(storing(scope_of(), store)) == 2
    assert {row.state for row in await Document.all()} == {DocumentState.AVAILABLE}
