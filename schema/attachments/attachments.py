"""Attachments: the type, its inputs and payloads, and the acts on it."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.attachments.attachments import ATTACHMENTS, AttachmentStatus, DecisionAct, Role
from models.attachments.attachments import AttachmentFilter as Filter
from models.attachments.escalations import escalable_on
from models.errors.errors import Invalid, NotFound
from resolvers import policy
from resolvers.accounts import users
from resolvers.attachments import attach_user as gifts
from resolvers.attachments import attachment_lists, lifecycle, principal_manager, requests
from resolvers.attachments.attach_user import NewAttachment
from resolvers.attachments.lifecycle import Change
from resolvers.attachments.requests import NewRequest, Validation
from resolvers.bulk import Outcome
from resolvers.structures import structures
from schema.accounts.users import User
from schema.attachments.deciders import Deciders, deciders_of
from schema.base import ids
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.inputs import SuccessionInput
from schema.base.nodes import Node
from schema.base.payloads import answers_of
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation
from schema.structures.services import Service

if TYPE_CHECKING:
    from schema.structures.structures import Structure

StructureType = Annotated["Structure", strawberry.lazy("schema.structures.structures")]


@rows_of(ATTACHMENTS)
@strawberry.type(description="The link of a user to a structure: role, status, days of validity, services.")
class Attachment(Node):
    @made_from("user_id", description="Who is attached.")
    async def user(self: Any, info: Info) -> User:
        return await info.context.load(users.by_ids, self.user_id, selection_of(info))

    @made_from("structure_id", description="To which structure.")
    async def structure(self: Any, info: Info) -> StructureType:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    @made_from("on_behalf_of_id", description="The requester's own structure, when they act for it; null otherwise.")
    async def on_behalf_of(self: Any, info: Info) -> StructureType | None:
        return await info.context.load(structures.by_ids, self.on_behalf_of_id, selection_of(info))

    role: Role = column("What the user is there.")
    status: AttachmentStatus = column("Where it stands today: one past its end reads as DEACTIVATED.")

    @made_from(
        "gives_rights",
        description="Does it give rights today: validated, between its days, account and structure active?",
    )
    def in_effect(self: Any) -> bool:
        return bool(self.gives_rights)

    valid_from: date = column("First day, in the structures' time zone.")
    valid_until: date | None = column("Last day, inclusive; null for no end.")

    @made_from("id", description="The services the user is entitled to there; none means no service in particular.")
    async def services(self: Any, info: Info) -> list[Service]:
        return await info.context.load(attachment_lists.services_of, self.id, selection_of(info))

    comment: str | None = column("What the requester wrote.")
    refusal_reason: str | None = column("Why it was refused.")
    requested_at: datetime = column("When it was asked for or given.")
    decided_at: datetime | None = column("When it was validated or refused.")

    @made_from(
        "decided_by_id", description="Who validated or refused it; null when nobody did, or it came with the structure."
    )
    async def decided_by(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.decided_by_id, selection_of(info))

    @made_from(
        "user_id",
        "structure_id",
        "status",
        "requested_at",
        "escalated_at",
        description="Who can decide the request now; null once it was decided or withdrawn.",
    )
    async def deciders(self: Any, info: Info) -> Deciders | None:
        if self.status != AttachmentStatus.PENDING:
            return None
        day = escalable_on(self.requested_at, info.context.scope.office.time_zone)
        return await deciders_of(
            info, self.structure_id, self.user_id, escalable_on=day, escalated_at=self.escalated_at
        )

    @made_from(
        "user_id",
        "structure_id",
        "structure_active",
        "role",
        "status",
        "valid_until",
        description="What the viewer may do with it now.",
    )
    async def viewer_acts(self: Any, info: Info) -> list[DecisionAct]:
        scope = info.context.scope
        return policy.acts_on(
            AttachmentStatus(self.status),
            role=await info.context.load(attachment_lists.roles_on, self.structure_id),
            target=Role(self.role),
            own=self.user_id == scope.signed_in().account_id,
            ended=self.valid_until is not None and self.valid_until < scope.today(),
            structure_active=self.structure_active,
        )


@strawberry.input(description="What a list of attachments is narrowed to; each part that is given must hold.")
class AttachmentFilter:
    statuses: list[AttachmentStatus] | None = strawberry.field(
        default=None, description="Any of these statuses, as read today."
    )
    roles: list[Role] | None = strawberry.field(default=None, description="Any of these roles.")
    in_effect: bool | None = strawberry.field(default=None, description="In effect today, or not.")
    structure_id: strawberry.ID | None = strawberry.field(default=None, description="On this structure only.")


def filter_of(given: AttachmentFilter | None) -> Filter:
    """The filter as a plain value; an id that is no structure's finds nothing."""
    if given is None:
        return Filter()
    only = ids.parse(given.structure_id) if given.structure_id is not None else None
    structure = only[1] if only is not None and only[0] == "Structure" else 0
    return Filter(
        statuses=tuple(given.statuses) if given.statuses is not None else None,
        roles=tuple(given.roles) if given.roles is not None else None,
        in_effect=given.in_effect,
        structure_id=structure if given.structure_id is not None else None,
    )


# ------------------------------------------------------------------ payloads
@strawberry.type(description="The attachment after the act.")
class AttachmentPayload:
    attachment_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The attachment; null when the act was refused.")
    async def attachment(self, info: Info) -> Attachment | None:
        return await info.context.load(attachment_lists.by_ids, self.attachment_id, selection_of(info))


@strawberry.type(description="What became of one element of a bulk act.")
class AttachmentResult:
    attachment_id: strawberry.Private[int | None] = None
    id: strawberry.ID | None = strawberry.field(
        default=None, description="The id that was sent, or that of the new attachment."
    )
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The attachment after the act; null when it was refused.")
    async def attachment(self, info: Info) -> Attachment | None:
        return await info.context.load(attachment_lists.by_ids, self.attachment_id, selection_of(info))


@strawberry.type(description="One result for each element sent, in order; one that is refused doesn't undo the others.")
class AttachmentsPayload:
    results: list[AttachmentResult] = strawberry.field(default_factory=list, description="What became of each.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why the whole was refused; empty otherwise."
    )


def results_of(info: Info, sent: list[strawberry.ID | None], outcomes: list[Outcome]) -> AttachmentsPayload:
    """The outcomes of a bulk act, each beside what was sent."""
    answers = answers_of(info, "Attachment", sent, outcomes)
    return AttachmentsPayload(
        results=[AttachmentResult(attachment_id=row, id=id, errors=errors) for row, id, errors in answers]
    )


# ------------------------------------------------------------------ inputs
@strawberry.input(description="One structure that the person asks to be attached to.")
class AttachmentRequestInput:
    structure_id: strawberry.ID = strawberry.field(description="The structure; it must be active.")
    valid_from: date = strawberry.field(description="First day.")
    valid_until: date | None = strawberry.field(default=None, description="Last day, not before the first nor past.")
    service_ids: list[strawberry.ID] | None = strawberry.field(
        default_factory=list, description="Services of the structure."
    )
    comment: str | None = strawberry.field(default=None, description="A word to the managers, at most 255 characters.")
    on_behalf_of_id: strawberry.ID | None = strawberry.field(
        default=None, description="The person's own structure, for which they would act there."
    )
    confirm_public_structure: bool | None = strawberry.field(
        default=False,
        description="Must be true for a public structure: a supplier must not attach to the body it invoices.",
    )


@strawberry.input(description="Requests to be attached.")
class RequestAttachmentsInput:
    requests: list[AttachmentRequestInput] = strawberry.field(description="At most 100.")


@strawberry.input(description="A manager's yes to one request; what is absent stays as it was asked.")
class AttachmentValidationInput:
    id: strawberry.ID = strawberry.field(description="The pending attachment.")
    valid_from: date | None = strawberry.field(
        default=strawberry.UNSET, description="Another first day; null leaves it as it is."
    )
    valid_until: date | None = strawberry.field(
        default=strawberry.UNSET, description="Another last day; null for no end."
    )
    service_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Some of the services that were asked for; any, where none was; null leaves them.",
    )


@strawberry.input(description="Validations.")
class ValidateAttachmentsInput:
    validations: list[AttachmentValidationInput] = strawberry.field(description="At most 100.")


@strawberry.input(description="Changes to an attachment; what is absent stays.")
class UpdateAttachmentInput:
    id: strawberry.ID = strawberry.field(description="The attachment, validated or deactivated.")
    valid_from: date | None = strawberry.field(
        default=strawberry.UNSET, description="Another first day; null leaves it as it is."
    )
    valid_until: date | None = strawberry.field(
        default=strawberry.UNSET, description="Another last day, not past; null clears it."
    )
    service_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="All its services from now on; null leaves them, an empty list takes all away.",
    )


@strawberry.input(description="An attachment given on a manager's initiative.")
class AttachUserInput:
    structure_id: strawberry.ID = strawberry.field(description="The structure.")
    login_email: str = strawberry.field(description="The login e-mail of somebody who has an account.")
    role: Role | None = strawberry.field(
        default=Role.SIMPLE_USER, description="Simple user or, by the principal manager, secondary."
    )
    valid_from: date = strawberry.field(description="First day.")
    valid_until: date | None = strawberry.field(default=None, description="Last day.")
    service_ids: list[strawberry.ID] | None = strawberry.field(
        default_factory=list, description="Services of the structure."
    )


def _sent(value: Any) -> Any:
    return None if value is strawberry.UNSET else value


def _request(given: AttachmentRequestInput) -> NewRequest:
    return NewRequest(
        structure_id=ids.number(given.structure_id, "Structure"),
        valid_from=given.valid_from,
        valid_until=given.valid_until,
        service_ids=ids.numbers(given.service_ids, "Service"),
        comment=given.comment,
        on_behalf_of_id=ids.number(given.on_behalf_of_id, "Structure"),
        on_behalf=given.on_behalf_of_id is not None,
        confirm_public=bool(given.confirm_public_structure),
    )


def _validation(given: AttachmentValidationInput) -> Validation:
    services = _sent(given.service_ids)
    return Validation(
        id=ids.number(given.id, "Attachment"),
        valid_from=_sent(given.valid_from),
        valid_until=_sent(given.valid_until),
        end_given=given.valid_until is not strawberry.UNSET,
        service_ids=ids.numbers(services, "Service") if services is not None else None,
    )


# ------------------------------------------------------------------ acts
@strawberry.type
class AttachmentMutation:
    @mutation("Ask to be attached to structures, each time as a simple user.")
    async def request_attachments(self, info: Info, input: RequestAttachmentsInput) -> AttachmentsPayload:
        outcomes = await requests.request(info.context.scope, [_request(given) for given in input.requests])
        return results_of(info, [None] * len(outcomes), outcomes)

    @mutation("Accept requests, maybe with other dates or fewer services.")
    async def validate_attachments(self, info: Info, input: ValidateAttachmentsInput) -> AttachmentsPayload:
        outcomes = await requests.validate(info.context.scope, [_validation(given) for given in input.validations])
        return results_of(info, [given.id for given in input.validations], outcomes)

    @mutation("Refuse requests; the requesters are told the reason.")
    async def refuse_attachments(self, info: Info, ids: list[strawberry.ID], reason: str) -> AttachmentsPayload:
        return results_of(info, [*ids], await requests.refuse(info.context.scope, _attachments(ids), reason))

    @mutation("Take one's own pending requests back.")
    async def withdraw_attachments(self, info: Info, ids: list[strawberry.ID]) -> AttachmentsPayload:
        return results_of(info, [*ids], await requests.withdraw(info.context.scope, _attachments(ids)))

    @mutation("Stop attachments; they can come back.")
    async def deactivate_attachments(
        self, info: Info, ids: list[strawberry.ID], reason: str | None = None
    ) -> AttachmentsPayload:
        return results_of(info, [*ids], await lifecycle.deactivate(info.context.scope, _attachments(ids), reason))

    @mutation("Bring deactivated attachments back, their dates as they are.")
    async def reactivate_attachments(self, info: Info, ids: list[strawberry.ID]) -> AttachmentsPayload:
        return results_of(info, [*ids], await lifecycle.reactivate(info.context.scope, _attachments(ids)))

    @mutation(
        "End attachments for good; a principal manager's own is handed over to the successor named for the structure."
    )
    async def remove_attachments(
        self,
        info: Info,
        ids: list[strawberry.ID],
        successions: list[SuccessionInput] | None = [],  # noqa: B006 - the contract's default
    ) -> AttachmentsPayload:
        successors = _successors(successions or [])
        return results_of(info, [*ids], await lifecycle.remove(info.context.scope, _attachments(ids), successors))

    @mutation("Attach somebody who has an account, on a manager's initiative.")
    async def attach_user(self, info: Info, input: AttachUserInput) -> AttachmentPayload:
        new = NewAttachment(
            structure_id=ids.number(input.structure_id, "Structure"),
            login_email=input.login_email,
            role=input.role or Role.SIMPLE_USER,
            valid_from=input.valid_from,
            valid_until=input.valid_until,
            service_ids=ids.numbers(input.service_ids, "Service"),
        )
        return AttachmentPayload(attachment_id=await gifts.attach(info.context.scope, new))

    @mutation("Change an attachment's dates or services; moving a past end brings it back.")
    async def update_attachment(self, info: Info, input: UpdateAttachmentInput) -> AttachmentPayload:
        services = _sent(input.service_ids)
        change = Change(
            valid_from=_sent(input.valid_from),
            valid_until=_sent(input.valid_until),
            end_given=input.valid_until is not strawberry.UNSET,
            service_ids=ids.numbers(services, "Service") if services is not None else None,
        )
        id = await lifecycle.update(info.context.scope, ids.number(input.id, "Attachment"), change)
        return AttachmentPayload(attachment_id=id)

    @mutation("Name or dismiss a secondary manager; by the principal one only.")
    async def change_attachment_role(self, info: Info, id: strawberry.ID, role: Role) -> AttachmentPayload:
        scope = info.context.scope
        attachment_id = ids.decode(id, "Attachment", "id")
        await principal_manager.change_role(scope, attachment_id, role)
        return AttachmentPayload(attachment_id=attachment_id)


def _attachments(global_ids: list[strawberry.ID]) -> list[int | None]:
    return [ids.number(id, "Attachment") for id in global_ids]


def _successors(given: list[SuccessionInput]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for place, item in enumerate(given):
        structure, successor = ids.number(item.structure_id, "Structure"), ids.number(item.successor_id, "User")
        if structure is None or successor is None:
            raise NotFound("successions", str(place), "structure_id" if structure is None else "successor_id")
        if structure in found:
            raise Invalid("successions", str(place), "structure_id", rule="twice")
        found[structure] = (successor, place)
    return found
