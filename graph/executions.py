"""One operation prepared, weighed, executed and masked, the same for every transport."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import ExecutionResult as Resolved
from graphql import Executor, GraphQLError, create_source_event_stream
from strawberry.http import GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from graph import costs, masking
from graph.documents import Documents, Prepared
from graph.operations import Opening

Build = Callable[[], Awaitable[Any]]


@dataclass
class Ready:
    """An operation that may be executed, or the errors that say why not; what its answer's `extensions` hold."""

    data: GraphQLRequestData
    prepared: Prepared
    errors: Sequence[GraphQLError] = ()
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, Any]:
        """The variables that came with it."""
        return self.data.variables or {}

    def refused(self, errors: Sequence[GraphQLError] = ()) -> PreExecutionError:
        """The answer of an operation that wasn't executed."""
        return PreExecutionError(data=None, errors=list(errors or self.errors), extensions=self.extensions)


class Executions:
    """Executes operations of one schema within its limits, showing only what clients may read of errors."""

    def __init__(
        self, schema: BaseSchema, limits: costs.Limits, explain: Callable[[masking.Expected, Any], str], language: Any
    ) -> None:
        """`language` is that of errors that come before a reader is known."""
        self.schema = schema
        self.core = schema._schema  # type: ignore[attr-defined]
        self.limits = limits
        self.documents = Documents(self.core, limits)
        self.masking = masking.Masking(explain)
        self.language = language

    def ready(self, data: GraphQLRequestData) -> Ready:
        """The operation asked for, its document from the cache, its cost known."""
        prepared = self.documents.prepare(data.query or "", data.operation_name)
        if prepared.errors:
            return Ready(data, prepared, prepared.errors)
        cost = self.documents.cost(prepared, data.variables or {})
        extensions = {"cost": {"value": min(cost, 2**53 - 1), "ceiling": self.limits.cost}}
        errors = [costs.exceeded("cost", cost, self.limits.cost)] if cost > self.limits.cost else ()
        return Ready(data, prepared, errors, extensions)

    async def run(self, ready: Ready, build: Build, request_id: str) -> ExecutionResult:
        """The answer to a query or mutation; a PreExecutionError when nothing was executed."""
        if ready.errors:
            return ready.refused()
        opening = Opening[Any](ready.prepared, build)
        result = await self.schema.execute(
            ready.data.query,
            variable_values=ready.variables,
            context_value=opening,
            operation_name=ready.data.operation_name,
            operation_extensions=ready.data.extensions,
        )
        language = self.language if opening.context is None else opening.context.language
        errors = self.masking.shown(result.errors or [], language, request_id)
        extensions = {**(result.extensions or {}), **ready.extensions}
        # Errors without a path, and nothing else, come from before execution: the context, the variables.
        if errors and result.data is None and all(error.path is None for error in errors):
            return PreExecutionError(data=None, errors=errors, extensions=extensions)
        return ExecutionResult(result.data, errors or None, extensions)

    async def open(self, ready: Ready, build: Build, request_id: str) -> Any:
        """What the field of a subscription answers once it lets the reader in; a PreExecutionError when it doesn't."""
        if ready.errors:
            return ready.refused()
        language, opened = self.language, None
        try:
            context = await build()
            language = context.language
            opened = await self._opened(ready, context)
        except Exception as error:  # the context's own: masked like any other
            opened = Resolved(None, [GraphQLError(str(error), original_error=error)])
        if isinstance(opened, Resolved):
            return ready.refused(self.masking.shown(opened.errors or [], language, request_id))
        return opened

    async def _opened(self, ready: Ready, context: Any) -> Any:
        executor = self.executor(ready, context)
        if isinstance(executor, list):
            return Resolved(None, executor)
        opened = create_source_event_stream(executor)
        return await opened if isinstance(opened, Awaitable) else opened

    def executor(self, ready: Ready, context: Any, root: Any = None) -> Executor[Any] | list[GraphQLError]:
        """What executes one event of a subscription, or its opening; errors when the variables aren't right."""
        assert ready.prepared.document is not None
        return Executor.build(
            self.core,
            ready.prepared.document,
            root_value=root,
            context_value=context,
            raw_variable_values=ready.variables,
            operation_name=ready.data.operation_name,
            hide_suggestions=True,
        )
