"""Structures, their services and spaces: types, search, and the acts on them."""

from typing import Annotated, Any

import strawberry

from models.structures.identifiers import IdentifierType
from models.structures.structures import STRUCTURES, StructureKind, StructureStatus
from models.structures.structures import StructureSearch as Search
from models.subscriptions.spaces import SpaceCode
from resolvers import history as events
from resolvers.accounts import users
from resolvers.attachments import attachment_lists, offers, vacancies
from resolvers.attachments import principal_manager as principal_managers
from resolvers.structures import corrections, exports, services, structures
from resolvers.structures.structures import Particulars
from resolvers.subscriptions import spaces
from schema.accounts.users import ADDRESS_COLUMNS, PostalAddress, User, address_of
from schema.attachments.attachments import Attachment, AttachmentFilter, filter_of
from schema.attachments.offers import PrincipalManagerOffer
from schema.attachments.vacancies import Vacancy
from schema.base import ids
from schema.base.connections import After, Before, Connection, First, Last, connection_of, page_of
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.inputs import PostalAddressInput, given
from schema.base.nodes import Node
from schema.base.roots import query
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation
from schema.events import Event
from schema.structures.services import Service
from schema.subscriptions.spaces import Space


@rows_of(STRUCTURES)
@strawberry.type(description="A legal entity, public or private, with one identifier.")
class Structure(Node):
    identifier_type: IdentifierType = column("What kind of identifier it has.")
    identifier: str = column("The identifier, upper-case without spaces.")
    name: str = column("Business name, or an individual's first and last name.")
    kind: StructureKind = column("Public body or not.")
    status: StructureStatus = column("Can people be attached?")

    @made_from(*ADDRESS_COLUMNS, description="Postal address.")
    def postal_address(self: Any) -> PostalAddress | None:
        return address_of(self)

    email: str | None = column("E-mail of the structure.")
    phone: str | None = column("Telephone number of the structure.")
    service_code_required: bool = column("Do invoices to it need a service code? Public structures only.")
    engagement_number_required: bool = column("Do invoices to it need an engagement number? Public structures only.")

    @made_from("id", description="Who answers for it; null while an imported structure waits to be adopted.")
    async def principal_manager(self: Any, info: Info) -> User | None:
        holder = await info.context.load(structures.principal_managers, self.id)
        return await info.context.load(users.by_ids, holder, selection_of(info))

    @made_from("id", description="Its services, by code.")
    async def services(
        self: Any,
        info: Info,
        active_only: Annotated[bool | None, strawberry.argument(description="Only those in use today.")] = True,
    ) -> list[Service]:
        return await info.context.load(services.of_structures, self.id, bool(active_only), selection_of(info))

    @made_from("id", description="The spaces open on it, in the reference list's order; the default ones always are.")
    async def open_spaces(self: Any, info: Info) -> list[Space]:
        return [Space(code=code) for code in await info.context.load(spaces.of_structures, self.id)]

    @made_from(
        "id", description="The viewer's own attachment to it, waiting or validated or deactivated; null without one."
    )
    async def viewer_attachment(self: Any, info: Info) -> Attachment | None:
        return await info.context.load(attachment_lists.of_viewer, self.id, selection_of(info))

    @made_from(
        "id",
        description="Its attachments, newest first; null but to its managers and support.",
    )
    async def attachments(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: AttachmentFilter | None = None,
        search: str | None = None,
    ) -> Connection[Attachment] | None:
        page = page_of(first, after, last, before)
        found = await info.context.load(
            attachment_lists.of_structures, self.id, page, filter_of(filter), search, selection_of(info)
        )
        return connection_of(found) if found else None

    @made_from(
        "id",
        description="Where its users come as CSV, with their roles, services and spaces: for 5 minutes, for the viewer"
        " alone, with no session needed; null but to its managers and support.",
    )
    async def users_export_url(self: Any, info: Info) -> str | None:
        return await info.context.load(exports.users_urls, self.id)

    @made_from(
        "id",
        description="Who may take over the principal management; null but to the principal manager and support.",
    )
    async def successor_candidates(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        search: str | None = None,
    ) -> Connection[User] | None:
        page = page_of(first, after, last, before)
        found = await info.context.load(users.candidates, self.id, page, search, selection_of(info))
        return connection_of(found) if found else None

    @made_from("id", description="What happened on it, newest first; null but to its managers and support.")
    async def history(
        self: Any, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Event] | None:
        page = page_of(first, after, last, before)
        found = await info.context.load(events.of_structures, self.id, page, selection_of(info))
        return connection_of(found) if found else None

    @made_from(
        "id",
        description="Why the principal manager doesn't act, and who may claim; null when they do,"
        " and to anyone but the structure's managers and support.",
    )
    async def vacancy(self: Any, info: Info) -> Vacancy | None:
        return await info.context.load(vacancies.of_structures, self.id)

    @made_from(
        "id",
        description="The open offer of the principal management; null to anyone but the managers and support.",
    )
    async def principal_manager_offer(self: Any, info: Info) -> PrincipalManagerOffer | None:
        return await info.context.load(offers.of_structures, self.id, selection_of(info))


@strawberry.type(description="A page of a list of structures.")
class StructureConnection(Connection[Structure]):
    criteria: strawberry.Private[Search]

    @made_from(
        description="Where the whole list comes as CSV (`;`, UTF-8 with BOM) in the reader's language: for 5 minutes,"
        " for the viewer alone, with no session needed."
    )
    def export_url(self, info: Info) -> str:
        return exports.structures_url(info.context.scope, self.criteria)


@strawberry.input(description="Criteria of a search; each that is given must hold, and one at least must be given.")
class StructureSearch:
    identifier: str | None = strawberry.field(
        default=None, description="The whole identifier, or at least its first 3 characters."
    )
    identifier_type: IdentifierType | None = strawberry.field(default=None, description="Kind of identifier.")
    name: str | None = strawberry.field(default=None, description="Any part of the name; case and accents don't count.")
    kind: StructureKind | None = strawberry.field(default=None, description="Public or private.")
    status: StructureStatus | None = strawberry.field(default=None, description="Active or not.")
    postcode: str | None = strawberry.field(default=None, description="The postcode.")
    city: str | None = strawberry.field(default=None, description="The city; case and accents don't count.")


@strawberry.input(description="An identifier with its kind.")
class StructureIdentifierInput:
    type: IdentifierType = strawberry.field(description="Kind of identifier.")
    value: str = strawberry.field(description="The identifier; case and spaces don't count.")


@strawberry.type
class StructureQuery:
    @query("Structures that meet every criterion, by name.")
    async def structures(
        self,
        info: Info,
        search: StructureSearch,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> StructureConnection:
        page, criteria = page_of(first, after, last, before), Search(**vars(search))
        found = await structures.search(info.context.scope, criteria, page, selection_of(info))
        connection: StructureConnection = connection_of(found, StructureConnection, criteria=criteria)
        return connection

    @query("The structure of this identifier; null when there is none.")
    async def structure(self, info: Info, identifier: StructureIdentifierInput) -> Structure | None:
        found: Any = await structures.identified(
            info.context.scope, identifier.type, identifier.value, selection_of(info)
        )
        return found

    @query("The reference list of spaces.")
    async def spaces(self, info: Info) -> list[Space]:
        return [Space(code=code) for code in SpaceCode]


# ------------------------------------------------------------------ payloads and inputs
@strawberry.type(description="The structure after the act.")
class StructurePayload:
    structure_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The structure; null when the act was refused.")
    async def structure(self, info: Info) -> Structure | None:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))


@strawberry.input(description="A private structure to create, whose creator becomes its principal manager.")
class CreateStructureInput:
    identifier_type: IdentifierType = strawberry.field(description="Kind of identifier.")
    identifier: str = strawberry.field(description="The identifier.")
    name: str | None = strawberry.field(default=None, description="Business name.")
    first_name: str | None = strawberry.field(default=None, description="First name of an individual.")
    last_name: str | None = strawberry.field(default=None, description="Last name of an individual.")
    postal_address: PostalAddressInput = strawberry.field(description="Postal address, whole.")
    email: str | None = strawberry.field(default=None, description="E-mail of the structure.")
    phone: str | None = strawberry.field(default=None, description="Telephone number of the structure.")
    spaces: list[SpaceCode] | None = strawberry.field(default_factory=list, description="Spaces to open at once.")


@strawberry.input(description="A public structure to register, with its first principal manager.")
class RegisterPublicStructureInput:
    identifier_type: IdentifierType = strawberry.field(description="Kind of identifier.")
    identifier: str = strawberry.field(description="The identifier.")
    name: str = strawberry.field(description="Name.")
    postal_address: PostalAddressInput = strawberry.field(description="Postal address, whole.")
    email: str | None = strawberry.field(default=None, description="E-mail of the structure.")
    phone: str | None = strawberry.field(default=None, description="Telephone number of the structure.")
    service_code_required: bool | None = strawberry.field(default=False, description="Do invoices need a service code?")
    engagement_number_required: bool | None = strawberry.field(
        default=False, description="Do invoices need an engagement number?"
    )
    principal_manager_id: strawberry.ID = strawberry.field(description="The user who becomes its principal manager.")
    spaces: list[SpaceCode] | None = strawberry.field(default_factory=list, description="Spaces to open at once.")


@strawberry.input(description="Changes to a structure; what is absent stays.")
class UpdateStructureInput:
    id: strawberry.ID = strawberry.field(description="The structure.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Name; mandatory.")
    postal_address: PostalAddressInput | None = strawberry.field(
        default=strawberry.UNSET, description="Postal address, whole; mandatory."
    )
    email: str | None = strawberry.field(default=strawberry.UNSET, description="E-mail; null empties it.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Telephone number; null empties it.")
    service_code_required: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Public structures only."
    )
    engagement_number_required: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Public structures only."
    )
    status: StructureStatus | None = strawberry.field(
        default=strawberry.UNSET, description="INACTIVE ends the structure; by the principal manager only."
    )


# ------------------------------------------------------------------ acts
@strawberry.type
class StructureMutation:
    @mutation("Create a private structure, or adopt an imported one; the creator becomes its principal manager.")
    async def create_structure(self, info: Info, input: CreateStructureInput) -> StructurePayload:
        sent = given(input)
        return StructurePayload(structure_id=await structures.create(info.context.scope, _particulars(sent)))

    @mutation("Support: register a public structure with its first principal manager.")
    async def register_public_structure(self, info: Info, input: RegisterPublicStructureInput) -> StructurePayload:
        sent = given(input)
        principal = ids.decode(sent.pop("principal_manager_id"), "User", "principal_manager_id")
        flags = {name: bool(sent.pop(name)) for name in ("service_code_required", "engagement_number_required")}
        particulars = _particulars({**sent, "flags": flags})
        return StructurePayload(
            structure_id=await structures.register_public(info.context.scope, particulars, principal)
        )

    @mutation("Change a structure's particulars.")
    async def update_structure(self, info: Info, input: UpdateStructureInput) -> StructurePayload:
        changes = given(input)
        structure = ids.decode(changes.pop("id"), "Structure", "id")
        await structures.update(info.context.scope, structure, changes)
        return StructurePayload(structure_id=structure)

    @mutation("Open spaces on a structure.")
    async def open_spaces(self, info: Info, structure_id: strawberry.ID, spaces: list[SpaceCode]) -> StructurePayload:
        return await _turned(info, structure_id, spaces, to_open=True)

    @mutation("Close spaces on a structure; the default ones stay open.")
    async def close_spaces(self, info: Info, structure_id: strawberry.ID, spaces: list[SpaceCode]) -> StructurePayload:
        return await _turned(info, structure_id, spaces, to_open=False)

    @mutation("Hand the principal management over at once; the former principal manager stays as a simple user.")
    async def transfer_principal_manager(
        self, info: Info, structure_id: strawberry.ID, successor_id: strawberry.ID
    ) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        await principal_managers.transfer(
            info.context.scope, structure, ids.decode(successor_id, "User", "successor_id")
        )
        return StructurePayload(structure_id=structure)

    @mutation("As the senior secondary manager, become principal manager when the present one can't or doesn't act.")
    async def claim_principal_manager(self, info: Info, structure_id: strawberry.ID) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        await vacancies.claim(info.context.scope, structure)
        return StructurePayload(structure_id=structure)

    @mutation("Support: name the principal manager of a structure that has none able to act.")
    async def appoint_principal_manager(
        self, info: Info, structure_id: strawberry.ID, user_id: strawberry.ID, reason: str
    ) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        await principal_managers.appoint(info.context.scope, structure, ids.decode(user_id, "User", "user_id"), reason)
        return StructurePayload(structure_id=structure)

    @mutation("Support: make a structure public or private, as it should have been; its managers are told.")
    async def correct_structure_kind(
        self, info: Info, structure_id: strawberry.ID, kind: StructureKind, reason: str
    ) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        await corrections.correct_kind(info.context.scope, structure, kind, reason)
        return StructurePayload(structure_id=structure)

    @mutation(
        "Support: take an identifier from a structure that has it wrongly, so that it is free for its owner. The"
        " structure goes on under another identifier or, without one, ends; everyone attached there is told."
    )
    async def free_structure_identifier(
        self,
        info: Info,
        structure_id: strawberry.ID,
        reason: str,
        identifier: Annotated[
            StructureIdentifierInput | None,
            strawberry.argument(description="The identifier that the structure has from now on; absent to end it."),
        ] = None,
    ) -> StructurePayload:
        structure = ids.decode(structure_id, "Structure", "structure_id")
        new = (identifier.type, identifier.value) if identifier is not None else None
        await corrections.free_identifier(info.context.scope, structure, reason, new)
        return StructurePayload(structure_id=structure)


async def _turned(
    info: Info, structure_id: strawberry.ID, codes: list[SpaceCode], *, to_open: bool
) -> StructurePayload:
    structure = ids.decode(structure_id, "Structure", "structure_id")
    await (spaces.open_some if to_open else spaces.close_some)(info.context.scope, structure, codes)
    return StructurePayload(structure_id=structure)


def _particulars(sent: dict[str, Any]) -> Particulars:
    return Particulars(**{**sent, "spaces": sent.get("spaces") or []})
