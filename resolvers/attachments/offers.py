"""Offers: the principal management handed over with the successor's consent, within 14 days. Source: DOMAIN 9."""

from collections.abc import Sequence

from mailer.messages import PrincipalManagerOfferDeclined as DeclinedMail
from mailer.messages import PrincipalManagerOffered as OfferedMail
from mailer.messages import PrincipalManagerOfferExpired as ExpiredMail
from models.accounts import accounts
from models.accounts.accounts import AccountState
from models.accounts.actors import Actor
from models.attachments import attachments, offers
from models.attachments.offers import (
    OFFERS,
    OLDEST_FIRST,
    OPEN_FOR,
    OPEN_NOW,
    VISIBLE,
    OfferStatus,
    PrincipalManagerOffer,
)
from models.db.query import Row, Selection
from models.errors.errors import (
    Invalid,
    NotFound,
    OfferOver,
    PrincipalManagerAlreadyOffered,
    StructureInactive,
    SuccessorNotEligible,
)
from models.events.events import (
    Fact,
    PrincipalManagerOfferAccepted,
    PrincipalManagerOfferDeclined,
    PrincipalManagerOffered,
    PrincipalManagerOfferExpired,
    PrincipalManagerOfferWithdrawn,
)
from models.structures import structures
from models.structures.structures import Structure
from resolvers import jobs
from resolvers.attachments import attachment_lists, principal_manager
from resolvers.policy import Right, has, require
from resolvers.scope import Record, Scope

EXPIRED_JOB = "expired-offers"


async def offer(scope: Scope, structure_id: int, successor_id: int) -> int:
    """The principal management offered to somebody, who has 14 days to accept or decline; the offer's id.

    Raises:
        NotFound: when there is no such structure.
        Forbidden: to anyone but the principal manager in effect.
        StructureInactive: when the structure has ended.
        PrincipalManagerAlreadyOffered: while another offer is open.
        Invalid: when the successor is the actor.
        SuccessorNotEligible: when the successor isn't active or not attached there in effect, or is nobody.
    """
    actor = scope.signed_in()
    async with scope.transaction() as record:
        structure = await structures.lock(structure_id)
        if structure is None:
            raise NotFound("structure_id")
        require(has(await scope.role_on(structure_id), Right.HAND_OVER), "structure_id")
        if not structure.is_active:
            raise StructureInactive("structure_id")
        await _make_way(scope, record, structure_id)
        await _must_be_eligible(scope, structure, successor_id)
        offer = await PrincipalManagerOffer.create(
            structure=structure,
            holder_id=actor.account_id,
            successor_id=successor_id,
            offered_at=scope.now(),
            expires_at=scope.now() + OPEN_FOR,
        )
        await record(PrincipalManagerOffered(subject_id=successor_id, structure_id=structure_id))
        message = OfferedMail(
            structure=structure.name, principal_manager=await scope.actor_name(), expires_at=offer.expires_at
        )
        await scope.mail(message, await accounts.existing(successor_id))
    return offer.id


async def _make_way(scope: Scope, record: Record, structure_id: int) -> None:
    """An offer that has expired gives way to a new one; one that is open stands in its way."""
    present = await offers.lock_open(structure_id)
    if present is None:
        return
    if present.status_at(scope.now()) is OfferStatus.OPEN:
        raise PrincipalManagerAlreadyOffered("structure_id")
    await _end(scope, record, present, OfferStatus.EXPIRED, PrincipalManagerOfferExpired)


async def _must_be_eligible(scope: Scope, structure: Structure, successor_id: int) -> None:
    if successor_id == scope.signed_in().account_id:
        raise Invalid("successor_id", rule="same_person")
    successor = (await accounts.lock_all({successor_id})).get(successor_id)
    theirs = await attachments.lock_live(successor_id, structure.id)
    able = successor is not None and successor.state is AccountState.ACTIVE
    if not able or theirs is None or not theirs.is_valid_on(scope.today()):
        raise SuccessorNotEligible("successor_id", structure=structure.name)


async def accept(scope: Scope, id: int | None) -> int:
    """The principal management taken up by whom it was offered; the former principal manager stays as a simple user.

    Raises:
        NotFound: when there is no such offer for the actor.
        Forbidden: to anyone but the successor.
        OfferOver: when it was answered, withdrawn or has expired.
        SuccessorNotEligible: when the actor is no longer attached there in effect.
    """
    async with scope.transaction() as record:
        offer, structure = await _locked(scope, id)
        require(offer.successor_id == scope.signed_in().account_id, "id")
        await _end(scope, record, offer, OfferStatus.ACCEPTED, PrincipalManagerOfferAccepted)
        principal_attachment = await attachments.principal_of(structure.id)
        assert principal_attachment is not None  # theirs who made the offer, which ends with their role
        await principal_manager.hand_over(scope, record, structure, principal_attachment, offer.successor_id, "id")
    return offer.id


async def decline(scope: Scope, id: int | None) -> int:
    """The offer declined by whom it was made to; the principal manager is told, and keeps the principal management.

    Raises:
        NotFound, Forbidden, OfferOver: as `accept`.
    """
    async with scope.transaction() as record:
        offer, structure = await _locked(scope, id)
        require(offer.successor_id == scope.signed_in().account_id, "id")
        await _end(scope, record, offer, OfferStatus.DECLINED, PrincipalManagerOfferDeclined)
        principal = await accounts.lock(offer.holder_id)
        await scope.mail(DeclinedMail(structure=structure.name, successor=await scope.actor_name()), principal)
    return offer.id


async def withdraw(scope: Scope, id: int | None) -> int:
    """The offer taken back by the principal manager who made it.

    Raises:
        NotFound, OfferOver: as `accept`.
        Forbidden: to anyone but whoever made it.
    """
    async with scope.transaction() as record:
        offer, _ = await _locked(scope, id)
        require(offer.holder_id == scope.signed_in().account_id, "id")
        await _end(scope, record, offer, OfferStatus.WITHDRAWN, PrincipalManagerOfferWithdrawn)
    return offer.id


async def _locked(scope: Scope, offer_id: int | None) -> tuple[PrincipalManagerOffer, Structure]:
    actor = scope.signed_in()
    known = await offers.by_id(offer_id) if offer_id is not None else None
    if known is None or not await _sees(scope, actor, known.id):
        raise NotFound("id")
    structure = await structures.lock(known.structure_id)
    offer = await offers.lock(known.id)
    assert structure is not None  # rows are never deleted
    if offer is None or not await _sees(scope, actor, known.id):
        raise NotFound("id")  # the actor stopped being a manager while waiting for the lock
    return offer, structure


async def _sees(scope: Scope, actor: Actor, offer_id: int) -> bool:
    return bool(await OFFERS.read(["id"], ["f.id = :id", VISIBLE], scope.viewing(id=offer_id)))


async def _end(
    scope: Scope, record: Record, offer: PrincipalManagerOffer, status: OfferStatus, fact: type[Fact]
) -> None:
    try:
        offer.end(status, scope.now())
    except OfferOver as over:
        raise over.under("id") from None
    await offer.save()
    await record(fact(subject_id=offer.successor_id, structure_id=offer.structure_id))


# ------------------------------------------------------------------ by the clock
async def tell_expired_offers(scope: Scope) -> int:
    """Offers that nobody answered within 14 days are ended, and the principal managers told."""

    async def act(found: PrincipalManagerOffer) -> bool:
        async with scope.transaction() as record:
            structure = await structures.lock(found.structure_id)
            offer = await offers.lock(found.id)
            if structure is None or offer is None or offer.status is not OfferStatus.OPEN:
                return False  # another worker ended it
            await _end(scope, record, offer, OfferStatus.EXPIRED, PrincipalManagerOfferExpired)
            people = await accounts.lock_all({offer.holder_id, offer.successor_id})
            name = people[offer.successor_id].display_name
            await scope.mail(ExpiredMail(structure=structure.name, successor=name), people[offer.holder_id])
        return True

    return await jobs.each(EXPIRED_JOB, await offers.overdue(scope.now()), act)


# ------------------------------------------------------------------ reading
async def by_ids(scope: Scope, ids: Sequence[int | None], selection: Selection) -> list[Row | None]:
    """The offers of these ids, in their order; None for None. What leads here was already visible."""
    return await OFFERS.found(ids, selection, parameters=scope.viewing())


async def visible(scope: Scope, ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The offers of these ids that the viewer may see, in their order; None for the others."""
    return await OFFERS.found(ids, selection, [VISIBLE], scope.viewing())


async def of_successors(scope: Scope, user_ids: Sequence[int], selection: Selection) -> list[list[Row]]:
    """The open offers made to each person, the oldest first."""
    columns, users = selection.columns | {"successor_id"}, sorted(set(user_ids))
    rows = await OFFERS.read(columns, ["f.successor_id IN :users", OPEN_NOW], scope.viewing(users=users), OLDEST_FIRST)
    return [[row for row in rows if row.successor_id == id] for id in user_ids]


async def of_structures(scope: Scope, structure_ids: Sequence[int], selection: Selection) -> list[Row | None]:
    """The open offer of each structure's principal management, as its managers and support see it; None for others."""
    seen = await attachment_lists.seeing(scope, structure_ids)
    columns, bound = selection.columns | {"structure_id"}, scope.viewing(structures=seen)
    rows = await OFFERS.read(columns, ["f.structure_id IN :structures", OPEN_NOW], bound) if seen else []
    found = {row.structure_id: row for row in rows}
    return [found.get(id) for id in structure_ids]
