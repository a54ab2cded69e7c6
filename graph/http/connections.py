"""What the server grants a connection: so much of a head, so long for it, and only so many at once.

uvicorn takes heads of any length, waits for them without end, and closes what it refuses while the other side still
writes, which then sees a broken connection in place of the answer. What is refused before an application could see it
is answered here, as a GraphQL error in JSON, for every path.
"""

import asyncio
import ipaddress
import resource
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from graph.http import responses, sources
from graph.http.protocols import HttpProtocol

KIBIBYTE = 1024
MOST_HEAD_BYTES = 32 * KIBIBYTE
MOST_HEAD_LINES = 100
MOST_SOCKET_LINE = 8 * KIBIBYTE - 64  # websockets takes no longer one, and then neither answers nor closes
HEAD_SECONDS = 10.0
REST_SECONDS = 10.0  # for what is left of a body once its answer is out
LINGER_SECONDS = 10.0
LINGER_BYTES = 20 * KIBIBYTE * KIBIBYTE  # of one request, with what the application has read of it
PIECE_BYTES = 16 * KIBIBYTE  # read at a time, so that what a client pipelines is no more than this ahead
KEPT_DESCRIPTORS = 256  # of the process's: for the database, files and mails
QUIET_SECONDS = 10.0  # between two log lines about refusals

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Refusal:
    """An answer to what no application sees."""

    status: HTTPStatus
    code: str
    message: str

    def written(self, headers: Collection[tuple[bytes, bytes]] = ()) -> bytes:
        """The bytes of the response, after which the connection is closed."""
        body = responses.encode({"errors": [{"message": self.message, "extensions": {"code": self.code}}]})
        own = (
            (b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"), (b"connection", b"close"),
        )  # fmt: skip
        lines = [name + b": " + value + b"\r\n" for name, value in (*headers, *own)]
        return b"".join((STATUS_LINE[self.status], *lines, b"\r\n", body))


TOO_LARGE = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "HEADERS_TOO_LARGE",
    f"A request has at most {MOST_HEAD_BYTES} bytes of headers in at most {MOST_HEAD_LINES} lines.",
)  # fmt: skip
TOO_SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "REQUEST_TIMEOUT", f"The headers didn't arrive within {HEAD_SECONDS:g} seconds."
)
MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "This isn't well-formed HTTP.")
NO_HOST = Refusal(HTTPStatus.BAD_REQUEST, "BAD_REQUEST", "A request of HTTP/1.1 names its host, once (RFC 9112, 3.2).")
TOO_MANY = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", "There are too many connections; come back later."
).written()


class Connections:
    """Counts the connections of a process, in all and by source, and what was refused of them."""

    def __init__(
        self,
        most: int = 10_000,
        most_of_a_source: int = 512,
        proxies: Collection[str] = (),
        count: Callable[[str], object] = lambda reason: None,
    ) -> None:
        """`proxies` are addresses and networks whose connections are many people's; `count` takes refusals' reasons."""
        self.most = most
        self.most_of_a_source = most_of_a_source
        self.open = 0
        self._networks = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._of: Counter[str] = Counter()
        self._count = count
        self._unlogged = 0
        self._quiet_until = 0.0

    def apart(self) -> "Connections":
        """Others, by the same bounds."""
        return Connections(self.most, self.most_of_a_source, [str(network) for network in self._networks], self._count)

    def enter(self, source: str) -> bool:
        """Is there room for one more of the source? It is counted then, until it leaves."""
        if self.open >= self.most:
            self.refuse("all", source)
            return False
        if self._of[source] >= self.most_of_a_source and not self._is_proxy(source):
            self.refuse("source", source)
            return False
        self.open += 1
        self._of[source] += 1
        return True

    def leave(self, source: str) -> None:
        """Count one less."""
        self.open -= 1
        self._of[source] -= 1
        if not self._of[source]:
            del self._of[source]

    def refuse(self, reason: str, source: str) -> None:
        """Note a refusal; of many there is one log line in a while."""
        self._count(reason)
        self._unlogged += 1
        if time.monotonic() >= self._quiet_until:
            log.warning("connections_refused", reason=reason, source=source, number=self._unlogged)
            self._unlogged, self._quiet_until = 0, time.monotonic() + QUIET_SECONDS

    def _is_proxy(self, source: str) -> bool:
        try:
            address = ipaddress.ip_address(source.partition("/")[0])
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def room(wanted: int) -> int:
    """How many connections this process can hold, `wanted` at most, once it may open as many files as it is let."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + KEPT_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - KEPT_DESCRIPTORS))


class Flow(FlowControl):
    """The transport's reading, which can be held back whoever else asks for it to go on."""

    is_held = False

    def resume_reading(self) -> None:
        """Go on reading, unless it is held back."""
        if not self.is_held:
            super().resume_reading()

    def hold(self, on: bool) -> None:
        """Read no more, or let it go on."""
        self.is_held = on
        if on:
            self.pause_reading()
        else:
            self.resume_reading()


class _Ending:
    """The transport as a response sees it, whose `close` is the connection's."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class Entrance(asyncio.Protocol):
    """Every connection at first: one that there is room for becomes HTTP, any other is told so and closed.

    A flood of connections costs its refusals alone: nothing is made of one that can't stay.
    """

    __slots__ = ("_given",)

    def __init__(self, **given: Any) -> None:
        """`given` is what uvicorn gives a protocol of its own."""
        self._given = given

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        everyone: Connections = self._given["app_state"].get("connections") or Connections()
        source = source_of(transport)
        if everyone.enter(source):
            admitted = HttpConnection(everyone, source, **self._given)
            transport.set_protocol(admitted)
            admitted.connection_made(transport)
        else:
            transport.write(TOO_MANY)
            transport.close()


class HttpConnection(HttpProtocol):
    """One connection that speaks HTTP, within the bounds."""

    def __init__(self, everyone: Connections, source: str, **given: Any) -> None:
        """One of `everyone`, counted for `source` already."""
        super().__init__(**given)
        self._all = everyone
        self._source: str | None = source  # as long as it is counted
        self._refusal: Refusal | None = None
        self._is_deaf = self._is_lingering = False
        self._awaits_head, self._is_in_head = True, False
        self._head_bytes = self._head_lines = 0
        self._overhead = self._body_bytes = 0  # of this message: bytes that are no body, and that are
        self._messages = 0
        self._room = LINGER_BYTES
        self._held = b""
        self._phase: tuple[str, int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -------------------------------------------------------------- the connection
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self._ending = _Ending(transport, self._close)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        lines = (len(name) + len(value) + 2 for name, value in self.headers)
        if max(len(self.url), *lines) > MOST_SOCKET_LINE:
            self._refuse(TOO_LARGE)
            return
        self._leave()
        super().handle_websocket_upgrade()

    def _leave(self) -> None:
        self._is_deaf, self._held = True, b""
        self._set_timer(None)
        if self._source is not None:
            self._all.leave(self._source)
            self._source = None

    # -------------------------------------------------------------- what comes in
    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            self._spend(len(data))
        elif self._held:
            self._held += data
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if self._is_deaf or self.transport.is_closing():
                break
            if self.pipeline:  # requests wait already: the rest is read when none does
                self._held = data[start:]
                self.flow.hold(True)
                break
            self._feed(data[start : start + PIECE_BYTES])
        self._watch()

    def _feed(self, piece: bytes) -> None:
        self._unset_keepalive_if_required()
        self._overhead += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
        except httptools.HttpParserError:
            self._refuse(self._refusal or MALFORMED)
        else:
            # chunks of a few bytes cost as much as long ones, and what stands beside them may be of any length
            if self._overhead > MOST_HEAD_BYTES + self._body_bytes // 16:
                self._refuse(TOO_LARGE if self._awaits_head else MALFORMED)

    def on_message_begin(self) -> None:
        self._is_in_head = True
        self._head_bytes = self._head_lines = 0
        self._messages += 1
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_lines += 1
        self._count(len(name) + len(value) + 4)
        if self._is_in_head:  # what comes behind a body is no header (RFC 9110, 6.5.1)
            super().on_header(name, value)

    def _count(self, number: int) -> None:
        self._head_bytes += number
        if self._head_bytes > MOST_HEAD_BYTES or self._head_lines > MOST_HEAD_LINES:
            self._give_up(TOO_LARGE)

    def _give_up(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise ValueError(refusal.message)  # the parser stops, and says so

    def on_headers_complete(self) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            self._give_up(NO_HOST)
        self._awaits_head = self._is_in_head = False
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.transport = self._ending  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        self._body_bytes += len(body)
        if self.cycle is not None and self.cycle.response_complete:
            self._spend(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._overhead = self._body_bytes = 0
        self._awaits_head = True
        super().on_message_complete()

    # -------------------------------------------------------------- what goes out
    def on_response_complete(self) -> None:
        if self._is_lingering:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self._held and not self.pipeline and not self._is_deaf:
            held, self._held = self._held, b""
            self.flow.hold(False)
            self._take(held)
        else:
            self._watch()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer in place of an application, or let the answers under way be the last."""
        self._all.refuse(refusal.code, self._source or "")
        self._is_deaf = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # it was the next request that can't be read
                cycle.keep_alive = False
                self.flow.hold(True)
                return
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True  # as the application is told
            cycle.message_event.set()
        self.transport.write(refusal.written(self.server_state.default_headers))
        self._linger(KIBIBYTE * KIBIBYTE)

    def _close(self) -> None:
        """Close behind a response: gently when the other side may still be writing."""
        if self._is_deaf or self.cycle.more_body:
            self._linger(max(LINGER_BYTES - self._body_bytes, KIBIBYTE * KIBIBYTE))
        else:
            self.transport.close()

    def _linger(self, most: int) -> None:
        """Let the other side read what was written before it learns that nobody reads what it writes."""
        if self.transport.is_closing() or self._is_lingering:
            return
        self._is_deaf = self._is_lingering = True
        self._room, self._held = most, b""
        self._unset_keepalive_if_required()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.hold(False)
        self._set_timer(LINGER_SECONDS)

    def _spend(self, number: int) -> None:
        self._room -= number
        if self._room < 0:
            self.transport.close()

    # -------------------------------------------------------------- what is waited for
    def _watch(self) -> None:
        """Have the clock run for what the other side owes, if anything."""
        phase = None if self._is_deaf else self._owed()
        if phase != self._phase and not self._is_lingering:
            self._phase = phase
            seconds = {"head": HEAD_SECONDS, "rest": REST_SECONDS, "idle": float(self.timeout_keep_alive)}
            self._set_timer(seconds[phase[0]] if phase else None)

    def _owed(self) -> tuple[str, int] | None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if not self._awaits_head:
            return None if is_answering else ("rest", self._messages)
        if self._is_in_head or self._overhead or self.cycle is None:
            return ("head", self._messages)
        return None if is_answering or self.timeout_keep_alive_task else ("idle", self._messages)

    def _late(self) -> None:
        self._timer = None
        if self._is_lingering or self._phase is None or self._phase[0] != "head" or not self._overhead:
            self.transport.close()
        else:
            self._refuse(TOO_SLOW)

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._late)


def source_of(transport: asyncio.BaseTransport) -> str:
    """The source that a connection is counted for."""
    peer = transport.get_extra_info("peername")
    return sources.of_host(str(peer[0]) if isinstance(peer, tuple) else "")
