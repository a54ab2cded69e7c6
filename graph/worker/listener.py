"""Where a worker may be asked how it is doing: an address of its own, by `WORKER_LISTEN`, with the server's answers."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from graph.http import health
from graph.http.access_log import Traffic
from graph.http.connections import Connections, Entrance
from graph.http.metrics import Metrics
from graph.settings import Settings, SettingsRefused, place_of

MOST_CONNECTIONS = 100
MOST_OF_A_SOURCE = 20
GRACE_SECONDS = 2


class Listener(uvicorn.Server):
    """A server beside the work, which hears the signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever has them."""
        yield


@asynccontextmanager
async def answering(
    settings: Settings, metrics: Metrics, ready: Callable[[], None], clock: Callable[[], datetime]
) -> AsyncIterator[None]:
    """While the block lasts, `/healthz`, `/readyz` and `/metrics` are answered where the settings say, if they do.

    Raises:
        SettingsRefused: when nobody can listen there.
    """
    if settings.worker_listen is None:
        yield
        return
    listened = _opened(settings.worker_listen)
    # the address is told to none but those who watch, so what is measured is shown unless that is switched off
    shown = None if settings.metrics is False else metrics
    config = uvicorn.Config(
        _application(metrics, health.routes(shown, ready, clock)),
        http=Entrance,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Listener(config)
    serving = asyncio.create_task(server.serve([listened]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _application(metrics: Metrics, routes: list[BaseRoute]) -> Starlette:
    connections = Connections(MOST_CONNECTIONS, MOST_OF_A_SOURCE, (), metrics.refuse)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Connections]]:
        yield {"connections": connections}

    return Starlette(
        routes=routes, middleware=[Middleware(Traffic, metrics=metrics, encrypted=False)], lifespan=lifespan
    )


def _opened(place: str) -> socket.socket:
    address = place_of(place)
    assert address is not None  # as the settings' own look found
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    except OSError as error:
        raise SettingsRefused(
            f"WORKER_LISTEN can't be listened at, {place}: {os.strerror(error.errno or 0)}."
        ) from error
