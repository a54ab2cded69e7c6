"""Who is asking: a bearer token, an API key or the session cookie becomes who acts in the operation's context."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from graph.http import accept, csrf, rate_limits
from graph.http.csrf import Trusted
from graph.http.rate_limits import Limits
from models.accounts import sessions
from models.accounts.accounts import Language
from models.accounts.actors import Actor
from models.accounts.devices import KEPT
from models.activities import api_keys
from resolvers import security_log
from resolvers.scope import Office, Scope
from schema.base.context import Context, NoCookies

COOKIE = "rattache_session"
DEVICE_COOKIE = "rattache_device"
HOST = "__Host-"  # a browser takes such a cookie only from this very host, over https, for all of its paths
MOST_AGENT = 255


@dataclass(frozen=True)
class Authentication:
    """Builds the context of each operation. `ready` raises DatabaseAway while the database can't be asked."""

    office: Office
    trusted: Trusted
    limits: Limits
    secure: bool
    ready: Callable[[], None]

    async def context(self, request: HTTPConnection, response: Response | None, request_id: str = "") -> Context:
        """The context of one operation; a token or key that isn't good any more is nobody's: `me` is null, no error.

        Without a response there is nothing to put cookies on.

        Raises:
            DatabaseAway: when the database can't be asked who it is.
        """
        self.ready()
        bearer, cookie = self._tokens(request)
        actor = await self._actor(bearer, cookie)
        scope = self.scope(request, actor)
        scope.request_id = request_id or scope.request_id
        key = api_key_of(request)
        scope.integration = await api_keys.integration_of(key, now=self.office.clock()) if key else None
        if key and scope.integration is None:
            security_log.note(scope, security_log.UNKNOWN_API_KEY, request.url.path)
        if bearer and actor is None:
            security_log.note(scope, security_log.UNKNOWN_SESSION, request.url.path)
        if csrf.may_use_cookie(request, self.trusted):
            scope.device = self.device_of(request)
            scope.replaces = next(iter(self.cookies_of(request).values()), None)

        async def admit(operation: str) -> None:
            await self.limits.admit(scope.source or "", operation)

        cookies = NoCookies() if response is None else ResponseCookies(self, response)
        return Context(scope, cookies=cookies, admit=admit)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return f"{HOST}{COOKIE}" if self.secure else COOKIE

    @property
    def device_cookie(self) -> str:
        """The name of the device's cookie."""
        return f"{HOST}{DEVICE_COOKIE}" if self.secure else DEVICE_COOKIE

    def device_of(self, connection: HTTPConnection) -> str | None:
        """The token of the device that signed in before, of its cookie."""
        return cookie_of(connection, self.device_cookie)

    def cookies_of(self, connection: HTTPConnection) -> dict[str, str]:
        """The session cookies that came, by name, the one that counts first."""
        found = {name: cookie_of(connection, name) for name in dict.fromkeys((self.cookie, COOKIE))}
        return {name: token for name, token in found.items() if token}

    def token_of(self, connection: HTTPConnection) -> str | None:
        """The token that counts, of a bearer or of a cookie."""
        bearer, cookie = self._tokens(connection)
        return bearer or cookie[1]

    def _tokens(self, connection: HTTPConnection) -> tuple[str | None, tuple[str, str | None]]:
        """The token of `Authorization: Bearer` (RFC 6750), and the cookie where it may be used.

        Beside any `Authorization` header, an integration's included, the cookie doesn't count.
        """
        if "authorization" in connection.headers:
            return _authorized(connection, "bearer"), ("", None)
        found = self.cookies_of(connection) if csrf.may_use_cookie(connection, self.trusted) else {}
        return None, next(iter(found.items()), ("", None))

    async def _actor(self, bearer: str | None, cookie: tuple[str, str | None]) -> Actor | None:
        name, token = cookie
        if bearer is None and token is None:
            return None
        # a page of a subdomain could set the cookie without the prefix: it counts only for sessions of before
        before_sources = bearer is None and name != self.cookie
        office = self.office
        return await sessions.actor_of(
            bearer or token or "", now=office.clock(), idle=office.session_idle, before_sources=before_sources
        )

    async def sessions(self, request: Request) -> list[Actor]:
        """Whose sessions the request carries, by bearer token or cookie: to refuse by, whatever page it came from."""
        office = self.office
        bearer = _authorized(request, "bearer")
        tokens = {token for token in (bearer, *self.cookies_of(request).values()) if token}
        found = [await sessions.actor_of(token, now=office.clock(), idle=office.session_idle) for token in tokens]
        return [actor for actor in found if actor is not None]

    def scope(self, connection: HTTPConnection, actor: Actor | None = None, language: Language | None = None) -> Scope:
        """The scope of what this connection asks for, acting as `actor`."""
        wished = language or accept.language_of(connection.headers.get("accept-language", ""))
        return Scope(
            office=self.office,
            actor=actor,
            language=wished or (actor and actor.language) or Language.FR,
            source=rate_limits.source_of(connection),
            user_agent=connection.headers.get("user-agent", "")[:MOST_AGENT].replace("\0", "") or None,
            request_id=str(connection.scope.get("state", {}).get("request_id", "")),
        )


@dataclass(frozen=True)
class ResponseCookies:
    """The cookies of one response: read by no script, sent by no other site's page."""

    entrance: Authentication
    response: Response
    are_kept = True

    def set_session(self, token: str, expires_at: datetime) -> None:
        """The session that was opened, until it ends."""
        self._set(self.entrance.cookie, token, expires=expires_at.astimezone(UTC))
        if self.entrance.secure:
            self._delete(COOKIE)  # of before the prefix

    def set_device(self, token: str) -> None:
        """The device by which it was opened, for as long as a browser keeps a cookie."""
        self._set(self.entrance.device_cookie, token, max_age=int(KEPT.total_seconds()))

    def sign_out(self) -> None:
        """Take the session's away, and what the browser kept of this place; the device's stays.

        `Clear-Site-Data` names no cookies: the device's would go too, and those of every other host of the domain.
        """
        for name in dict.fromkeys((self.entrance.cookie, COOKIE)):
            self._delete(name)
        if self.entrance.secure:
            self.response.headers["clear-site-data"] = '"cache", "storage"'

    def _set(self, name: str, token: str, *, expires: datetime | None = None, max_age: int | None = None) -> None:
        secure = self.entrance.secure
        self.response.set_cookie(
            name, token, expires=expires, max_age=max_age, path="/", secure=secure, httponly=True, samesite="lax"
        )

    def _delete(self, name: str) -> None:
        self.response.delete_cookie(name, path="/", secure=self.entrance.secure, httponly=True, samesite="lax")


def api_key_of(connection: HTTPConnection) -> str | None:
    """The key of `Authorization: ApiKey`, by which an integration comes."""
    return _authorized(connection, "apikey")


def is_authorized(connection: HTTPConnection) -> bool:
    """Does its `Authorization` name a token or a key, good or not?"""
    return any(_authorized(connection, scheme) for scheme in ("bearer", "apikey"))


def _authorized(connection: HTTPConnection, scheme: str) -> str | None:
    given, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() or None if given.lower() == scheme else None


def cookie_of(connection: HTTPConnection, wanted: str) -> str | None:
    """A cookie as it was sent; Starlette's reader takes seconds over a value of quotes and backslashes."""
    pairs = (pair.partition("=") for pair in connection.headers.get("cookie", "").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == wanted), None)
