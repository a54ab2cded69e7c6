"""How attachments and people are read: filters, searches, the review queue, candidates."""

from collections.abc import Callable
from datetime import date

import pytest

from models.accounts.accounts import Account, AccountState
from models.attachments.attachments import Attachment, AttachmentFilter, AttachmentStatus, Role
from models.db.query import Page, Selection, Slice
from models.errors.errors import Forbidden, Invalid
from models.mail.outbox import Mail
from resolvers.accounts import users
from resolvers.attachments import attachment_lists, requests
from resolvers.attachments.requests import NewRequest
from resolvers.scope import Scope
from tests.resolvers.support.houses import House
from tests.support import factories

ScopeOf = Callable[..., Scope]
TODAY, YESTERDAY, TOMORROW = date(2027, 3, 15), date(2027, 3, 14), date(2027, 3, 16)
PENDING, VALIDATED, REFUSED, DEACTIVATED, REMOVED = AttachmentStatus
PM, SM, SU = Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER, Role.SIMPLE_USER
READ = Selection(frozenset({"id", "status"}), total_count=True)
READ_USER = Selection(frozenset({"id", "folded_name"}), total_count=True)


async def status_of(attachment: Attachment) -> AttachmentStatus:
    await attachment.refresh_from_db()
    return AttachmentStatus(attachment.status)


def ids_of(found: Slice) -> list[int]:
    return [row.id for row in found.rows]


async def test_filters_read_the_status_of_today(house: House, scope_of: ScopeOf) -> None:
    ended = await factories.attachment(await factories.person(), house.structure, valid_until=YESTERDAY)
    later = await factories.attachment(await factories.person(), house.structure, valid_from=TOMORROW)
    waiting = await factories.attachment(await factories.person(), house.structure, status=PENDING)
    scope, page = scope_of(house.principal), Page(20)
    everyone = [house.links[name].id for name in ("principal", "secondary", "simple")]

    async def found(filter: AttachmentFilter) -> list[int]:
        (slice,) = await attachment_lists.of_structures(scope, [house.structure.id], page, filter, None, READ)
        assert slice is not None
        assert slice.total_count == len(slice.rows)
        return sorted(ids_of(slice))

    assert await found(AttachmentFilter(statuses=(DEACTIVATED,))) == [ended.id]
    assert await found(AttachmentFilter(statuses=(VALIDATED,))) == [*everyone, later.id]
    assert await found(AttachmentFilter(in_effect=True)) == everyone
    assert await found(AttachmentFilter(in_effect=False)) == [ended.id, later.id, waiting.id]
    assert await found(AttachmentFilter(roles=(PM, SM))) == everyone[:2]
    assert await found(AttachmentFilter(statuses=())) == []
    assert await found(AttachmentFilter(structure_id=0)) == []


async def test_structures_attachments_are_for_its_managers_and_support(house: House, scope_of: ScopeOf) -> None:
    async def shown(person: Account) -> bool:
        (slice,) = await attachment_lists.of_structures(
            scope_of(person), [house.structure.id], Page(20), AttachmentFilter(), None, READ
        )
        return slice is not None

    support = await factories.person(platform_role="SUPPORT")
    people = [house.principal, house.secondary, support, house.simple, await factories.person()]
    assert [await shown(person) for person in people] == [True, True, True, False, False]


async def test_managers_search_names_addresses_and_contact_emails(house: House, scope_of: ScopeOf) -> None:
    zoe = await factories.person(
        first_name="Éloïse", last_name="Martin", contact_email="e.martin@mail.example",
        line1="3 rue Haute", postcode="69001", city="Lyon", country="FR",
    )  # fmt: skip
    link = await factories.attachment(zoe, house.structure)
    for words in ("eloise mar", "MARTIN elo", "dupont", "e.martin@", "rue haute", "69001", "lyon"):
        (slice,) = await attachment_lists.of_structures(
            scope_of(house.principal), [house.structure.id], Page(20), AttachmentFilter(), words, READ
        )
        assert slice is not None
        expected = [] if words == "dupont" else [link.id]
        assert ids_of(slice) == expected
        (candidates,) = await users.candidates(
            scope_of(house.principal), [house.structure.id], Page(20), words, READ_USER
        )
        assert candidates is not None
        assert ids_of(candidates) == ([zoe.id] if expected else [])


async def test_managers_find_people_who_have_left_by_name_alone(house: House, scope_of: ScopeOf) -> None:
    gone = await factories.person(
        first_name="Éloïse", last_name="Martin", contact_email="e.martin@mail.example",
        line1="3 rue Haute", postcode="69001", city="Lyon", country="FR",
    )  # fmt: skip
    links = [await factories.attachment(gone, house.structure, status=status) for status in (REFUSED, REMOVED)]

    async def found(viewer: Account, words: str) -> list[int]:
        (slice,) = await attachment_lists.of_structures(
            scope_of(viewer), [house.structure.id], Page(20), AttachmentFilter(), words, READ
        )
        assert slice is not None
        return sorted(ids_of(slice))

    for words in ("mail.example", "rue haute", "69001", "lyon", "martin e martin"):
        assert await found(house.principal, words) == []
    for words in ("eloise mar", "MARTIN elo"):
        assert await found(house.principal, words) == [link.id for link in links]
    support = await factories.person(platform_role="SUPPORT")
    assert await found(support, "lyon") == [link.id for link in links]


async def test_candidates_are_the_active_people_in_effect_but_the_holder_by_name(
    house: House, scope_of: ScopeOf
) -> None:
    first = await factories.person(last_name="Aaron")
    for changes in ({"valid_until": YESTERDAY}, {"valid_from": TOMORROW}, {"status": PENDING}, {"status": DEACTIVATED}):
        await factories.attachment(await factories.person(), house.structure, **changes)
    suspended = await factories.person(state=AccountState.SUSPENDED)
    await factories.attachment(suspended, house.structure)
    await factories.attachment(first, house.structure)
    (slice,) = await users.candidates(scope_of(house.principal), [house.structure.id], Page(20), None, READ_USER)
    assert slice is not None
    assert ids_of(slice) == [first.id, house.secondary.id, house.simple.id]
    assert slice.total_count == 3
    for person in (house.secondary, house.simple):
        assert await users.candidates(scope_of(person), [house.structure.id], Page(20), None, READ_USER) == [None]


async def test_review_queue_holds_what_the_viewer_may_decide_oldest_first(house: House, scope_of: ScopeOf) -> None:
    other = await factories.structure(await factories.person())
    waiting = [await factories.attachment(await factories.person(), house.structure, status=PENDING) for _ in range(3)]
    await factories.attachment(await factories.person(), other, status=PENDING)
    await factories.attachment(house.secondary, other, status=PENDING)  # their own

    async def queue(person: Account) -> list[int]:
        (slice,) = await attachment_lists.to_review(scope_of(person), [person.id], Page(20), READ)
        return ids_of(slice)

    assert await queue(house.principal) == [row.id for row in waiting]
    assert await queue(house.secondary) == [row.id for row in waiting]
    assert await queue(house.simple) == []
    await Attachment.filter(id=house.links["secondary"].id).update(valid_until=YESTERDAY)
    assert await queue(house.secondary) == []


async def test_support_searches_people_and_nobody_else_does(house: House, scope_of: ScopeOf) -> None:
    support = await factories.person(platform_role="SUPPORT")
    lea = await factories.person(
        first_name="Léa", last_name="Durand", login_email="lea.login@people.example", contact_email="lea@mail.example"
    )
    for words in ("LEA dur", "durand", "a.LOGIN@people", "lea@mail"):
        assert ids_of(await users.search(scope_of(support), words, Page(20), READ_USER)) == [lea.id]
    for words in ("dupont", "lea\0durand@x", "a" * 100_000):
        assert ids_of(await users.search(scope_of(support), words, Page(20), READ_USER)) == []
    with pytest.raises(Forbidden):
        await users.search(scope_of(house.principal), "lea", Page(20), READ_USER)
    with pytest.raises(Invalid) as refusal:
        await users.search(scope_of(support), " ", Page(20), READ_USER)
    assert refusal.value.path == ("search",)


async def test_somebody_asking_again_is_shown_one_live_attachment(house: House, scope_of: ScopeOf) -> None:
    lea = await factories.person()
    await factories.attachment(lea, house.structure, status=REFUSED)
    (outcome,) = await requests.request(scope_of(lea), [NewRequest(house.structure.id, TODAY)])
    found = await attachment_lists.of_viewer(scope_of(lea), [house.structure.id, 987_654], READ)
    assert [row and row.id for row in found] == [outcome.id, None]
    (own,) = await attachment_lists.of_users(scope_of(lea), [lea.id], Page(20), AttachmentFilter(), READ)
    assert [row.status for row in own.rows] == ["PENDING", "REFUSED"]
    assert await Mail.all().count() == 2
