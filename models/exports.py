"""What exports read: whole lists, a batch at a time, each by a statement of its own: nothing is held between two."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from models.accounts.accounts import ACCOUNTS, BY_NAME
from models.attachments.attachments import ATTACHMENTS, LIVE_SQL
from models.db.query import Page, Row, Selection, Source
from models.structures import structures as structures_
from models.structures.services import BY_CODE, SERVICES
from models.structures.structures import ADDRESS, StructureSearch
from models.subscriptions.subscriptions import SUBSCRIPTIONS

BATCH = 250
# Finding the matches anew for each batch is quick for few of them; for more, walking along all names once is.
MOST_SOUGHT_ANEW = 20_000

OF_STRUCTURE = Selection(
    frozenset(
        {
            *("identifier_type", "identifier", "name", "kind", "status", *ADDRESS, "email", "phone"),
            *("service_code_required", "engagement_number_required"),
        }
    )
)


async def structures(
    criteria: StructureSearch, batch: int = BATCH, most_sought_anew: int = MOST_SOUGHT_ANEW
) -> AsyncIterator[Sequence[Row]]:
    """The structures that meet every criterion, by name; there must be one.

    Each batch sees the moment it is read: a structure that is renamed meanwhile may be missed or met twice.
    """
    page, find = Page(batch), structures_.search
    counted = replace(OF_STRUCTURE, total_count=criteria.is_narrow)
    found = await find(criteria, page, counted)
    if (found.total_count or 0) > most_sought_anew:
        find = structures_.walk
    yield found.rows
    while found.has_next:
        last = found.rows[-1]
        found = await find(criteria, replace(page, after=(last.folded_name, last.id)), OF_STRUCTURE)
        yield found.rows


# ------------------------------------------------------------------ the users of one structure
@dataclass(frozen=True)
class AttachedUser:
    """One person on the structure: the attachment with their name and address, service codes, valid subscriptions."""

    attachment: Row
    services: Sequence[str]
    subscriptions: Sequence[Row]


_OF_ATTACHMENT = ("id", "user_id", "role", "status", "gives_rights", "valid_from", "valid_until")
_OF_ACCOUNT = ("first_name", "last_name", "contact_email", "folded_name")
ATTACHED = Source(
    "attachments a JOIN accounts u ON u.id = a.user_id JOIN structures s ON s.id = a.structure_id",
    columns={name: ATTACHMENTS.columns[name] for name in _OF_ATTACHMENT}
    | {name: ACCOUNTS.columns[name] for name in _OF_ACCOUNT},
)
OF_USER = Selection(frozenset(ATTACHED.columns))


async def users(structure_id: int, today: date, batch: int = BATCH) -> AsyncIterator[Sequence[AttachedUser]]:
    """The people whose attachment to the structure waits, is validated or deactivated, by name."""
    page, where = Page(batch), ["a.structure_id = :structure", LIVE_SQL]
    parameters = {"structure": structure_id, "today": today}
    while True:
        found = await ATTACHED.slice(selection=OF_USER, page=page, order=BY_NAME, where=where, parameters=parameters)
        yield await _with_rights(structure_id, found.rows)
        if not found.has_next:
            return
        last = found.rows[-1]
        page = replace(page, after=(last.folded_name, last.id))


async def _with_rights(structure_id: int, rows: Sequence[Row]) -> list[AttachedUser]:
    services: dict[int, list[str]] = {row.id: [] for row in rows}
    entitled = await SERVICES.read(
        ["attachment_id", "code"], ["e.attachment_id IN :ids"], {"ids": list(services)}, BY_CODE
    )
    for service in entitled:
        services[service.attachment_id].append(service.code)
    subscriptions: dict[int, list[Row]] = {row.user_id: [] for row in rows}
    subscribed = await SUBSCRIPTIONS.read(
        ["user_id", "space", "mode", "effective_from"],
        ["b.structure_id = :structure", "b.user_id IN :users", "b.status = 'VALIDATED'"],
        {"structure": structure_id, "users": list(subscriptions)},
    )
    for subscription in subscribed:
        subscriptions[subscription.user_id].append(subscription)
    return [AttachedUser(row, services[row.id], subscriptions[row.user_id]) for row in rows]
