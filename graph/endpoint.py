"""`/graphql`: the GraphQL-over-HTTP specification on top of Strawberry's ASGI view, and the way to the live streams."""

import copy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from cross_web import AsyncHTTPRequestAdapter, HTTPException, StarletteRequestAdapter
from graphql import GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from graph.execution import complexity, executor, masking
from graph.execution.executor import Executions
from graph.execution.extension import OperationSteps, PlainExecutor
from graph.http import multipart, requests, responses
from graph.live import graphql_sse
from graph.live.graphql_sse import EventStream
from graph.live.graphql_ws import Socket
from graph.live.hub import Live

# What keeps a request from being served at all shows in the status, whatever the media type.
STATUSES = {"UNAUTHENTICATED": 401, "RATE_LIMITED": 429, "UNAVAILABLE": 503, "INTERNAL": 500}
CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 415: "UNSUPPORTED_MEDIA_TYPE"}


class Reader(Protocol):
    """What the endpoint knows of a context: the language of whoever reads the answer."""

    @property
    def language(self) -> Any:
        """One of the languages that `explain` takes."""

    @property
    def is_known(self) -> bool:
        """Is it somebody, rather than nobody?"""


Context = TypeVar("Context", bound=Reader)


class Endpoint(GraphQL[Any, None]):
    """The ASGI application behind `/graphql`; without `live`, WebSockets are refused and nothing is streamed."""

    live: Live | None = None

    def __init__(
        self,
        schema: BaseSchema,
        build_context: Callable[[Request, Response], Awaitable[Reader]],
        explain: Callable[[masking.Expected, Any], str],
        default_language: Any,
        page: Callable[[Request], Awaitable[Response]] | None = None,
        limits: complexity.Limits | None = None,
        introspection: bool = True,
        notice: executor.Notice = executor.unnoticed,
    ) -> None:
        """`build_context` is called once an operation is known to be executable; `page` answers browsers.

        `notice` is told, with the context and the name of the field, of every error that a field raised.
        """
        served: Any = copy.copy(schema)
        served.extensions = (OperationSteps, *served.extensions)
        served.execution_context_class = PlainExecutor
        super().__init__(served, graphql_ide="graphiql" if page else None, subscription_protocols=())
        given = limits or complexity.Limits()
        given = given if introspection else replace(given, introspections=0)
        self.executions = Executions(served, given, explain, default_language, notice)
        self.build_context = build_context
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with well-formed GraphQL, whatever was sent."""
        if scope["type"] == "websocket" and self.live is not None:
            await Socket(self.live, scope, receive, send).serve()
            return
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close()  # before it is accepted: the handshake is answered 403
            return
        request = Request(scope, receive)
        try:
            response = await self._answered(request)
            if getattr(request.state, "is_unread", False) and isinstance(response, Response):
                response.headers["connection"] = "close"
            await response(scope, receive, send)
        except ClientDisconnect:
            return  # nobody is left to read an answer
        finally:
            multipart.close(request)

    async def _answered(self, request: Request) -> ASGIApp:
        accept = accepted(request)
        try:
            if self.live is not None and graphql_sse.is_taken(accept):
                stream = await self._streamed(self.live, request, accept)
                if stream is not None:
                    return stream
            return await self.run(request)
        except responses.RequestRefused as refused:
            return responses.refuse(refused, accept)
        except HTTPException as refused:
            code = CODES.get(refused.status_code, "BAD_REQUEST")
            return responses.refuse(responses.RequestRefused(refused.status_code, code, refused.reason), accept)
        except ClientDisconnect:
            raise
        except Exception as error:  # the last place where it can be logged and masked
            found = [GraphQLError(str(error), original_error=error)]
            shown = self.executions.masking.shown(found, self.executions.language, request_id(request))
            body = responses.encode({"errors": [error.formatted for error in shown]})
            return responses.respond(body, responses.preferred(accept) or responses.JSON, 500)

    async def _streamed(self, live: Live, request: Request, accept: str) -> ASGIApp | None:
        """The event stream that was asked for; None where JSON is liked as well and will do.

        Raises:
            answers.RequestRefused: when the request isn't of its form, or its method not for that.
        """
        if self._wants_page(request):
            return None
        check_method(request.method)
        stream = EventStream(live, request, await asked(request))
        prefers_json = (
            responses.preferred(accept, (*responses.OFFERED, graphql_sse.MEDIA_TYPE)) != graphql_sse.MEDIA_TYPE
        )
        if prefers_json and stream.kind is not OperationType.SUBSCRIPTION:
            return None
        if stream.kind is OperationType.MUTATION:
            check_kind(stream.kind, request.method)
        request.state.is_stream = True
        return stream

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        """The response that fields may add cookies and headers to; it carries the media type agreed on.

        Raises:
            answers.RequestRefused: 405 for another method than GET and POST, 406 when no media type suits.
        """
        check_method(request.scope["method"])
        response = await super().get_sub_response(request)
        response.media_type = responses.preferred(accepted(request))
        if response.media_type is None and not self._wants_page(request):
            message = f"Answers come as {responses.GRAPHQL_RESPONSE} or {responses.JSON}."
            raise responses.RequestRefused(406, "NOT_ACCEPTABLE", message)
        return response

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Any:
        """Nothing yet: the context is built for each operation, once it is known to be executable."""
        return None

    def should_render_graphql_ide(self, request: Any) -> bool:
        """Is this a browser asking for the page rather than a client asking a question?"""
        return self._wants_page(request)

    def _wants_page(self, request: Any) -> bool:
        offered = (responses.JSON, responses.GRAPHQL_RESPONSE, responses.HTML)
        return (
            self.page is not None
            and request.method == "GET"
            and "query" not in request.query_params
            and responses.preferred(request.headers.get("accept", ""), offered) == responses.HTML
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        """The page that was injected."""
        assert self.page is not None
        return await self.page(request)

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        """The operation that is asked for.

        Raises:
            answers.RequestRefused: when the request isn't of its form.
        """
        assert isinstance(request, StarletteRequestAdapter)
        return await asked(request._request)

    def encode_json(self, data: object) -> bytes:
        """UTF-8 JSON."""
        return responses.encode(data)

    async def execute_single(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        sub_response: Response,
        context: Any,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """Prepare, weigh, execute and mask one operation; the cost is in the extensions of the answer."""
        ready = self.executions.ready(request_data)
        if ready.prepared.kind is not None:
            check_kind(ready.prepared.kind, request_adapter.method)
        build = partial(self.build_context, request, sub_response)
        result = await self.executions.run(ready, build, request_id(request))
        if isinstance(result, PreExecutionError):
            self._refused(result.errors or [], sub_response)
        return result

    def _refused(self, errors: Sequence[GraphQLError], response: Response) -> None:
        """Set the status of an operation that wasn't executed: it goes by the media type and the first error."""
        details = errors[0].extensions or {}
        refused = 400 if response.media_type == responses.GRAPHQL_RESPONSE else 200
        response.status_code = STATUSES.get(str(details.get("code")), refused)
        if "retryAfter" in details:
            response.headers["retry-after"] = str(details["retryAfter"])
        if response.status_code == 401:
            response.headers["www-authenticate"] = "Bearer"

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """The response map, without `data` when nothing was executed."""
        processed = await super().process_result(request, result)
        if isinstance(result, PreExecutionError):
            del processed["data"]
        return processed

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """The HTTP response, with what fields added to it."""
        media_type = sub_response.media_type or responses.JSON
        response = responses.respond(self.encode_json(response_data), media_type, sub_response.status_code or 200)
        response.headers.raw.extend(sub_response.headers.raw)
        response.background = sub_response.background
        return response


async def asked(request: Request) -> GraphQLRequestData:
    """The operation that a request asks for, in its query, its JSON body or its form.

    Raises:
        answers.RequestRefused: when the request isn't of its form.
    """
    if not hasattr(request.state, "asked"):
        request.state.asked = await _received(request)
    found: GraphQLRequestData = request.state.asked
    return found


async def _received(request: Request) -> GraphQLRequestData:
    content_type = request.headers.get("content-type", "")
    if request.method == "GET":
        return requests.from_query(dict(request.query_params))
    if multipart.is_multipart(content_type):
        return await multipart.received(request)
    return requests.from_body(content_type, await request.body())


def accepted(request: Request | WebSocket) -> str:
    """All that the client accepts, as one `Accept` header."""
    return ",".join(request.headers.getlist("accept"))


def check_method(method: str) -> None:
    """Let GET and POST pass.

    Raises:
        answers.RequestRefused: 405 for any other.
    """
    if method not in ("GET", "POST"):
        message = "GraphQL is served by GET and POST."
        raise responses.RequestRefused(405, "METHOD_NOT_ALLOWED", message, {"allow": "GET, POST"})


def check_kind(kind: OperationType | None, method: str) -> None:
    """Let queries pass by GET, queries and mutations by POST.

    Raises:
        answers.RequestRefused: 405 for a mutation by GET, 400 for a subscription.
    """
    if kind is OperationType.SUBSCRIPTION:
        raise responses.RequestRefused(400, "BAD_REQUEST", "A subscription needs a stream; this is one answer.")
    if kind is OperationType.MUTATION and method == "GET":
        message = "A mutation is sent by POST."
        raise responses.RequestRefused(405, "METHOD_NOT_ALLOWED", message, {"allow": "POST"})


def request_id(request: Request) -> str:
    """The id that log lines and masked errors share: the one given by an outer middleware, or a new one."""
    if not isinstance(getattr(request.state, "request_id", None), str):
        request.state.request_id = uuid4().hex
    return str(request.state.request_id)
