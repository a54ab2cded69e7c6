"""What the streaming transports share: who reads, operations answered or opened, and the signs of life."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import uuid4

from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.types import Scope
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from graph.execution.executor import Executions, Ready
from graph.http import authentication, responses
from graph.http.authentication import Authentication
from graph.http.metrics import Metrics
from graph.http.rate_limits import EVERYTHING, source_of
from graph.live.broadcast import Broadcast, Listener, Stream
from graph.live.deliveries import Deliveries, failed
from graph.live.rights_watch import RightsWatch
from graph.live.wakeups import Wakeups
from models.accounts.accounts import Language
from models.accounts.actors import Actor
from models.errors.errors import RateLimited
from models.errors.stream_endings import ServerStopping, SessionOver, StreamEnded
from resolvers import security_log
from resolvers.live import Watch
from schema.base.context import Context

PING_SECONDS = 20.0
PINGED_AT_ONCE = 50  # so that what has to be delivered never waits long for it


class Pinged(Protocol):
    """A connection that gives and gets signs of life."""

    def ping(self) -> None:
        """Ask for one."""


class Live:
    """One process's streams: executions, the broadcast, the entrance by which readers come, and their connections."""

    def __init__(self, executions: Executions, entrance: Authentication, metrics: Metrics, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._tasks: list[asyncio.Task[None]] = []
        self.executions = executions
        self.entrance = entrance
        self.metrics = metrics
        self.deliveries = Deliveries(entrance.office, executions, metrics)
        self.broadcast = Broadcast(entrance.office, self.deliveries, metrics)
        self.sockets: set[Pinged] = set()

    async def start(self) -> None:
        """Begin to read changes, from now on.

        Raises:
            DatabaseAway: when it can't be told where that is.
        """
        await self.broadcast.begin()
        watch = RightsWatch(self.broadcast)
        running = (self.broadcast.run(), watch.run(), self._wakeups.run(self.broadcast.wake), self.ping())
        self._tasks = [asyncio.create_task(work) for work in running]

    async def stop(self) -> None:
        """Tell all readers to connect again, and read no more."""
        self.broadcast.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -------------------------------------------------------------- readers
    async def recognise(self, scope: Scope) -> Actor | None:
        """Who is at the other end; None for nobody, and for an integration.

        Raises:
            SessionOver: when a token or key was given that isn't good any more.
            DatabaseAway: when the database can't be asked.
        """
        connection = HTTPConnection(scope)
        context = await self.context(connection)
        known = context.scope.actor is not None or context.scope.integration is not None
        if not known and authentication.is_authorized(connection):
            raise SessionOver
        return context.scope.actor

    async def context(self, connection: HTTPConnection, request_id: str = "") -> Context:
        """The context of one operation on the connection, which can set no cookie.

        Raises:
            DatabaseAway: when the database can't be asked.
        """
        return await self.entrance.context(connection, None, request_id)

    async def admit(self, connection: HTTPConnection) -> dict[str, Any] | None:
        """Count one operation; the error to answer with when there were too many of the source."""
        try:
            await self.entrance.limits.count(EVERYTHING, "requests", source_of(connection))
        except RateLimited as limited:
            security_log.note_refusal(self.entrance.scope(connection), limited, connection.url.path)
            return failed(self.shown([GraphQLError("", original_error=limited)], connection))[0]
        return None

    # -------------------------------------------------------------- operations
    async def answer(self, ready: Ready, connection: HTTPConnection) -> ExecutionResult:
        """The answer to a query or mutation."""
        request_id = uuid4().hex
        return await self.executions.run(ready, lambda: self.context(connection, request_id), request_id)

    async def open(
        self, listener: Listener, id: str, ready: Ready, connection: HTTPConnection
    ) -> tuple[Stream, Watch] | PreExecutionError:
        """A stream that may join the broadcast with its watch, or why there is none."""
        context: list[Context] = []
        request_id = uuid4().hex

        async def build() -> Context:
            # who is known already is looked at again before each delivery: no need to ask for them now
            known = listener.actor and Context(self.entrance.scope(connection, listener.actor))
            context.append(known or await self.context(connection, request_id))
            context[0].scope.request_id = request_id
            if self.broadcast.is_stopping:
                raise ServerStopping
            return context[0]

        watch = await self.executions.open(ready, build, request_id)
        if isinstance(watch, PreExecutionError):
            return watch
        assert isinstance(watch, Watch)
        group = self.deliveries.group(ready, watch, context[0].language)
        return Stream(listener, id, group, watch.level, watch.since), watch

    def written(self, result: ExecutionResult) -> str:
        """The GraphQL response as JSON."""
        response: dict[str, Any] = {"data": result.data}
        if result.errors:
            response["errors"] = failed(result.errors)
        if result.extensions:
            response["extensions"] = result.extensions
        return responses.encode(response).decode()

    # -------------------------------------------------------------- errors
    def error(self, ending: StreamEnded, language: Language) -> dict[str, Any]:
        """What a client reads of an ending."""
        found = [GraphQLError("", original_error=ending)]
        return failed(self.executions.masking.shown(found, language, uuid4().hex))[0]

    def shown(self, errors: Sequence[GraphQLError], connection: HTTPConnection) -> list[GraphQLError]:
        """Errors fit to be shown, in the language of the connection."""
        language = self.entrance.scope(connection).language
        return self.executions.masking.shown(errors, language, uuid4().hex)

    # -------------------------------------------------------------- signs of life
    async def ping(self) -> None:
        """Ask every connection for a sign of life once in a while, a few at a time, until cancelled."""
        while True:
            present = list(self.sockets)
            bites = len(present) // PINGED_AT_ONCE + 1
            for start in range(0, bites * PINGED_AT_ONCE, PINGED_AT_ONCE):
                await asyncio.sleep(PING_SECONDS / bites)
                for socket in present[start : start + PINGED_AT_ONCE]:
                    if socket in self.sockets:
                        socket.ping()
