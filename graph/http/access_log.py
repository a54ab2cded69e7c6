"""The outermost layer of the server: an id, a log line, a measure and the security headers for every request."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.http.metrics import Metrics

# Of the id that a client or proxy gives no more is made than to note it beside our own.
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# What an answer says when the page that made it said nothing itself.
HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
TWO_YEARS = "max-age=63072000; includeSubDomains"

log = structlog.get_logger(__name__)


class Traffic:
    """Wraps the application. What is logged is the path alone: a query may carry the token of a mailed link."""

    def __init__(self, app: ASGIApp, metrics: Metrics, encrypted: bool) -> None:
        self.app = app
        self.metrics = metrics
        self.headers = HEADERS | ({"strict-transport-security": TWO_YEARS} if encrypted else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what nobody caught is logged here and answered 500."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid4().hex
        given = Headers(scope=scope).get("x-request-id", "")
        foreign = {"foreign_request_id": given} if GIVEN_ID.fullmatch(given) else {}
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, told)
        except Exception:
            log.exception("request_failed", request_id=request_id, path=scope["path"], **foreign)
            if not status:
                await PlainTextResponse("Internal Server Error", 500)(scope, receive, told)
        finally:
            seconds = time.perf_counter() - began
            outcome = str(state.get("outcome", ""))
            if "is_stream" not in state:  # for as long as it lasts is no time to answer
                self.metrics.observe(scope["path"], status, outcome, seconds)
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round(seconds * 1000, 1),
                **({"outcome": outcome} if outcome else {}),
                **foreign,
            )
