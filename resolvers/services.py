"""Services: the departments of a structure, saved by its managers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from models import services, structures, texts
from models.database import Duplicate
from models.errors import DomainError, Invalid, NotFound, ServiceCodeTaken, refuse_if_any
from models.events import ServiceSaved
from models.reading import Row, Selection
from models.services import ACTIVE, BY_CODE, SERVICES, Service
from resolvers.policy import Right, has, require
from resolvers.scope import Scope

LONGEST_CODE = 50
LONGEST_NAME = 120


@dataclass(frozen=True)
class Particulars:
    """Everything there is to say about a service; days inclusive."""

    code: str
    name: str
    active: bool = True
    valid_from: date | None = None
    valid_until: date | None = None
    engagement_number_required: bool = False


async def save(scope: Scope, structure_id: int, service_id: int | None, given: Particulars) -> int:
    """The service added, or changed when an id is given; its id.

    Raises:
        NotFound: when there is no such structure, or no such service of it.
        Forbidden: to anyone but its managers.
        ServiceCodeTaken: when another service has the code.
        DomainError: all that is wrong with the particulars at once.
    """
    try:
        async with scope.transaction() as record:
            structure = await structures.lock(structure_id)
            if structure is None:
                raise NotFound("structure_id")
            require(has(await scope.role_on(structure_id), Right.EDIT_STRUCTURE))
            service = await _service(structure_id, service_id)
            before = _plain(vars(service)) if service_id is not None else {}
            service.update_from_dict(_checked(given))
            after = _plain(vars(service))
            if after == before:
                return service_id or service.id
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


def _checked(given: Particulars) -> dict[str, Any]:
    problems: list[DomainError] = []
    code = texts.required(problems, given.code, "code", most=LONGEST_CODE)
    name = texts.required(problems, given.name, "name", most=LONGEST_NAME)
    if given.valid_from and given.valid_until and given.valid_until < given.valid_from:
        problems.append(Invalid("valid_until", rule="end_before_start"))
    refuse_if_any(problems)
    return vars(given) | {"code": code, "name": name}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: values.get(name) for name in Particulars.__dataclass_fields__}
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
