"""`/exports/...`: lists as CSV files behind signed addresses, made while they are read and never held whole."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from graph import layouts, sheets
from graph.authentication import Authentication
from graph.sheets import Sheet
from models.accounts import Language
from models.errors import DatabaseAway, DomainError, ExpiredToken, RateLimited
from models.folding import fold
from resolvers import exports
from resolvers.exports import Ticket
from resolvers.scope import Scope
from resolvers.signatures import PARAMETER

AT_A_TIME = 2  # lists being made at one moment: the others wait, so that requests find the loop and connections free
PIECE_BYTES = 32 * 1024
STALL_SECONDS = 60.0  # in which a reader must take one piece
LONGEST_NAME = 60
WORDS: dict[int, tuple[str, str]] = {
    403: ("Ce lien n'est pas valable.", "This link isn't good."),
    410: ("Ce lien a expiré : demandez-en un autre.", "This link has expired: ask for another one."),
    429: ("Trop de demandes : attendez un peu.", "Too many requests: wait a little."),
    503: ("Le service est indisponible : réessayez bientôt.", "The service is away: try again soon."),
}

log = structlog.get_logger(__name__)


class BrokenOff(Exception):
    """A list can't be finished; its reader must see that it isn't whole."""


@dataclass(frozen=True)
class File:
    """A file that somebody may have: its name without day and ending, its sheet, its elements in batches."""

    name: str
    sheet: Sheet
    batches: AsyncIterator[Sequence[Any]]


class Download(StreamingResponse):
    """A response made piece by piece. One that breaks off is left without its last chunk: no client takes it for whole.

    While a reader is slow nothing is held for them but the batch in hand.
    """

    async def stream_response(self, send: Send) -> None:
        """Send all pieces, each taken within a minute."""

        async def taken(message: Any) -> None:
            async with asyncio.timeout(STALL_SECONDS):
                await send(message)

        await super().stream_response(taken)

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Serve the file, or as much of it as can be."""
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnect:
            return  # nobody is left to read it
        except (BrokenOff, TimeoutError) as broken:
            reason = type(broken.__cause__ or broken).__name__
            log.warning("export_broken_off", path=scope["path"], reason=reason)


Opens = Callable[[Scope, Ticket], Awaitable[File]]


async def structures(scope: Scope, held: Ticket) -> File:
    """All that a search finds."""
    return File("structures", sheets.STRUCTURES, exports.structures_found(scope, held))


async def users(scope: Scope, held: Ticket) -> File:
    """A structure's users, for its managers and support.

    Raises:
        Forbidden: to anyone else, by the rights of this moment.
    """
    of = _plain(await exports.structure_name(scope, held))
    name = "utilisateurs" if scope.language is Language.FR else "users"
    return File(f"{name}-{of}" if of else name, sheets.users(scope.today()), exports.users_of(scope, held))


def _plain(name: str) -> str:
    """The name as part of a file's, in letters that every system and header takes (RFC 6266)."""
    return "-".join(re.findall(r"[a-z0-9]+", fold(name)))[:LONGEST_NAME].rstrip("-")


class Exports:
    """Serves the files of one process."""

    def __init__(self, entrance: Authentication) -> None:
        self.entrance = entrance
        self._turns = asyncio.Semaphore(AT_A_TIME)

    def routes(self) -> list[BaseRoute]:
        """The address of each kind of file."""
        return [self._route(exports.STRUCTURES, structures), self._route(exports.USERS, users)]

    def _route(self, path: str, opens: Opens) -> BaseRoute:
        async def endpoint(request: Request) -> Response:
            try:
                return await self._answer(request, path, opens)
            except ExpiredToken:
                return _refusal(request, 410)
            except DomainError:  # why is nobody's business who comes with a link that isn't theirs
                return _refusal(request, 403)
            except RateLimited as limited:
                return _refusal(request, 429, limited.retry_after)
            except DatabaseAway:
                return _refusal(request, 503, 5)

        return Route(path, endpoint)

    async def _answer(self, request: Request, path: str, opens: Opens) -> Response:
        scope = self.entrance.scope(request)
        await self.entrance.limits.admit(scope.source or "", "exports")
        held = exports.ticket(scope, path, request.query_params.get(PARAMETER, ""))
        self.entrance.ready()
        await exports.enter(scope, held, await self.entrance.sessions(request))
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
        pieces = self._pieces(file, scope.language, first) if request.method == "GET" else _nothing()
        return Download(pieces, headers=headers, media_type="text/csv")

    async def _pieces(self, file: File, language: Language, first: bytes | None) -> AsyncIterator[bytes]:
        yield file.sheet.opening(language)
        made = first
        while made is not None:
            for start in range(0, len(made), PIECE_BYTES):
                yield made[start : start + PIECE_BYTES]
            try:
                made = await self._made(file, language)
            except (DomainError, DatabaseAway) as error:
                raise BrokenOff from error

    async def _made(self, file: File, language: Language) -> bytes | None:
        """The lines of the next batch; None after the last one."""
        async with self._turns:
            batch = await anext(file.batches, None)
            return None if batch is None else file.sheet.lines(batch, language)


async def _nothing() -> AsyncIterator[bytes]:
    """What a HEAD request is sent of the file."""
    return
    yield


def _refusal(request: Request, status: int, retry_after: int | None = None) -> Response:
    language = layouts.language_of(request)
    headers = {"Cache-Control": "no-store", "Content-Language": language.lower()}
    headers |= {"Retry-After": str(retry_after)} if retry_after else {}
    return PlainTextResponse(WORDS[status][language is Language.EN] + "\n", status, headers)


def routes(entrance: Authentication) -> list[BaseRoute]:
    """The addresses of all exports."""
    return Exports(entrance).routes()
