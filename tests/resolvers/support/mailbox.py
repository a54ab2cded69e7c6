"""What tests take out of the outbox, what a refusal must look like, and how one act overtakes another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import orjson
import pytest

from mailer import payloads
from mailer.facts import LinkMessage
from models.accounts import accounts
from models.accounts.accounts import Account
from models.db import database
from models.errors.errors import DomainError
from models.events.events import Event
from models.mail.outbox import Mail
from models.structures import structures
from models.structures.structures import Structure
from resolvers.accounts import wishes
from resolvers.scope import Office, Scope
from tests.support import factories

T = TypeVar("T")
Row = TypeVar("Row", Account, Structure)
Problem = tuple[type[DomainError], *tuple[str, ...]]


async def token_of(office: Office, message: str) -> str:
    """The clear token of the newest mail of this kind, once all wishes are granted."""
    await wishes.grant(Scope(office))
    mail = await Mail.filter(message=message).order_by("-id").first()
    assert mail is not None
    read = payloads.decode(mail.message, mail.payload, sealer=office.sealer, bound_to=mail.message_id)
    assert isinstance(read, LinkMessage)
    return read.token.value


async def assert_untold(*secrets: str) -> None:
    """None of the secrets is to be read in an event or in a mail that waits."""
    told = b"".join(
        [
            *(orjson.dumps([event.before, event.after]) for event in await Event.all()),
            *(orjson.dumps(mail.payload) for mail in await Mail.all()),
        ]
    ).decode()
    assert told
    for secret in secrets:
        assert secret not in told


@asynccontextmanager
async def refused(*problems: Problem) -> AsyncIterator[None]:
    """The block is refused for exactly these errors, each with its path, and leaves no event and no mail."""
    before = await factories.traces()
    with pytest.raises(DomainError) as caught:
        yield
    assert [(type(error), *error.path) for error in caught.value.each()] == list(problems)
    assert await factories.traces() == before


async def outcomes(acts: list[Coroutine[Any, Any, Any]]) -> list[object]:
    """What became of acts that run side by side: the class of each refusal, or what it returned."""
    ended = await asyncio.gather(*acts, return_exceptions=True)
    return [type(end) if isinstance(end, Exception) else end for end in ended]


async def overtaken(row: Row, act: Coroutine[Any, Any, T], change: Callable[[Row], Awaitable[object]]) -> T:
    """What becomes of an act that reads the row, then waits for it while another transaction that holds it changes."""
    held, go = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            locked = await (accounts if isinstance(row, Account) else structures).lock(row.id)
            assert locked is not None
            held.set()
            await go.wait()
            await change(locked)

    holder = asyncio.create_task(hold())
    await held.wait()
    acting = asyncio.create_task(act)
    await asyncio.sleep(0.3)
    go.set()
    await holder
    return await acting
