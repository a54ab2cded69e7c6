"""The mail page: what the courier wrote to a folder for want of a mail server, so that links can be followed.

It shows one-time links to whoever opens it: only a server that listens on the loopback address and whose public address
is this machine's may mount it, and no request is answered that came through a proxy or names another host.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from graph.pages import layout

# A mail's own HTML: no script, no request but the pictures it carries, its links opened in a tab of their own.
LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
MAIL_POLICY = layout.POLICY + "; frame-src 'self'"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
CARRIED = ("forwarded", "via", "x-real-ip", "x-forwarded-")  # how the headers begin that proxies add
A_PAGE = 50
ADDRESS = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]']")


@dataclass(frozen=True)
class Letter:
    """One file of the folder, as the list shows it."""

    name: str
    subject: str
    to: str
    sent: datetime


Show = Callable[[Request, Path], Response]


def files(folder: Path) -> dict[str, Path]:
    """The messages of the folder by file name, the latest first; never a link, nor what a folder in it holds."""
    found: list[tuple[int, str]] = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # somebody may take it away while the folder is read
                if entry.name.endswith(".eml") and entry.is_file(follow_symlinks=False):
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
    return {name: folder / name for _, name in sorted(found, reverse=True)}


def read(path: Path) -> EmailMessage:
    """The message in a file."""
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())


class Index:
    """What the list says of each message, read once for each state of its file; what is gone is forgotten."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[tuple[int, int], Letter]] = {}

    def page(self, number: int) -> tuple[list[Letter], int]:
        """The letters of a page, the first being that of the latest ones, and how many pages there are."""
        found = files(self._folder)
        self._known = {name: known for name, known in self._known.items() if name in found}
        pages = max(1, -(-len(found) // A_PAGE))
        first = A_PAGE * (min(number, pages) - 1)
        letters = (self._letter(path) for path in list(found.values())[first : first + A_PAGE])
        return [letter for letter in letters if letter is not None], pages

    def _letter(self, path: Path) -> Letter | None:
        try:
            state = path.stat()
            known = self._known.get(path.name)
            if known is None or known[0] != (state.st_mtime_ns, state.st_size):
                known = (state.st_mtime_ns, state.st_size), letter_of(path, headers_of(path))
                self._known[path.name] = known
            return known[1]
        except FileNotFoundError:  # taken away since the folder was read
            return None


def headers_of(path: Path) -> EmailMessage:
    """The headers of the message in a file."""
    with path.open("rb") as file:
        return BytesParser(EmailMessage, policy=policy.default).parse(file, headersonly=True)


def letter_of(path: Path, message: EmailMessage) -> Letter:
    """What the list says of a message: its date is when the file was written, whatever its header claims."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return Letter(path.name, str(message["subject"] or ""), str(message["to"] or ""), written)


def linked(text: str) -> Markup:
    """The text as HTML, its web addresses made links."""
    shown, end = Markup(), 0
    for found in ADDRESS.finditer(text):
        address = escape(found.group())
        shown += escape(text[end : found.start()]) + Markup('<a href="{0}">{0}</a>').format(address)
        end = found.end()
    return shown + escape(text[end:])


def part(message: EmailMessage, kind: str) -> str | None:
    """The message's text of a kind, `plain` or `html`, or None."""
    found = message.get_body((kind,))
    return str(found.get_content()) if found else None


def listing(request: Request, index: Index) -> Response:
    """The list of the messages, a page of it."""
    language = layout.language_of(request)
    asked = request.query_params.get("page", "1")
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 1
    letters, pages = index.page(max(1, number))
    number = min(max(1, number), pages)
    switch = f"/mails?page={number}&lang={layout.other(language).lower()}"
    return layout.render("mails.html", language, {"letters": letters, "switch": switch, "page": number, "pages": pages})


def one(request: Request, folder: Path) -> Response:
    """One message: its text with its links, its HTML in a frame, its headers."""
    path = files(folder).get(request.path_params["name"])
    if path is None:
        return absent(request)
    message = read(path)
    letter = letter_of(path, message)
    return page(request, message, letter.subject, back="/mails", html=f"/mails/{quote(letter.name)}/html")


def page(request: Request, message: EmailMessage, subject: str, *, back: str, html: str) -> Response:
    """The page of a message, which leads `back` to a list and has the HTML of the address `html` in a frame."""
    text = part(message, "plain")
    shown = {
        "subject": subject,
        "text": None if text is None else linked(text),
        "html": html if message.get_body(("html",)) is not None else None,
        "fields": list(message.items()),
        "back": back,
    }
    headers = {"Content-Security-Policy": MAIL_POLICY}
    return layout.render("mail.html", layout.language_of(request), shown, headers=headers)


def html(request: Request, folder: Path) -> Response:
    """The HTML of one message alone, for the frame."""
    path = files(folder).get(request.path_params["name"])
    body = path and part(read(path), "html")
    return framed(body) if body else absent(request)


def framed(body: str) -> Response:
    """A message's own HTML, which opens its links in a tab of their own and does nothing else."""
    opening = re.search(r"<head[^>]*>", body, re.IGNORECASE)
    at = opening.end() if opening else 0
    shown = f'{body[:at]}<base target="_blank">{body[at:]}'
    headers = layout.HEADERS | {"Content-Security-Policy": LETTER_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(shown, headers=headers)


def absent(request: Request) -> Response:
    """The page for a message that isn't there."""
    return layout.render("problem.html", layout.language_of(request), {"problem": "absent"}, 404)


def routes(folder: Path) -> list[BaseRoute]:
    """The mail pages over a folder of `.eml` files, which may not exist yet."""

    index = Index(folder)

    # plain functions: Starlette runs them in a thread, as reading files asks
    def on(show: Show) -> Callable[[Request], Response]:
        return at_hand(lambda request: show(request, folder))

    return [
        Route("/mails", at_hand(lambda request: listing(request, index))),
        Route("/mails/{name}", on(one)),
        Route("/mails/{name}/html", on(html)),
    ]


def at_hand(show: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """The page, for whoever sits at this machine; anybody else is told that it isn't here.

    A name that isn't the loopback's is refused: a page elsewhere could have had its own name resolve to this machine,
    and read the links (DNS rebinding).
    """

    def shown(request: Request) -> Response:
        carried = any(name.startswith(CARRIED) for name in request.headers)
        return show(request) if request.url.hostname in LOOPBACK and not carried else misdirected(request)

    return shown


def misdirected(request: Request) -> Response:
    """The page for a request that names another host, or was carried here."""
    return layout.render("problem.html", layout.language_of(request), {"problem": "absent"}, 421)
