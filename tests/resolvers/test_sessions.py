"""Sessions: how long they are good, listed and ended by their owner alone."""

from collections.abc import Callable

import pytest

from models import sessions
from models.accounts import Account, AccountState
from models.errors import (
    NotFound,
    Unauthenticated,
)
from models.events import Event
from models.reading import Selection
from models.sessions import Session
from resolvers import sessions as entries
from resolvers.scope import Office, Scope
from resolvers.sessions import Entry
from tests import factories
from tests.conftest import Clock
from tests.resolvers.doors import Doors
from tests.resolvers.mailbox import refused

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]


@pytest.fixture
def doors(office: Office) -> Doors:
    return Doors(office)


# ------------------------------------------------------------------ how long a session is good
async def test_session_ends_after_twelve_idle_hours(doors: Doors, clock: Clock) -> None:
    entry = await doors.sign_in(await factories.person())
    for _ in range(2):
        clock.advance(hours=11, minutes=59, seconds=59)
        assert await doors.actor(entry) is not None
    clock.advance(hours=12)
    assert await doors.actor(entry) is None


async def test_busy_session_ends_after_seven_days(doors: Doors, clock: Clock) -> None:
    entry = await doors.sign_in(await factories.person())
    for _ in range(6 * 4 + 3):
        clock.advance(hours=6)
        assert await doors.actor(entry) is not None
    clock.advance(hours=5, minutes=59, seconds=59)
    assert await doors.actor(entry) is not None
    clock.advance(seconds=1)
    assert await doors.actor(entry) is None


async def test_busy_session_is_marked_seen_once_a_minute(doors: Doors, clock: Clock) -> None:
    entry = await doors.sign_in(await factories.person())
    began = clock.now
    clock.advance(seconds=60)
    await doors.actor(entry)
    assert (await Session.get()).last_seen_at == began
    clock.advance(seconds=1)
    await doors.actor(entry)
    assert (await Session.get()).last_seen_at == clock.now


async def test_unknown_token_stands_for_nobody(doors: Doors) -> None:
    entry = await doors.sign_in(await factories.person())
    for token in ("", "x", entry.token + "x", sessions.hashed(entry.token)):
        assert await doors.actor(Entry(token, entry.expires_at, entry.account_id)) is None


async def test_session_of_a_suspended_account_stands_for_nobody(doors: Doors) -> None:
    person = await factories.person()
    entry = await doors.sign_in(person)
    await Account.filter(id=person.id).update(state=AccountState.SUSPENDED)
    assert await doors.actor(entry) is None


# ------------------------------------------------------------------ ending sessions
async def test_person_signs_out_of_this_session_only(doors: Doors) -> None:
    person = await factories.person()
    scope, other = await doors.inside(person), await doors.sign_in(person)
    await entries.sign_out(scope)
    assert scope.actor is None
    assert await doors.actor(other) is not None
    assert await Session.all().count() == 1
    await entries.sign_out(scope)
    assert (await factories.event_types()).count("SignedOut") == 1


async def test_person_ends_all_other_sessions(doors: Doors) -> None:
    person, stranger = await factories.person(), await factories.person()
    others = [await doors.sign_in(person), await doors.sign_in(person)]
    scope, foreign = await doors.inside(person), await doors.sign_in(stranger)
    await entries.revoke(scope, None)
    assert [await doors.actor(other) for other in others] == [None, None]
    assert await doors.actor(foreign) is not None
    assert scope.actor is not None
    assert await Session.filter(id=scope.actor.session_id).exists()
    assert (await Event.get(type="SessionsRevoked")).after == {"count": 2}
    await entries.revoke(scope, None)  # there is nothing more to end, and nothing to tell
    assert await Event.filter(type="SessionsRevoked").count() == 1


async def test_person_ends_one_session_or_the_present_one(doors: Doors) -> None:
    person = await factories.person()
    first, second, scope = await doors.sign_in(person), await doors.sign_in(person), await doors.inside(person)
    ended = await doors.actor(first)
    assert ended is not None
    assert scope.actor is not None
    await entries.revoke(scope, {ended.session_id})
    assert await doors.actor(first) is None
    assert await doors.actor(second) is not None
    await entries.revoke(scope, {scope.actor.session_id})
    assert scope.actor is None
    assert await Session.all().count() == 1


async def test_person_cannot_end_the_session_of_another(doors: Doors) -> None:
    person, stranger = await factories.person(), await factories.person()
    own, foreign = await doors.sign_in(person), await doors.actor(await doors.sign_in(stranger))
    scope = await doors.inside(person)
    assert foreign is not None
    mine = await doors.actor(own)
    assert mine is not None
    for ids in ({foreign.session_id}, {mine.session_id, foreign.session_id}, {987_654}):
        async with refused((NotFound, "ids")):
            await entries.revoke(scope, ids)
    assert await Session.all().count() == 3


async def test_nobody_cannot_end_sessions(scope_of: ScopeOf) -> None:
    with pytest.raises(Unauthenticated):
        await entries.revoke(scope_of(), None)


async def test_person_lists_the_sessions_that_are_good_newest_first(doors: Doors, clock: Clock) -> None:
    person, stranger = await factories.person(), await factories.person()
    await doors.sign_in(person, user_agent="forgotten")
    clock.advance(hours=12)
    await doors.sign_in(person, user_agent="older")
    await doors.sign_in(stranger)
    clock.advance(minutes=1)
    await doors.sign_in(person, user_agent="newer")
    selection = Selection(frozenset({"user_agent", "created_at"}))
    mine, none = await entries.of_accounts(await doors.inside(stranger), [person.id, 987_654], selection)
    assert [row.user_agent for row in mine] == ["newer", "older"]
    assert (mine[0].created_at, none) == (clock.now, [])
