"""Vacancies: principal managers who don't act, and the query for those nobody may claim."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.attachments.vacancies import VACANCIES, VacancyReason, claimable_from
from resolvers.accounts import users
from resolvers.attachments import vacancies
from resolvers.structures import structures
from schema.accounts.users import User
from schema.base.connections import After, Before, Connection, First, Last, connection_of, page_of
from schema.base.context import Info
from schema.base.fields import column, made_from, rows_of
from schema.base.roots import query
from schema.base.selections import selection_of

if TYPE_CHECKING:
    from schema.structures.structures import Structure


@rows_of(VACANCIES)
@strawberry.type(description="A structure's principal management that nobody exercises.")
class Vacancy:
    @made_from("structure_id", description="Of which structure.")
    async def structure(
        self: Any, info: Info
    ) -> Annotated["Structure", strawberry.lazy("schema.structures.structures")]:
        return await info.context.load(structures.by_ids, self.structure_id, selection_of(info))

    reason: VacancyReason = column("Why the principal manager doesn't act.")
    since: datetime = column("When the principal manager was stopped, or told of the absence.")

    @made_from("reason", "since", description="From when the principal management may be claimed.")
    def claimable_from(self: Any) -> datetime:
        return claimable_from(VacancyReason(self.reason), self.since)

    @made_from("claimant_id", description="The senior secondary manager in effect, who may claim it; null for nobody.")
    async def claimant(self: Any, info: Info) -> User | None:
        return await info.context.load(users.by_ids, self.claimant_id, selection_of(info))

    @made_from("reason", "since", "claimant_id", description="May the viewer claim it now?")
    def viewer_may_claim(self: Any, info: Info) -> bool:
        scope = info.context.scope
        early = scope.now() < claimable_from(VacancyReason(self.reason), self.since)
        return not early and self.claimant_id == scope.signed_in().account_id


@strawberry.type
class VacancyQuery:
    @query("Vacancies that no secondary manager may claim, for support to name somebody; for support only.")
    async def vacancies(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Vacancy]:
        page = page_of(first, after, last, before)
        return connection_of(await vacancies.unclaimable(info.context.scope, page, selection_of(info)))
