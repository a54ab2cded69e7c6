"""Refusing a structure's attachments, and taking that back."""

import strawberry

from resolvers.attachments import refused_structures
from schema.base import ids
from schema.base.context import Info
from schema.base.user_errors import mutation
from schema.structures.structures import StructurePayload


@strawberry.type
class RefusalMutation:
    @mutation(
        "Refuse to be attached by the managers of a structure from now on. They aren't told, and get the same answer as"
        " for an address without an account; an attachment that is there stays until it is removed."
    )
    async def refuse_structure(self, info: Info, structure_id: strawberry.ID) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        await refused_structures.refuse(info.context.scope, structure)
        return StructurePayload(structure_id=structure)

    @mutation("Let the managers of a structure that was refused attach the person again.")
    async def accept_structure(self, info: Info, structure_id: strawberry.ID) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        await refused_structures.accept(info.context.scope, structure)
        return StructurePayload(structure_id=structure)
