"""What files behind signed addresses share: who may come, refusals in words, transfers that tell when they break."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Send
from starlette.types import Scope as Asgi

from graph.http.authentication import Authentication
from graph.pages import layout
from models.accounts.accounts import Language
from models.errors.errors import (
    DatabaseAway,
    DocumentBeingChecked,
    DocumentRefused,
    DomainError,
    ExpiredToken,
    RateLimited,
)
from resolvers import security_log, tickets
from resolvers.scope import Scope
from resolvers.signed_urls import PARAMETER
from resolvers.tickets import Ticket

STALL_SECONDS = 60.0  # in which a reader must take one piece
WORDS: dict[int, tuple[str, str]] = {
    403: ("Ce lien n'est pas valable.", "This link isn't good."),
    409: (
        "L'antivirus n'a pas déclaré ce document sain : il ne peut pas être téléchargé.",
        "The virus scanner hasn't found this document clean: it can't be downloaded.",
    ),
    410: ("Ce lien a expiré : demandez-en un autre.", "This link has expired: ask for another one."),
    429: ("Trop de demandes : attendez un peu.", "Too many requests: wait a little."),
    503: ("Le service est indisponible : réessayez bientôt.", "The service is away: try again soon."),
}

log = structlog.get_logger(__name__)
Answer = Callable[[Request], Awaitable[Response]]


class BrokenOff(Exception):
    """A file can't be finished; its reader must see that it isn't whole."""


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
            log.warning("transfer_broken_off", path=scope["path"], reason=reason)


async def nothing() -> AsyncIterator[bytes]:
    """What a HEAD request is sent of a file."""
    return
    yield


async def enter(entrance: Authentication, scope: Scope, request: Request, path: str) -> Ticket:
    """What the request's address holds, its holder being the scope's actor from now on.

    Raises:
        InvalidToken, ExpiredToken, Forbidden: when nobody may come in by it.
        DatabaseAway: when the database can't be asked.
    """
    held = tickets.read(scope, path, request.query_params.get(PARAMETER, ""))
    entrance.ready()
    await tickets.enter(scope, held, await entrance.sessions(request))
    return held


def endpoint(answer: Answer, entrance: Authentication) -> Answer:
    """The same answer, or in its place the refusal as a sentence in the reader's language with its status."""

    async def refusing(request: Request) -> Response:
        try:
            return await answer(request)
        except (DomainError, RateLimited) as refused:
            security_log.note_refusal(entrance.scope(request), refused, request.url.path)
            return _refused(request, refused)
        except DatabaseAway:
            return _refusal(request, 503, 5)

    return refusing


def _refused(request: Request, refused: DomainError | RateLimited) -> Response:
    if isinstance(refused, RateLimited):
        return _refusal(request, 429, refused.retry_after)
    if isinstance(refused, ExpiredToken):
        return _refusal(request, 410)
    if isinstance(refused, DocumentBeingChecked | DocumentRefused):
        return _refusal(request, 409)
    return _refusal(request, 403)  # why is nobody's business who comes with a link that isn't theirs


def _refusal(request: Request, status: int, retry_after: int | None = None) -> Response:
    language = layout.language_of(request)
    headers = {"Cache-Control": "no-store", "Content-Language": language.lower()}
    headers |= {"Retry-After": str(retry_after)} if retry_after else {}
    return PlainTextResponse(WORDS[status][language is Language.EN] + "\n", status, headers)
