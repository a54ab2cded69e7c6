"""Exports: addresses given to those who may read a list, and the whole list for whoever comes with one in time."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

from models import exports
from models.attachments import attachments
from models.db.query import Row, Selection
from models.exports import AttachedUser
from models.structures.structures import StructureSearch
from resolvers import tickets
from resolvers.attachments import attachment_lists
from resolvers.policy import Right, has, require
from resolvers.scope import Scope
from resolvers.structures import structures
from resolvers.tickets import Ticket

STRUCTURES = "/exports/structures"
USERS = "/exports/users"
# No column that is searched holds as many characters: a longer text finds nothing, cut or not.
MOST_SOUGHT = 600


# ------------------------------------------------------------------ giving addresses
def structures_url(scope: Scope, criteria: StructureSearch) -> str:
    """The address at which the person gets all that a search finds, for 5 minutes; the search itself checked it."""
    given = {name: str(value)[:MOST_SOUGHT] for name, value in asdict(criteria).items() if value is not None}
    return tickets.url(scope, STRUCTURES, given)


async def users_urls(scope: Scope, structure_ids: Sequence[int]) -> list[str | None]:
    """The address of each structure's users; None where the viewer may not see them."""
    seen = set(await attachment_lists.seeing(scope, structure_ids))
    return [tickets.url(scope, USERS, id) if id in seen else None for id in structure_ids]


# ------------------------------------------------------------------ using them
async def structures_found(scope: Scope, held: Ticket) -> AsyncIterator[Sequence[Row]]:
    """All structures of the ticket's search by name, in batches.

    Raises:
        Forbidden: when the account ceases to be active meanwhile.
    """
    async for batch in exports.structures(StructureSearch(**held.subject)):
        await tickets.enter(scope, held)
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
    await tickets.enter(scope, held)
    actor = scope.signed_in()
    roles = await attachments.roles_of(actor.account_id, scope.today())  # the scope would remember them
    require(actor.is_support or has(roles.get(held.subject), Right.SEE_USERS))
