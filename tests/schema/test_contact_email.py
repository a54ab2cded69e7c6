"""What a person is told of a contact address that its mail server refuses, and what ends that."""

from collections.abc import Callable

import pytest

from models.accounts.accounts import Account, Language
from models.accounts.tokens import Purpose
from resolvers.accounts import links, profiles
from resolvers.scope import Office, Scope
from schema import schema
from schema.base.context import Context
from tests.conftest import Clock
from tests.resolvers.support.mailbox import token_of
from tests.support import factories

PROBLEM = "{ me { contactEmail contactEmailProblem } }"


@pytest.fixture
async def ada(db: str, clock: Clock) -> Account:
    return await factories.person(
        contact_email_refusal="550 5.1.1 no such user",
        contact_email_refused_at=clock.now,
        pending_contact_email="new@people.example",
    )


async def told(scope: Scope) -> str | None:
    result = await schema.execute(PROBLEM, context_value=Context(scope=scope))
    assert result.errors is None
    assert result.data is not None
    problem: str | None = result.data["me"]["contactEmailProblem"]
    return problem


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            Language.EN,
            "The mail server of this address refused a message on 15 March 2027, 10:00: 550 5.1.1 no such user",
        ),
        (
            Language.FR,
            "Le serveur de messagerie de cette adresse a refusé un message le 15 mars 2027, 10:00 : 550 5.1.1 no such user",
        ),
    ],
)
async def test_a_person_whose_address_is_refused_reads_when_and_why(
    ada: Account, scope_of: Callable[..., Scope], language: Language, sentence: str
) -> None:
    assert await told(scope_of(ada, language=language)) == sentence


async def test_another_address_that_is_confirmed_ends_it(
    ada: Account, office: Office, scope_of: Callable[..., Scope]
) -> None:
    scope = scope_of(ada)
    async with scope.transaction():
        await links.send(scope, ada, Purpose.CONTACT_EMAIL)
    assert await told(scope) is not None
    await profiles.confirm_contact_email(scope_of(), await token_of(office, "contact_email_confirmation"))
    assert await told(scope) is None


async def test_a_person_with_a_good_address_is_told_nothing(db: str, scope_of: Callable[..., Scope]) -> None:
    assert await told(scope_of(await factories.person())) is None
