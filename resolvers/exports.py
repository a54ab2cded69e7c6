"""Exports: addresses given to those who may read a list, and the whole list for whoever comes with one in time."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from models import attachments, exports
from models.accounts import ACCOUNTS, AccountState, Language
from models.actors import Actor, PlatformRole
from models.errors import Forbidden
from models.exports import AttachedUser
from models.reading import Row, Selection
from models.structures import StructureSearch
from resolvers import queues, structures, users
from resolvers.policy import Right, has, require
from resolvers.scope import Scope

LIFETIME = timedelta(minutes=5)
STRUCTURES = "/exports/structures"
USERS = "/exports/users"
# No column that is searched holds as many characters: a longer text finds nothing, cut or not.
MOST_SOUGHT = 600


@dataclass(frozen=True)
class Ticket:
    """What a signed address says: who it was given to, in which language they read, and what it leads to."""

    account_id: int
    language: Language
    subject: Any


# ------------------------------------------------------------------ giving addresses
def structures_url(scope: Scope, criteria: StructureSearch) -> str:
    """The address at which the person gets all that a search finds, for 5 minutes; the search itself checked it."""
    given = {name: str(value)[:MOST_SOUGHT] for name, value in asdict(criteria).items() if value is not None}
    return _url(scope, STRUCTURES, given)


async def users_urls(scope: Scope, structure_ids: Sequence[int]) -> list[str | None]:
    """The address of each structure's users; None where the viewer may not see them."""
    seen = set(await queues.seeing(scope, structure_ids))
    return [_url(scope, USERS, id) if id in seen else None for id in structure_ids]


def _url(scope: Scope, path: str, subject: object) -> str:
    claims = {"account": scope.signed_in().account_id, "language": scope.language, "subject": subject}
    return scope.office.signer.url(path, claims, until=scope.now() + LIFETIME)


# ------------------------------------------------------------------ using them
def ticket(scope: Scope, path: str, signed: str) -> Ticket:
    """What the address says.

    Raises:
        InvalidToken: when it isn't one of ours for this path.
        ExpiredToken: when its 5 minutes are over.
    """
    claims = scope.office.signer.read(path, signed, scope.now())
    return Ticket(claims["account"], Language(claims["language"]), claims["subject"])


async def enter(scope: Scope, held: Ticket, sessions: Collection[Actor] = ()) -> None:
    """Make the ticket's holder the scope's actor, as their account stands now; `sessions` came with the request.

    Raises:
        Forbidden: when the account isn't active, or one of the sessions is somebody else's.
    """
    require(all(session.account_id == held.account_id for session in sessions))
    rows = await ACCOUNTS.read(
        ["state", "platform_role"], ["u.id = :id"], {**users.clock(scope), "id": held.account_id}
    )
    if not rows or rows[0].state != AccountState.ACTIVE:
        raise Forbidden
    role = rows[0].platform_role
    scope.actor = Actor(held.account_id, 0, PlatformRole(role) if role else None, held.language)
    scope.language = held.language


async def structures_found(scope: Scope, held: Ticket) -> AsyncIterator[Sequence[Row]]:
    """All structures of the ticket's search by name, in batches.

    Raises:
        Forbidden: when the account ceases to be active meanwhile.
    """
    async for batch in exports.structures(StructureSearch(**held.subject)):
        await enter(scope, held)
        yield batch


async def users_of(scope: Scope, held: Ticket) -> AsyncIterator[Sequence[AttachedUser]]:
    """The users of the ticket's structure by name, in batches; the right to see them is looked at for each.

    Raises:
        Forbidden: when the account ceases to be active, or its right ends.
    """
    async for batch in exports.users(held.subject, scope.today()):
        await _may_see_users(scope, held)
        yield batch


async def structure_name(scope: Scope, held: Ticket) -> str:
    """The name of the structure whose users the ticket leads to.

    Raises:
        Forbidden: when the person may not see its users now.
    """
    await _may_see_users(scope, held)
    (row,) = await structures.by_ids(scope, [held.subject], Selection(frozenset({"id", "name"})))
    return str(row.name) if row is not None else ""


async def _may_see_users(scope: Scope, held: Ticket) -> None:
    await enter(scope, held)
    actor = scope.signed_in()
    roles = await attachments.roles_of(actor.account_id, scope.today())  # the scope would remember them
    require(actor.is_support or has(roles.get(held.subject), Right.SEE_USERS))
