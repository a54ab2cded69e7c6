"""Escalations: requests that nobody decides, brought before support; its queue has those nobody can decide as well."""

from mailer.messages import AttachmentEscalated as EscalatedMail
from models.accounts import accounts
from models.accounts.accounts import Account
from models.attachments import escalations
from models.attachments.attachments import ATTACHMENTS, OLDEST_FIRST, Attachment, DecisionAct
from models.attachments.vacancies import UNDECIDED, instants
from models.db import texts
from models.db.query import Page, Selection, Slice
from models.errors.errors import DomainError, Forbidden, refuse_if_any
from models.events.events import AttachmentEscalated
from models.structures.structures import Structure
from resolvers.attachments.targets import keep, locked, state_of
from resolvers.policy import may_act, require
from resolvers.scope import Scope

LONGEST_MESSAGE = 255


async def escalate(scope: Scope, id: int | None, message: str | None) -> int:
    """The request before support, with a word from whoever escalates it: its requester, or somebody who can decide it.

    Raises:
        TooLong, Invalid: when the message isn't good.
        NotFound: when the actor doesn't see the attachment.
        Forbidden: to anyone else; support, which escalations are for, decides by naming a manager.
        TransitionNotAllowed: when it isn't waiting any more.
        AttachmentAlreadyEscalated, EscalationTooEarly: the second time, and before the 30th day.
    """
    scope.signed_in()
    problems: list[DomainError] = []
    told = texts.optional(problems, message, "message", most=LONGEST_MESSAGE, multiline=True)
    refuse_if_any(problems)
    async with scope.transaction() as record:
        attachment, structure = await locked(scope, id, "id")
        own = attachment.user_id == scope.signed_in().account_id
        role = await scope.role_on(structure.id)
        require(own or may_act(DecisionAct.REFUSE, role=role, target=attachment.role, own=own), "id")
        before = state_of(attachment)
        try:
            escalations.escalate(attachment, scope.now(), scope.office.time_zone)
        except DomainError as refusal:
            raise refusal.under("id") from None
        await keep(record, AttachmentEscalated, attachment, before, **({"message": told} if told else {}))
        mail = await _announcement(scope, attachment, structure, told)
        for colleague in await accounts.lock_support():
            await scope.mail(mail, colleague)
    return attachment.id


async def _announcement(scope: Scope, attachment: Attachment, structure: Structure, told: str | None) -> EscalatedMail:
    requester: Account = await accounts.existing(attachment.user_id)
    return EscalatedMail(
        structure=structure.name,
        identifier=structure.identifier,
        requester=requester.display_name,
        by=await scope.actor_name(),
        since=attachment.requested_at.astimezone(scope.office.time_zone).date(),
        comment=told,
    )


async def undecided(scope: Scope, page: Page, selection: Selection) -> Slice:
    """A page of the requests that were escalated, or that nobody on their structure can or does decide, oldest first.

    Those to a structure that has ended are among them as any other: its managers may still refuse, support tells.

    Raises:
        Forbidden: to anyone but support.
    """
    actor = scope.signed_in()
    if not actor.is_support:
        raise Forbidden
    bound = scope.viewing(**instants(scope.now()))
    return await ATTACHMENTS.slice(
        selection=selection, page=page, order=OLDEST_FIRST, where=[UNDECIDED], parameters=bound
    )
