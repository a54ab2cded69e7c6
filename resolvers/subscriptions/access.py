"""Access: what the signed-in person may use, where and from when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from models.errors.errors import NotFound
from models.subscriptions import access
from models.subscriptions.access import AccessReason
from models.subscriptions.spaces import SpaceCode
from resolvers.scope import Scope


@dataclass(frozen=True)
class Answer:
    """Whether the space may be used on the day, why, and the first later day on which that is different."""

    reason: AccessReason
    changes_on: date | None

    @property
    def allowed(self) -> bool:
        """May it be used?"""
        return self.reason is AccessReason.GRANTED


async def answers(scope: Scope, structure_ids: Sequence[int], space: SpaceCode, at: date | None) -> list[Answer]:
    """For each structure, may the viewer use the space there on the day, today unless another is given?

    Raises:
        NotFound: when a structure doesn't exist.
    """
    day = at or scope.today()
    found = await access.situations(scope.signed_in().account_id, sorted(set(structure_ids)), space)
    if not found.keys() >= set(structure_ids):
        raise NotFound("structure_id")
    return [Answer(found[id].reason_on(day), found[id].changes_after(day)) for id in structure_ids]
