"""Vacancies: a principal manager who doesn't act, told to the secondary managers, and claimed by the senior one."""

from collections.abc import Mapping, Sequence

from mailer.facts import Reader
from mailer.messages import PrincipalManagerAbsent as HolderAbsentMail
from mailer.messages import PrincipalManagerClaimable as ClaimableMail
from mailer.messages import PrincipalManagerClaimed as ClaimedMail
from models.accounts import accounts
from models.accounts.accounts import Account, AccountState
from models.attachments import attachments, deciders, vacancies
from models.attachments.attachments import Attachment, Role
from models.attachments.vacancies import NOTICE, OLDEST_FIRST, UNCLAIMABLE, VACANCIES, AbsentPrincipal, VacancyReason
from models.db.query import Page, Row, Selection, Slice
from models.errors.errors import NotFound, PrincipalManagerNotYetClaimable, PrincipalManagerPresent, StructureInactive
from models.events.events import PrincipalManagerClaimed, PrincipalManagerFoundAbsent, VacancyOpened
from models.structures import structures
from models.structures.structures import Structure
from resolvers import jobs
from resolvers.attachments import attachment_lists, principal_manager
from resolvers.attachments.targets import keep, state_of
from resolvers.policy import require
from resolvers.scope import Record, Scope

ABSENT_JOB = "absent-holders"


# ------------------------------------------------------------------ telling
async def tell_of_suspension(scope: Scope, record: Record, principal: Account, held: Mapping[int, Structure]) -> None:
    """Tell the secondary managers, inside the suspension, that they may claim what the suspended person managed.

    What the principal manager had offered is withdrawn, and a notice of absence is void: who comes back gets another.
    """
    for principal_attachment in await attachments.principal_attachments_of(principal.id):
        structure = held[principal_attachment.structure_id]
        await principal_manager.end_offer(scope, record, structure.id)
        principal_attachment.absence_told_at = None
        await principal_attachment.save()
        if structure.is_active:
            await record(
                VacancyOpened(
                    subject_id=principal.id, structure_id=structure.id, after={"reason": VacancyReason.SUSPENDED}
                )
            )
            await _tell_claimable(scope, structure, principal, absent=False)


async def _tell_claimable(scope: Scope, structure: Structure, principal: Account, *, absent: bool) -> None:
    senior = await vacancies.senior_on(structure.id, scope.now(), scope.today())
    managers = {manager.id: manager for manager in await principal_manager.secondary_managers(scope, structure.id)}
    if senior not in managers:
        return
    for manager in managers.values():
        message = ClaimableMail(
            structure=structure.name,
            principal_manager=principal.display_name,
            claimant=managers[senior].display_name,
            claimable_from=scope.now() + NOTICE if absent else scope.now(),
            absent=absent,
            reader=Reader.SUCCESSOR if manager.id == senior else Reader.MANAGER,
        )
        await scope.mail(message, manager)


async def tell_absent_principal_managers(scope: Scope) -> int:
    """Principal managers away for 90 days while a request waits are told, and the secondary managers with them."""

    async def act(principal_attachment: AbsentPrincipal) -> bool:
        return await _tell_absent(scope, principal_attachment)

    return await jobs.each(ABSENT_JOB, await vacancies.absent_untold(scope.now()), act)


async def _tell_absent(scope: Scope, found: AbsentPrincipal) -> bool:
    now = scope.now()
    async with scope.transaction() as record:
        structure = await structures.lock(found.structure_id)
        people = await accounts.lock_all({found.user_id} | await deciders.secondary_managers_of([found.structure_id]))
        principal = people[found.user_id]
        principal_attachment = await attachments.lock(found.id)
        if (
            structure is None
            or principal_attachment is None
            or not structure.is_active
            or not await vacancies.waits_on(structure.id)
        ):
            return False
        seen, held = vacancies.last_seen(principal), principal_attachment.role is Role.PRINCIPAL_MANAGER
        told = principal_attachment.absence_told_at is not None and principal_attachment.absence_told_at > seen
        if not held or told or principal.state is not AccountState.ACTIVE or seen > now - vacancies.ABSENT_AFTER:
            return False  # came back, or another worker told them
        principal_attachment.absence_told_at = now
        await principal_attachment.save()
        before, after = {"last_seen": seen.isoformat()}, {"absence_told_at": now.isoformat()}
        await record(
            PrincipalManagerFoundAbsent(subject_id=principal.id, structure_id=structure.id, before=before, after=after)
        )
        message = HolderAbsentMail(structure=structure.name, last_seen=seen, until=now + NOTICE)
        await scope.mail(message, principal)
        await _tell_claimable(scope, structure, principal, absent=True)
    return True


# ------------------------------------------------------------------ claiming
async def claim(scope: Scope, structure_id: int) -> None:
    """The actor becomes principal manager, the former one a simple user.

    Raises:
        NotFound: when there is no such structure.
        Forbidden: to anyone but the senior secondary manager in effect.
        StructureInactive: when the structure has ended.
        PrincipalManagerPresent: when the principal manager can act and wasn't told of an absence.
        PrincipalManagerNotYetClaimable: within the 14 days that an absent one has to sign in.
    """
    actor = scope.signed_in()
    async with scope.transaction() as record:
        structure = await structures.lock(structure_id)
        if structure is None:
            raise NotFound("structure_id")
        require(await scope.role_on(structure_id) is Role.SECONDARY_MANAGER, "structure_id")
        if not structure.is_active:
            raise StructureInactive("structure_id")
        held = await attachments.principal_of(structure_id)
        told = await deciders.secondary_managers_of([structure_id])  # the actor among them
        people = await accounts.lock_all(told | ({held.user_id} if held else set()))
        if held is None:
            raise PrincipalManagerPresent("structure_id")
        _must_be_claimable(scope, people[held.user_id], held)
        senior = await vacancies.senior_on(structure_id, scope.now(), scope.today())
        require(senior == actor.account_id, "structure_id")
        theirs = await attachments.lock_live(actor.account_id, structure_id)
        assert theirs is not None  # a secondary manager's
        before = state_of(theirs) | {"principal_id": held.user_id}
        await principal_manager.change_hands(scope, record, held, theirs)
        await keep(record, PrincipalManagerClaimed, theirs, before, principal_id=actor.account_id)
        await _tell_claimed(scope, structure, people[held.user_id], people[actor.account_id])


def _must_be_claimable(scope: Scope, principal: Account, principal_attachment: Attachment) -> None:
    reason = vacancies.reason_of(principal, principal_attachment, scope.now())
    if reason is None:
        raise PrincipalManagerPresent("structure_id")
    if reason is VacancyReason.ABSENT and principal_attachment.absence_told_at is not None:
        since = vacancies.claimable_from(reason, principal_attachment.absence_told_at)
        if scope.now() < since:
            raise PrincipalManagerNotYetClaimable("structure_id", at=since)


async def _tell_claimed(scope: Scope, structure: Structure, former: Account, claimant: Account) -> None:
    names = {"structure": structure.name, "former": former.display_name, "claimant": claimant.display_name}
    if former.state is AccountState.ACTIVE:
        await scope.mail(ClaimedMail(**names, reader=Reader.FORMER), former)
    await scope.mail(ClaimedMail(**names, reader=Reader.SUCCESSOR), claimant)
    for manager in await principal_manager.secondary_managers(scope, structure.id):
        await scope.mail(ClaimedMail(**names, reader=Reader.MANAGER), manager)


# ------------------------------------------------------------------ reading
async def of_structures(scope: Scope, structure_ids: Sequence[int]) -> list[Row | None]:
    """Each structure's vacancy, as its managers and support see it; None for others, and where there is none."""
    seen = await attachment_lists.seeing(scope, structure_ids)
    found = await vacancies.of_structures(seen, scope.now(), scope.today()) if seen else {}
    return [found.get(id) for id in structure_ids]


async def unclaimable(scope: Scope, page: Page, selection: Selection) -> Slice:
    """A page of the vacancies of active structures that nobody may claim, the oldest first.

    Raises:
        Forbidden: to anyone but support.
    """
    require(scope.signed_in().is_support)
    parameters = {"today": scope.today(), **vacancies.instants(scope.now())}
    return await VACANCIES.slice(
        selection=selection, page=page, order=OLDEST_FIRST, where=UNCLAIMABLE, parameters=parameters
    )
