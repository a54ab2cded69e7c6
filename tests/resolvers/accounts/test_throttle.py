"""How often a secret may be tried: what an attacker with many sources gets, and how the owner gets in meanwhile."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from models.accounts import throttle
from models.accounts.accounts import Account
from models.accounts.devices import Device
from models.accounts.throttle import Limit
from models.errors.errors import RateLimited, WrongCredentials, WrongSecretAnswer
from models.events.events import Event
from resolvers.accounts import credentials, profiles
from resolvers.accounts import sessions as entries
from resolvers.accounts import throttle as throttles
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import outcomes, token_of
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
WRONG = "Wrong-Password-2026"
NEW = "Lighthouse-Keeper-7"
HOME, EVIL = "203.0.113.7", "198.51.100.66"


@pytest.fixture
def enter(office: Office) -> Callable[..., object]:
    async def sign_in(account: Account | str, password: str, source: str = HOME, device: str | None = None) -> Entry:
        address = account if isinstance(account, str) else account.login_email
        return await entries.sign_in(Scope(office, source=source, device=device), address, password)

    return sign_in


Enter = Callable[..., object]


async def guessed(enter: Callable[..., object], account: Account | str, *sources: str) -> None:
    """Wrong passwords until each source has to wait."""
    for source in sources:
        for _ in range(5):
            with pytest.raises(WrongCredentials):
                await enter(account, WRONG, source)  # type: ignore[misc]


async def test_guesses_from_one_source_keep_the_owner_out_of_nowhere_else(enter: Enter) -> None:
    person = await factories.person()
    await guessed(enter, person, EVIL)
    with pytest.raises(RateLimited) as caught:
        await enter(person, PASSWORD, EVIL)  # type: ignore[misc]
    assert caught.value.retry_after == 60
    await enter(person, PASSWORD, HOME)  # type: ignore[misc]


async def test_right_password_from_elsewhere_gives_an_attacker_no_more_guesses(enter: Enter) -> None:
    person = await factories.person()
    await guessed(enter, person, EVIL)
    await enter(person, PASSWORD, HOME)  # type: ignore[misc]
    with pytest.raises(RateLimited):
        await enter(person, WRONG, EVIL)  # type: ignore[misc]


async def test_account_lets_fifty_guesses_pass_from_all_sources_together(enter: Enter) -> None:
    for address in ((await factories.person()).login_email, "nobody@people.example"):
        await guessed(enter, address, *(f"198.51.100.{number}" for number in range(10)))
        with pytest.raises(RateLimited) as caught:
            await enter(address, WRONG, "198.51.100.200")  # type: ignore[misc]
        assert caught.value.retry_after == 60


async def test_owner_who_comes_in_forgives_no_guess_of_others(enter: Enter) -> None:
    person = await factories.person()
    await guessed(enter, person, *(f"198.51.100.{number}" for number in range(9)))
    await enter(person, PASSWORD, HOME)  # type: ignore[misc]
    await guessed(enter, person, EVIL)
    with pytest.raises(RateLimited):
        await enter(person, WRONG, "198.51.100.200")  # type: ignore[misc]


async def test_parallel_guesses_from_many_sources_pass_fifty_times(enter: Enter) -> None:
    person = await factories.person()
    acts = [enter(person, WRONG, f"198.51.100.{number % 20}") for number in range(100)]
    ended = await outcomes(acts)  # type: ignore[arg-type]
    assert (ended.count(WrongCredentials), ended.count(RateLimited)) == (50, 50)


async def test_owner_comes_in_from_a_known_device_while_an_attack_runs(enter: Enter) -> None:
    person = await factories.person()
    entry = await enter(person, PASSWORD, HOME)  # type: ignore[misc]
    await guessed(enter, person, *(f"198.51.100.{number}" for number in range(10)))
    with pytest.raises(RateLimited):
        await enter(person, PASSWORD, HOME)  # type: ignore[misc]
    again = await enter(person, PASSWORD, EVIL, entry.device_token)  # type: ignore[misc]
    assert again.device_token == entry.device_token
    with pytest.raises(RateLimited):
        await enter(person, WRONG, "198.51.100.99")  # type: ignore[misc]


async def test_known_device_guesses_five_times_like_anybody(enter: Enter) -> None:
    person = await factories.person()
    entry = await enter(person, PASSWORD)  # type: ignore[misc]
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            await enter(person, WRONG, HOME, entry.device_token)  # type: ignore[misc]
    with pytest.raises(RateLimited):
        await enter(person, PASSWORD, HOME, entry.device_token)  # type: ignore[misc]


async def test_device_of_one_account_is_nobodys_for_another(enter: Enter) -> None:
    person, other = await factories.person(), await factories.person()
    entry = await enter(other, PASSWORD)  # type: ignore[misc]
    await guessed(enter, person, EVIL)
    for address in (person.login_email, "nobody@people.example"):
        for _ in range(5):
            with pytest.raises((WrongCredentials, RateLimited)):
                await enter(address, WRONG, EVIL, entry.device_token)  # type: ignore[misc]
        with pytest.raises(RateLimited):
            await enter(address, WRONG, EVIL, entry.device_token)  # type: ignore[misc]


async def test_device_stays_known_after_signing_out_and_dies_with_the_password(
    enter: Enter, office: Office, clock: Clock
) -> None:
    person = await factories.person()
    scope = Scope(office, source=HOME)
    entry = await entries.sign_in(scope, person.login_email, PASSWORD)
    other = await enter(person, PASSWORD, "192.0.2.1")  # type: ignore[misc]
    await entries.sign_out(scope)
    back = Scope(office, source=HOME, device=entry.device_token)
    await entries.sign_in(back, person.login_email, PASSWORD)
    assert await Device.all().count() == 2
    await profiles.update(back, {"password": {"current": PASSWORD, "new": NEW}})
    assert [device.source for device in await Device.all()] == [HOME]  # by which it was changed
    await guessed(enter, person, *(f"198.51.100.{number}" for number in range(10)))
    await enter(person, NEW, EVIL, entry.device_token)  # type: ignore[misc]
    with pytest.raises(RateLimited):
        await enter(person, NEW, EVIL, other.device_token)  # type: ignore[misc]


async def test_device_left_alone_for_400_days_is_known_no_more(enter: Enter, clock: Clock) -> None:
    person = await factories.person()
    entry = await enter(person, PASSWORD)  # type: ignore[misc]
    clock.advance(days=400)
    await guessed(enter, person, HOME)
    with pytest.raises(RateLimited):
        await enter(person, PASSWORD, HOME, entry.device_token)  # type: ignore[misc]


async def test_attacker_has_33_guesses_a_day_from_one_source_and_78_from_any_number(clock: Clock) -> None:
    """What the module, CLIENTS.md and SECURITY.md state."""

    async def most_in_a_day(limits: list[Limit], sources: int) -> int:
        began, passed = clock.now, 0
        while clock.now - began < timedelta(days=1):
            waits = []
            for source in range(sources):
                own = Limit(throttle.key_of(f"{sources} {source}", "ada"))
                waiting = await throttle.admit([own, *limits], clock())
                passed += not waiting
                waits.append(waiting)
            clock.now += min(waits)
        return passed

    assert await most_in_a_day([], 1) == 33
    for sources in (1, 2, 3, 20):
        shared = Limit(throttle.key_of(f"all of {sources}", "ada"), throttles.ACCOUNT_TRIES)
        found = await most_in_a_day([shared], sources)
        assert found <= min(33 * sources, 78)
    assert found == 78


async def test_answers_are_braked_by_source_and_the_account_lets_ten_pass(office: Office) -> None:
    person = await factories.person()
    await credentials.request_reset(Scope(office), person.login_email)
    token = await token_of(office, "password_reset")
    for source in (EVIL, "198.51.100.67"):
        for _ in range(5):
            with pytest.raises(WrongSecretAnswer):
                await credentials.reset(Scope(office, source=source), token, "wrong", NEW)
        with pytest.raises(RateLimited):
            await credentials.reset(Scope(office, source=source), token, "wrong", NEW)
    with pytest.raises(RateLimited):
        await credentials.reset(Scope(office, source=HOME), token, "demo", NEW)


async def test_answer_is_taken_from_a_known_device_while_others_guess_it(enter: Enter, office: Office) -> None:
    person = await factories.person()
    entry = await enter(person, PASSWORD)  # type: ignore[misc]
    await credentials.request_reset(Scope(office), person.login_email)
    token = await token_of(office, "password_reset")
    for source in (EVIL, "198.51.100.67"):
        for _ in range(5):
            with pytest.raises(WrongSecretAnswer):
                await credentials.reset(Scope(office, source=source), token, "wrong", NEW)
    await credentials.reset(Scope(office, source=HOME, device=entry.device_token), token, "demo", NEW)


# ------------------------------------------------------------------ what the owner is told
async def test_next_sign_in_tells_how_many_failed_since_the_last(enter: Enter, clock: Clock) -> None:
    person = await factories.person()
    await enter(person, PASSWORD)  # type: ignore[misc]
    await guessed(enter, person, EVIL, "198.51.100.67")
    clock.advance(days=3)
    await guessed(enter, person, EVIL)
    await enter(person, PASSWORD)  # type: ignore[misc]
    await enter(person, PASSWORD)  # type: ignore[misc]
    event = await Event.get(type="SignInsFailed")
    assert (event.after, event.actor_id, event.subject_id) == ({"count": 15}, None, person.id)
    assert await factories.event_types() == ["SignedIn", "SignInsFailed", "SignedIn", "SignedIn"]
