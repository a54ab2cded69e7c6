"""Refusals: a person decides by which structures' managers they won't be attached, for good or until they say else."""

from collections.abc import Sequence

from models.accounts import accounts
from models.attachments import refused_structures
from models.attachments.refused_structures import REFUSED_BY_VIEWER, StructureRefusal
from models.db.query import Row, Selection
from models.errors.errors import NotFound
from models.events.events import StructureAccepted, StructureRefused
from models.structures import structures
from models.structures.structures import BY_NAME, STRUCTURES, Structure
from resolvers.scope import Scope


async def refuse(scope: Scope, structure_id: int) -> None:
    """No manager of the structure attaches the actor any more, nor has a mail sent by trying; again changes nothing.

    The managers aren't told: to them the address is one that has no account. The person may still ask themselves.

    Raises:
        NotFound: when there is no such structure.
    """
    actor_id = scope.signed_in().account_id
    async with scope.transaction() as record:
        structure = await _locked(scope, structure_id)
        if await refused_structures.find(actor_id, structure_id) is None:
            await StructureRefusal.create(account_id=actor_id, structure_id=structure_id, refused_at=scope.now())
            await record(StructureRefused(subject_id=actor_id, after={"structure": structure.name}))


async def accept(scope: Scope, structure_id: int) -> None:
    """The managers of a structure that the actor had refused may attach them again; otherwise nothing changes.

    Raises:
        NotFound: when there is no such structure.
    """
    actor_id = scope.signed_in().account_id
    async with scope.transaction() as record:
        structure = await _locked(scope, structure_id)
        refusal = await refused_structures.find(actor_id, structure_id)
        if refusal is not None:
            await refusal.delete()
            await record(StructureAccepted(subject_id=actor_id, before={"structure": structure.name}))


async def _locked(scope: Scope, structure_id: int) -> Structure:
    """The structure, and the actor's account, held: whoever attaches them waits, or has done so already."""
    structure = await structures.lock(structure_id)
    if structure is None:
        raise NotFound("structure_id")
    await accounts.lock(scope.signed_in().account_id)
    return structure


async def of_accounts(scope: Scope, account_ids: Sequence[int], selection: Selection) -> list[list[Row]]:
    """The structures that the viewer refused, by name; nobody sees another's."""
    viewer = scope.signed_in().account_id
    columns = selection.columns | set(BY_NAME.keys)
    rows = await STRUCTURES.read(columns, [REFUSED_BY_VIEWER], {"viewer": viewer}, BY_NAME)
    return [rows if id == viewer else [] for id in account_ids]
