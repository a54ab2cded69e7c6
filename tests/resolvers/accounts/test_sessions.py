"""Sessions: how long they are good, listed and ended by their owner alone."""

from collections.abc import Callable
from typing import Any

import pytest

from models.accounts import devices, sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.devices import Device
from models.accounts.sessions import Session
from models.db.query import Selection
from models.errors.errors import ExpiredToken, Forbidden, Missing, NotFound, Unauthenticated
from models.events.events import Event
from models.mail.outbox import Mail
from resolvers import tickets
from resolvers.accounts import sessions as entries
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.doors import Doors
from tests.resolvers.support.mailbox import assert_untold, refused
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile Safari/604.1"


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
    session = await Session.get(account=person)
    times: dict[str, Any] = {"now": doors.office.clock(), "idle": doors.office.session_idle}
    assert {actor.account_id for actor in (await sessions.actors_of([session.id], **times)).values()} == {person.id}
    await Account.filter(id=person.id).update(state=AccountState.SUSPENDED)
    assert await doors.actor(entry) is None
    assert await sessions.actors_of([session.id], **times) == {}


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


# ------------------------------------------------------------------ twenty at most
async def test_twenty_first_session_ends_the_one_longest_unused(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    opened = []
    for _ in range(20):
        opened.append(await doors.sign_in(person, user_agent=FIREFOX))
        clock.advance(minutes=2)
    assert await doors.actor(opened[0]) is not None  # used just now
    await doors.sign_in(person)
    assert [await doors.actor(entry) is None for entry in opened] == [False, True, *[False] * 18]
    event = await Event.get(type="OldestSessionEnded")
    assert event.before == {"device": "Firefox (Windows)", "source": "unknown"}
    assert (event.actor_id, event.subject_id) == (person.id, person.id)


async def test_sessions_that_are_over_make_room_untold(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    for _ in range(20):
        await doors.sign_in(person)
    clock.advance(hours=12)
    await doors.sign_in(person)
    assert await Session.all().count() == 1
    assert await Event.filter(type="OldestSessionEnded").count() == 0


# ------------------------------------------------------------------ support ends somebody's
async def test_support_ends_somebodys_sessions_and_devices_and_they_are_told_why(
    doors: Doors, scope_of: ScopeOf
) -> None:
    person = await factories.person(contact_email="elsewhere@people.example")
    support = await factories.person(platform_role="SUPPORT")
    entries_of = [await doors.sign_in(person), await doors.sign_in(person)]
    await entries.end_for(scope_of(support), person.id, " Lost telephone ")
    assert [await doors.actor(entry) for entry in entries_of] == [None, None]
    assert await Device.filter(account_id=person.id).count() == 0
    event = await Event.get(type="SessionsEnded")
    assert (event.actor_id, event.subject_id) == (support.id, person.id)
    assert event.after == {"count": 2, "reason": "Lost telephone"}
    assert (await factories.mails())[-1] == ("sessions_ended", person.login_email)


async def test_support_does_not_end_the_sessions_of_its_own_people_but_an_administrator_does(scope_of: ScopeOf) -> None:
    support, other = await factories.person(platform_role="SUPPORT"), await factories.person(platform_role="SUPPORT")
    admin = await factories.person(platform_role="ADMIN")
    async with refused((Forbidden, "user_id")):
        await entries.end_for(scope_of(support), other.id, "lost")
    async with refused((NotFound, "user_id")):
        await entries.end_for(scope_of(support), 987_654, "lost")
    async with refused((Missing, "reason")):
        await entries.end_for(scope_of(support), other.id, " ")
    await entries.end_for(scope_of(admin), other.id, "lost")


# ------------------------------------------------------------------ devices
async def test_first_device_is_told_to_nobody_and_the_next_to_the_owner(doors: Doors, clock: Clock) -> None:
    person = await factories.person(contact_email="elsewhere@people.example")
    first = await doors.sign_in(person, user_agent=FIREFOX)
    await doors.sign_in(person, user_agent=FIREFOX)  # from the same place, by what says the same of itself
    scope = Scope(doors.office, device=first.device_token, source="192.0.2.9", user_agent="curl/8.5.0")
    await entries.sign_in(scope, person.login_email, PASSWORD)  # known by its token wherever it is
    assert await factories.mails() == []
    other = Scope(doors.office, source="198.51.100.5", user_agent=IPHONE)
    await entries.sign_in(other, person.login_email, PASSWORD)
    (mail,) = await Mail.all()
    assert (mail.message, mail.address) == ("new_device", person.login_email)
    assert (mail.payload["device"], mail.payload["source"]) == ("Safari (iPhone)", "198.51.100.5")


async def test_owner_is_told_of_five_new_devices_a_day(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    for number in range(8):
        scope = Scope(doors.office, source=f"198.51.100.{number}")
        await entries.sign_in(scope, person.login_email, PASSWORD)
    assert await factories.mails() == [("new_device", person.login_email)] * 5


async def test_session_that_its_owner_ends_takes_its_device_along(doors: Doors) -> None:
    person = await factories.person()
    lost, scope = await doors.sign_in(person, user_agent=IPHONE), await doors.inside(person)
    gone = await doors.actor(lost)
    assert gone is not None
    await entries.revoke(scope, {gone.session_id})
    assert [device.user_agent for device in await Device.all()] == [None]
    await doors.sign_in(person, user_agent=FIREFOX)
    await entries.revoke(scope, None)
    assert [device.user_agent for device in await Device.all()] == [None]


async def test_program_that_never_shows_its_token_takes_five_places_and_pushes_nobody_out(doors: Doors) -> None:
    person = await factories.person()
    own = await doors.sign_in(person, user_agent=FIREFOX)
    for _ in range(2):
        back = Scope(doors.office, device=own.device_token, user_agent=FIREFOX)
        await entries.sign_in(back, person.login_email, PASSWORD)
    for number in range(60):
        scope = Scope(doors.office, source=f"198.51.100.{number // 7}", user_agent="curl/8.5.0")
        await entries.sign_in(scope, person.login_email, PASSWORD)
    assert await Device.filter(source="198.51.100.1").count() == 5
    assert await Device.all().count() == 1 + 8 * 5 + 4
    assert await Device.filter(token_hash=sessions.hashed(own.device_token)).count() == 1


async def test_device_is_kept_only_as_its_hash(doors: Doors) -> None:
    entry = await doors.sign_in(await factories.person())
    device = await Device.get()
    assert device.token_hash == sessions.hashed(entry.device_token)
    await assert_untold(entry.device_token, device.token_hash)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox (Windows)"),
        (IPHONE, "Safari (iPhone)"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
         "Chrome (Linux)"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
         "Edge (Windows)"),
        ("curl/8.5.0", "curl"),
        ("<b>http://evil.example</b>", None),
        (None, None),
    ],
)  # fmt: skip
def test_device_has_a_name_of_known_words(user_agent: str | None, name: str | None) -> None:
    assert devices.name_of(user_agent) == name


# ------------------------------------------------------------------ signed addresses
async def test_signed_address_dies_with_the_session_it_was_made_in(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    scope, other = await doors.inside(person), await doors.inside(person)
    urls = [tickets.url(made_in, "/documents/download", 7) for made_in in (scope, other)]
    held = [tickets.read(Scope(doors.office), "/documents/download", url.partition("signed=")[2]) for url in urls]
    await tickets.enter(Scope(doors.office), held[0])
    await entries.sign_out(scope)
    with pytest.raises(ExpiredToken):
        await tickets.enter(Scope(doors.office), held[0])
    await tickets.enter(Scope(doors.office), held[1])


async def test_signed_address_that_names_no_session_lives_for_its_five_minutes(doors: Doors, clock: Clock) -> None:
    person = await factories.person()
    claims = {"account": person.id, "language": "EN", "subject": 7}  # as they were made before
    url = doors.office.signer.url("/documents/download", claims, until=clock() + tickets.LIFETIME)
    held = tickets.read(Scope(doors.office), "/documents/download", url.partition("signed=")[2])
    await tickets.enter(Scope(doors.office), held)
