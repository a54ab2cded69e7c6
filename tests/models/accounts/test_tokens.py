"""One-time tokens: used once, however many try at the same instant."""

from datetime import timedelta

from models.accounts import tokens
from models.accounts.tokens import OneTimeToken, Purpose
from models.db import database
from models.errors.errors import InvalidToken
from tests.resolvers.support.mailbox import outcomes
from tests.support import factories
from tests.support.factories import LONG_AGO


async def test_token_used_by_many_at_once_works_once(db: str) -> None:
    await tokens.issue(await factories.person(), Purpose.PASSWORD_RESET, "a token", LONG_AGO)

    async def use() -> None:
        async with database.transaction():
            await tokens.use("a token", Purpose.PASSWORD_RESET, LONG_AGO + timedelta(minutes=1))

    ended = await outcomes([use() for _ in range(20)])
    assert (ended.count(None), ended.count(InvalidToken)) == (1, 19)
    assert await OneTimeToken.all().count() == 0
