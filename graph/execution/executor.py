"""One operation prepared, weighed, executed and masked, the same for every transport."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from graphql import ExecutionResult as Resolved
from graphql import Executor, GraphQLError, create_source_event_stream
from strawberry.http import GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from graph.execution import complexity, masking
from graph.execution.document_cache import Documents, Prepared
from graph.execution.extension import Opening
from models.errors.errors import OperationTimedOut, Unauthenticated

OPERATION_SECONDS = 30.0  # for a query or mutation, and until a stream is open
Build = Callable[[], Awaitable[Any]]
T = TypeVar("T")
Notice = Callable[[Any, BaseException, str], None]


def unnoticed(context: Any, error: BaseException, field: str) -> None:
    """Tell nobody."""


@dataclass
class Ready:
    """An operation that may be executed, or the errors that say why not; what its answer's `extensions` hold."""

    data: GraphQLRequestData
    prepared: Prepared
    errors: Sequence[GraphQLError] = ()
    extensions: dict[str, Any] = field(default_factory=dict)
    values: int = 0  # that its variables hold

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
        self,
        schema: BaseSchema,
        limits: complexity.Limits,
        explain: Callable[[masking.Expected, Any], str],
        language: Any,
        notice: Notice = unnoticed,
    ) -> None:
        """`language` is that of errors that come before a reader is known; `notice` is told of every error raised."""
        self.schema = schema
        self.core = schema._schema  # type: ignore[attr-defined]
        self.limits = limits
        self.documents = Documents(self.core, limits)
        self.masking = masking.Masking(explain)
        self.language = language
        self.notice = notice

    def ready(self, data: GraphQLRequestData) -> Ready:
        """The operation asked for, its document from the cache, its cost known."""
        prepared = self.documents.prepare(data.query or "", data.operation_name)
        if prepared.errors:
            return Ready(data, prepared, prepared.errors)
        values = complexity.values(data.variables, self.limits.values)
        if values > self.limits.values:
            return Ready(data, prepared, [complexity.exceeded("values", values, self.limits.values)])
        cost = self.documents.cost(prepared, data.variables or {})
        extensions = {"cost": {"value": min(cost, 2**53 - 1), "ceiling": self.limits.cost}}
        errors = [complexity.exceeded("cost", cost, self.limits.cost)] if cost > self.limits.cost else ()
        return Ready(data, prepared, errors, extensions, values)

    async def run(self, ready: Ready, build: Build, request_id: str) -> ExecutionResult:
        """The answer to a query or mutation; a PreExecutionError when nothing was executed.

        One that takes too long is stopped: its open transaction is rolled back, and the answer is that error alone.
        """
        if ready.errors:
            return ready.refused()
        opening = Opening[Any](ready.prepared, partial(self._context, ready, build))
        executing = self.schema.execute(
            ready.data.query,
            variable_values=ready.variables,
            context_value=opening,
            operation_name=ready.data.operation_name,
            operation_extensions=ready.data.extensions,
        )
        try:
            result = await _in_time(executing)
        except OperationTimedOut as late:
            shown = self.masking.shown([_raised(late)], self._language(opening.context), request_id)
            return ExecutionResult(None, shown, ready.extensions)
        language = self._language(opening.context)
        self._notice(opening.context, result.errors or [])
        errors = self.masking.shown(result.errors or [], language, request_id)
        extensions = {**(result.extensions or {}), **ready.extensions}
        # Errors without a path, and nothing else, come from before execution: the context, the variables.
        if errors and result.data is None and all(error.path is None for error in errors):
            return PreExecutionError(data=None, errors=errors, extensions=extensions)
        return ExecutionResult(result.data, errors or None, extensions)

    async def _context(self, ready: Ready, build: Build) -> Any:
        """The context of the operation.

        Raises:
            Unauthenticated: to nobody, of more values than any operation takes from somebody who isn't signed in.
        """
        context = await build()
        if ready.values > self.limits.values_of_nobody and not context.is_known:
            raise Unauthenticated
        return context

    def _language(self, context: Any) -> Any:
        return self.language if context is None else context.language

    async def open(self, ready: Ready, build: Build, request_id: str) -> Any:
        """What the field of a subscription answers once it lets the reader in; a PreExecutionError when it doesn't."""
        if ready.errors:
            return ready.refused()
        language, opened, context = self.language, None, None
        try:
            context = await _in_time(self._context(ready, build))
            language = context.language
            opened = await _in_time(self._opened(ready, context))
        except Exception as error:  # the context's own: masked like any other
            opened = Resolved(None, [_raised(error)])
        if isinstance(opened, Resolved):
            self._notice(context, opened.errors or [])
            return ready.refused(self.masking.shown(opened.errors or [], language, request_id))
        return opened

    def _notice(self, context: Any, errors: Sequence[GraphQLError]) -> None:
        for error in errors if context is not None else ():
            self.notice(context, masking.cause(error), str((error.path or [""])[0]))

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


async def _in_time(work: Awaitable[T]) -> T:
    """What the work comes to.

    Raises:
        OperationTimedOut: when it wasn't done in time; it was cancelled, and has undone what it had to.
    """
    try:
        async with asyncio.timeout(OPERATION_SECONDS) as limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise OperationTimedOut(OPERATION_SECONDS) from None
        raise  # one of the work's own


def _raised(error: Exception) -> GraphQLError:
    return GraphQLError(str(error), original_error=error)
