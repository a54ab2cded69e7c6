"""Who is asking: a bearer token, an API key or the session cookie becomes who acts in the operation's context."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from graph import accept, limits, origins
from graph.limits import Limits
from graph.origins import Trusted
from models import keys, sessions
from models.accounts import Language
from models.actors import Actor
from resolvers.scope import Office, Scope
from schema.context import Context

COOKIE = "rattache_session"
MOST_AGENT = 255


@dataclass(frozen=True)
class Authentication:
    """Builds the context of each operation. `ready` raises DatabaseAway while the database can't be asked."""

    office: Office
    trusted: Trusted
    limits: Limits
    secure: bool
    ready: Callable[[], None]

    async def context(self, request: HTTPConnection, response: Response) -> Context:
        """The context of one operation; a token or key that isn't good any more is nobody's: `me` is null, no error.

        Raises:
            DatabaseAway: when the database can't be asked who it is.
        """
        self.ready()
        token = token_of(request, self.trusted)
        office = self.office
        actor = await sessions.actor_of(token, now=office.clock(), idle=office.session_idle) if token else None
        scope = self.scope(request, actor)
        key = api_key_of(request)
        scope.integration = await keys.integration_of(key) if key else None

        def set_cookie(token: str | None, expires_at: datetime | None) -> None:
            self._set_cookie(response, token, expires_at)

        async def admit(operation: str) -> None:
            await self.limits.admit(scope.source or "", operation)

        return Context(scope, set_cookie=set_cookie, admit=admit)

    async def sessions(self, request: Request) -> list[Actor]:
        """Whose sessions the request carries, by bearer token or cookie: to refuse by, whatever page it came from."""
        office = self.office
        bearer = token_of(request, self.trusted) if "authorization" in request.headers else None
        tokens = {token for token in (bearer, cookie_of(request)) if token}
        found = [await sessions.actor_of(token, now=office.clock(), idle=office.session_idle) for token in tokens]
        return [actor for actor in found if actor is not None]

    def scope(self, connection: HTTPConnection, actor: Actor | None = None, language: Language | None = None) -> Scope:
        """The scope of what this connection asks for, acting as `actor`."""
        wished = language or accept.language_of(connection.headers.get("accept-language", ""))
        return Scope(
            office=self.office,
            actor=actor,
            language=wished or (actor and actor.language) or Language.FR,
            source=limits.source_of(connection),
            user_agent=connection.headers.get("user-agent", "")[:MOST_AGENT].replace("\0", "") or None,
        )

    def _set_cookie(self, response: Response, token: str | None, expires_at: datetime | None) -> None:
        if token is None or expires_at is None:
            response.delete_cookie(COOKIE, path="/", secure=self.secure, httponly=True, samesite="lax")
        else:
            response.set_cookie(
                COOKIE,
                token,
                expires=expires_at.astimezone(UTC),
                path="/",
                secure=self.secure,
                httponly=True,
                samesite="lax",
            )


def token_of(connection: HTTPConnection, trusted: Trusted) -> str | None:
    """The token that counts: the one of `Authorization: Bearer` (RFC 6750), else the cookie where it may be used.

    Beside any `Authorization` header, an integration's included, the cookie doesn't count.
    """
    if "authorization" in connection.headers:
        return _authorized(connection, "bearer")
    cookie = cookie_of(connection)
    return cookie if cookie and origins.may_use_cookie(connection, trusted) else None


def api_key_of(connection: HTTPConnection) -> str | None:
    """The key of `Authorization: ApiKey`, by which an integration comes."""
    return _authorized(connection, "apikey")


def is_authorized(connection: HTTPConnection) -> bool:
    """Does its `Authorization` name a token or a key, good or not?"""
    return any(_authorized(connection, scheme) for scheme in ("bearer", "apikey"))


def _authorized(connection: HTTPConnection, scheme: str) -> str | None:
    given, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() or None if given.lower() == scheme else None


def cookie_of(connection: HTTPConnection) -> str | None:
    """The session cookie as it was sent; Starlette's reader takes seconds over a value of quotes and backslashes."""
    pairs = (pair.partition("=") for pair in connection.headers.get("cookie", "").split(";"))
    return next((value.strip() for name, _, value in pairs if name.strip() == COOKIE), None)
