"""Space subscriptions: asked for by people, decided by managers, removed by either. Source: DOMAIN 5."""

from collections.abc import Sequence

from mailer.messages import SpaceSubscriptionRefused as RefusedMail
from mailer.messages import SpaceSubscriptionRemoved as RemovedMail
from mailer.messages import SpaceSubscriptionRequested as RequestedMail
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.attachments import attachments
from models.attachments.attachments import Attachment, DecisionAct, Role
from models.db import texts
from models.errors.errors import (
    DomainError,
    Forbidden,
    NotFound,
    OwnRequest,
    RequestAlreadyDecided,
    SpaceGivenByDefault,
    TransitionNotAllowed,
    Unauthenticated,
    collected,
    refuse_if_any,
)
from models.events.events import (
    SpaceSubscriptionGiven,
    SpaceSubscriptionRefused,
    SpaceSubscriptionRemoved,
    SpaceSubscriptionRequested,
    SpaceSubscriptionValidated,
)
from models.structures import structures
from models.structures.structures import Structure
from models.subscriptions import subscriptions
from models.subscriptions.spaces import ALWAYS_THERE
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus
from resolvers import mail_limits, periods
from resolvers.asked_services import entitled
from resolvers.bulk import Outcome, each
from resolvers.policy import Right, has, may_manage, require
from resolvers.scope import Scope
from resolvers.subscriptions import terms
from resolvers.subscriptions.terms import Terms

LONGEST_COMMENT = 255


# ------------------------------------------------------------------ asking
async def request(scope: Scope, requests: Sequence[Terms]) -> list[Outcome]:
    """A pending subscription for each space asked for, a manager's own VALIDATED at once; one outcome each, in order.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    scope.signed_in()

    async def act(place: int, path: tuple[str, ...]) -> int:
        return await _request_one(scope, requests[place], path)

    return await each(range(len(requests)), "requests", act)


async def _request_one(scope: Scope, asked: Terms, path: tuple[str, ...]) -> int:
    actor = scope.signed_in().account_id
    async with scope.transaction() as record:
        structure = await structures.lock(asked.structure_id) if asked.structure_id is not None else None
        if structure is None:
            raise NotFound(*path, "structure_id")
        managers = await attachments.managers_of(structure.id, scope.today())
        people = await accounts.lock_all({actor} | {manager.user_id for manager in managers})
        if people[actor].state is not AccountState.ACTIVE:
            raise Unauthenticated  # deactivated or suspended while the request was on its way
        attachment = await attachments.lock_live(actor, structure.id)
        managing = has(await scope.role_on(structure.id), Right.DECIDE)
        services, comment = await _check(scope, asked, structure, attachment, path)
        await terms.must_be_free(actor, asked, (*path, "space"))
        row = terms.of_terms(scope, asked, actor, comment)
        if managing:
            row.validate(actor, scope.now())
        fact = SpaceSubscriptionGiven if managing else SpaceSubscriptionRequested
        await terms.keep(record, fact, row, {}, services)
        await subscriptions.set_services(row, services)
        if not managing:
            asked_of, place = f"{actor} {structure.id}", (*path, "structure_id")
            await mail_limits.count(scope, "space", asked_of, *place, received=mail_limits.SPACES_AN_HOUR)
            await _tell_managers(scope, row, structure, people)
    return row.id


async def _check(
    scope: Scope, asked: Terms, structure: Structure, attachment: Attachment | None, path: tuple[str, ...]
) -> tuple[set[int], str | None]:
    """The services and the tidied comment, once everything asked for is right; all that is wrong at once otherwise."""
    problems: list[DomainError] = []
    chosen: set[int] = set()
    with collected(problems):
        terms.must_be_entitled(scope, structure, attachment, *path, "structure_id")
    with collected(problems):
        await terms.must_be_open(structure, asked.space, *path, "space")
    periods.check_start(problems, asked.effective_from, *path, "effective_from")
    comment = texts.optional(problems, asked.comment, *path, "comment", most=LONGEST_COMMENT, multiline=True)
    with collected(problems):
        among = await terms.services_of(attachment)
        chosen = await entitled(scope, structure.id, set(asked.service_ids), *path, "service_ids", among=among)
    refuse_if_any(problems)
    return chosen, comment


async def _tell_managers(
    scope: Scope, row: SpaceSubscription, structure: Structure, people: dict[int, Account]
) -> None:
    requester = people.pop(row.user_id)
    message = RequestedMail(
        structure=structure.name,
        requester=requester.display_name,
        space=row.space,
        mode=row.mode,
        effective_from=row.effective_from,
        services=await terms.service_names(row),
        comment=row.comment,
    )
    for manager in people.values():
        if manager.state is AccountState.ACTIVE:
            await scope.mail(message, manager)


# ------------------------------------------------------------------ deciding
async def validate(scope: Scope, ids: Sequence[int | None]) -> list[Outcome]:
    """Each request accepted by a manager as it was asked; one outcome per id, in order.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    scope.signed_in()

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            row, structure, attachment = await terms.locked(scope, id, *path)
            await _must_decide(scope, row, path)
            before = await terms.state_of(row)
            row.validate(scope.signed_in().account_id, scope.now())
            terms.must_be_entitled(scope, structure, attachment, *path)
            await terms.must_be_usable(row.user_id, *path)
            await terms.must_be_open(structure, row.space, *path)
            kept = await subscriptions.service_ids_of(row.id)
            await entitled(scope, structure.id, set(kept), *path, among=await terms.services_of(attachment))
            await terms.keep(record, SpaceSubscriptionValidated, row, before, kept)
            await terms.tell(scope, row, await terms.validated(scope, row, structure))
        return row.id

    return await each(ids, "ids", act)


async def refuse(scope: Scope, ids: Sequence[int | None], reason: str) -> list[Outcome]:
    """Each request refused, its requester told the reason; one outcome per id, in order.

    Raises:
        Missing, TooLong, Invalid: when the reason isn't good; then nothing is done.
        TooMany: for more than 100.
    """
    scope.signed_in()
    problems: list[DomainError] = []
    told = texts.required(problems, reason, "reason", most=LONGEST_COMMENT, multiline=True)
    refuse_if_any(problems)

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            row, structure, _ = await terms.locked(scope, id, *path)
            await _must_decide(scope, row, path)
            before = await terms.state_of(row)
            row.refuse(scope.signed_in().account_id, told, scope.now())
            await terms.keep(record, SpaceSubscriptionRefused, row, before, reason=told)
            by = await scope.actor_name()
            await terms.tell(scope, row, RefusedMail(structure=structure.name, space=row.space, by=by, reason=told))
        return row.id

    return await each(ids, "ids", act)


async def remove(scope: Scope, ids: Sequence[int | None]) -> list[Outcome]:
    """Each subscription ended by its user, who also takes requests back so, or by a manager; one outcome per id.

    Raises:
        TooMany: for more than 100; then nothing is done.
    """
    actor = scope.signed_in()

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        async with scope.transaction() as record:
            row, structure, attachment = await terms.locked(scope, id, *path)
            own = row.user_id == actor.account_id
            target = attachment.role if attachment else Role.SIMPLE_USER
            require(own or may_manage(await scope.role_on(structure.id), target), *path)
            if row.space in ALWAYS_THERE:
                raise SpaceGivenByDefault(*path)
            if row.status is SpaceSubscriptionStatus.PENDING and not own:  # refused, with a reason, or left
                raise TransitionNotAllowed(*path, status=row.status, act=DecisionAct.REMOVE)
            before = await terms.state_of(row)
            row.remove(scope.now())
            await terms.keep(record, SpaceSubscriptionRemoved, row, before)
            by = await scope.actor_name()
            await terms.tell(scope, row, RemovedMail(structure=structure.name, space=row.space, by=by))
        return row.id

    return await each(ids, "ids", act)


async def _must_decide(scope: Scope, row: SpaceSubscription, path: tuple[str, ...]) -> None:
    """Nothing, when the actor may decide the request and nobody did before."""
    if row.user_id == scope.signed_in().account_id:
        raise OwnRequest(*path)
    if not has(await scope.role_on(row.structure_id), Right.DECIDE):
        raise Forbidden(*path)
    if row.status is not SpaceSubscriptionStatus.PENDING and row.decided_at is not None:
        decider = await accounts.by_id(row.decided_by_id) if row.decided_by_id else None
        raise RequestAlreadyDecided(*path, by=decider.display_name if decider else None, at=row.decided_at)
