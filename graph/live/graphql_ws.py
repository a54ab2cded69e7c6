"""`/graphql` over WebSocket: graphql-transport-ws, one object a connection, a task only for what is being worked on.

Messages and close codes: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Beyond it, 4413 tells a
reader that it was too slow, 4410 that it left pings unanswered; 1012 that the server restarts, 1013 that it can't yet.
"""

import asyncio
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final

import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from strawberry.types.execution import PreExecutionError

from graph.http import requests, responses
from graph.http.protocols import Line
from graph.live.broadcast import Stream
from graph.live.deliveries import failed
from graph.live.hub import Live
from graph.live.send_queue import Reader
from models.accounts.actors import Actor
from models.errors.errors import DatabaseAway
from models.errors.stream_endings import ReaderTooSlow, RightLost, ServerStopping, SessionOver, StreamEnded

PROTOCOL: Final = "graphql-transport-ws"
INIT_SECONDS: Final = 5.0
MOST_STREAMS: Final = 100
WORKED_ON_AT_ONCE: Final = 8  # operations of one socket; the next is heard once one of them is answered
MOST_NESTED: Final = 8
AUTHORIZATION: Final = re.compile(r"(?i:bearer|apikey) +[!-~]{1,4096} *")
CREDENTIALS: Final = re.compile(r"(?i)auth|token|bearer|session|jwt|secret|passw|credential|cookie|api.?key")
TOKEN: Final = re.compile(r"(?i:bearer|apikey|basic|token) |eyJ[\w-]+\.[\w-]+\.|[\w-]{43}\Z", re.ASCII)
ENDINGS: Final = {ReaderTooSlow: (4413, "Too slow"), SessionOver: (4403, "Forbidden"), RightLost: (4403, "Forbidden"),
                  ServerStopping: (1012, "Service restart")}  # fmt: skip


class Closed(Exception):
    """The socket is to be closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Socket:
    """One connection: its reader once it is known, and its operations by the ids that the client gave them."""

    __slots__ = (
        "_acknowledged", "_free", "_initialised", "_is_busy", "_line", "_live", "_main", "_opening", "_operations",
        "_reader", "_receive", "_scope", "_send", "_silent", "_timer", "actor", "is_over",
    )  # fmt: skip

    def __init__(self, live: Live, scope: Scope, receive: Receive, send: Send) -> None:
        self._live = live
        self._scope = scope
        self._receive = receive
        self._send = send
        self._line = Line(scope)
        self._reader: Reader[Any] = Reader(self._write, self._stalled, self._gone, self._line.unread)
        self._free: asyncio.Event | None = None
        self._operations: dict[str, Stream | asyncio.Task[None]] = {}
        self._main: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._initialised = self._acknowledged = self._is_busy = self.is_over = False
        self._silent = self._opening = 0
        self.actor: Actor | None = None

    # -------------------------------------------------------------- what the broadcast needs
    @property
    def streams(self) -> Collection[Stream]:
        """The subscriptions that are open."""
        return [stream for stream in self._operations.values() if isinstance(stream, Stream)]

    @property
    def is_full(self) -> bool:
        """Has it no room for more until the client reads?"""
        return self._reader.is_full

    def deliver(self, stream: Stream, text: str) -> None:
        """Let a response follow on the stream."""
        self._next(stream.id, text)

    async def room(self) -> None:
        """Return once there is room for more."""
        await self._reader.room()

    def finish(self, stream: Stream, ending: StreamEnded) -> None:
        """End one stream by an error message; the socket stays."""
        self._operations.pop(stream.id, None)
        self._live.metrics.live_endings.labels(ending.code).inc()
        self._error(stream.id, [self._live.error(ending, stream.group.language)])

    def hang_up(self, ending: StreamEnded) -> None:
        """Close the socket by the code of the ending; of what a stalled reader left unread, nothing more is sent."""
        self._live.metrics.live_endings.labels(ending.code).inc()
        code, reason = ENDINGS[type(ending)]
        self._close(code, reason, drop=isinstance(ending, ReaderTooSlow | SessionOver))

    # -------------------------------------------------------------- the connection
    async def serve(self) -> None:
        """Talk to the client until one of both closes."""
        self._main = asyncio.current_task()
        await self._receive()  # websocket.connect
        if PROTOCOL not in self._scope.get("subprotocols", ()):
            await self._send({"type": "websocket.accept"})
            await self._send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
            return
        self._live.sockets.add(self)
        try:
            await self._send({"type": "websocket.accept", "subprotocol": PROTOCOL})
            self._timer = asyncio.get_running_loop().call_later(INIT_SECONDS, self._late)
            await self._listen()
        except asyncio.CancelledError:
            if not self.is_over:  # else it was this socket that gave up waiting for its client
                raise
        finally:
            self._leave()

    async def _listen(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            if self._reader.is_ending:
                continue
            self._silent, self._is_busy = 0, True
            try:
                await self._hear(message.get("text"))
            except Closed as closed:
                self._close(closed.code, closed.reason)
            await self._reader.room()  # whoever doesn't read the answers isn't heard
            self._is_busy = False

    def _leave(self) -> None:
        self.is_over = True
        self._live.sockets.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._reader.abandon()
        self._live.broadcast.leave(self)
        for operation in self._operations.values():
            if isinstance(operation, asyncio.Task):
                operation.cancel()
        self._operations.clear()

    def _close(self, code: int, reason: str, *, drop: bool = False) -> None:
        self._live.broadcast.leave(self)
        self._reader.end((code, reason), drop=drop)
        self._release()

    def _late(self) -> None:
        self._close(4408, "Connection initialisation timeout")

    def _stalled(self) -> None:
        self.hang_up(ReaderTooSlow())

    def _gone(self) -> None:
        self.is_over = True
        self._reader.abandon()
        self._line.cut()
        if self._main is not None:
            self._main.cancel()

    async def _write(self, frame: str | tuple[str, str] | tuple[int, str]) -> None:
        match frame:
            case (int(code), reason):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
            case (id, text):  # put together only now: what waits is shared by all who are delivered the same
                whole = f'{{"id":{_quoted(id)},"type":"next","payload":{text}}}'
                await self._send({"type": "websocket.send", "text": whole})
            case _:
                await self._send({"type": "websocket.send", "text": frame})

    def ping(self) -> None:
        """Ask for a sign of life; a client that gave none since the last two is given up."""
        if self._silent >= 2:
            self._close(4410, "No answer to pings", drop=True)
        elif self._acknowledged:
            self._silent += not self._is_busy  # an answer can't be heard meanwhile
            self._put('{"type":"ping"}')

    # -------------------------------------------------------------- messages
    async def _hear(self, text: str | None) -> None:
        if text is None:
            raise Closed(4400, "Messages are text")
        if requests.is_crowded(text):
            raise Closed(4400, "Messages hold fewer values")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Closed(4400, "Messages are JSON") from None
        if not isinstance(message, dict):
            raise Closed(4400, "A message is an object")
        match message.get("type"):
            case "connection_init":
                await self._initialise(_object(message))
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                self._complete(_id(message))
            case "ping":
                _object(message)
                self._put('{"type":"pong"}')
            case "pong":
                _object(message)
            case _:
                raise Closed(4400, "Unknown type of message")

    async def _initialise(self, payload: dict[str, Any]) -> None:
        if self._initialised:
            raise Closed(4429, "Too many initialisation requests")
        self._initialised = True
        if self._timer is not None:
            self._timer.cancel()
        self._scope = authorised(self._scope, payload)
        try:
            self.actor = await self._live.recognise(self._scope)
        except DatabaseAway:
            raise Closed(1013, "Try again later") from None
        except SessionOver:
            raise Closed(4403, "Forbidden") from None
        if self.actor is not None:
            self._live.broadcast.enter(self)
        if self._live.broadcast.is_stopping:
            raise Closed(1012, "Service restart")
        self._acknowledged = True
        self._put('{"type":"connection_ack"}')

    async def _subscribe(self, message: dict[str, Any]) -> None:
        id = _id(message)
        if not isinstance(message.get("payload"), dict):
            raise Closed(4400, "`payload` must be an object")
        try:
            data = requests.checked(message["payload"])
        except responses.RequestRefused as refused:
            raise Closed(4400, refused.message) from None
        if not self._acknowledged:
            raise Closed(4401, "Unauthorized")
        if id in self._operations:
            raise Closed(4409, f"Subscriber for {id[:80]} already exists")
        self._operations[id] = asyncio.create_task(self._operate(id, data))
        while self._worked_on() >= WORKED_ON_AT_ONCE and not self._reader.is_ending:
            self._free = self._free or asyncio.Event()
            self._free.clear()
            await self._free.wait()

    def _worked_on(self) -> int:
        return sum(isinstance(operation, asyncio.Task) for operation in self._operations.values())

    def _release(self) -> None:
        if self._free is not None:
            self._free.set()

    def _complete(self, id: str) -> None:
        operation = self._operations.pop(id, None)
        if isinstance(operation, Stream):
            self._live.broadcast.part(operation)
        elif operation is not None:
            operation.cancel()

    # -------------------------------------------------------------- operations
    async def _operate(self, id: str, data: Any) -> None:
        """One operation from its message to its answer, or until its stream is live."""
        me = asyncio.current_task()
        try:
            await self._answer(id, data)
        except DatabaseAway:
            self._failed(id, DatabaseAway())
        except Exception as error:
            self._failed(id, error)
        finally:
            if self._operations.get(id) is me:
                del self._operations[id]
            self._release()

    async def _answer(self, id: str, data: Any) -> None:
        live, connection = self._live, HTTPConnection(self._scope)
        refused = await live.admit(connection)
        if refused is not None:
            self._last(id, [refused])
            return
        ready = live.executions.ready(data)
        if ready.prepared.kind is OperationType.SUBSCRIPTION:
            if len(self.streams) + self._opening >= MOST_STREAMS:
                message = f"A socket has at most {MOST_STREAMS} streams at once."
                self._last(id, [{"message": message, "extensions": {"code": "TOO_MANY"}}])
                return
            self._opening += 1
            try:
                stream = await live.open(self, id, ready, connection)
            finally:
                self._opening -= 1
            if isinstance(stream, PreExecutionError):
                self._last(id, failed(stream.errors or []))
            elif id in self._operations:  # unless it was completed or the socket closed meanwhile
                opened, watch = stream
                self._operations[id] = opened
                self._release()
                await live.broadcast.join(opened, watch)
            return
        result = await live.answer(ready, connection)
        if isinstance(result, PreExecutionError):
            self._last(id, failed(result.errors or []))
        else:
            self._next(id, live.written(result))
            self._operations.pop(id, None)
            self._put(f'{{"id":{_quoted(id)},"type":"complete"}}')

    def _failed(self, id: str, error: Exception) -> None:
        """Tell of an error that came up outside of an execution, such as during a replay."""
        stream = self._operations.get(id)
        if isinstance(stream, Stream):
            self._live.broadcast.part(stream)
        shown = self._live.shown([GraphQLError(str(error), original_error=error)], HTTPConnection(self._scope))
        with suppress(KeyError):
            self._last(id, failed(shown))

    def _last(self, id: str, errors: list[dict[str, Any]]) -> None:
        if self._operations.pop(id, None) is not None:
            self._error(id, errors)

    def _error(self, id: str, errors: list[dict[str, Any]]) -> None:
        self._put(responses.encode({"id": id, "type": "error", "payload": errors}).decode())

    def _next(self, id: str, text: str) -> None:
        self._reader.put((id, text), len(text))

    def _put(self, text: str) -> None:
        self._reader.put(text, len(text))


def authorised(scope: Scope, payload: dict[str, Any]) -> Scope:
    """The connection's scope, its `Authorization` being the one of the payload when it has one.

    Raises:
        Closed: 4403, when the payload has something to be let in by, in a form that isn't known here: whoever sent it
            means to be somebody, and nobody is what they would become.
    """
    named = {name: value for name, value in payload.items() if name.lower() == "authorization" and value}
    others = {name: value for name, value in payload.items() if name not in named and name.lower() != "authorization"}
    if not named:
        if _holds_credentials(others):
            raise Closed(4403, "Forbidden")
        return scope
    given, *more = named.values()
    if more or not isinstance(given, str) or not AUTHORIZATION.fullmatch(given):
        raise Closed(4403, "Forbidden")
    kept = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    return {**scope, "headers": [*kept, (b"authorization", given.encode("ascii"))]}


def _holds_credentials(value: Any, level: int = 0) -> bool:
    """Is there something by name or by form to be let in by, at whatever depth?"""
    match value:
        case dict() if level < MOST_NESTED:
            return any(
                bool(inner) and (CREDENTIALS.search(name) is not None or _holds_credentials(inner, level + 1))
                for name, inner in value.items()
            )
        case list() if level < MOST_NESTED:
            return any(_holds_credentials(inner, level + 1) for inner in value)
        case str():
            return TOKEN.match(value) is not None
        case _:
            return isinstance(value, dict | list)  # nested deeper than anything honest


def _id(message: dict[str, Any]) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not id:
        raise Closed(4400, "`id` must be a string that isn't empty")
    return id


def _object(message: dict[str, Any]) -> dict[str, Any]:
    payload = message.get("payload")
    if not isinstance(payload, dict | None):
        raise Closed(4400, "`payload` must be an object")
    return payload or {}


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
