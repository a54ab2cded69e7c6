"""The services that somebody asks for on a structure, for an attachment or a space: active ones, that may be had."""

from models.errors.errors import ServiceNotEntitled
from models.structures import services
from resolvers.scope import Scope


async def entitled(
    scope: Scope, structure_id: int, service_ids: set[int | None], *path: str, among: set[int] | None = None
) -> set[int]:
    """The ids, once every one is an active service of the structure, and one of `among` when given.

    Raises:
        ServiceNotEntitled: otherwise.
    """
    wanted = {id for id in service_ids if id is not None}
    found = await services.of_structure(structure_id, wanted)
    today = scope.today()
    good = {id for id, service in found.items() if service.is_active_on(today)}
    if None in service_ids or wanted - good or (among is not None and wanted - among):
        raise ServiceNotEntitled(*path)
    return wanted
