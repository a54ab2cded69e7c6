"""Which names the server answers to: no answer, mail or redirect ever takes a name from a request."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.http import responses
from graph.settings import Settings

# A balancer asks these by the machine's address; they tell nothing of anybody.
WATCHED = ("/healthz", "/readyz", "/metrics")


class Hosts:
    """Wraps the application: a request that names another host is answered 421 (RFC 9110, 15.5.20).

    Where people reach this machine alone, `known` is empty and every name will do: there it may be reached by several.
    """

    def __init__(self, app: ASGIApp, known: Iterable[str] = ()) -> None:
        self.app = app
        self.known = frozenset(known)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or refuse it; redirects lead to another path of the same server."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self.known and name_of(headers.get("host", "")) not in self.known and scope["path"] not in WATCHED:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})  # before it is accepted: the handshake is answered 403
                return
            message = "This server doesn't answer to that name."
            refused = responses.RequestRefused(421, "MISDIRECTED", message, {"connection": "close"})
            await responses.refuse(refused, headers.get("accept", ""))(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and 300 <= message["status"] < 400:
                _keep_here(MutableHeaders(scope=message), headers.get("host", ""))
            await send(message)

        await self.app(scope, receive, sent)


def known_to(settings: Settings) -> frozenset[str]:
    """The names by which people and their applications come here; none where that is this machine alone."""
    if settings.is_local:
        return frozenset()
    ours = (settings.public_url, settings.account_app_url or "", *settings.allowed_origins)
    return frozenset(name_of(urlsplit(url).netloc) for url in ours if url)


def name_of(host: str) -> str:
    """The name of a `Host` header in lower case, without its port and the dot at the end."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and (not port or port.isdecimal()) and _is_whole(name) else host
    return bare.lower().removesuffix(".")


def _is_whole(name: str) -> bool:
    if name.startswith("["):
        return name.endswith("]")
    try:
        ipaddress.IPv6Address(name + ":0")
    except ValueError:
        return True
    return False


def _keep_here(headers: MutableHeaders, host: str) -> None:
    parts = urlsplit(headers.get("location", ""))
    if host and parts.netloc == host:
        headers["location"] = "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
