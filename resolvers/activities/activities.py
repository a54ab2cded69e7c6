"""Activities: recorded by integrations, read by those whom they concern, acknowledged by each for themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from models.accounts import accounts
from models.accounts.actors import Integration
from models.activities import activities, api_keys
from models.activities.activities import (
    ACTIVITIES,
    CONCERNS_VIEWER,
    NEWEST_FIRST,
    UNACKNOWLEDGED,
    Activity,
    ActivityKind,
)
from models.db import texts
from models.db.query import Page, Row, Selection, Slice
from models.errors.errors import (
    AcknowledgementNotAsked,
    ActivityKeyTaken,
    DomainError,
    NotFound,
    TooMany,
    Unauthenticated,
    collected,
)
from models.events.events import ActivityAcknowledged, ActivityRecorded
from models.structures import identifiers, services
from models.structures.identifiers import IdentifierType
from models.structures.structures import STRUCTURES
from models.subscriptions.spaces import SpaceCode
from resolvers.bulk import MOST_AT_ONCE
from resolvers.scope import Record, Scope

MOST_RECORDED = 500
LONGEST_CODE = 50


@dataclass(frozen=True)
class NewActivity:
    """One activity as an integration tells it; `key` is its own name for it, by which a repeat is known."""

    key: str
    identifier_type: IdentifierType
    identifier: str
    kind: ActivityKind
    title: str
    occurred_at: datetime
    service_code: str | None = None
    space: SpaceCode | None = None
    url: str | None = None
    requires_acknowledgement: bool = False


@dataclass(frozen=True)
class Content:
    """What an activity says, as it is stored: what a repeat must say again."""

    structure_id: int
    service_id: int | None
    space: str | None
    kind: str
    title: str
    url: str | None
    occurred_at: datetime
    requires_acknowledgement: bool


CONTENT = tuple(column.name for column in fields(Content))


@dataclass
class Done:
    """What became of many at once: the ids of those done, in order, and a refusal for whatever was wrong elsewhere."""

    ids: list[int] = field(default_factory=list)
    errors: list[DomainError] = field(default_factory=list)


# ------------------------------------------------------------------ recording
async def record(scope: Scope, given: Sequence[NewActivity]) -> Done:
    """The activities that were new, stored; one recorded before, by the same integration under the same key, is left.

    A wrong one doesn't undo the others. Refusals of the third one stand below "2".

    Raises:
        Unauthenticated, Forbidden: to anyone but an integration; also once its key is revoked.
        TooMany: when there are more than 500; then nothing is done.
    """
    integration = scope.integrated()
    if len(given) > MOST_RECORDED:
        raise TooMany(most=MOST_RECORDED)
    done = Done()
    wanted = await _checked(scope, given, done.errors)
    if not wanted:
        return done
    async with scope.transaction() as write:
        if not await api_keys.hold(integration.key_id):
            raise Unauthenticated
        known = await _recorded(integration.key_id, wanted)
        new = {key: content for key, (_, content) in wanted.items() if key not in known}
        done.ids += await _stored(scope, write, integration, new)
    for key, (place, content) in wanted.items():
        if key in known and known[key][1] != content:
            done.errors.append(ActivityKeyTaken(str(place), "key"))
    done.errors.sort(key=lambda error: int(error.path[0]))
    return done


async def _stored(scope: Scope, write: Record, integration: Integration, new: Mapping[str, Content]) -> list[int]:
    """The ids of the new activities, stored with their events."""
    rows = [
        Activity(api_key_id=integration.key_id, key=key, recorded_at=scope.now(), **vars(content))
        for key, content in new.items()
    ]
    await activities.store(rows)
    ids = {key: id for key, (id, _) in (await _recorded(integration.key_id, new)).items()}
    facts = [
        ActivityRecorded(
            structure_id=content.structure_id,
            activity_id=ids[key],
            after={"kind": content.kind, "title": content.title, "integration": integration.name},
        )
        for key, content in new.items()
    ]
    await write(*facts)
    return [ids[key] for key in new]


async def _checked(
    scope: Scope, given: Sequence[NewActivity], errors: list[DomainError]
) -> dict[str, tuple[int, Content]]:
    """The good ones by key, each with its place; the refusals of the others join `errors`."""
    problems: list[list[DomainError]] = [[] for _ in given]
    plain = [_plain(scope, item, found) for item, found in zip(given, problems, strict=True)]
    structures = await _structures({pair for pair, _, _ in plain if pair[1]})
    by_code = await services.coded({(structures.get(pair, 0), code) for pair, code, _ in plain if code})
    wanted: dict[str, tuple[int, Content]] = {}
    for place, (item, found, (pair, code, said)) in enumerate(zip(given, problems, plain, strict=True)):
        structure_id = structures.get(pair, 0)
        service_id = by_code.get((structure_id, code)) if code else None
        if pair[1] and not structure_id:
            found.append(NotFound("structure_identifier"))
        if code and structure_id and service_id is None:
            found.append(NotFound("service_code"))
        content = Content(structure_id, service_id, item.space, item.kind, *said)
        if not found and wanted.setdefault(item.key, (place, content))[1] != content:
            found.append(ActivityKeyTaken("key"))
        errors += [error.under(str(place)) for error in found]
    return wanted


Plain = tuple[tuple[IdentifierType, str], str | None, tuple[str, str | None, datetime, bool]]


def _plain(scope: Scope, item: NewActivity, problems: list[DomainError]) -> Plain:
    """The structure's identifier ("" if it can't be one), the service's code, and the rest of what is said."""
    activities.key(problems, item.key, "key")
    identifier, wrong = "", list[DomainError]()
    with collected(wrong):
        identifier = identifiers.check(item.identifier_type, item.identifier)
    problems += [type(error)("structure_identifier", "value", **error.data) for error in wrong]
    code = texts.optional(problems, item.service_code, "service_code", most=LONGEST_CODE)
    title = texts.required(problems, item.title, "title", most=activities.LONGEST_TITLE)
    url = activities.link(problems, item.url, "url")
    at = activities.occurrence(problems, item.occurred_at, "occurred_at", now=scope.now())
    # DOMAIN 7: a rejected invoice asks the recipient to acknowledge having read it, whatever the integration says
    requires = item.requires_acknowledgement or item.kind is ActivityKind.INVOICE_REJECTED
    return (item.identifier_type, identifier), code, (title, url, at, requires)


async def _structures(pairs: set[tuple[IdentifierType, str]]) -> dict[tuple[IdentifierType, str], int]:
    rows = await STRUCTURES.read(
        ["id", "identifier_type", "identifier"],
        ["s.identifier_type IN :types", "s.identifier IN :identifiers"],
        {"types": sorted({str(type) for type, _ in pairs}), "identifiers": sorted({value for _, value in pairs})},
    )
    return {(IdentifierType(row.identifier_type), row.identifier): row.id for row in rows}


async def _recorded(key_id: int, names: Iterable[str]) -> dict[str, tuple[int, Content]]:
    """The integration's activities of these keys, each with its id."""
    rows = await ACTIVITIES.read(
        ["id", "key", *CONTENT],
        ["ac.api_key_id = :integration", "ac.key IN :names"],
        {"integration": key_id, "names": sorted(names)},
    )
    return {row.key: (row.id, Content(**{name: getattr(row, name) for name in CONTENT})) for row in rows}


# ------------------------------------------------------------------ acknowledging
async def acknowledge(scope: Scope, ids: Sequence[int | None]) -> Done:
    """The viewer's acknowledgement of each activity, once; one that was made before stays as it is.

    A wrong one doesn't undo the others: DOMAIN 4, everything that can be ticked in a list works in bulk.

    Raises:
        TooMany: when there are more than 100; then nothing is done.
    """
    viewer = scope.signed_in().account_id
    if len(ids) > MOST_AT_ONCE:
        raise TooMany("ids", most=MOST_AT_ONCE)
    columns = Selection(frozenset({"id", "structure_id", "kind", "requires_acknowledgement", "acknowledged_at"}))
    done = Done()
    async with scope.transaction() as record:
        await accounts.lock(viewer)  # twice at once is once after the other
        found = await visible(scope, [id or 0 for id in ids], columns)
        new: dict[int, Row] = {}
        for place, row in enumerate(found):
            if row is None:
                done.errors.append(NotFound("ids", str(place)))
            elif not row.requires_acknowledgement:
                done.errors.append(AcknowledgementNotAsked("ids", str(place)))
            else:
                done.ids.append(row.id)
                if row.acknowledged_at is None:
                    new[row.id] = row
        await activities.acknowledge(list(new), viewer, at=scope.now())
        await record(
            *(
                ActivityAcknowledged(
                    subject_id=viewer, structure_id=row.structure_id, activity_id=id, after={"kind": row.kind}
                )
                for id, row in new.items()
            )
        )
    return done


# ------------------------------------------------------------------ reading
async def of_accounts(
    scope: Scope, account_ids: Sequence[int], page: Page, unacknowledged_only: bool, selection: Selection
) -> list[Slice]:
    """A page of the activities that concern the viewer today, the last recorded first; nobody else's."""
    viewer = scope.signed_in().account_id
    slice = await ACTIVITIES.slice(
        selection=selection,
        page=page,
        order=NEWEST_FIRST,
        where=[CONCERNS_VIEWER, *([UNACKNOWLEDGED] if unacknowledged_only else [])],
        parameters=scope.viewing(),
    )
    return [slice if id == viewer else Slice() for id in account_ids]


async def visible(scope: Scope, ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The activities of these ids that concern the viewer today, in their order; None for the others."""
    return await ACTIVITIES.found(ids, selection, [CONCERNS_VIEWER], scope.viewing())


async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The activities of these ids, in their order; None for None. What leads here concerned the viewer already."""
    personal = "acknowledged_at" in selection.columns
    return await ACTIVITIES.found(ids, selection, parameters=scope.viewing() if personal else {})
