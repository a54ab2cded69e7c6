"""Corrections: what support puts right about a structure, its kind and an identifier that it took wrongly."""

from collections.abc import Iterable

from mailer.facts import Message
from mailer.messages import StructureIdentifierFreed as FreedMail
from mailer.messages import StructureKindCorrected as KindMail
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.attachments import attachments
from models.db import texts
from models.db.database import Duplicate
from models.errors.errors import (
    DomainError,
    Invalid,
    NotFound,
    PublicBodyIdentifier,
    StructureIdentifierFreed,
    StructureIdentifierTaken,
    collected,
    refuse_if_any,
)
from models.events.events import SpacesClosed, StructureEnded, StructureKindCorrected
from models.events.events import StructureIdentifierFreed as IdentifierFreed
from models.structures import identifiers, structures
from models.structures.identifiers import IdentifierType
from models.structures.structures import Structure, StructureKind, StructureStatus
from models.subscriptions import spaces
from models.subscriptions.spaces import PUBLIC_ONLY
from resolvers.attachments import principal_manager
from resolvers.policy import require
from resolvers.scope import Record, Scope

LONGEST_REASON = 255


async def correct_kind(scope: Scope, structure_id: int, kind: StructureKind, reason: str) -> None:
    """The structure public or private from now on, its managers told; the kind that it has already changes nothing.

    What exists on public structures only goes with a correction to private: the two flags, and such spaces.

    Raises:
        Forbidden: to anyone but support.
        Missing, TooLong, Invalid: when the reason isn't good.
        NotFound: when there is no such structure.
        PublicBodyIdentifier: when a public body's SIRET would be a private structure's.
    """
    told = _reason(scope, reason)
    async with scope.transaction() as record:
        structure = await _locked(structure_id)
        if structure.kind is kind:
            return
        if kind is StructureKind.PRIVATE and identifiers.is_public_body(
            structure.identifier_type, structure.identifier
        ):
            raise PublicBodyIdentifier("kind")
        before, structure.kind = structure.kind, kind
        if kind is StructureKind.PRIVATE:
            structure.service_code_required = structure.engagement_number_required = False
        await structure.save()
        after = {"kind": kind, "reason": told}
        await record(StructureKindCorrected(structure_id=structure.id, before={"kind": before}, after=after))
        if kind is StructureKind.PRIVATE:
            closed = await spaces.close_on(structure.id, set(PUBLIC_ONLY))
            if closed:
                await record(SpacesClosed(structure_id=structure.id, after={"spaces": sorted(closed)}))
        managers = await attachments.managers_of(structure.id, scope.today())
        message = KindMail(structure=structure.name, public=structure.is_public, reason=told)
        await _tell(scope, (row.user_id for row in managers), message)


async def free_identifier(
    scope: Scope, structure_id: int, reason: str, new: tuple[IdentifierType, str] | None = None
) -> None:
    """The structure's identifier free for whom it belongs to; everyone attached there, or waiting to be, is told.

    The structure goes on under the `new` one; without one it ends, and can't be active again before it has one.

    Raises:
        Forbidden: to anyone but support.
        DomainError: all that is wrong with the reason and the new identifier at once.
        NotFound: when there is no such structure.
        Invalid: when the new identifier is the old one.
        PublicBodyIdentifier: when the new one is a public body's SIRET and the structure private.
        StructureIdentifierTaken: when another structure has it.
        StructureIdentifierFreed: when there is nothing left to free, and no new one is given.
    """
    require(scope.signed_in().is_support)
    problems: list[DomainError] = []
    told = texts.required(problems, reason, "reason", most=LONGEST_REASON, multiline=True)
    identifier = ""
    if new is not None:
        with collected(problems):
            try:
                identifier = identifiers.check(*new)
            except DomainError as error:
                error.path = ("identifier", "value")
                raise
    refuse_if_any(problems)
    try:
        async with scope.transaction() as record:
            structure = await _locked(structure_id)
            before = {"identifier_type": structure.identifier_type, "identifier": structure.identifier}
            if new is not None:
                _take(structure, new[0], identifier)
            elif structure.is_identified:
                structure.free_identifier()
            else:
                raise StructureIdentifierFreed("structure_id")
            await structure.save()
            after = {"identifier_type": structure.identifier_type, "identifier": structure.identifier, "reason": told}
            await record(IdentifierFreed(structure_id=structure.id, before=before, after=after))
            if new is None:
                await _end(scope, record, structure)
            message = FreedMail(
                structure=structure.name,
                identifier=str(before["identifier"]),
                new_identifier=identifier or None,
                reason=told,
            )
            await _tell(scope, await attachments.people_of(structure.id), message)
    except Duplicate as error:
        raise StructureIdentifierTaken("identifier", "value") from error


def _take(structure: Structure, type: IdentifierType, identifier: str) -> None:
    if (structure.identifier_type, structure.identifier) == (type, identifier):
        raise Invalid("identifier", "value", rule="same_identifier")
    if not structure.is_public and identifiers.is_public_body(type, identifier):
        raise PublicBodyIdentifier("identifier", "value")
    structure.identifier_type, structure.identifier = type, identifier


async def _end(scope: Scope, record: Record, structure: Structure) -> None:
    """End the structure with what is open there; one that had ended before stays so."""
    if not structure.is_active:
        return
    before, structure.status = structure.status, StructureStatus.INACTIVE
    await structure.save()
    await record(
        StructureEnded(structure_id=structure.id, before={"status": before}, after={"status": structure.status})
    )
    await principal_manager.end_offer(scope, record, structure.id)


async def _tell(scope: Scope, user_ids: Iterable[int], message: Message) -> None:
    for user in (await accounts.lock_all(set(user_ids))).values():
        if user.state is AccountState.ACTIVE:
            await scope.mail(message, user)


async def _locked(structure_id: int) -> Structure:
    structure = await structures.lock(structure_id)
    if structure is None:
        raise NotFound("structure_id")
    return structure


def _reason(scope: Scope, reason: str) -> str:
    require(scope.signed_in().is_support)
    problems: list[DomainError] = []
    told = texts.required(problems, reason, "reason", most=LONGEST_REASON, multiline=True)
    refuse_if_any(problems)
    return told
