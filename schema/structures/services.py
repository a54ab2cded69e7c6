"""Services: the departments of a structure, and the act that saves one."""

from datetime import date

import strawberry

from models.structures.services import SERVICES
from resolvers.structures import services
from schema.base import ids
from schema.base.context import Info
from schema.base.fields import column, rows_of
from schema.base.inputs import given
from schema.base.nodes import Node
from schema.base.selections import selection_of
from schema.base.user_errors import ERRORS, UserError, mutation


@rows_of(SERVICES)
@strawberry.type(description="A department of a structure.")
class Service(Node):
    code: str = column("Its code, unique in the structure.")
    name: str = column("Its name.")
    active: bool = column("Is it in use?")
    valid_from: date | None = column("First day; null for no start.")
    valid_until: date | None = column("Last day, inclusive; null for no end.")
    engagement_number_required: bool = column("Do invoices to it need an engagement number?")


@strawberry.type(description="The service after the act.")
class ServicePayload:
    service_id: strawberry.Private[int | None] = None
    errors: list[UserError] = strawberry.field(default_factory=list, description=ERRORS)

    @strawberry.field(description="The service; null when the act was refused.")
    async def service(self, info: Info) -> Service | None:
        return await info.context.load(services.by_ids, self.service_id, selection_of(info))


@strawberry.input(description="A service to add, or to change when its id is given: then what is absent stays.")
class SaveServiceInput:
    id: strawberry.ID | None = strawberry.field(default=None, description="The service to change; absent to add one.")
    structure_id: strawberry.ID = strawberry.field(description="The structure.")
    code: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Code, unique in the structure whatever its case; mandatory, but may be absent from a change.",
    )
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Name; mandatory, but may be absent from a change."
    )
    active: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Is it in use? True where it isn't said of a new one."
    )
    valid_from: date | None = strawberry.field(default=strawberry.UNSET, description="First day; null for no start.")
    valid_until: date | None = strawberry.field(
        default=strawberry.UNSET, description="Last day, not before the first; null for no end."
    )
    engagement_number_required: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Do invoices need an engagement number? False where it isn't said of a new one.",
    )


@strawberry.type
class ServiceMutation:
    @mutation("Add a service, or change one.")
    async def save_service(self, info: Info, input: SaveServiceInput) -> ServicePayload:
        sent = given(input)
        structure = ids.decode(sent.pop("structure_id"), "Structure", "structure_id")
        id = sent.pop("id", None)
        service = ids.decode(id, "Service", "id") if id is not None else None
        return ServicePayload(service_id=await services.save(info.context.scope, structure, service, sent))
