"""Deciders: who can decide a structure's requests now, and which nobody there can decide. Source: DOMAIN 4."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from models.attachments.attachments import MANAGERS, Attachment, AttachmentStatus, Role
from models.db.query import Column, Source

ABLE = (
    "m.status = 'VALIDATED' AND m.valid_from <= :today AND (m.valid_until IS NULL OR m.valid_until >= :today)"
    " AND mu.state = 'ACTIVE'"
)
MANAGERS_WITH_ACCOUNTS = Source(
    "attachments m JOIN accounts mu ON mu.id = m.user_id",
    columns={name: Column(f"m.{name}") for name in ("structure_id", "user_id", "role")},
)


@dataclass(frozen=True)
class Deciders:
    """Who can decide one request now: their roles, the principal manager's first, and how many they are."""

    roles: tuple[Role, ...] = ()
    count: int = 0


async def able_on(structure_ids: set[int], today: date) -> dict[int, dict[int, Role]]:
    """The managers in effect today whose account is active, with their roles, by structure."""
    rows = await MANAGERS_WITH_ACCOUNTS.read(
        ["structure_id", "user_id", "role"],
        ["m.structure_id IN :structures", "m.role <> 'SIMPLE_USER'", ABLE],
        {"structures": sorted(structure_ids), "today": today},
    )
    found: dict[int, dict[int, Role]] = {id: {} for id in structure_ids}
    for row in rows:
        found[row.structure_id][row.user_id] = Role(row.role)
    return found


def among(managers: dict[int, Role], requester_id: int) -> Deciders:
    """Those of a structure's able managers who can decide the person's request: nobody decides on their own."""
    roles = [role for user_id, role in managers.items() if user_id != requester_id]
    return Deciders(tuple(role for role in MANAGERS if role in roles), len(roles))


_ABLE_THERE = (
    "EXISTS (SELECT 1 FROM attachments m JOIN accounts mu ON mu.id = m.user_id"
    " WHERE m.structure_id = {request}.structure_id AND m.user_id <> {request}.user_id"
    f" AND m.role = '{{role}}' AND {ABLE})"
)


def decidable(request: str) -> str:
    """The SQL condition that somebody can decide the request of this alias (its `structure_id`, its `user_id`) today.

    The principal manager is looked for first, by their index: only where that one can't act are all of the
    structure's attachments looked through.
    """
    return " OR ".join(_ABLE_THERE.format(request=request, role=role) for role in MANAGERS)


# The ids of the requests that support looks after. That the principal manager can't act is asked by joins, planned as a
# whole and not once for each request: a structure has one at most, who doesn't ask to be attached there.
UNDECIDED_IDS = (
    "SELECT w.id FROM attachments w WHERE w.status = 'PENDING' AND w.escalated_at IS NOT NULL"
    " UNION SELECT w.id FROM attachments w"
    " LEFT JOIN attachments principal ON principal.structure_id = w.structure_id"
    " AND principal.role = 'PRINCIPAL_MANAGER'"
    " AND principal.status = 'VALIDATED' AND principal.valid_from <= :today"
    " LEFT JOIN accounts able ON able.id = principal.user_id AND able.state = 'ACTIVE'"
    f" WHERE w.status = 'PENDING' AND able.id IS NULL AND NOT {_ABLE_THERE.format(request='w', role=MANAGERS[1])}"
)


async def secondary_managers_of(structure_ids: Collection[int]) -> set[int]:
    """The users who are secondary managers of the locked structures: an act that tells them holds their accounts."""
    rows = Attachment.filter(
        structure_id__in=list(structure_ids), role=Role.SECONDARY_MANAGER, status=AttachmentStatus.VALIDATED
    )
    return set(await rows.values_list("user_id", flat=True))  # type: ignore[arg-type]
