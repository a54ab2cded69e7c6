"""Documents: added, described, removed, listed; refused whole; never more than there is room for, nobody else's ever."""

import pytest

from graph.files.storage import store_of
from models.accounts.accounts import AccountState
from models.db.query import Page, Selection
from models.documents.documents import Document, DocumentFilter, DocumentState, DocumentType
from models.errors.errors import (
    Conflict,
    FileContentMismatch,
    FileEmpty,
    FileTypeNotAllowed,
    Invalid,
    Missing,
    NotFound,
    QuotaExceeded,
    StorageAway,
    TooLong,
    Unauthenticated,
)
from models.events.events import Event
from resolvers import storage
from resolvers.documents import documents, downloads, sweeps
from resolvers.documents.documents import Upload
from resolvers.storage import Store
from tests.conftest import Clock
from tests.resolvers.support.crowds import MANY, ScopeOf, kinds, together
from tests.resolvers.support.files import PDF, SMALL, stored, storing, upload
from tests.resolvers.support.mailbox import Problem, refused
from tests.support import factories, invariants

RIB = DocumentType.RIB


@pytest.fixture
def store(storage_url: str) -> Store:
    """An empty store, of each kind."""
    return store_of(storage_url)


async def _content(store: Store, document: Document) -> bytes:
    return b"".join([piece async for piece in await storage.read(store, document.object_key, 0, document.size)])


# ------------------------------------------------------------------ adding
async def test_owner_adds_a_document_that_is_stored_and_told(
    db: str, scope_of: ScopeOf, store: Store, clock: Clock
) -> None:
    owner = await factories.person()
    id = await documents.add(storing(scope_of(owner), store), upload("Relevé.PDF"), "  Relevé  d'identité ", RIB)
    row = await Document.get()
    assert (row.id, row.account_id, row.designation, row.type) == (id, owner.id, "Relevé  d'identité", RIB)
    assert (row.filename, row.mime_type, row.size, row.state) == (
        "Relevé.PDF", "application/pdf", len(PDF), DocumentState.AVAILABLE
    )  # fmt: skip
    assert (row.created_at, row.stored_at, row.removed_at) == (clock.now, clock.now, None)
    assert await stored(store) == {row.object_key}
    assert await _content(store, row) == PDF
    event = await Event.get()
    assert (event.type, event.subject_id, event.after["filename"]) == ("DocumentAdded", owner.id, "Relevé.PDF")
    assert row.object_key not in str(event.after)
    await invariants.check(clock.now)


async def test_everything_wrong_is_told_at_once_and_nothing_is_kept(db: str, scope_of: ScopeOf, store: Store) -> None:
    scope = storing(scope_of(await factories.person()), store)
    cases: list[tuple[Upload, str, list[Problem]]] = [
        (upload("a.exe"), " ", [(Missing, "designation"), (FileTypeNotAllowed, "file")]),
        (upload("a.pdf", b""), "x" * 101, [(TooLong, "designation"), (FileEmpty, "file")]),
        (upload("a.png"), "D", [(FileContentMismatch, "file")]),
        (upload("../a.pdf"), "D", [(Invalid, "file")]),
        (upload("", b""), "D", [(Missing, "file")]),
    ]
    for given, designation, problems in cases:
        async with refused(*problems):
            await documents.add(scope, given, designation, RIB)
    assert await Document.all().count() == 0
    assert await stored(store) == set()


async def test_nobody_adds_without_a_session_or_once_the_account_has_ended(
    db: str, scope_of: ScopeOf, store: Store
) -> None:
    gone = await factories.person(state=AccountState.SUSPENDED)
    for scope in (scope_of(), scope_of(gone)):
        with pytest.raises(Unauthenticated):
            await documents.add(storing(scope, store), upload(), "D", RIB)
    assert await Document.all().count() == 0
    assert await stored(store) == set()


async def test_quota_by_count_and_by_bytes_is_inclusive(db: str, scope_of: ScopeOf, store: Store) -> None:
    owner = await factories.person()
    scope = storing(scope_of(owner), store, quota=SMALL)
    await factories.document(owner, size=900)
    await documents.add(scope, upload("a.txt", b"x" * 100), "to the last byte", RIB)
    async with refused((QuotaExceeded, "file")):
        await documents.add(scope, upload("a.txt", b"x"), "one more", RIB)
    first = await Document.all().order_by("id").first()
    assert first is not None
    await documents.remove(scope, [first.id])
    for number in range(4):
        await documents.add(scope, upload("a.txt", b"x"), f"{number}", RIB)
    async with refused((QuotaExceeded, "file")):
        await documents.add(scope, upload("a.txt", b"x"), "a sixth", RIB)
    assert await Document.filter(removed_at=None).count() == 5


async def test_fifty_uploads_into_the_last_three_places_leave_exactly_three(
    db: str, scope_of: ScopeOf, store: Store, clock: Clock
) -> None:
    owner = await factories.person()
    for _ in range(97):
        await factories.document(owner)
    scopes = [storing(scope_of(owner), store) for _ in range(MANY)]
    answers = await together(documents.add(scope, upload(), "D", RIB) for scope in scopes)
    assert kinds(answers) == {"done": 3, "QuotaExceeded": MANY - 3}
    rows = await Document.filter(stored_at=clock.now)
    assert await Document.all().count() == 100
    assert await stored(store) == {row.object_key for row in rows}
    assert await factories.event_types() == ["DocumentAdded"] * 3


async def test_a_store_that_is_away_leaves_nothing(db: str, scope_of: ScopeOf, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    scope = storing(scope_of(await factories.person()), store_of("s3://nowhere/documents"))
    with pytest.raises(StorageAway):
        await documents.add(scope, upload(), "D", RIB)
    assert await Document.all().count() == 0
    assert await factories.traces() == (0, 0)


async def test_an_upload_that_was_swept_meanwhile_is_refused_and_leaves_no_document(
    db: str, scope_of: ScopeOf, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope, put = storing(scope_of(await factories.person()), store), storage.put

    async def slowly(*given: object) -> None:
        clock.advance(minutes=16)
        assert await sweeps.sweep_rows(scope) == 1
        await put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "put", slowly)
    with pytest.raises(Conflict):
        await documents.add(scope, upload(), "D", RIB)
    assert await Document.all().count() == 0
    assert await factories.traces() == (0, 0)


# ------------------------------------------------------------------ describing, removing
async def test_owner_changes_what_is_given_and_nothing_else(db: str, scope_of: ScopeOf) -> None:
    owner = await factories.person()
    row = await factories.document(owner, designation="Old", type=DocumentType.QUOTE)
    assert await documents.update(scope_of(owner), row.id, {"designation": "New"}) == row.id
    assert await documents.update(scope_of(owner), row.id, {"type": RIB}) == row.id
    assert await documents.update(scope_of(owner), row.id, {"type": RIB}) == row.id
    await row.refresh_from_db()
    assert (row.designation, row.folded, row.type) == ("New", "new", RIB)
    assert await factories.event_types() == ["DocumentUpdated"] * 2


async def test_a_wrong_change_is_refused_by_field(db: str, scope_of: ScopeOf) -> None:
    owner = await factories.person()
    row = await factories.document(owner)
    async with refused((Missing, "designation"), (Missing, "type")):
        await documents.update(scope_of(owner), row.id, {"designation": None, "type": None})
    for other in (await factories.person(), owner):
        async with refused((NotFound, "id")):
            await documents.update(scope_of(other), row.id if other is not owner else None, {"designation": "Mine"})


async def test_removal_frees_the_place_ends_the_addresses_and_deletes_the_content(
    db: str, scope_of: ScopeOf, store: Store
) -> None:
    owner, other = await factories.person(), await factories.person()
    scope = storing(scope_of(owner), store)
    id = await documents.add(scope, upload(), "D", RIB)
    kept = await documents.add(scope, upload(), "kept", RIB)
    theirs = await factories.document(other)
    outcomes = await documents.remove(scope, [theirs.id, id, id, None])
    assert [(one.id, type(one.error).__name__, one.error.path if one.error else None) for one in outcomes] == [
        (None, "NotFound", ("ids", "0")),
        (id, "NoneType", None),
        (None, "Invalid", ("ids", "2")),
        (None, "NotFound", ("ids", "3")),
    ]
    rows = await Document.filter(account=owner)
    assert [row.id for row in rows] == [kept]
    assert await stored(store) == {rows[0].object_key}
    assert await factories.event_types() == ["DocumentAdded", "DocumentAdded", "DocumentRemoved"]


# ------------------------------------------------------------------ reading
async def test_owner_lists_by_type_and_designation_newest_first_and_nobody_elses(db: str, scope_of: ScopeOf) -> None:
    owner, other = await factories.person(), await factories.person()
    first = await factories.document(owner, designation="Relevé d'Identité", type=RIB)
    second = await factories.document(owner, designation="50 % de remise", type=DocumentType.QUOTE)
    await factories.document(owner, stored_at=None)
    await factories.document(owner, removed_at=factories.LONG_AGO)
    await factories.document(other, designation="Relevé")

    async def listed(**filter: object) -> list[int]:
        (slice, none) = await documents.of_accounts(
            scope_of(owner), [owner.id, other.id], Page(10), DocumentFilter(**filter), Selection(total_count=True)  # type: ignore[arg-type]
        )  # fmt: skip
        assert none.rows == ()
        assert slice.total_count == len(slice.rows)
        return [row.id for row in slice.rows]

    assert await listed() == [second.id, first.id]
    assert await listed(types=(RIB, DocumentType.MANDATE)) == [first.id]
    assert await listed(types=()) == []
    assert await listed(designation="IDENTITE") == [first.id]
    assert await listed(designation="%") == [second.id, first.id]  # punctuation is no letter to look for
    assert await listed(designation="nothing like it") == []


async def test_an_archive_is_of_ones_own_available_documents(db: str, scope_of: ScopeOf) -> None:
    owner = await factories.person()
    good = await factories.document(owner)
    waits = await factories.document(owner, state=DocumentState.AWAITING_SCAN)
    theirs = await factories.document(await factories.person())
    assert "/documents/archive?signed=" in await downloads.archive_url(scope_of(owner), [good.id, good.id])
    async with refused((Missing, "ids")):
        await downloads.archive_url(scope_of(owner), [])
    with pytest.raises(Exception, match="Refusals") as told:
        await downloads.archive_url(scope_of(owner), [good.id, waits.id, theirs.id, None])
    assert [(type(one).__name__, one.path) for one in told.value.each()] == [  # type: ignore[attr-defined]
        ("DocumentBeingChecked", ("ids", "1")), ("NotFound", ("ids", "2")), ("NotFound", ("ids", "3")),
    ]  # fmt: skip
