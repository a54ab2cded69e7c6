"""uvicorn's protocols, which hand the application the transport: by it, it sees what a client leaves unread."""

from asyncio import Transport
from typing import Final

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

TRANSPORT: Final = "rattache.transport"  # an extension of the ASGI scope


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools."""

    def on_message_begin(self) -> None:
        """Begin the scope of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket by websockets."""

    def handle_connect(self, event: Request) -> None:
        """Begin the scope of a connection, unless the handshake is refused."""
        super().handle_connect(event)
        if not self.handshake_complete:
            self.scope["extensions"][TRANSPORT] = self.transport  # type: ignore[assignment]


class Line:
    """What the application may know of a client's line, and do to it; of a server that tells nothing, nothing."""

    __slots__ = ("_transport",)

    def __init__(self, scope: Scope) -> None:
        self._transport: Transport | None = (scope.get("extensions") or {}).get(TRANSPORT)

    def unread(self) -> int:
        """How many bytes were written and not taken by the client's side yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def cut(self) -> None:
        """Close at once, whatever is unread: closing in order would keep it until it is read."""
        if self._transport is not None:
            self._transport.abort()
