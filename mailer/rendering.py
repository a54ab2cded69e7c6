"""From a row of the outbox to the mail itself: a template per message and language, a layout per form (text, HTML)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, pass_context, select_autoescape
from jinja2.runtime import Context

from mailer import digests, headers, payloads, wording
from mailer.digests import PeriodicalMessage, Section
from mailer.facts import LinkMessage, Message, name_of
from mailer.seals import Sealer
from models.attachments.attachments import Role
from models.db.query import Row
from models.mail.outbox import Mail
from models.subscriptions.spaces import WORDING, SpaceCode
from models.subscriptions.subscriptions import SubscriptionMode

TEMPLATES = Path(__file__).parent / "templates"
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Letterhead:
    """Who the installation writes as, and where its links lead: its own pages, or a client application."""

    mail_from: str
    public_url: str
    account_app_url: str | None = None

    def link(self, page: str, token: str) -> str:
        """The address of the page that a token opens."""
        return _page(self.account_app_url or self._own, page, token)

    def one_click(self, token: str) -> str:
        """Where a mail program posts to unsubscribe (RFC 8058): always at our own pages, which take it."""
        return _page(self._own, "unsubscribe", token)

    @property
    def portal(self) -> str:
        """Where people find what waits for them, when a thing has no address of its own."""
        return self.account_app_url or self.public_url

    @property
    def _own(self) -> str:
        return f"{self.public_url.rstrip('/')}/account"


def _page(base: str, page: str, token: str) -> str:
    return f"{base.rstrip('/')}/{page}?token={quote(token, safe='')}"


@dataclass(frozen=True)
class Letter:
    """What a mail says, before it is laid out; both forms are made of this, so they tell the same."""

    subject: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    action: str | None
    url: str | None
    expires: str | None
    closing: tuple[str, ...]
    sections: tuple[Section, ...] = ()


def compose(mail: Mail, *, letterhead: Letterhead, sealer: Sealer, rows: Sequence[Row] = ()) -> EmailMessage:
    """The mail of a row of the outbox, the same at every try; `rows` are what a periodical one tells.

    Raises:
        UnknownMessage: when this version of the program doesn't know the message.
        SealBroken: when its token can't be opened.
        ValueError: when an address is none.
        jinja2.TemplateError: when a template asks for a fact that the message hasn't got.
    """
    message = payloads.decode(mail.message, mail.payload, sealer=sealer, bound_to=mail.message_id)
    letter = write(name_of(type(message)), message, mail.language, mail.time_zone, letterhead, rows)
    name = wording.greeted(mail.recipient_name)
    stop = sealer.unsubscription(mail.account_id or 0) if isinstance(message, PeriodicalMessage) else None
    page = {
        "letter": letter,
        "name": name,
        "language": mail.language,
        "phrases": wording.PHRASES[mail.language],
        "app_url": letterhead.account_app_url,
        "stop_url": letterhead.link("unsubscribe", stop) if stop else None,
    }
    composed = _envelope(mail, letter.subject, name, letterhead)
    if stop:
        composed["List-Unsubscribe"] = f"<{letterhead.one_click(stop)}>"
        composed["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    composed.set_content(_LAYOUTS.get_template("layout.txt").render(page), cte="quoted-printable")
    composed.add_alternative(_LAYOUTS.get_template("layout.html").render(page), "html", cte="quoted-printable")
    composed["Content-Language"] = mail.language  # only now: setting the content drops every Content-* header
    return composed


def write(
    name: str, message: Message, language: str, time_zone: str, letterhead: Letterhead, rows: Sequence[Row] = ()
) -> Letter:
    """What the message says in a language; `rows` are what a periodical one tells.

    Raises:
        jinja2.TemplateError: when the template asks for a fact that the message hasn't got.
    """
    template = WORDS.get_template(f"{name}/{language}.txt")
    facts = {fact.name: _presentable(getattr(message, fact.name)) for fact in fields(message) if fact.name != "token"}
    context: dict[str, Any] = {**facts, "language": language, "time_zone": time_zone}
    if isinstance(message, PeriodicalMessage):
        context |= digests.particulars(message, rows, language, time_zone, letterhead.portal)
    link = message if isinstance(message, LinkMessage) else None
    told = [line.split(_BETWEEN) for line in _block(template, "facts", context).splitlines() if line.strip()]
    return Letter(
        subject=wording.typeset(" ".join(_block(template, "subject", context).split()), language),
        paragraphs=_paragraphs(_block(template, "body", context), language),
        facts=tuple((label.strip(), value.strip()) for label, value in told),
        action=_block(template, "action", context).strip() if link else None,
        url=letterhead.link(link.page, link.token.value) if link else None,
        expires=wording.instant(link.expires_at, language, time_zone) if link else None,
        closing=_paragraphs(_block(template, "closing", context), language),
        sections=context.get("sections", ()),
    )


@lru_cache(maxsize=16)
def _sender(mail_from: str) -> Address:
    name, address = parseaddr(mail_from)
    return Address(name, addr_spec=address)


def _envelope(mail: Mail, subject: str, name: str, letterhead: Letterhead) -> EmailMessage:
    composed = EmailMessage(headers.POLICY if mail.address.isascii() else headers.UTF8_POLICY)
    composed["From"] = str(_sender(letterhead.mail_from))
    composed["To"] = Address(name, addr_spec=mail.address)
    composed["Subject"] = subject
    composed["Date"] = format_datetime(mail.created_at)
    composed["Message-ID"] = mail.message_id
    composed["Auto-Submitted"] = "auto-generated"
    return composed


# ------------------------------------------------------------------ templates
def _block(template: Template, name: str, context: dict[str, Any]) -> str:
    block = template.blocks.get(name)
    return "".join(block(template.new_context(context))) if block else ""


def _paragraphs(text: str, language: str) -> tuple[str, ...]:
    lines = (" ".join(part.split("\n")).strip() for part in text.strip().split("\n\n"))
    return tuple(wording.typeset(line, language) for line in lines if line)


def _presentable(value: object) -> object:
    """A fact as templates get it: what people typed stays on its line and looks like what it is."""
    if isinstance(value, str):
        return wording.harmless(value)
    return tuple(map(_presentable, value)) if isinstance(value, tuple) else value


def _fact(label: str, value: str | tuple[str, ...] | None) -> str:
    text = wording.joined(value) if isinstance(value, tuple) else value
    return f"{label}{_BETWEEN}{text}\n" if text else ""


@pass_context
def _day(context: Context, value: date) -> str:
    return wording.day(value, context["language"])


@pass_context
def _last_day(context: Context, value: date | None) -> str:
    language = context["language"]
    return wording.day(value, language) if value else wording.PHRASES[language]["no_end"]


@pass_context
def _instant(context: Context, value: datetime) -> str:
    return wording.instant(value, context["language"], context["time_zone"])


@pass_context
def _moment(context: Context, value: datetime) -> str:
    return wording.moment(value, context["language"], context["time_zone"])


@pass_context
def _role(context: Context, value: str) -> str:
    return wording.ROLES[context["language"]][Role(value)]


@pass_context
def _space(context: Context, value: str) -> str:
    words = WORDING[SpaceCode(value)]
    return words.fr if context["language"] == "fr" else words.en


@pass_context
def _mode(context: Context, value: str) -> str:
    return wording.MODES[context["language"]][SubscriptionMode(value)]


_HOW: dict[str, Any] = {"loader": FileSystemLoader(TEMPLATES), "undefined": StrictUndefined, "auto_reload": False}
# The words know no markup: what they say is escaped as a whole when the HTML layout takes it in.
WORDS = Environment(autoescape=False, **_HOW)  # noqa: S701
WORDS.filters |= {
    "day": _day,
    "last_day": _last_day,
    "instant": _instant,
    "moment": _moment,
    "role": _role,
    "space": _space,
    "mode": _mode,
    "masked": wording.masked,
}
WORDS.globals["fact"] = _fact
_LAYOUTS = Environment(autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True, **_HOW)
