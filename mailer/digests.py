"""The periodical mails: the daily digest of activities and the weekly recap of movements, composed as they are sent.

What lies in the outbox is the ids of what was new; the rows are read again by the courier, so that nobody is told of
what no longer concerns them, and a mail that waited for a server tells nothing that its reader has lost the right to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from typing import Any, ClassVar

from mailer import wording
from mailer.facts import Message, name_of
from models.accounts.accounts import Language
from models.activities.activities import ActivityKind
from models.db.query import Row
from models.events import summaries
from models.mail import digests
from models.mail.digests import Periodical
from models.mail.outbox import Mail
from models.subscriptions.spaces import WORDING, SpaceCode


@dataclass(frozen=True, kw_only=True)
class PeriodicalMessage(Message):
    """What is new since the last one: `total` things, the newest of them by their ids."""

    periodical: ClassVar[Periodical]
    until: datetime
    total: int
    ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ActivityDigest(PeriodicalMessage):
    """To who wants it, in the morning: the activities that concern them."""

    periodical = digests.DAILY


@dataclass(frozen=True, kw_only=True)
class WeeklyRecap(PeriodicalMessage):
    """To who wants it, on Monday: the week's movements on their structures."""

    periodical = digests.WEEKLY


KINDS: Mapping[str, type[PeriodicalMessage]] = {name_of(kind): kind for kind in (ActivityDigest, WeeklyRecap)}


@dataclass(frozen=True)
class Line:
    """One thing told: what, its particulars on a line of their own, where to look at it, and what its reader has to do.

    `invitation` says to go and attest that it was read, at `place`.
    """

    text: str
    details: tuple[str, ...]
    url: str | None = None
    invitation: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Section:
    """What happened on one structure."""

    heading: str
    lines: tuple[Line, ...]


async def matter(mails: Sequence[Mail], today: date) -> dict[int, list[Row]]:
    """What the periodical ones of these mails tell today, by the mail's id: one statement for each kind among them."""
    found: dict[int, list[Row]] = {}
    for name, kind in KINDS.items():
        ours = [mail for mail in mails if mail.message == name and mail.account_id is not None]
        if not ours:
            continue
        ids = {id for mail in ours for id in mail.payload["ids"]}
        rows = await digests.told(kind.periodical, ids, {mail.account_id or 0 for mail in ours}, today)
        for mail in ours:
            own = set(mail.payload["ids"])
            found[mail.id] = [row for row in rows.get(mail.account_id or 0, ()) if row.id in own]
    return found


def particulars(
    message: PeriodicalMessage, rows: Sequence[Row], language: str, time_zone: str, portal: str
) -> dict[str, Any]:
    """What the templates of periodical mails say besides the message's own facts; `portal` is where people act."""
    total = message.total - (len(message.ids) - len(rows))
    made = sections(rows, language, time_zone, portal)
    return {
        "total": total,
        "rejected": sum(getattr(row, "kind", None) == ActivityKind.INVOICE_REJECTED for row in rows),
        "more": total - len(rows),
        "structure": made[0].heading if len(made) == 1 else None,
        "structures": len(made),
        "sections": made,
    }


def sections(rows: Sequence[Row], language: str, time_zone: str, portal: str) -> tuple[Section, ...]:
    """The rows by structure, in the order of their names, the newest first."""
    ordered = sorted(rows, key=lambda row: (row.structure, -row.id))
    return tuple(
        Section(wording.harmless(name), tuple(_line(row, language, time_zone, portal) for row in group))
        for name, group in groupby(ordered, key=lambda row: row.structure)
    )


def _line(row: Row, language: str, time_zone: str, portal: str) -> Line:
    if hasattr(row, "title"):
        return _activity(row, language, time_zone, portal)
    return _movement(row, language, time_zone)


def _activity(row: Row, language: str, time_zone: str, portal: str) -> Line:
    details = (
        wording.KINDS[language][ActivityKind(row.kind)],
        _label(row.space, language) if row.space else None,
        row.service,
        wording.moment(row.at, language, time_zone),
    )
    told = Line(wording.harmless(row.title), _said(details), row.url)
    return replace(told, invitation=wording.PHRASES[language]["attest"], place=row.url or portal) if row.asks else told


def _movement(row: Row, language: str, time_zone: str) -> Line:
    phrases = wording.PHRASES[language]
    spaces = wording.joined(_label(code, language) for code in row.after.get("spaces") or ())
    details = (
        row.subject,
        row.after.get("name") if row.type == "ServiceSaved" else spaces,
        f"{phrases['by']} {row.actor}" if row.actor and row.actor != row.subject else None,
        wording.moment(row.at, language, time_zone),
    )
    return Line(summaries.of(row.type, row.after, Language(language.upper())).rstrip("."), _said(details))


def _label(code: str, language: str) -> str:
    words = WORDING[SpaceCode(code)]
    return words.fr if language == "fr" else words.en


def _said(details: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(wording.harmless(detail) for detail in details if detail)
