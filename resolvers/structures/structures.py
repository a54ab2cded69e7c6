"""Structures: created, adopted, registered, edited; searched and read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailer.messages import StructureEnded as StructureEndedMail
from mailer.messages import StructureRegistered as RegisteredMail
from models.accounts import accounts, profiles
from models.accounts.accounts import Account, AccountState
from models.attachments import attachments
from models.db import texts
from models.db.database import Duplicate
from models.db.query import Page, Row, Selection, Slice
from models.errors.errors import (
    DomainError,
    Forbidden,
    Invalid,
    Missing,
    NotFound,
    PublicBodyIdentifier,
    StructureAlreadyManaged,
    StructureIdentifierFreed,
    SuccessorNotEligible,
    collected,
    refuse_if_any,
)
from models.events.events import (
    AttachmentCreated,
    PublicStructureRegistered,
    StructureAdopted,
    StructureCreated,
    StructureEnded,
    StructureRevived,
    StructureUpdated,
)
from models.structures import identifiers, structures
from models.structures.identifiers import IdentifierType
from models.structures.structures import STRUCTURES, Structure, StructureKind, StructureSearch, StructureStatus
from models.subscriptions.spaces import SpaceCode
from resolvers.attachments import principal_manager
from resolvers.attachments.targets import state_of
from resolvers.policy import Right, has, require
from resolvers.scope import Record, Scope
from resolvers.subscriptions import spaces

ADDRESS = ("line1", "line2", "line3", "postcode", "city", "country")


@dataclass(frozen=True)
class Particulars:
    """What is said of a structure that is created or registered."""

    identifier_type: IdentifierType
    identifier: str
    postal_address: Mapping[str, str | None]
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    spaces: Sequence[SpaceCode] = ()
    flags: Mapping[str, bool] = field(default_factory=dict)


async def create(scope: Scope, given: Particulars) -> int:
    """A private structure with its creator as principal manager, or an imported one of that identifier adopted; its id.

    Raises:
        StructureAlreadyManaged: when the structure exists and has a manager.
        PublicBodyIdentifier: when it is a public body's SIRET.
        Forbidden: when it is another imported public one, which support registers.
        DomainError: all that is wrong with the particulars at once.
    """
    actor = scope.signed_in()
    checked = _checked(given, public=False)
    try:
        async with scope.transaction() as record:
            known = await structures.lock_identified(given.identifier_type, checked["identifier"])
            if known is not None and known.managed:
                raise StructureAlreadyManaged("identifier")
            if known is not None and known.is_public:
                raise Forbidden("identifier")
            structure = await _founded(scope, known, checked, StructureKind.PRIVATE)
            fact = StructureCreated if known is None else StructureAdopted
            await record(fact(structure_id=structure.id, after={"name": structure.name}))
            await _open(scope, record, structure, given.spaces)
            founder = await accounts.lock(actor.account_id)
            if founder.state is not AccountState.ACTIVE:
                raise Forbidden
            await _set_role(scope, record, structure, founder)
    except Duplicate as error:  # somebody created it at the same instant
        raise StructureAlreadyManaged("identifier") from error
    return int(structure.id)


async def register_public(scope: Scope, given: Particulars, principal_id: int) -> int:
    """A public structure with its first principal manager, or an imported one adopted so; its id.

    Raises:
        Forbidden: to anyone but support.
        StructureAlreadyManaged: when it exists and has a manager.
        NotFound, SuccessorNotEligible: when there is no such person, or they aren't active.
        DomainError: all that is wrong with the particulars at once.
    """
    require(scope.signed_in().is_support)
    checked = _checked(given, public=True)
    try:
        async with scope.transaction() as record:
            known = await structures.lock_identified(given.identifier_type, checked["identifier"])
            if known is not None and known.managed:
                raise StructureAlreadyManaged("identifier")
            principal = (await accounts.lock_all({principal_id})).get(principal_id)
            if principal is None:
                raise NotFound("principal_manager_id")
            if principal.state is not AccountState.ACTIVE:
                raise SuccessorNotEligible("principal_manager_id", structure=checked["name"])
            structure = await _founded(scope, known, checked, StructureKind.PUBLIC)
            await record(
                PublicStructureRegistered(
                    subject_id=principal_id, structure_id=structure.id, after={"name": structure.name}
                )
            )
            await _open(scope, record, structure, given.spaces)
            await _set_role(scope, record, structure, principal)
            await scope.mail(RegisteredMail(structure=structure.name, identifier=structure.identifier), principal)
    except Duplicate as error:
        raise StructureAlreadyManaged("identifier") from error
    return int(structure.id)


def _checked(given: Particulars, *, public: bool) -> dict[str, Any]:
    """The columns that the particulars come to; all that is wrong with them at once otherwise."""
    problems: list[DomainError] = []
    identifier = ""
    with collected(problems):
        identifier = identifiers.check(given.identifier_type, given.identifier)
        if not public and identifiers.is_public_body(given.identifier_type, identifier):
            problems.append(PublicBodyIdentifier("identifier"))
    names = _names(problems, given, public=public)
    address = profiles.postal_address(problems, given.postal_address, "postal_address")
    email = profiles.email(problems, given.email, "email") if (given.email or "").strip() else None
    phone = profiles.phone(problems, given.phone, "phone")
    with collected(problems):
        spaces.check_kind(public, given.spaces, "spaces")
    refuse_if_any(problems)
    columns = {name: getattr(address, name) for name in ADDRESS}
    return {"identifier_type": given.identifier_type, "identifier": identifier, "email": email, "phone": phone} | (
        names | columns | dict(given.flags)
    )


def _names(problems: list[DomainError], given: Particulars, *, public: bool) -> dict[str, str | None]:
    """A business name; or for an individual their first and last name, which make the name shown."""
    people = (given.first_name or "").strip() or (given.last_name or "").strip()
    if public or not (people or given.identifier_type is IdentifierType.INDIVIDUAL):
        return {"name": profiles.business_name(problems, given.name, "name")}
    if (given.name or "").strip():
        problems.append(Invalid("name", rule="individual_name"))
    first = profiles.name(problems, given.first_name, "first_name")
    last = profiles.name(problems, given.last_name, "last_name")
    return {"name": f"{first} {last}", "first_name": first, "last_name": last}


async def _founded(scope: Scope, known: Structure | None, checked: Mapping[str, Any], kind: StructureKind) -> Structure:
    """The structure with these particulars, new or imported; of an imported one they replace the directory's."""
    structure = known or Structure(kind=kind, created_at=scope.now())
    structure.update_from_dict({**checked, "kind": kind, "status": StructureStatus.ACTIVE, "managed": True})
    structure.normalise_name()
    await structure.save()
    return structure


async def _open(scope: Scope, record: Record, structure: Structure, codes: Sequence[SpaceCode]) -> None:
    await spaces.open_on(scope, record, structure.id, codes)


async def _set_role(scope: Scope, record: Record, structure: Structure, user: Account) -> None:
    """Make the person principal manager of the new structure; a request of theirs to the imported one becomes it."""
    attachment, before = await principal_manager.install(scope, record, structure, user)
    if before:  # a new attachment has its event already
        await record(
            AttachmentCreated(
                subject_id=user.id,
                structure_id=structure.id,
                attachment_id=attachment.id,
                before=before,
                after=state_of(attachment),
            )
        )


# ------------------------------------------------------------------ editing
async def update(scope: Scope, structure_id: int, changes: Mapping[str, Any]) -> None:
    """The structure with a manager's changes; what is absent stays. Only the principal manager ends or revives it.

    Raises:
        NotFound: when there is no such structure.
        Forbidden: to anyone but its managers; for the status, to anyone but the principal one.
        DomainError: all that is wrong at once.
    """
    async with scope.transaction() as record:
        structure = await structures.lock(structure_id)
        if structure is None:
            raise NotFound("id")
        role = await scope.role_on(structure_id)
        require(has(role, Right.EDIT_STRUCTURE))
        columns = _changed_columns(structure, changes)
        status = columns.pop("status", structure.status)
        before = {name: getattr(structure, name) for name in columns if getattr(structure, name) != columns[name]}
        after = {name: columns[name] for name in before}
        if after:
            structure.update_from_dict(after)
            structure.normalise_name()
            await structure.save()
            await record(StructureUpdated(structure_id=structure_id, before=before, after=after))
        if status is not structure.status:
            if not has(role, Right.HAND_OVER):
                raise Forbidden("status")
            if not structure.is_identified:
                raise StructureIdentifierFreed("status")
            await _turn(scope, record, structure, status)


def _changed_columns(structure: Structure, changes: Mapping[str, Any]) -> dict[str, Any]:
    problems: list[DomainError] = []
    columns: dict[str, Any] = {}
    if "name" in changes:
        columns["name"] = profiles.business_name(problems, changes["name"], "name")
    if "email" in changes:
        blank = not (changes["email"] or "").strip()
        columns["email"] = None if blank else profiles.email(problems, changes["email"], "email")
    if "phone" in changes:
        columns["phone"] = profiles.phone(problems, changes["phone"], "phone")
    if "postal_address" in changes:
        address = profiles.postal_address(problems, changes["postal_address"] or {}, "postal_address")
        columns |= {name: getattr(address, name) for name in ADDRESS}
    for flag in ("service_code_required", "engagement_number_required"):
        if flag in changes:
            if changes[flag] is None:
                problems.append(Missing(flag))
            elif changes[flag] and not structure.is_public:
                problems.append(Invalid(flag, rule="public_flag"))
            columns[flag] = changes[flag]
    if "status" in changes:
        columns["status"] = changes["status"]
        problems += [Missing("status")] if changes["status"] is None else []
    refuse_if_any(problems)
    return columns


async def _turn(scope: Scope, record: Record, structure: Structure, status: StructureStatus) -> None:
    """End or revive the structure; of its end, everyone in effect there is told."""
    before, structure.status = structure.status, status
    await structure.save()
    fact = StructureEnded if status is StructureStatus.INACTIVE else StructureRevived
    await record(fact(structure_id=structure.id, before={"status": before}, after={"status": status}))
    if status is StructureStatus.ACTIVE:
        return
    await principal_manager.end_offer(scope, record, structure.id)
    message = StructureEndedMail(structure=structure.name, by=await scope.actor_name())
    attached = await attachments.valid_in(structure.id, scope.today())
    for user in (await accounts.lock_all({row.user_id for row in attached})).values():
        if user.state is AccountState.ACTIVE and user.id != scope.signed_in().account_id:
            await scope.mail(message, user)


# ------------------------------------------------------------------ reading
async def search(scope: Scope, criteria: StructureSearch, page: Page, selection: Selection) -> Slice:
    """A page of the structures that meet every criterion, by name.

    Raises:
        Invalid: when there is no criterion, or one has characters that nobody sees and no database stores.
    """
    scope.signed_in()
    exact = {"identifier": criteria.identifier, "postcode": criteria.postcode}  # what is folded has lost them already
    hidden = [name for name, text in exact.items() if not texts.is_visible(texts.tidy(text or ""))]
    refuse_if_any(Invalid("search", name, rule="text") for name in hidden)
    if not criteria.parameters():
        raise Invalid("search", rule="criterion")
    return await structures.search(criteria, page, selection)


async def identified(scope: Scope, type: IdentifierType, value: str, selection: Selection) -> Row | None:
    """The structure of this identifier, if there is one.

    Raises:
        Missing, InvalidIdentifier: when the value can't be an identifier of its type.
    """
    scope.signed_in()
    parameters = {"type": str(type), "value": identifiers.check(type, value)}
    rows = await STRUCTURES.read(selection.columns, ["s.identifier_type = :type", "s.identifier = :value"], parameters)
    return rows[0] if rows else None


async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The structures of these ids, in their order; None for None. Everyone signed in may see every structure."""
    return await STRUCTURES.found(ids, selection)


async def principal_managers(scope: Scope, structure_ids: Sequence[int]) -> list[int | None]:
    """Who holds each structure's principal management, able to act or not; None while it has none."""
    found = await attachments.principals_of(sorted(set(structure_ids)))
    return [found.get(id) for id in structure_ids]
