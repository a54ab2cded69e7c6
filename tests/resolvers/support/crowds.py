"""Many acts at the same instant: started together, answered one by one, watched from outside."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import date

import aiosqlite
import asyncpg
import pytest

from models.attachments.attachments import Attachment, AttachmentStatus, Role
from models.db import database
from models.errors.errors import DomainError, RateLimited, Unauthenticated
from models.structures.structures import Structure
from resolvers.bulk import Outcome
from resolvers.scope import Scope

MANY = 50
PATIENCE = 60  # seconds; what takes longer waits for itself
TODAY = date(2027, 3, 15)

SEATS = (
    "SELECT count(*) FROM attachments WHERE structure_id = {id} AND role = 'PRINCIPAL_MANAGER' AND status = 'VALIDATED'"
)

ScopeOf = Callable[..., Scope]


async def together(acts: Iterable[Awaitable[object]]) -> list[object]:
    """What each of the acts came to, all started at once; a refusal is an answer, anything else fails the test."""
    async with asyncio.timeout(PATIENCE):
        answers = await asyncio.gather(*acts, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, DomainError | RateLimited | Unauthenticated):
            raise answer
    return [refusal_of(answer) for answer in answers]


def refusal_of(answer: object) -> object:
    """The refusal inside a bulk answer of one, else the answer."""
    match answer:
        case [Outcome(error=DomainError() as error)]:
            return error
        case _:
            return answer


def kinds(answers: Iterable[object]) -> dict[str, int]:
    """How many answers there are of each class of refusal; `done` are the others."""
    return dict(Counter(type(answer).__name__ if isinstance(answer, Exception) else "done" for answer in answers))


@asynccontextmanager
async def watched(url: str, structure: Structure) -> AsyncIterator[list[int]]:
    """The numbers of principal managers that a reader, on a connection of its own, saw all the while."""
    seen: list[int] = []
    statement = SEATS.format(id=structure.id)

    async def read() -> None:
        if database.is_sqlite_url(url):
            async with aiosqlite.connect(url.removeprefix("sqlite://").partition("?")[0], timeout=PATIENCE) as file:
                while True:
                    async with file.execute(statement) as cursor:
                        seen.extend(row[0] for row in await cursor.fetchall())
        server = await asyncpg.connect(url)
        try:
            while True:
                seen.append(await server.fetchval(statement))
        finally:
            await server.close()

    reader = asyncio.create_task(read())
    while not seen and not reader.done():
        await asyncio.sleep(0.01)
    yield seen
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader


async def principal(structure: Structure) -> int:
    """Who holds the seat; fails unless exactly one person does."""
    seat = await Attachment.get(structure=structure, role=Role.PRINCIPAL_MANAGER, status=AttachmentStatus.VALIDATED)
    return seat.user_id
