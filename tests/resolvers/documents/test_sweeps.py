"""Sweeps: rows without content and content without a row go away, in time and not before."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from graph.files.storage import store_of
from models.documents.documents import Document, DocumentType
from resolvers import storage
from resolvers.documents import documents, sweeps
from resolvers.storage import Store
from tests.conftest import Clock
from tests.resolvers.support.crowds import ScopeOf
from tests.resolvers.support.files import stored, storing, upload
from tests.support import factories


@pytest.fixture
def store(storage_url: str) -> Store:
    """An empty store, of each kind."""
    return store_of(storage_url)


async def test_a_row_whose_content_was_never_stored_goes_with_what_there_is_of_it(
    db: str, scope_of: ScopeOf, store: Store, clock: Clock
) -> None:
    owner = await factories.person()
    scope = storing(scope_of(owner), store)
    left = await factories.document(owner, stored_at=None, created_at=clock.now)
    await storage.put(store, left.object_key, io.BytesIO(b"half a"))
    kept = await documents.add(scope, upload(), "D", DocumentType.RIB)
    clock.advance(minutes=14, seconds=59)
    assert await sweeps.sweep_rows(scope) == 0
    clock.advance(seconds=1)
    assert await sweeps.sweep_rows(scope) == 1
    (row,) = await Document.all()
    assert row.id == kept
    assert await stored(store) == {row.object_key}
    assert await factories.event_types() == ["DocumentAdded"]


async def test_what_was_removed_and_not_deleted_is_deleted(
    db: str, scope_of: ScopeOf, store: Store, clock: Clock
) -> None:
    owner = await factories.person()
    scope = storing(scope_of(owner), store)
    removed = await factories.document(owner, removed_at=clock.now)
    await storage.put(store, removed.object_key, io.BytesIO(b"gone"))
    assert await sweeps.sweep_rows(scope) == 0
    clock.advance(minutes=1)
    assert await sweeps.sweep_rows(scope) == 1
    assert await Document.all().count() == 0
    assert await stored(store) == set()


async def test_more_rows_than_one_batch_are_all_swept(db: str, scope_of: ScopeOf, store: Store, clock: Clock) -> None:
    owner = await factories.person()
    for _ in range(5):
        await factories.document(owner, removed_at=factories.LONG_AGO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "AT_ONCE", 2)
        assert await sweeps.sweep_rows(storing(scope_of(owner), store)) == 5
    assert await Document.all().count() == 0


async def test_an_object_that_no_row_names_goes_once_it_is_old(
    db: str, scope_of: ScopeOf, store: Store, clock: Clock
) -> None:
    clock.now = datetime.now(UTC)
    scope = storing(scope_of(await factories.person()), store)
    await documents.add(scope, upload(), "D", DocumentType.RIB)
    (row,) = await Document.all()
    await storage.put(store, "0" * 32, io.BytesIO(b"whose?"))
    assert await sweeps.sweep_objects(scope) == 0
    clock.now += timedelta(hours=1, seconds=5)
    assert await sweeps.sweep_objects(scope) == 1
    assert await stored(store) == {row.object_key}
