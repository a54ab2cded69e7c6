"""Coming in and going out: one answer for every wrong try, the brake that parallel tries don't pass, sessions that end."""

from collections.abc import Callable

import pytest

from models import passwords, sessions
from models.accounts import Account, AccountState
from models.actors import Actor
from models.errors import (
    AccountDeactivated,
    AccountUnavailable,
    DomainError,
    Missing,
    NotFound,
    RateLimited,
    Unauthenticated,
    WrongCredentials,
)
from models.events import Event
from models.reading import Selection
from models.sessions import Session
from resolvers import sessions as entries
from resolvers.scope import Office, Scope
from resolvers.sessions import Entry
from tests import factories
from tests.conftest import Clock
from tests.factories import PASSWORD
from tests.resolvers.mailbox import assert_untold, outcomes, overtaken, refused

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]


class Doors:
    """Sign-ins of a test, and who each token stands for at the present instant."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def sign_in(self, account: Account, password: str = PASSWORD, user_agent: str | None = None) -> Entry:
        return await entries.sign_in(Scope(self.office, user_agent=user_agent), account.login_email, password)

    async def actor(self, entry: Entry) -> Actor | None:
        return await sessions.actor_of(entry.token, now=self.office.clock(), idle=self.office.session_idle)

    async def inside(self, account: Account) -> Scope:
        """The scope of an operation in a session just opened."""
        return Scope(self.office, actor=await self.actor(await self.sign_in(account)))


@pytest.fixture
def doors(office: Office) -> Doors:
    return Doors(office)


# ------------------------------------------------------------------ signing in
async def test_person_signs_in_whatever_the_case_of_the_address(doors: Doors, clock: Clock) -> None:
    person = await factories.person(login_email="lea@people.example")
    scope = Scope(doors.office, user_agent="Firefox" * 60)
    entry = await entries.sign_in(scope, " LEA@People.example ", PASSWORD)
    session = await Session.get()
    assert (session.account_id, session.created_at, session.last_seen_at) == (person.id, clock.now, clock.now)
    assert (session.expires_at - clock.now).days == 7
    assert entry == Entry(entry.token, session.expires_at, person.id)
    assert scope.actor == await doors.actor(entry) == Actor(person.id, session.id, None)
    assert (await Account.get()).last_signed_in_at == clock.now
    assert session.user_agent == ("Firefox" * 60)[:255]
    event = await Event.get()
    assert (event.type, event.actor_id, event.subject_id) == ("SignedIn", person.id, person.id)  # type: ignore[attr-defined]


async def test_token_is_kept_only_as_its_hash(doors: Doors) -> None:
    entry = await doors.sign_in(await factories.person())
    session = await Session.get()
    assert session.token_hash == sessions.hashed(entry.token)
    assert len(entry.token) >= 43  # 256 bits in base64
    assert entry.token not in str(dict(session))
    await assert_untold(entry.token, session.token_hash, PASSWORD)


async def test_everyone_who_is_wrong_gets_one_answer(doors: Doors) -> None:
    person = await factories.person()
    pending = await factories.person(state=AccountState.PENDING_ACTIVATION, password_hash=None)
    answers = []
    for address, password in (
        ("nobody@people.example", PASSWORD),
        ("no address", PASSWORD),
        (person.login_email, "Wrong-Password-2026"),
        (person.login_email, PASSWORD + "x" * 5000),
        (pending.login_email, PASSWORD),
    ):
        with pytest.raises(WrongCredentials) as caught:
            await entries.sign_in(Scope(doors.office), address, password)
        answers.append(caught.value.args)
    assert answers == [answers[0]] * 5
    assert await factories.traces() == (0, 0)
    assert await Session.all().count() == 0


async def test_blank_fields_are_both_told(doors: Doors) -> None:
    async with refused((Missing, "login_email"), (Missing, "password")):
        await entries.sign_in(Scope(doors.office), " ", "")


@pytest.mark.parametrize(
    ("state", "days", "answer"),
    [
        (AccountState.DEACTIVATED, 59, AccountDeactivated),
        (AccountState.DEACTIVATED, 60, AccountUnavailable),
        (AccountState.SUSPENDED, None, AccountUnavailable),
    ],
)
async def test_only_the_right_password_tells_that_an_account_stopped(
    doors: Doors, clock: Clock, state: AccountState, days: int | None, answer: type[DomainError]
) -> None:
    person = await factories.person(state=state, deactivated_at=clock.now if days else None)
    clock.advance(days=days or 0)
    async with refused((answer,)):
        await doors.sign_in(person)
    async with refused((WrongCredentials,)):
        await doors.sign_in(person, "Wrong-Password-2026")
    assert await Session.all().count() == 0


# ------------------------------------------------------------------ the brake
async def test_sixth_try_waits_even_with_the_right_password_until_the_clock_releases_it(
    doors: Doors, clock: Clock
) -> None:
    person = await factories.person()
    for _ in range(5):
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")
    for wait in (60, 1):
        for password in ("Wrong-Password-2026", PASSWORD):
            with pytest.raises(RateLimited) as caught:
                await doors.sign_in(person, password)
            assert caught.value.retry_after == wait
        clock.advance(seconds=59 if wait == 60 else 1)
    await doors.sign_in(person)
    for _ in range(5):  # the right password forgot the tries
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")


async def test_pause_doubles_to_an_hour(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    waits = []
    for _ in range(13):
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")
        try:
            await doors.sign_in(person, "Wrong-Password-2026")
        except RateLimited as limited:
            waits.append(limited.retry_after)
            clock.advance(seconds=limited.retry_after)
        except WrongCredentials:
            continue
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600][: len(waits)]
    assert len(waits) >= 9


async def test_unknown_address_is_braked_like_a_known_one(doors: Doors) -> None:
    for _ in range(5):
        async with refused((WrongCredentials,)):
            await entries.sign_in(Scope(doors.office), "nobody@people.example", PASSWORD)
    with pytest.raises(RateLimited):
        await entries.sign_in(Scope(doors.office), "NOBODY@people.example", PASSWORD)


async def test_brake_of_one_person_stops_no_other(doors: Doors) -> None:
    person, other = await factories.person(), await factories.person()
    for _ in range(5):
        async with refused((WrongCredentials,)):
            await doors.sign_in(person, "Wrong-Password-2026")
    await doors.sign_in(other)


async def test_fifty_parallel_wrong_passwords_get_five_tries(doors: Doors) -> None:
    person = await factories.person()
    ended = await outcomes([doors.sign_in(person, f"Wrong-Password-{number}") for number in range(50)])
    assert (ended.count(WrongCredentials), ended.count(RateLimited)) == (5, 45)
    with pytest.raises(RateLimited):
        await doors.sign_in(person)
    assert await factories.traces() == (0, 0)


async def test_sign_in_overtaken_by_a_change_of_password_is_refused(doors: Doors) -> None:
    person = await factories.person()
    newer = await passwords.hash("Another-Password-2026")

    async def change(account: Account) -> None:
        account.password_hash = newer
        await account.save()

    async with refused((WrongCredentials,)):
        await overtaken(person, doors.sign_in(person), change)
    assert await Session.all().count() == 0


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
