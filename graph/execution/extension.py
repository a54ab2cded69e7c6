"""One operation on its way through Strawberry: its document comes prepared, its context is built as it executes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from graph.execution.document_cache import Prepared

Context = TypeVar("Context")


@dataclass(slots=True)
class Opening(Generic[Context]):
    """What stands in for the context until execution begins: an operation that is refused earlier costs no session."""

    prepared: Prepared
    build: Callable[[], Awaitable[Context]]
    context: Context | None = None


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, which makes no suggestions: looking for what a long wrong name may mean costs much."""

    @classmethod
    def build(cls, *args: Any, **options: Any) -> Any:
        """The executor of one operation; errors when the variables aren't right."""
        return super().build(*args, **{**options, "hide_suggestions": True})


class OperationSteps(SchemaExtension):
    """Hands Strawberry the prepared document in place of parsing and validating, and swaps the opening for the context.

    Being a step of the operation, it holds for every transport, and for each operation of a WebSocket apart.
    """

    def on_parse(self) -> Iterator[None]:
        """Give the parsed document."""
        opening: Opening[object] = self.execution_context.context
        self.execution_context.graphql_document = opening.prepared.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Say that validation is done: whatever had errors never came here."""
        self.execution_context.pre_execution_errors = []
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Build the context."""
        opening: Opening[object] = self.execution_context.context
        opening.context = self.execution_context.context = await opening.build()
        yield
