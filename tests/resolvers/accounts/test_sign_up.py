"""Signing up and activating: one account per address, one use per link, and nothing told to who asks about others."""

from collections.abc import Callable
from typing import Any

import pytest

from models.accounts import passwords, sessions
from models.accounts.accounts import Account, AccountState
from models.accounts.actors import Actor, PlatformRole
from models.accounts.profiles import Language
from models.accounts.tokens import OneTimeToken
from models.attachments.attachments import AttachmentStatus, Role
from models.db.query import Selection
from models.errors.errors import (
    ConfirmationRequired,
    ExpiredToken,
    Forbidden,
    Invalid,
    InvalidToken,
    Missing,
    NotFound,
    TooLong,
    TooShort,
    TransitionNotAllowed,
    Unauthenticated,
    WeakPassword,
)
from models.events.events import Event
from models.mail.outbox import Mail
from resolvers.accounts import accounts, credentials, wishes
from resolvers.accounts.sessions import Entry
from resolvers.scope import Office, Scope
from tests.conftest import Clock
from tests.resolvers.support.mailbox import assert_untold, outcomes, refused, token_of
from tests.support import factories

pytestmark = pytest.mark.usefixtures("db")
ScopeOf = Callable[..., Scope]
ADDRESS = "Lea@people.example"
CHOSEN = {"password": "Lighthouse-Keeper-7", "secret_question": "First school?", "secret_answer": "École Nord"}


async def sign_up(scope: Scope, **changes: Any) -> None:
    values = {"login_email": ADDRESS, "first_name": "Léa", "last_name": "Martin", "language": Language.FR}
    await accounts.sign_up(scope, **{**values, "accept_terms": True, **changes})
    await wishes.grant(scope)


async def activate(scope: Scope, token: str, **changes: str) -> Entry:
    return await accounts.activate(scope, token=token, **{**CHOSEN, **changes})


# ------------------------------------------------------------------ signing up
async def test_stranger_signs_up_and_gets_an_account_that_waits_and_a_link(scope_of: ScopeOf, clock: Clock) -> None:
    await sign_up(scope_of(), login_email="  Lea@PEOPLE.example ")
    account = await Account.get()
    assert (account.login_email, account.login_key) == (ADDRESS, "lea@people.example")
    assert (account.contact_email, account.display_name) == (ADDRESS, "Léa Martin")
    assert (account.state, account.password_hash) == (AccountState.PENDING_ACTIVATION, None)
    assert (account.created_at, account.terms_accepted_at) == (clock.now, clock.now)
    assert account.receive_activity_notifications is False
    assert await factories.mails() == [("account_activation", ADDRESS)]
    told = await Event.get(actor_id=account.id, subject_id=account.id)
    assert (told.type, told.before, told.after) == ("AccountSignedUp", {}, {})


@pytest.mark.parametrize(("language", "mailed"), [(Language.FR, "fr"), (Language.EN, "en")])
async def test_stranger_chooses_the_language_of_the_mails(scope_of: ScopeOf, language: Language, mailed: str) -> None:
    await sign_up(scope_of(), language=language)
    assert (await Account.get()).language is language
    assert (await Mail.get()).language == mailed


async def test_stranger_whose_name_unfolds_beyond_what_is_searched_signs_up(scope_of: ScopeOf) -> None:
    name = "\ufdfa" * 80
    await sign_up(scope_of(), first_name=name, last_name=name)
    account = await Account.get()
    assert (account.last_name, len(account.folded_name)) == (name, 512)


async def test_stranger_is_told_every_wrong_field_at_once(scope_of: ScopeOf) -> None:
    wrong = {"login_email": "nobody@", "first_name": " ", "last_name": "x" * 81, "accept_terms": False}
    async with refused(
        (Invalid, "login_email"),
        (Missing, "first_name"),
        (TooLong, "last_name"),
        (ConfirmationRequired, "accept_terms"),
    ):
        await sign_up(scope_of(), **wrong)
    assert await Account.all().count() == 0


async def test_second_sign_up_of_an_active_account_answers_the_same_and_tells_the_owner(scope_of: ScopeOf) -> None:
    await factories.person(login_email="lea@people.example", contact_email="elsewhere@people.example")
    await sign_up(scope_of(), login_email="LEA@people.example", first_name="Mallory")
    assert await Account.all().count() == 1
    assert await factories.mails() == [("address_already_known", "lea@people.example")]
    assert await factories.event_types() == []


async def test_second_sign_up_of_an_account_that_waits_sends_a_new_link(scope_of: ScopeOf, office: Office) -> None:
    await sign_up(scope_of())
    older = await token_of(office, "account_activation")
    await sign_up(scope_of(), first_name="Mallory")
    assert (await Account.get()).first_name == "Léa"
    assert [message for message, _ in await factories.mails()] == ["account_activation"] * 2
    async with refused((InvalidToken, "token")):
        await activate(scope_of(), older)
    await activate(scope_of(), await token_of(office, "account_activation"))


@pytest.mark.parametrize("state", [AccountState.DEACTIVATED, AccountState.SUSPENDED])
async def test_sign_up_of_a_stopped_account_sends_nothing(scope_of: ScopeOf, clock: Clock, state: AccountState) -> None:
    since = clock.now if state is AccountState.DEACTIVATED else None
    await factories.person(login_email=ADDRESS, state=state, deactivated_at=since)
    await sign_up(scope_of())
    assert await Account.all().count() == 1
    assert await factories.traces() == (0, 0)


async def test_strangers_signing_up_one_address_at_once_make_one_account(scope_of: ScopeOf) -> None:
    spellings = ["lea@people.example", "LEA@people.example", "Lea@People.Example"] * 7
    ended = await outcomes([sign_up(scope_of(), login_email=spelling) for spelling in spellings])
    assert ended == [None] * 21
    assert await Account.all().count() == 1
    signed_up, *repeated = await factories.event_types()
    assert (signed_up, set(repeated) <= {"ActivationResent"}) == ("AccountSignedUp", True)
    assert await OneTimeToken.all().count() == 1


async def test_address_gets_five_repeated_mails_an_hour(scope_of: ScopeOf, clock: Clock) -> None:
    await factories.person(login_email=ADDRESS)
    for _ in range(7):
        await sign_up(scope_of())
    assert len(await factories.mails()) == 5
    clock.advance(hours=1)
    await sign_up(scope_of())
    assert len(await factories.mails()) == 6


async def test_stranger_cannot_use_up_the_first_mail_of_an_unknown_address(scope_of: ScopeOf) -> None:
    for _ in range(6):
        await accounts.resend_activation(scope_of(), ADDRESS)
    await sign_up(scope_of())
    assert await factories.mails() == [("account_activation", ADDRESS)]


# ------------------------------------------------------------------ activating
async def test_person_activates_by_the_link_and_a_session_opens(
    scope_of: ScopeOf, office: Office, clock: Clock
) -> None:
    await sign_up(scope_of())
    scope = scope_of()
    entry = await activate(scope, await token_of(office, "account_activation"))
    account = await Account.get()
    assert (account.state, account.activated_at) == (AccountState.ACTIVE, clock.now)
    assert account.secret_question == "First school?"
    assert await passwords.verify(account.password_hash, CHOSEN["password"])
    assert await passwords.verify(account.secret_answer_hash, "ecole nord")
    actor = await sessions.actor_of(entry.token, now=clock.now, idle=office.session_idle)
    assert actor is not None
    assert (actor.account_id, entry.account_id, scope.actor) == (account.id, account.id, actor)
    activated = await Event.get(type="AccountActivated")
    assert (activated.before, activated.after) == ({"state": "PENDING_ACTIVATION"}, {"state": "ACTIVE"})


async def test_link_works_once(scope_of: ScopeOf, office: Office) -> None:
    await sign_up(scope_of())
    token = await token_of(office, "account_activation")
    await activate(scope_of(), token)
    async with refused((InvalidToken, "token")):
        await activate(scope_of(), token)


async def test_link_used_by_many_at_once_works_once(scope_of: ScopeOf, office: Office) -> None:
    await sign_up(scope_of())
    token = await token_of(office, "account_activation")
    ended = await outcomes([activate(scope_of(), token) for _ in range(10)])
    assert len([end for end in ended if isinstance(end, Entry)]) == 1
    assert ended.count(InvalidToken) == 9
    assert await factories.event_types() == ["AccountSignedUp", "AccountActivated"]


async def test_link_dies_after_sixty_minutes(scope_of: ScopeOf, office: Office, clock: Clock) -> None:
    await sign_up(scope_of())
    token = await token_of(office, "account_activation")
    clock.advance(minutes=59, seconds=59)
    async with refused((WeakPassword, "password")):
        await activate(scope_of(), token, password="short")
    clock.advance(seconds=1)
    async with refused((ExpiredToken, "token")):
        await activate(scope_of(), token)


async def test_person_who_chooses_badly_is_told_all_and_keeps_the_link(scope_of: ScopeOf, office: Office) -> None:
    await sign_up(scope_of())
    token = await token_of(office, "account_activation")
    async with refused((WeakPassword, "password"), (TooShort, "secret_question"), (Missing, "secret_answer")):
        await activate(scope_of(), token, password="too short", secret_question="Eh?", secret_answer=" ")
    assert (await Account.get()).state is AccountState.PENDING_ACTIVATION
    await activate(scope_of(), token)


async def test_link_made_for_something_else_does_not_activate(scope_of: ScopeOf, office: Office) -> None:
    person = await factories.person()
    await credentials.request_reset(scope_of(), person.login_email)
    reset = await token_of(office, "password_reset")
    for token in (reset, "never-issued", ""):
        async with refused((InvalidToken, "token")):
            await activate(scope_of(), token)


async def test_nothing_secret_is_told_by_events_and_mails(scope_of: ScopeOf, office: Office) -> None:
    await sign_up(scope_of())
    token = await token_of(office, "account_activation")
    entry = await activate(scope_of(), token)
    account = await Account.get()
    hashes = [account.password_hash or "", account.secret_answer_hash or "", sessions.hashed(token)]
    await assert_untold(token, entry.token, CHOSEN["password"], "cole Nord", "ecole nord", *hashes)
    assert await OneTimeToken.all().count() == 0
    assert (await sessions.Session.get()).token_hash == sessions.hashed(entry.token)


# ------------------------------------------------------------------ the link again
async def test_person_who_waits_gets_another_link(scope_of: ScopeOf, office: Office) -> None:
    await sign_up(scope_of())
    older = await token_of(office, "account_activation")
    await accounts.resend_activation(scope_of(), "LEA@people.example")
    assert await wishes.grant(scope_of()) == 1
    assert await factories.event_types() == ["AccountSignedUp", "ActivationResent"]
    async with refused((InvalidToken, "token")):
        await activate(scope_of(), older)
    await activate(scope_of(), await token_of(office, "account_activation"))


async def test_stranger_learns_nothing_by_asking_for_a_link(scope_of: ScopeOf) -> None:
    active = await factories.person()
    for address in (active.login_email, "nobody@people.example", "no address at all"):
        await accounts.resend_activation(scope_of(), address)
    assert await wishes.grant(scope_of()) == 3
    assert await factories.traces() == (0, 0)
    async with refused((Missing, "login_email")):
        await accounts.resend_activation(scope_of(), "  ")


async def waiting_person(**changes: Any) -> Account:
    return await factories.person(
        state=AccountState.PENDING_ACTIVATION, password_hash=None, secret_answer_hash=None, activated_at=None, **changes
    )


@pytest.mark.parametrize("role", [Role.PRINCIPAL_MANAGER, Role.SECONDARY_MANAGER])
@pytest.mark.parametrize("status", [AttachmentStatus.PENDING, AttachmentStatus.VALIDATED, AttachmentStatus.DEACTIVATED])
async def test_manager_resends_the_link_of_someone_attached(
    scope_of: ScopeOf, role: Role, status: AttachmentStatus
) -> None:
    manager, waiting = await factories.person(), await waiting_person()
    structure = await factories.structure()
    await factories.attachment(manager, structure, role=role)
    await factories.attachment(waiting, structure, status=status)
    await accounts.resend_activation_for(scope_of(manager), waiting.id)
    assert await factories.mails() == [("account_activation", waiting.login_email)]
    assert (await Event.get(actor_id=manager.id, subject_id=waiting.id)).type == "ActivationResent"


async def test_support_resends_the_link_of_anyone(scope_of: ScopeOf) -> None:
    support, waiting = await factories.person(platform_role=PlatformRole.SUPPORT), await waiting_person()
    await accounts.resend_activation_for(scope_of(support), waiting.id)
    assert await factories.mails() == [("account_activation", waiting.login_email)]


async def test_others_cannot_resend_the_link(scope_of: ScopeOf) -> None:
    manager, colleague, waiting = await factories.person(), await factories.person(), await waiting_person()
    structure = await factories.structure(manager)
    await factories.attachment(colleague, structure)
    await factories.attachment(waiting, structure)
    elsewhere = await factories.person()
    await factories.structure(elsewhere)
    async with refused((NotFound, "user_id")):
        await accounts.resend_activation_for(scope_of(elsewhere), waiting.id)
    async with refused((NotFound, "user_id")):
        await accounts.resend_activation_for(scope_of(manager), 987_654)
    async with refused((Forbidden,)):
        await accounts.resend_activation_for(scope_of(colleague), waiting.id)
    async with refused((TransitionNotAllowed, "user_id")):
        await accounts.resend_activation_for(scope_of(manager), colleague.id)
    with pytest.raises(Unauthenticated):
        await accounts.resend_activation_for(scope_of(), waiting.id)


# ------------------------------------------------------------------ reading
async def test_person_reads_their_own_account_and_no_other(scope_of: ScopeOf) -> None:
    person, other = await factories.person(phone="0102030405"), await factories.person()
    selection = Selection(frozenset({"id", "phone", "state"}))
    mine, nothing, none = await accounts.by_ids(scope_of(person), [person.id, other.id, None], selection)
    assert mine is not None
    assert (mine.id, mine.phone, mine.state, nothing, none) == (person.id, "0102030405", "ACTIVE", None, None)
    support = Scope(scope_of().office, actor=Actor(other.id, 0, PlatformRole.SUPPORT))
    assert await accounts.by_ids(support, [person.id], selection) == [None]
    assert await accounts.by_ids(scope_of(), [person.id], selection) == [None]
