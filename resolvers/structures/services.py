"""Services: the departments of a structure, saved by its managers."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from models.db import texts
from models.db.database import Duplicate
from models.db.query import Row, Selection
from models.errors.errors import DomainError, Invalid, Missing, NotFound, ServiceCodeTaken, refuse_if_any
from models.events.events import ServiceSaved
from models.structures import services, structures
from models.structures.services import ACTIVE, BY_CODE, SERVICES, Service
from resolvers.policy import Right, has, require
from resolvers.scope import Scope

LONGEST_CODE = 50
LONGEST_NAME = 120
# What a service is where whoever adds it doesn't say.
UNSAID: Mapping[str, Any] = {
    "active": True,
    "valid_from": None,
    "valid_until": None,
    "engagement_number_required": False,
}
FLAGS = ("active", "engagement_number_required")
DAYS = ("valid_from", "valid_until")


async def save(scope: Scope, structure_id: int, service_id: int | None, given: Mapping[str, Any]) -> int:
    """The service added, or changed when an id is given; its id.

    What `given` leaves out stays as it is; of a new service it takes its default.

    Raises:
        NotFound: when there is no such structure, or no such service of it.
        Forbidden: to anyone but its managers.
        ServiceCodeTaken: when another service has the code, in whatever case.
        DomainError: all that is wrong with what was given at once.
    """
    try:
        async with scope.transaction() as record:
            structure = await structures.lock(structure_id)
            if structure is None:
                raise NotFound("structure_id")
            require(has(await scope.role_on(structure_id), Right.EDIT_STRUCTURE))
            service = await _service(structure_id, service_id)
            before = _plain(service) if service_id is not None else {}
            columns = _checked(service, given, adding=service_id is None)
            code = columns.get("code", service.code)
            if code != service.code and await services.is_code_taken(structure_id, code, but=service_id):
                raise ServiceCodeTaken("code")
            service.update_from_dict(columns)
            after = _plain(service)
            if after == before:
                return int(service.id)
            await service.save()
            fact = ServiceSaved(structure_id=structure_id, before=before, after=after | {"service_id": service.id})
            await record(fact)
    except Duplicate as error:
        raise ServiceCodeTaken("code") from error
    return int(service.id)


async def _service(structure_id: int, service_id: int | None) -> Service:
    if service_id is None:
        return Service(structure_id=structure_id)
    service = await services.by_id(service_id)
    if service is None or service.structure_id != structure_id:
        raise NotFound("id")
    return service


def _checked(service: Service, given: Mapping[str, Any], *, adding: bool) -> dict[str, Any]:
    """The columns that what was given comes to; all that is wrong with it at once otherwise."""
    problems: list[DomainError] = []
    columns = dict(UNSAID) if adding else {}
    for name, most in (("code", LONGEST_CODE), ("name", LONGEST_NAME)):
        if adding or name in given:
            columns[name] = texts.required(problems, given.get(name), name, most=most)
    for name in FLAGS:
        if given.get(name) is not None:
            columns[name] = given[name]
        elif name in given and not adding:  # whoever adds a service may leave it open
            problems.append(Missing(name))
    columns |= {name: given[name] for name in DAYS if name in given}
    first, last = (columns.get(name, getattr(service, name)) for name in DAYS)
    if first and last and last < first:
        problems.append(Invalid("valid_until" if "valid_until" in given else "valid_from", rule="end_before_start"))
    refuse_if_any(problems)
    return columns


def _plain(service: Service) -> dict[str, Any]:
    """What events keep of a service, as plain JSON values."""
    named = {name: getattr(service, name) for name in ("code", "name", *UNSAID)}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in named.items()}


async def of_structures(
    scope: Scope, structure_ids: Sequence[int], active_only: bool, selection: Selection
) -> list[list[Row]]:
    """Each structure's services by code, those that are over or switched off only when asked for."""
    rows = await SERVICES.read(
        selection.columns | {"structure_id"},
        ["v.structure_id IN :structures", *([ACTIVE] if active_only else [])],
        {"structures": sorted(set(structure_ids)), "today": scope.today()},
        BY_CODE,
    )
    return [[row for row in rows if row.structure_id == id] for id in structure_ids]


async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The services of these ids, in their order."""
    return await SERVICES.found(ids, selection)
