"""Events: the history that people read."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.accounts.accounts import Language
from models.events import summaries
from models.events.events import EVENTS
from resolvers.accounts import users
from resolvers.structures import structures
from schema.accounts.users import User
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.nodes import Node
from schema.base.selections import selection_of

if TYPE_CHECKING:
    from schema.structures.structures import Structure


@rows_of(EVENTS)
@strawberry.type(description="Something that happened: who, what, on whom, where, when.")
class Event(Node):
    type: str = column("What happened, as a stable name: AttachmentValidated, AccountActivated...")
    occurred_at: datetime = column("When.")

    @made_from("actor_id", description="Who did it; null for nobody signed in, or the portal itself.")
    async def actor(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.actor_id, selection_of(info))

    @made_from("subject_id", description="Whom it concerns.")
    async def subject(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.subject_id, selection_of(info))

    @made_from("structure_id", description="On which structure.")
    async def structure(
        self: Any, info: Info
    ) -> Annotated["Structure", strawberry.lazy("schema.structures.structures")] | None:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    @made_from("type", "after", description="One sentence on it, in the language given or else the reader's.")
    def summary(
        self: Any,
        info: Info,
        language: Annotated[
            Language | None, strawberry.argument(description="Another language than the reader's.")
        ] = None,
    ) -> str:
        return summaries.of(self.type, self.after, language or info.context.language)
