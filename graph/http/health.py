"""What watches the server may ask: is it alive, can it serve, how is it doing."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from graph.http.metrics import Metrics
from models.db import database
from models.errors.errors import DatabaseAway
from models.mail import outbox

READY_SECONDS = 1.5  # whoever asks whether the server is ready waits for no database that says nothing
NEVER_KEPT = {"Cache-Control": "no-store"}


def routes(metrics: Metrics | None, ready: Callable[[], None], clock: Callable[[], datetime]) -> list[BaseRoute]:
    """`/healthz`, `/readyz` and `/metrics`; `ready` raises DatabaseAway until the database is open and migrated.

    Without `metrics` nothing but yes and no is told.
    """

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=NEVER_KEPT)

    async def able(_: Request) -> Response:
        try:
            ready()
            async with asyncio.timeout(READY_SECONDS):
                await database.must_be_writable()
                unsent, since = await outbox.waiting()
        except (DatabaseAway, TimeoutError):
            told = {"database": "away"} if metrics else {"ready": False}
            return JSONResponse(told, 503, NEVER_KEPT | {"Retry-After": "5"})
        if metrics is None:
            return JSONResponse({"ready": True}, headers=NEVER_KEPT)
        age = (clock() - since).total_seconds() if since else 0.0
        details = {"database": "ok", "unsentMails": unsent, "oldestUnsentSeconds": max(0.0, age)}
        return JSONResponse(details, headers=NEVER_KEPT)

    async def measures(_: Request) -> Response:
        assert metrics is not None
        try:
            ready()
            async with asyncio.timeout(READY_SECONDS):
                metrics.outbox(*await outbox.waiting(), clock())
        except (DatabaseAway, TimeoutError):
            metrics.outbox_unknown()
        return Response(metrics.text(), headers=NEVER_KEPT, media_type=CONTENT_TYPE_LATEST)

    shown = [Route("/metrics", measures)] if metrics is not None else []
    return [Route("/healthz", alive), Route("/readyz", able), *shown]
