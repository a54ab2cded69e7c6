"""`/graphql` as an event stream: graphql-sse in distinct connections mode, each request a stream of its own.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. A stream that the server ends early to be taken up
again closes without `complete`, after a last `next` that says why: the client then connects anew by itself.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from strawberry.http import GraphQLRequestData
from strawberry.types.execution import PreExecutionError

from graph.execution.executor import Ready
from graph.http import accept, responses
from graph.http.protocols import Line
from graph.live.broadcast import Stream
from graph.live.deliveries import failed
from graph.live.hub import Live
from graph.live.send_queue import Reader
from models.accounts.actors import Actor
from models.errors.stream_endings import ReaderTooSlow, ServerStopping, StreamEnded

MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "content-type": f"{MEDIA_TYPE}; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would hold events back
    "vary": "accept",
}
COMPLETE = "event: complete\ndata:\n\n"
SIGN_OF_LIFE = ":\n\n"
END = ""  # the frame after which there is nothing more


def is_taken(accepted: str) -> bool:
    """Does this `Accept` header name event streams, and not as one of all kinds there are?"""
    return any(each.name in (MEDIA_TYPE, "text/*") and each.quality > 0 for each in accept.ranges(accepted))


class EventStream:
    """The response to one request: an answer, or a stream for as long as it lasts."""

    __slots__ = ("_is_over", "_line", "_live", "_main", "_reader", "_ready", "_request", "_send", "_stream", "actor")

    def __init__(self, live: Live, request: Request, data: GraphQLRequestData) -> None:
        self._live = live
        self._request = request
        self._ready: Ready = live.executions.ready(data)
        self._line = Line(request.scope)
        self._reader: Reader[str | tuple[str]] = Reader(self._write, self._stalled, self._gone, self._line.unread)
        self._stream: Stream | None = None
        self._send: Any = None
        self._main: asyncio.Task[Any] | None = None
        self._is_over = False
        self.actor: Actor | None = None

    @property
    def kind(self) -> OperationType | None:
        """What is asked for; None when there are errors."""
        return self._ready.prepared.kind

    # -------------------------------------------------------------- what the broadcast needs
    @property
    def streams(self) -> Collection[Stream]:
        """The one there is, once it is open."""
        return [self._stream] if self._stream is not None else []

    @property
    def is_full(self) -> bool:
        """Has it no room for more until the client reads?"""
        return self._reader.is_full

    def deliver(self, stream: Stream, text: str) -> None:
        """Let a response follow."""
        self._next(text)

    async def room(self) -> None:
        """Return once there is room for more."""
        await self._reader.room()

    def finish(self, stream: Stream, ending: StreamEnded) -> None:
        """End the stream, saying why."""
        self.hang_up(ending)

    def hang_up(self, ending: StreamEnded) -> None:
        """End the stream, saying why; it is complete unless it is to be taken up again."""
        self._live.metrics.live_endings.labels(ending.code).inc()
        self._live.broadcast.leave(self)
        language = self._stream.group.language if self._stream else self._live.executions.language
        text = responses.encode({"errors": [self._live.error(ending, language)]}).decode()
        again = isinstance(ending, ReaderTooSlow | ServerStopping)
        last = (_event(text), END) if again else (_event(text), COMPLETE, END)
        self._reader.end(*last, drop=isinstance(ending, ReaderTooSlow))

    def ping(self) -> None:
        """Send a comment, by which proxies see life and a broken connection is found out."""
        self._reader.put(SIGN_OF_LIFE, len(SIGN_OF_LIFE))

    # -------------------------------------------------------------- the response
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the end, or until the client is gone."""
        self._send, self._main = send, asyncio.current_task()
        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": SIGN_OF_LIFE.encode(), "more_body": True})
        self._live.sockets.add(self)
        working = asyncio.create_task(self._work())
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not self._is_over:
                raise
        finally:
            working.cancel()
            self._is_over = True
            self._live.sockets.discard(self)
            self._live.broadcast.leave(self)
            self._reader.abandon()

    async def _work(self) -> None:
        try:
            await self._answer()
        except Exception as error:  # such as the database being away during a replay
            self._live.broadcast.leave(self)
            self._fail(failed(self._live.shown([GraphQLError(str(error), original_error=error)], self._request)))

    async def _answer(self) -> None:
        live = self._live
        if self.kind is not OperationType.SUBSCRIPTION:
            result = await live.answer(self._ready, self._request)
            if isinstance(result, PreExecutionError):
                self._fail(failed(result.errors or []), result.extensions)
            else:
                self._reader.end(_event(live.written(result)), COMPLETE, END)
            return
        opened = await live.open(self, "", self._ready, self._request)
        if isinstance(opened, PreExecutionError):
            self._fail(failed(opened.errors or []), opened.extensions)
            return
        self._stream, watch = opened
        self.actor = watch.scope.signed_in()
        live.broadcast.enter(self)
        await live.broadcast.join(self._stream, watch)

    def _fail(self, errors: list[dict[str, Any]], extensions: dict[str, Any] | None = None) -> None:
        response = {"errors": errors, **({"extensions": extensions} if extensions else {})}
        self._reader.end(_event(responses.encode(response).decode()), COMPLETE, END)

    def _next(self, text: str) -> None:
        self._reader.put((text,), len(text))

    async def _write(self, frame: str | tuple[str]) -> None:
        more = frame is not END
        text = frame if isinstance(frame, str) else _event(frame[0])  # till now shared by all who are delivered it
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": more})
        if not more:
            self._finished()

    def _stalled(self) -> None:
        self.hang_up(ReaderTooSlow())

    def _gone(self) -> None:
        self._line.cut()
        self._finished()

    def _finished(self) -> None:
        self._is_over = True
        if self._main is not None:
            self._main.cancel()


def _event(text: str) -> str:
    return f"event: next\ndata: {text}\n\n"
