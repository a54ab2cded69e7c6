"""Grants: spaces given to several people on a manager's initiative, with no request before. Source: DOMAIN 5."""

from collections.abc import Sequence

from models.attachments import attachments
from models.errors.errors import AlreadySubscribed, DomainError, NotFound, StructureInactive, collected, refuse_if_any
from models.events.events import SpaceSubscriptionGiven
from models.structures import structures
from models.subscriptions import subscriptions
from models.subscriptions.subscriptions import SpaceSubscription, SpaceSubscriptionStatus
from resolvers import periods
from resolvers.asked_services import entitled
from resolvers.bulk import Outcome, each
from resolvers.policy import Right, has, may_manage, require
from resolvers.scope import Scope
from resolvers.subscriptions import terms
from resolvers.subscriptions.terms import Terms


async def grant(scope: Scope, given: Terms, user_ids: Sequence[int | None]) -> list[Outcome]:
    """A validated subscription for each person, on a manager's initiative; it decides a request of theirs.

    Raises:
        NotFound, Forbidden: when the actor doesn't manage the structure; then nothing is done.
        TooMany: for more than 100 people; likewise.
        DomainError: all that is wrong with the terms, whoever they are for; likewise.
    """
    scope.signed_in()
    structure = await structures.by_id(given.structure_id) if given.structure_id is not None else None
    if structure is None:
        raise NotFound("structure_id")
    require(has(await scope.role_on(structure.id), Right.DECIDE), "structure_id")
    problems: list[DomainError] = []
    if not structure.is_active:
        problems.append(StructureInactive("structure_id"))
    with collected(problems):
        await terms.must_be_open(structure, given.space, "space")
    periods.check_start(problems, given.effective_from, "effective_from")
    with collected(problems):
        await entitled(scope, structure.id, set(given.service_ids), "service_ids")
    refuse_if_any(problems)

    async def act(id: int | None, path: tuple[str, ...]) -> int:
        return await _grant_one(scope, given, structure.id, id, path)

    return await each(user_ids, "user_ids", act)


async def _grant_one(scope: Scope, given: Terms, structure_id: int, user_id: int | None, path: tuple[str, ...]) -> int:
    async with scope.transaction() as record:
        structure = await structures.lock(structure_id)
        assert structure is not None  # rows are never deleted
        require(has(await scope.role_on(structure_id), Right.DECIDE), "structure_id")
        attachment = await attachments.lock_live(user_id, structure_id) if user_id is not None else None
        if attachment is None or user_id is None:
            raise NotFound(*path)  # a manager sees the people attached there
        own = user_id == scope.signed_in().account_id
        require(own or may_manage(await scope.role_on(structure_id), attachment.role), *path)
        terms.must_be_entitled(scope, structure, attachment, *path)
        await terms.must_be_usable(user_id, *path)
        await terms.must_be_open(structure, given.space, "space")
        among = await terms.services_of(attachment)
        services = await entitled(scope, structure_id, set(given.service_ids), "service_ids", among=among)
        row, before = await _to_grant(scope, given, user_id, path)
        row.validate(scope.signed_in().account_id, scope.now())
        await terms.keep(record, SpaceSubscriptionGiven, row, before, services)
        await subscriptions.set_services(row, services)
        await terms.tell(scope, row, await terms.validated(scope, row, structure, given=True))
    return row.id


async def _to_grant(
    scope: Scope, given: Terms, user_id: int, path: tuple[str, ...]
) -> tuple[SpaceSubscription, dict[str, object]]:
    """A new row, or the person's own pending request on the manager's terms; what it was before."""
    assert given.structure_id is not None  # found before
    present = (await subscriptions.live_of(user_id, given.structure_id, frozenset({given.space}))).get(given.space)
    if present is None:
        return terms.of_terms(scope, given, user_id), {}
    if present.status is not SpaceSubscriptionStatus.PENDING:
        raise AlreadySubscribed(*path)
    before = await terms.state_of(present)
    present.mode, present.effective_from = given.mode, given.effective_from
    return present, before
