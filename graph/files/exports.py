"""`/exports/...`: lists as CSV files behind signed addresses, made while they are read and never held whole."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from graph.files import csv_sheets, transfers
from graph.files.csv_sheets import Sheet
from graph.http.authentication import Authentication
from models.accounts.accounts import Language
from models.db.normalisation import normalise_name
from models.errors.errors import DatabaseAway, DomainError
from resolvers.scope import Scope
from resolvers.structures import exports
from resolvers.tickets import Ticket

AT_A_TIME = 2  # lists being made at one moment: the others wait, so that requests find the loop and connections free
PIECE_BYTES = 32 * 1024
LONGEST_NAME = 60


@dataclass(frozen=True)
class File:
    """A file that somebody may have: its name without day and ending, its sheet, its elements in batches."""

    name: str
    sheet: Sheet
    batches: AsyncIterator[Sequence[Any]]


Opens = Callable[[Scope, Ticket], Awaitable[File]]


async def structures(scope: Scope, held: Ticket) -> File:
    """All that a search finds."""
    return File("structures", csv_sheets.STRUCTURES, exports.structures_found(scope, held))


async def users(scope: Scope, held: Ticket) -> File:
    """A structure's users, for its managers and support.

    Raises:
        Forbidden: to anyone else, by the rights of this moment.
    """
    of = _plain(await exports.structure_name(scope, held))
    name = "utilisateurs" if scope.language is Language.FR else "users"
    return File(f"{name}-{of}" if of else name, csv_sheets.users(scope.today()), exports.users_of(scope, held))


def _plain(name: str) -> str:
    """The name as part of a file's, in letters that every system and header takes (RFC 6266)."""
    return "-".join(re.findall(r"[a-z0-9]+", normalise_name(name)))[:LONGEST_NAME].rstrip("-")


class Exports:
    """Serves the files of one process."""

    def __init__(self, entrance: Authentication) -> None:
        self.entrance = entrance
        self._turns = asyncio.Semaphore(AT_A_TIME)

    def routes(self) -> list[BaseRoute]:
        """The address of each kind of file."""
        return [self._route(exports.STRUCTURES, structures), self._route(exports.USERS, users)]

    def _route(self, path: str, opens: Opens) -> BaseRoute:
        async def answer(request: Request) -> Response:
            return await self._answer(request, path, opens)

        return Route(path, transfers.endpoint(answer, self.entrance))

    async def _answer(self, request: Request, path: str, opens: Opens) -> Response:
        scope = self.entrance.scope(request)
        await self.entrance.limits.admit(scope.source or "", "exports")
        held = await transfers.enter(self.entrance, scope, request, path)
        file = await opens(scope, held)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{file.name}-{scope.today().isoformat()}.csv"',
            "Content-Language": scope.language.lower(),
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
        }
        # What is wrong from the start shows in the status: the first batch is read before it is said.
        first = await self._made(file, scope.language)
        pieces = self._pieces(file, scope.language, first) if request.method == "GET" else transfers.nothing()
        return transfers.Download(pieces, headers=headers, media_type="text/csv")

    async def _pieces(self, file: File, language: Language, first: bytes | None) -> AsyncIterator[bytes]:
        yield file.sheet.opening(language)
        made = first
        while made is not None:
            for start in range(0, len(made), PIECE_BYTES):
                yield made[start : start + PIECE_BYTES]
            try:
                made = await self._made(file, language)
            except (DomainError, DatabaseAway) as error:
                raise transfers.BrokenOff from error

    async def _made(self, file: File, language: Language) -> bytes | None:
        """The lines of the next batch; None after the last one."""
        async with self._turns:
            batch = await anext(file.batches, None)
            return None if batch is None else file.sheet.lines(batch, language)


def routes(entrance: Authentication) -> list[BaseRoute]:
    """The addresses of all exports."""
    return Exports(entrance).routes()
