"""Running operations against the schema itself, as a person or as nobody."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from models.accounts.accounts import Account
from resolvers.scope import Scope
from schema import schema
from schema.base.context import Context

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def ask(scope_of: Callable[..., Scope], db: str) -> Ask:
    """`ask(document, account, **variables)`: the data of an operation that must have no GraphQL errors."""

    async def run(document: str, account: Account | None = None, **variables: Any) -> dict[str, Any]:
        context = Context(scope=scope_of(account))
        result = await schema.execute(document, variable_values=variables, context_value=context)
        assert result.errors is None, result.errors
        assert result.data is not None
        return result.data

    return run
