"""API keys: told once, stored as a hash, good until revoked."""

import hashlib
import re
from datetime import UTC, date, datetime

from models.accounts.actors import Integration
from models.activities import api_keys as rows
from models.activities.api_keys import ApiKey
from models.errors.errors import ApiKeyNameTaken, Invalid, Missing, TooLong
from models.events.events import Event
from resolvers.activities import api_keys
from tests.conftest import Clock
from tests.resolvers.support.crowds import MANY, ScopeOf, kinds, together
from tests.resolvers.support.mailbox import assert_untold, refused
from tests.support import factories, invariants


async def test_operator_makes_a_key_of_which_only_the_hash_is_kept(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    key = await api_keys.create(scope_of(), " Facturation ")
    assert re.fullmatch(r"rattache_[A-Za-z0-9_-]{43}", key)
    row = await ApiKey.get()
    assert (row.name, row.key_hash, row.created_at, row.revoked_at) == (
        "Facturation", hashlib.sha256(key.encode()).hexdigest(), clock.now, None
    )  # fmt: skip
    event = await Event.get()
    assert (event.type, event.before, event.after) == ("ApiKeyCreated", {}, {"name": "Facturation"})
    await assert_untold(key, key.removeprefix("rattache_"), row.key_hash)
    assert await rows.integration_of(key, now=clock()) == Integration(row.id, "Facturation")
    await invariants.check(clock.now)


async def test_two_keys_are_never_alike(db: str, scope_of: ScopeOf) -> None:
    assert await api_keys.create(scope_of(), "one") != await api_keys.create(scope_of(), "two")


async def test_a_name_that_can_not_be_one_is_refused(db: str, scope_of: ScopeOf) -> None:
    for name, problem in ((" ", Missing), ("x" * 101, TooLong), ("a\0", Invalid)):
        async with refused((problem, "name")):
            await api_keys.create(scope_of(), name)
    assert await ApiKey.all().count() == 0


async def test_a_revoked_key_lets_nobody_in_and_its_name_is_free(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    old = await api_keys.create(scope_of(), "erp")
    async with refused((ApiKeyNameTaken, "name")):
        await api_keys.create(scope_of(), "erp")
    assert await api_keys.revoke(scope_of(), " erp ") is True
    assert await rows.integration_of(old, now=clock()) is None
    assert (await ApiKey.get()).revoked_at == clock.now
    before = await factories.traces()
    assert await api_keys.revoke(scope_of(), "erp") is False
    assert await factories.traces() == before
    new = await api_keys.create(scope_of(), "erp")
    found = await rows.integration_of(new, now=clock())
    assert found is not None
    assert [(row.name, row.revoked_at is None) for row in await api_keys.listed()] == [("erp", False), ("erp", True)]
    assert await factories.event_types() == ["ApiKeyCreated", "ApiKeyRevoked", "ApiKeyCreated"]


async def test_an_unknown_key_is_nobodys(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    key = await api_keys.create(scope_of(), "erp")
    for wrong in ("", "x", key[:-1], key.upper(), key.removeprefix("rattache_"), (await ApiKey.get()).key_hash):
        assert await rows.integration_of(wrong, now=clock()) is None


async def test_fifty_operators_of_one_name_make_one_key(db: str, scope_of: ScopeOf) -> None:
    answers = await together(api_keys.create(scope_of(), "erp") for _ in range(MANY))
    assert kinds(answers) == {"done": 1, "ApiKeyNameTaken": MANY - 1}
    assert await factories.event_types() == ["ApiKeyCreated"]


async def test_a_key_lets_in_through_its_last_day_and_no_longer(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    key = await api_keys.create(scope_of(), "erp", until=date(2027, 3, 16))
    assert (await Event.get()).after == {"name": "erp", "until": "2027-03-16"}
    clock.now = datetime(2027, 3, 16, 22, 59, 59, tzinfo=UTC)  # one second to midnight in Paris
    assert await rows.integration_of(key, now=clock()) is not None
    clock.advance(seconds=1)
    assert await rows.integration_of(key, now=clock()) is None


async def test_the_name_of_a_key_past_its_end_may_be_taken_again(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    old = await api_keys.create(scope_of(), "erp", until=date(2027, 3, 15))
    async with refused((ApiKeyNameTaken, "name")):
        await api_keys.create(scope_of(), "erp")
    clock.now = datetime(2027, 3, 15, 23, tzinfo=UTC)  # midnight in Paris
    new = await api_keys.create(scope_of(), "erp")
    assert await rows.integration_of(old, now=clock()) is None
    assert await rows.integration_of(new, now=clock()) is not None
    assert [(row.name, row.revoked_at) for row in await api_keys.listed()] == [("erp", clock.now), ("erp", None)]
    assert await factories.event_types() == ["ApiKeyCreated", "ApiKeyRevoked", "ApiKeyCreated"]
    async with refused((ApiKeyNameTaken, "name")):
        await api_keys.create(scope_of(), "erp")


async def test_fifty_operators_who_take_the_name_of_a_key_past_its_end_make_one(
    db: str, scope_of: ScopeOf, clock: Clock
) -> None:
    await api_keys.create(scope_of(), "erp", until=date(2027, 3, 15))
    clock.advance(days=1)
    answers = await together(api_keys.create(scope_of(), "erp") for _ in range(MANY))
    assert kinds(answers) == {"done": 1, "ApiKeyNameTaken": MANY - 1}
    assert await factories.event_types() == ["ApiKeyCreated", "ApiKeyRevoked", "ApiKeyCreated"]


async def test_a_key_whose_last_day_is_over_is_not_made(db: str, scope_of: ScopeOf) -> None:
    async with refused((Invalid, "until")):
        await api_keys.create(scope_of(), "erp", until=date(2027, 3, 14))
    assert await ApiKey.all().count() == 0


async def test_a_key_shows_its_last_use_to_the_minute(db: str, scope_of: ScopeOf, clock: Clock) -> None:
    key = await api_keys.create(scope_of(), "erp")
    assert (await ApiKey.get()).last_used_at is None
    await rows.integration_of(key, now=clock())
    first = clock.now
    clock.advance(seconds=60)
    await rows.integration_of(key, now=clock())
    assert (await ApiKey.get()).last_used_at == first
    clock.advance(seconds=1)
    await rows.integration_of(key, now=clock())
    assert (await ApiKey.get()).last_used_at == clock.now
