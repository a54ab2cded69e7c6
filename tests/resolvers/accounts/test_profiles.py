"""The person's particulars: all or nothing, every wrong field told, the contact address in two steps."""

from collections.abc import Callable
from typing import Any

import pytest

from models.accounts import passwords, sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.profiles import Language
from models.accounts.sessions import Session
from models.accounts.tokens import OneTimeToken, Purpose
from models.errors.errors import (
    Conflict,
    ExpiredToken,
    Invalid,
    InvalidToken,
    Missing,
    RateLimited,
    ReusedPassword,
    TooLong,
    TooMany,
    TooShort,
    Unauthenticated,
    WeakPassword,
    WrongCredentials,
    WrongPassword,
)
from models.events.events import Event
from models.mail.outbox import Mail
from resolvers.accounts import links, profiles
from resolvers.accounts import sessions as entries
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import assert_untold, outcomes, overtaken, refused, token_of
from tests.support import factories
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
NEW = "Lighthouse-Keeper-7"
ADDRESS = {"line1": "1 rue Haute", "line2": "Bât. B", "line3": None, "postcode": "69001", "city": "Lyon"}
ADDRESS["country"] = "fr"
STORED = ADDRESS | {"country": "FR"}


async def event(type: str) -> tuple[dict[str, Any], dict[str, Any]]:
    only = await Event.get(type=type)
    return only.before, only.after


# ------------------------------------------------------------------ simple fields
async def test_person_saves_everything_at_once(scope_of: ScopeOf) -> None:
    person = await factories.person(last_name="Before")
    others = {"language": Language.FR, "time_zone": "Europe/Rome", "receive_activity_notifications": True}
    sent = {"first_name": " Léa ", "last_name": "D'Arc", "phone": "01 02 03 04 05", "postal_address": ADDRESS, **others}
    await profiles.update(scope_of(person), sent)
    saved = await Account.get()
    expected = {"first_name": "Léa", "last_name": "D'Arc", "phone": "0102030405", **STORED, **others}
    assert {name: getattr(saved, name) for name in expected} == expected
    assert saved.folded_name == "d arc lea"
    before, after = await event("ProfileUpdated")
    assert after == {name: value for name, value in expected.items() if value is not None}
    assert before == {name: getattr(person, name) for name in after}
    assert await factories.mails() == []


async def test_what_is_absent_stays_and_what_is_null_goes(scope_of: ScopeOf) -> None:
    person = await factories.person(phone="0102030405", **STORED)
    await profiles.update(scope_of(person), {"phone": None})
    saved = await Account.get()
    assert (saved.phone, saved.line1, saved.first_name) == (None, "1 rue Haute", person.first_name)
    await profiles.update(scope_of(person), {"postal_address": None})
    assert {getattr(await Account.get(), name) for name in STORED} == {None}
    assert await factories.event_types() == ["ProfileUpdated", "ProfileUpdated"]


async def test_null_of_a_mandatory_field_is_missing(scope_of: ScopeOf) -> None:
    person = await factories.person()
    names = ("first_name", "last_name", "language", "time_zone", "receive_activity_notifications", "contact_email")
    async with refused(*((Missing, name) for name in names)):
        await profiles.update(scope_of(person), dict.fromkeys(names))


async def test_saving_what_is_there_already_tells_nothing(scope_of: ScopeOf) -> None:
    person = await factories.person(**STORED)
    same = {"first_name": person.first_name, "contact_email": person.contact_email, "postal_address": ADDRESS}
    await profiles.update(scope_of(person), same)
    await profiles.update(scope_of(person), {})
    assert await factories.traces() == (0, 0)


async def test_every_wrong_field_is_told_and_nothing_is_saved(scope_of: ScopeOf) -> None:
    person = await factories.person()
    before = await Account.all().values()
    sent = {
        "first_name": " ",
        "last_name": "x" * 81,
        "phone": "call me",
        "time_zone": "Europe/Nowhere",
        "postal_address": {"line1": "", "postcode": "6900", "city": None, "country": "FR"},
        "contact_email": "nobody@",
        "password": {"current": "Wrong-Password-2026", "new": "short"},
        "secret_question": {"current_password": "", "question": "Eh?", "answer": "x"},
        "receive_activity_notifications": True,
    }
    async with refused(
        (Missing, "first_name"),
        (TooLong, "last_name"),
        (Invalid, "phone"),
        (Invalid, "time_zone"),
        (Missing, "postal_address", "line1"),
        (Invalid, "postal_address", "postcode"),
        (Missing, "postal_address", "city"),
        (Invalid, "contact_email"),
        (WrongPassword, "password", "current"),
        (WeakPassword, "password", "new"),
        (Missing, "secret_question", "current_password"),
        (TooShort, "secret_question", "question"),
        (TooShort, "secret_question", "answer"),
    ):
        await profiles.update(scope_of(person), sent)
    assert await Account.all().values() == before


@pytest.mark.parametrize(
    ("country", "postcode", "stored"),
    [
        ("FR", "75 001", "75001"),
        ("FR", "7500", None),
        ("FR", "ABCDE", None),
        ("GB", "sw1a 1aa", "SW1A 1AA"),
        ("BE", "1000", "1000"),
    ],
)
async def test_french_postcode_has_five_digits(
    scope_of: ScopeOf, country: str, postcode: str, stored: str | None
) -> None:
    person = await factories.person()
    change = {"postal_address": ADDRESS | {"country": country, "postcode": postcode}}
    if stored is None:
        async with refused((Invalid, "postal_address", "postcode")):
            await profiles.update(scope_of(person), change)
    else:
        await profiles.update(scope_of(person), change)
    assert (await Account.get()).postcode == stored


async def test_notifications_are_off_at_first(scope_of: ScopeOf) -> None:
    person = await factories.person()
    assert (await Account.get()).receive_activity_notifications is False
    await profiles.update(scope_of(person), {"receive_activity_notifications": True})
    await profiles.update(scope_of(person), {"receive_activity_notifications": False})
    assert (await Account.get()).receive_activity_notifications is False


async def test_nobody_saves_nothing(scope_of: ScopeOf) -> None:
    with pytest.raises(Unauthenticated):
        await profiles.update(scope_of(), {"first_name": "Léa"})


async def test_save_overtaken_by_a_suspension_is_refused(scope_of: ScopeOf) -> None:
    person = await factories.person()

    async def suspend(account: Account) -> None:
        account.state = AccountState.SUSPENDED
        await account.save()

    async with refused((Conflict,)):
        sent = {"first_name": "Léa", "contact_email": "new@people.example"}
        await overtaken(person, profiles.update(scope_of(person), sent), suspend)
    assert (await Account.get()).first_name == person.first_name


# ------------------------------------------------------------------ password and secret question
async def test_person_changes_the_password_and_other_sessions_end(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person(contact_email="elsewhere@people.example")
    await entries.sign_in(scope_of(), person.login_email, PASSWORD)
    scope = scope_of()
    entry = await entries.sign_in(scope, person.login_email, PASSWORD)
    async with scope_of().transaction():
        await links.send(scope_of(), person, Purpose.PASSWORD_RESET)
    await profiles.update(scope, {"password": {"current": PASSWORD, "new": NEW}})
    assert await passwords.verify((await Account.get()).password_hash, NEW)
    assert [row.token_hash for row in await Session.all()] == [sessions.hashed(entry.token)]
    assert await OneTimeToken.all().count() == 0
    assert (await factories.mails())[-1] == ("password_changed", person.login_email)
    assert await event("PasswordChanged") == ({}, {})
    async with refused((ReusedPassword, "password", "new")):
        await profiles.update(scope, {"password": {"current": NEW, "new": NEW}})
    await assert_untold(PASSWORD, NEW, (await Account.get()).password_hash or "", factories.PASSWORD_HASH)


async def test_person_changes_the_secret_question(scope_of: ScopeOf) -> None:
    person = await factories.person()
    change = {"current_password": PASSWORD, "question": "First pet?", "answer": " Félix "}
    await profiles.update(scope_of(person), {"secret_question": change})
    saved = await Account.get()
    assert saved.secret_question == "First pet?"
    assert await passwords.verify(saved.secret_answer_hash, "felix")
    assert await event("SecretQuestionChanged") == ({}, {})
    assert await factories.mails() == [("secret_question_changed", person.login_email)]
    await assert_untold("felix", "Félix", "lix", saved.secret_answer_hash or "", PASSWORD)


async def test_wrong_current_passwords_are_braked_within_their_session_alone(scope_of: ScopeOf, clock: Clock) -> None:
    person = await factories.person()
    wrong = {"password": {"current": "Wrong-Password-2026", "new": NEW}}
    right = {"password": {"current": PASSWORD, "new": NEW}}
    for _ in range(5):
        async with refused((WrongPassword, "password", "current")):
            await profiles.update(scope_of(person), wrong)
    with pytest.raises(RateLimited) as caught:
        await profiles.update(scope_of(person), right)
    assert caught.value.retry_after == 60
    other = scope_of()
    await entries.sign_in(other, person.login_email, PASSWORD)
    await profiles.update(other, right)


async def test_guesses_from_outside_keep_nobody_from_confirming_inside(scope_of: ScopeOf) -> None:
    person = await factories.person()
    for _ in range(6):
        with pytest.raises((WrongCredentials, RateLimited)):
            await entries.sign_in(scope_of(), person.login_email, "Wrong-Password-2026")
    await profiles.update(scope_of(person), {"password": {"current": PASSWORD, "new": NEW}})


async def test_two_changes_of_password_at_once_make_one(scope_of: ScopeOf) -> None:
    person = await factories.person()
    acts = [
        profiles.update(scope_of(person), {"password": {"current": PASSWORD, "new": f"{NEW}-{number}"}})
        for number in range(3)
    ]
    ended = await outcomes(acts)
    assert ended.count(None) == 1
    assert set(ended) <= {None, Conflict, WrongPassword}
    assert await factories.event_types() == ["PasswordChanged"]


# ------------------------------------------------------------------ the contact address
async def test_contact_address_changes_once_its_owner_follows_the_link(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person()
    old = person.contact_email
    await profiles.update(scope_of(person), {"contact_email": "New@people.example", "first_name": "Léa"})
    waiting = await Account.get()
    assert (waiting.contact_email, waiting.pending_contact_email) == (old, "New@people.example")
    assert await factories.mails() == [("contact_email_confirmation", "New@people.example")]
    token = await token_of(office, "contact_email_confirmation")
    await profiles.confirm_contact_email(scope_of(), token)
    changed = await Account.get()
    assert (changed.contact_email, changed.pending_contact_email) == ("New@people.example", None)
    assert changed.login_email == person.login_email
    assert (await factories.mails())[1:] == [("contact_email_changed", old)]
    assert await event("ContactEmailConfirmed") == ({"contact_email": old}, {"contact_email": "New@people.example"})
    confirmed = await Event.get(type="ContactEmailConfirmed")
    assert confirmed.actor_id == person.id
    async with refused((InvalidToken, "token")):
        await profiles.confirm_contact_email(scope_of(), token)
    await assert_untold(token, sessions.hashed(token))


async def test_link_of_a_contact_address_dies_after_sixty_minutes(
    scope_of: ScopeOf, office: Office, clock: Clock
) -> None:
    person = await factories.person()
    await profiles.update(scope_of(person), {"contact_email": "new@people.example"})
    clock.advance(minutes=60)
    async with refused((ExpiredToken, "token")):
        await profiles.confirm_contact_email(scope_of(), await token_of(office, "contact_email_confirmation"))
    assert (await Account.get()).contact_email == person.contact_email


async def test_newer_contact_address_voids_the_link_to_the_older_one(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person()
    await profiles.update(scope_of(person), {"contact_email": "first@people.example"})
    older = await token_of(office, "contact_email_confirmation")
    await profiles.update(scope_of(person), {"contact_email": "second@people.example"})
    async with refused((InvalidToken, "token")):
        await profiles.confirm_contact_email(scope_of(), older)
    await profiles.confirm_contact_email(scope_of(), await token_of(office, "contact_email_confirmation"))
    assert (await Account.get()).contact_email == "second@people.example"


async def test_asking_for_the_present_address_ends_the_waiting(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person()
    await profiles.update(scope_of(person), {"contact_email": "new@people.example"})
    await profiles.update(scope_of(person), {"contact_email": person.contact_email})
    assert (await Account.get()).pending_contact_email is None
    withdrawn = (await Event.all().order_by("-id").first()) or Event()
    assert (withdrawn.type, withdrawn.before, withdrawn.after) == (
        "ContactEmailChangeRequested",
        {"pending_contact_email": "new@people.example"},
        {"pending_contact_email": None},
    )
    async with refused((InvalidToken, "token")):
        await profiles.confirm_contact_email(scope_of(), await token_of(office, "contact_email_confirmation"))


async def test_people_cannot_flood_an_address_with_links(scope_of: ScopeOf, clock: Clock) -> None:
    first, person = await factories.person(), await factories.person()
    for _ in range(5):
        await profiles.update(scope_of(first), {"contact_email": "victim@people.example"})
    async with refused((TooMany, "contact_email")):
        await profiles.update(scope_of(person), {"contact_email": "victim@people.example", "first_name": "Léa"})
    assert (await Account.get(id=person.id)).first_name == person.first_name
    assert await Mail.all().count() == 5
    clock.advance(hours=1)
    await profiles.update(scope_of(person), {"contact_email": "victim@people.example"})
