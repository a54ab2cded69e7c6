"""The way out of periodical mails: a page behind their link, and the one click of mail programs (RFC 8058).

Opening the link changes nothing, as mail scanners open it too; posting to it does, whoever posts: the token says for
whom, no cookie is read, and a mail program sends no word of where it comes from. It is never redirected nor limited by
source, since the machines of one mail provider post for all its users.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from graph.pages import forms, layout
from graph.pages.account import Explain, answered
from models.accounts.accounts import Language
from models.errors.errors import DomainError, InvalidToken

WORD = "unsubscribe"
ADDRESS = f"/account/{WORD}"
MOST_BYTES = 4096


class Unsubscription(Protocol):
    """What the page asks of the domain; every refusal is a `DomainError`."""

    async def inspect_subscription(self, token: str) -> None:
        """Raise what unsubscribing by this token would raise, and change nothing."""

    async def unsubscribe(self, token: str) -> None:
        """Stop the periodical mails of the token's account."""


class ActsFactory(Protocol):
    """Gives the acts of one request."""

    def __call__(self, request: Request, /) -> AbstractAsyncContextManager[Unsubscription]: ...


@dataclass(frozen=True)
class UnsubscriptionPage:
    """The handlers, on the acts and the words they were given."""

    actions: ActsFactory
    explain: Explain

    async def show(self, request: Request) -> Response:
        """The page with its one button, or why its link can't be used."""
        language, token = layout.language_of(request), request.query_params.get("token", "")
        try:
            async with self.actions(request) as actions:
                await actions.inspect_subscription(token)
        except DomainError as error:
            return self._dead(language, token, error)
        shown = {"word": WORD, "names": (), "token": token, "question": None, "switch": _switch(language, token)}
        return layout.render("account.html", language, {**shown, "problems": [], "messages": {}, "values": {}})

    async def submit(self, request: Request) -> Response:
        """Stop the mails of the token in the address, or else in the form."""
        values = await _posted(request)
        language = layout.language_of(request, values.get("lang"))
        token = request.query_params.get("token") or values.get("token", "")
        try:
            async with self.actions(request) as actions:
                await actions.unsubscribe(token)
        except DomainError as error:
            return self._dead(language, token, error)
        return layout.render("done.html", language, {"word": WORD, "outcome": "done", "sign_in_url": None})

    def _dead(self, language: Language, token: str, reason: DomainError) -> Response:
        shown = {"word": WORD, "reason": self.explain(reason, language), "renewable": False, "problems": []}
        status = 404 if isinstance(reason, InvalidToken) else 410
        return layout.render("link.html", language, shown | {"switch": _switch(language, token)}, status)


async def _posted(request: Request) -> dict[str, str]:
    """The fields of our own form; of a mail program's post, in whatever form, nothing is needed but its address."""
    try:
        body = await forms.received(request, MOST_BYTES)
    except HTTPException as refused:
        if refused.status_code == 413:
            return {}
        raise
    return dict(parse_qsl(body.decode("ascii", "replace"), max_num_fields=20)) if b"=" in body else {}


def _switch(language: Language, token: str) -> str:
    return f"{ADDRESS}?{urlencode({'token': token, 'lang': layout.other(language).lower()})}"


def routes(actions: ActsFactory, explain: Explain) -> list[BaseRoute]:
    """The page at `/account/unsubscribe`."""
    page = UnsubscriptionPage(actions, explain)
    return [Route(ADDRESS, answered(page.show, page.submit), methods=["GET", "POST"])]
