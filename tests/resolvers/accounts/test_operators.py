"""Giving a platform role from the command line: to a new account, to a known one, to one that can't have it."""

from collections.abc import Callable

import pytest

from models.accounts.accounts import Account, AccountState
from models.accounts.actors import PlatformRole
from models.accounts.tokens import Purpose
from models.errors.errors import Invalid, InvalidToken, Missing, TransitionNotAllowed
from models.events.events import Event
from resolvers.accounts import accounts, links, operators
from resolvers.scope import Scope
from tests.resolvers.support.mailbox import refused
from tests.support import factories

NAMES = {"first_name": "Ada", "last_name": "Root"}
CHOSEN = {"password": factories.PASSWORD, "secret_question": "What is this?", "secret_answer": "a test"}


async def test_an_operator_makes_a_new_administrator_who_activates_by_the_link(
    db: str, scope_of: Callable[..., Scope]
) -> None:
    token = await operators.give_platform_role(scope_of(), "Root@People.example", PlatformRole.ADMIN, **NAMES)
    assert token is not None
    await accounts.activate(scope_of(), token=token, **CHOSEN)
    account = await Account.get(login_key="root@people.example")
    assert (account.state, account.platform_role) == (AccountState.ACTIVE, PlatformRole.ADMIN)
    event = await Event.all().order_by("id").first()
    assert event is not None
    assert (event.type, event.before, event.after) == ("PlatformRoleGiven", {"role": None}, {"role": "ADMIN"})
    assert await factories.mails() == []


async def test_an_operator_gives_a_known_person_the_role(db: str, scope_of: Callable[..., Scope]) -> None:
    ada = await factories.person()
    given = await operators.give_platform_role(scope_of(), ada.login_email.upper(), PlatformRole.SUPPORT, **NAMES)
    assert given is None
    await ada.refresh_from_db()
    assert (ada.platform_role, ada.last_name != "Root") == (PlatformRole.SUPPORT, True)
    assert await factories.event_types() == ["PlatformRoleGiven"]


async def test_a_second_link_voids_the_first(db: str, scope_of: Callable[..., Scope]) -> None:
    first = await operators.give_platform_role(scope_of(), "root@people.example", PlatformRole.ADMIN, **NAMES)
    second = await operators.give_platform_role(scope_of(), "root@people.example", PlatformRole.ADMIN, **NAMES)
    assert first is not None
    assert second is not None
    with pytest.raises(InvalidToken):
        await links.inspect(scope_of(), Purpose.ACTIVATION, first)
    assert (await links.inspect(scope_of(), Purpose.ACTIVATION, second)).login_key == "root@people.example"


@pytest.mark.parametrize("state", [AccountState.DEACTIVATED, AccountState.SUSPENDED])
async def test_an_account_without_access_gets_no_role(
    db: str, scope_of: Callable[..., Scope], state: AccountState
) -> None:
    at = factories.LONG_AGO if state is AccountState.DEACTIVATED else None
    ada = await factories.person(state=state, deactivated_at=at)
    async with refused((TransitionNotAllowed, "login_email")):
        await operators.give_platform_role(scope_of(), ada.login_email, PlatformRole.ADMIN, **NAMES)
    await ada.refresh_from_db()
    assert ada.platform_role is None


async def test_all_that_is_wrong_is_told_at_once(db: str, scope_of: Callable[..., Scope]) -> None:
    async with refused((Invalid, "login_email"), (Missing, "last_name")):
        await operators.give_platform_role(scope_of(), "nobody", PlatformRole.ADMIN, first_name="Ada", last_name=" ")
