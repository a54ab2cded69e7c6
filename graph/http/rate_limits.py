"""Limits per source: how often one address on the network may ask, in memory or shared through Redis."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.http import responses, sources
from graph.http.connections import Connections
from models.errors.errors import RateLimited

EVERYTHING = RateLimitItemPerMinute(600)
ONE_OPERATION = RateLimitItemPerMinute(30)
REDIS_SECONDS = 0.5
PAUSE_SECONDS = 10.0  # how long Redis is left alone after it failed

log = structlog.get_logger(__name__)


def source_of(connection: HTTPConnection) -> str:
    """The source that a request is counted for."""
    return sources.of_host(connection.client.host if connection.client else "")


@dataclass
class Limits:
    """Counts by source; while Redis is away each process counts by itself, and nobody is refused for it."""

    on: bool = True
    redis_url: str | None = None
    tell: Callable[[bool], object] = lambda answers: None  # whether Redis answers, each time that it fails or is back
    _local: SlidingWindowCounterRateLimiter = field(init=False)
    _shared: SlidingWindowCounterRateLimiter | None = field(init=False, default=None)
    _pool: ConnectionPool | None = field(init=False, default=None)
    _shared_again_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._local = SlidingWindowCounterRateLimiter(MemoryStorage())
        if self.redis_url:
            self._pool = ConnectionPool.from_url(
                self.redis_url,
                socket_connect_timeout=REDIS_SECONDS,
                socket_timeout=REDIS_SECONDS,
                retry=Retry(NoBackoff(), 0),  # each process counts by itself meanwhile
            )
            self._shared = SlidingWindowCounterRateLimiter(_redis(self.redis_url, self._pool))

    async def close(self) -> None:
        """Give the connections to Redis back."""
        if self._pool is not None:
            await self._pool.aclose()

    async def admit(self, source: str, operation: str) -> None:
        """Count one call of a public operation.

        Raises:
            RateLimited: when there were more than 30 of it from the source within a minute.
        """
        await self.count(ONE_OPERATION, operation, source)

    async def count(self, item: RateLimitItem, *key: str) -> None:
        """Count one of what `item` allows.

        Raises:
            RateLimited: when it allows no more for now.
        """
        if not self.on:
            return
        limiter = self._limiter()
        try:
            await _hit(limiter, item, key)
            if limiter is self._shared and self._shared_again_at:
                self._shared_again_at = 0.0
                self.tell(True)
        except (RedisError, StorageError, OSError) as error:
            self._shared_again_at = time.monotonic() + PAUSE_SECONDS
            self.tell(False)
            log.warning("redis_away", error=type(error).__name__)
            await _hit(self._local, item, key)

    def _limiter(self) -> SlidingWindowCounterRateLimiter:
        if self._shared is None or time.monotonic() < self._shared_again_at:
            return self._local
        return self._shared


async def _hit(limiter: SlidingWindowCounterRateLimiter, item: RateLimitItem, key: tuple[str, ...]) -> None:
    if not await limiter.hit(item, *key):
        window = await limiter.get_window_stats(item, *key)
        raise RateLimited(max(1, math.ceil(window.reset_time - time.time())))


def _redis(url: str, pool: ConnectionPool) -> Storage:
    options: dict[str, Any] = {"connection_pool": pool}  # of redis's own, which the storage's types don't say
    return RedisStorage(f"async+{url}", implementation="redispy", key_prefix="rattache", **options)


class Gate:
    """Lets at most 600 requests a minute of each source through to `app`, and no more at once than it may connect.

    Behind a proxy the connections are the proxy's, whoever is behind it: what lasts is counted here by its own source.
    `notice` is told of those that get 429.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        notice: Callable[[HTTPConnection, RateLimited], None],
        connections: Connections | None = None,
    ) -> None:
        self.app = app
        self.limits = limits
        self.notice = notice
        self.at_once = (connections or Connections()).apart()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer 429 with a GraphQL error that says when to come back."""
        source = source_of(HTTPConnection(scope))
        try:
            await self.limits.count(EVERYTHING, "requests", source)
            if not self.at_once.enter(source):
                raise RateLimited(1)
        except RateLimited as limited:
            self.notice(HTTPConnection(scope), limited)
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})  # before it is accepted: the handshake is answered 403
                return
            extensions = {"code": "RATE_LIMITED", "retryAfter": limited.retry_after}
            error = {"message": "Too many requests from this address; wait a little.", "extensions": extensions}
            media_type = responses.preferred(Headers(scope=scope).get("accept", "")) or responses.JSON
            headers = {"retry-after": str(limited.retry_after)}
            response = responses.respond(responses.encode({"errors": [error]}), media_type, 429, headers)
            await response(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self.at_once.leave(source)
