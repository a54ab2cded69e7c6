"""The mail page: what the courier wrote to a folder for want of a mail server, so that links can be followed.

It shows one-time links to whoever opens it: only a server that listens on the loopback address and whose public address
is this machine's may mount it, and no request is answered that came through a proxy or names another host.
"""

import re
from collections.abc import Callable
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

from graph import layouts

# A mail's own HTML: no script, no request but the pictures it carries, its links opened in a tab of their own.
LETTER_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
MAIL_POLICY = layouts.POLICY + "; frame-src 'self'"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
CARRIED = ("forwarded", "via", "x-real-ip", "x-forwarded-")  # how the headers begin that proxies add
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
    # The courier may take a file away while the folder is read.
    found = [(path.stat().st_mtime_ns, path.name, path) for path in folder.glob("*.eml") if _is_message(path)]
    return {name: path for _, name, path in sorted(found, reverse=True)}


def _is_message(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def read(path: Path) -> EmailMessage:
    """The message in a file."""
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(path.read_bytes())


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


def listing(request: Request, folder: Path) -> Response:
    """The list of all messages."""
    language = layouts.language_of(request)
    letters = [letter_of(path, read(path)) for path in files(folder).values()]
    switch = f"/mails?lang={layouts.other(language).lower()}"
    return layouts.render("mails.html", language, {"letters": letters, "switch": switch})


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
    return layouts.render("mail.html", layouts.language_of(request), shown, headers=headers)


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
    headers = layouts.HEADERS | {"Content-Security-Policy": LETTER_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(shown, headers=headers)


def absent(request: Request) -> Response:
    """The page for a message that isn't there."""
    return layouts.render("problem.html", layouts.language_of(request), {"problem": "absent"}, 404)


def routes(folder: Path) -> list[BaseRoute]:
    """The mail pages over a folder of `.eml` files, which may not exist yet."""

    # plain functions: Starlette runs them in a thread, as reading files asks
    def on(show: Show) -> Callable[[Request], Response]:
        return at_hand(lambda request: show(request, folder))

    return [
        Route("/mails", on(listing)),
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
    return layouts.render("problem.html", layouts.language_of(request), {"problem": "absent"}, 421)
