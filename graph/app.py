"""The ASGI application: everything below put together from one settings object, opened and closed with the server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute, Route, WebSocketRoute
from strawberry.http import GraphQLHTTPResponse
from strawberry.types import ExecutionResult

from graph import secret_key
from graph.endpoint import Endpoint
from graph.files import clamav, downloads, exports, storage
from graph.http import health, hosts
from graph.http.access_log import Traffic
from graph.http.authentication import Authentication
from graph.http.body_limit import Bodies
from graph.http.connections import Connections
from graph.http.csrf import Trusted
from graph.http.hosts import Hosts
from graph.http.metrics import Metrics
from graph.http.rate_limits import Gate, Limits
from graph.live import shutdown
from graph.live.hub import Live
from graph.live.wakeups import Wakeups
from graph.pages import account, actions, graphiql, layout, mail_previews, mailbox, unsubscribe
from graph.settings import Settings
from graph.worker import starting, workers
from mailer.seals import Sealer
from models.accounts.accounts import Language
from models.db import database, timeouts
from models.documents.documents import Quota
from models.errors.errors import DatabaseAway, RateLimited
from resolvers import scope as scopes
from resolvers import security_log
from resolvers.scope import Office
from resolvers.signed_urls import Signer
from schema import schema, sdl
from schema.base.context import Context
from schema.words.wording import explain


def office_of(
    settings: Settings,
    clock: Callable[[], datetime] | None = None,
    bell: workers.Bell | None = None,
    wakeups: Wakeups | None = None,
    noted: Callable[[str], None] = lambda outcome: None,
) -> Office:
    """What all operations of this process share.

    Raises:
        SettingsRefused: when no application key can be kept, or the folder of documents can't be made.
    """
    key, former = secret_key.application_key(settings), settings.former_keys
    rings = [waits.ring for waits in (bell, wakeups) if waits is not None]

    def wake() -> None:
        for ring in rings:
            ring()

    return Office(
        sealer=Sealer(key, settings.mail_domain, former),
        signer=Signer(key, settings.public_url, former),
        clock=clock or scopes.utc_now,
        time_zone=settings.zone,
        session_idle=settings.session_idle,
        store=storage.store_of(settings.storage),
        quota=Quota(settings.documents_most_files, settings.documents_most_bytes),
        scanner=clamav.scanner_of(settings.clamd_url),
        wake=wake,
        replay=settings.live_replay,
        noted=noted,
    )


@dataclass
class Running:
    """What the server holds while it runs: the database, once it is there, its courier and its jobs."""

    settings: Settings
    office: Office
    bell: workers.Bell
    works: bool
    metrics: Metrics = field(default_factory=Metrics)
    prepare: Callable[[Office], Any] | None = None
    limits: Limits = field(default_factory=Limits)
    live: Live | None = None
    is_open: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _crew: workers.Crew | None = None

    def ready(self) -> None:
        """Let pass once the database is open.

        Raises:
            DatabaseAway: until then.
        """
        if not self.is_open:
            raise DatabaseAway("the database isn't open yet")

    async def start(self) -> None:
        """Open the database; while it is away, the server answers without it and goes on trying."""
        self.bell.hang()
        try:
            await starting.open_database(self.settings.database, migrate=True)
        except DatabaseAway as away:
            starting.log.warning("database_away", reason=str(away))
            self._tasks.append(asyncio.create_task(self._open_later()))
        else:
            await self._opened()

    async def stop(self) -> None:
        """Let the courier finish the mail in hand and the jobs their row, and give everything back."""
        if self._crew is not None:
            self._crew.stop()
        else:
            for task in self._tasks:
                task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        if self.live is not None:
            await self.live.stop()
        await self.limits.close()
        if self.is_open:
            self.is_open = False
            await database.close()

    def dismiss(self) -> None:
        """Tell the readers of live streams to connect again, since the server is about to wait for its connections."""
        if self.live is not None:
            self.live.broadcast.stop()

    async def _open_later(self) -> None:
        await starting.opened(self.settings.database, migrate=True)
        await self._opened()

    async def _opened(self) -> None:
        if self.prepare is not None:
            await self.prepare(self.office)
        with timeouts.patient(timeouts.WORK):  # which the tasks that are started here have too
            if self.live is not None:
                await self.live.start()
            if self.works:
                self._crew = workers.Crew(self.settings, self.office, self.bell, self.metrics)
                self._tasks.append(asyncio.create_task(self._crew.run()))
        self.is_open = True


class MeasuredEndpoint(Endpoint):
    """The endpoint, which leaves word of each operation's outcome for the measures."""

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        """The response map."""
        codes = [str((error.extensions or {}).get("code", "INTERNAL")) for error in result.errors or ()]
        request.state.outcome = codes[0] if codes else "ok"
        return await super().process_result(request, result)


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    sends: bool = True,
    on_loopback: bool = True,
    prepare: Callable[[Office], Any] | None = None,
    settle: Callable[[], object] = lambda: None,
) -> Starlette:
    """The server's application; `sends` runs courier and jobs in it, `prepare` is awaited once the database is open.

    `settle` is called once all of it has started.

    Raises:
        SettingsRefused: when no application key can be kept.
    """
    metrics = Metrics()
    bell = workers.Bell()
    wakeups = Wakeups(settings.database, settings.redis_url, partial(metrics.redis, "wakings"))
    limits = Limits(settings.rate_limits, settings.redis_url, partial(metrics.redis, "limits"))
    connections = Connections(
        settings.connections, settings.connections_per_source, settings.forwarded_allow_ips,
        metrics.refuse,
    )  # fmt: skip
    office = office_of(settings, clock, bell, wakeups, metrics.note)
    running = Running(settings, office, bell, sends, metrics, prepare, limits)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Connections]]:
        await running.start()
        settle()
        try:
            with shutdown.heard(running.dismiss):
                yield {"connections": connections}  # which is how each connection comes to know them
        finally:
            await running.stop()

    middleware = [Middleware(Traffic, metrics=metrics, encrypted=settings.public_url.startswith("https://"))]
    middleware.append(Middleware(Hosts, known=hosts.known_to(settings)))
    if settings.allowed_origins:
        middleware.append(_cors(settings))
    return Starlette(
        routes=routes(settings, running, metrics, on_loopback, wakeups, connections),
        middleware=middleware,
        lifespan=lifespan,
    )


def routes(
    settings: Settings,
    running: Running,
    metrics: Metrics,
    on_loopback: bool,
    wakeups: Wakeups,
    connections: Connections,
) -> list[BaseRoute]:
    """Every address the server answers at."""
    trusted = Trusted(settings.public_url, settings.allowed_origins)
    limits = running.limits
    entrance = Authentication(running.office, trusted, limits, secure=not settings.is_local, ready=running.ready)
    endpoint = MeasuredEndpoint(
        schema,
        build_context=entrance.context,
        explain=explain,
        default_language=Language.FR,
        page=graphiql.page if settings.has_graphiql else None,
        introspection=settings.has_introspection,
        notice=_note,
    )
    endpoint.live = running.live = Live(endpoint.executions, entrance, metrics, wakeups)

    def limited(connection: HTTPConnection, error: RateLimited) -> None:
        security_log.note_refusal(entrance.scope(connection), error, connection.url.path)

    graphql = Gate(Bodies(endpoint), limits, limited, connections)
    shows_mails = settings.smtp is None and settings.is_local and on_loopback
    sign_in_url = settings.account_app_url or ("/graphql" if settings.has_graphiql else None)
    return [
        Route("/graphql", endpoint=graphql),
        WebSocketRoute("/graphql", endpoint=graphql),
        *exports.routes(entrance),
        *downloads.routes(entrance),
        *account.routes(actions.factory(entrance), explain, trusted=trusted, sign_in_url=sign_in_url),
        *unsubscribe.routes(actions.factory(entrance), explain),
        *account.home_routes(
            sdl=sdl() if settings.has_introspection else None, graphiql=settings.has_graphiql, mails=shows_mails
        ),
        *layout.routes(),
        *(graphiql.routes() if settings.has_graphiql else []),
        *(mail_previews.routes(workers.letterhead(settings)) if shows_mails else []),
        *(mailbox.routes(settings.mails) if shows_mails else []),
        *health.routes(metrics if settings.has_metrics else None, running.ready, running.office.clock),
    ]


def _note(context: Context, error: BaseException, field: str) -> None:
    """Tell the security log of an error that a field raised."""
    security_log.note_refusal(context.scope, error, field, field)


def _cors(settings: Settings) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=list(settings.allowed_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "graphql-require-preflight", "apollo-require-preflight"],
        allow_credentials=True,
        expose_headers=["retry-after", "x-request-id"],
        max_age=600,
    )
