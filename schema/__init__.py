"""The public contract: one schema, whose committed snapshot is `schema.graphql` beside this file."""

from collections.abc import Sequence
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from schema.accounts.accounts import AccountMutation, AccountQuery
from schema.accounts.deactivation import DeactivationMutation
from schema.accounts.sessions import SessionMutation
from schema.activities import ActivityMutation
from schema.attachments.attachments import AttachmentMutation
from schema.attachments.escalations import EscalationMutation, EscalationQuery
from schema.attachments.offers import OfferMutation
from schema.attachments.refused_structures import RefusalMutation
from schema.attachments.vacancies import VacancyQuery
from schema.base import arguments, lengths, scalars
from schema.base.lookups import LookupQuery
from schema.changes import ChangeQuery, Subscription
from schema.documents.documents import DocumentMutation, DocumentQuery
from schema.documents.uploads import SCALARS
from schema.structures.services import ServiceMutation
from schema.structures.structures import StructureMutation, StructureQuery
from schema.subscriptions.subscriptions import SpaceSubscriptionMutation

Query: Any = merge_types(
    "Query", (LookupQuery, AccountQuery, StructureQuery, DocumentQuery, EscalationQuery, VacancyQuery, ChangeQuery)
)
Mutation: Any = merge_types(
    "Mutation",
    (
        SessionMutation,
        AccountMutation,
        DeactivationMutation,
        AttachmentMutation,
        EscalationMutation,
        SpaceSubscriptionMutation,
        StructureMutation,
        OfferMutation,
        RefusalMutation,
        ServiceMutation,
        DocumentMutation,
        ActivityMutation,
    ),
)


Query.__strawberry_definition__.description = (
    "What may be read. All but `me`, which is null then, asks to be signed in; what the viewer may not see is null."
)
Mutation.__strawberry_definition__.description = (
    "What may be done. An expected refusal is in the payload's `errors`, each with a stable `code`, the `path` of what"
    " it is about and a sentence in the reader's language; then nothing was changed."
)


class Schema(strawberry.Schema):
    """Strawberry's schema, which leaves the logging of errors to the endpoint."""

    def process_errors(self, errors: Sequence[GraphQLError], execution_context: object = None) -> None:
        """Nothing: whoever answers the request logs what went wrong, once."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map={**scalars.SCALARS, **SCALARS}),
)
arguments.complete(schema._schema)
lengths.complete(schema._schema)


def sdl() -> str:
    """The schema in the schema definition language, as the snapshot holds it."""
    return schema.as_str().strip() + "\n"
