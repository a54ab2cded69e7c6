"""The ASGI middleware around the endpoint that bounds a request body in size and in time, and refuses encoded ones."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.http import multipart, responses

MEBIBYTE = 1024 * 1024
# What is left of a refused body isn't read: the connection can't serve another request.
CLOSING = {"connection": "close"}


class Bodies:
    """Wraps an ASGI application so that it never receives more than `most` bytes, nor waits over `seconds` for them.

    A form with files is given `form_seconds`, and counted by whoever reads it: which file is too large matters there.
    """

    def __init__(self, app: ASGIApp, most: int = MEBIBYTE, seconds: float = 10.0, form_seconds: float = 120.0) -> None:
        self.app = app
        self.most = most
        self.seconds = seconds
        self.form_seconds = form_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer 413, 408 or 415 with a GraphQL error.

        Raises:
            answers.RequestRefused: when the body is refused after the answer has begun.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        watch = _Watch(send)
        form = multipart.is_multipart(headers.get("content-type", ""))
        most, seconds = (None, self.form_seconds) if form else (self.most, self.seconds)
        try:
            self._check_headers(headers, most)
            await self.app(scope, _Counted(receive, most, seconds), watch)
        except responses.RequestRefused as refused:
            if watch.has_begun:
                raise
            await responses.refuse(refused, headers.get("accept", ""))(scope, receive, send)

    def _check_headers(self, headers: Headers, most: int | None) -> None:
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            message = "Encoded request bodies are not taken; send the body as it is."
            raise responses.RequestRefused(
                415, "UNSUPPORTED_MEDIA_TYPE", message, {"accept-encoding": "identity", **CLOSING}
            )
        length = headers.get("content-length", "")
        # Nobody needs more digits than these, and int() refuses over 4,300 of them.
        if most is not None and length.isdecimal() and (len(length) > 20 or int(length) > most):
            raise too_large(most)


class _Counted:
    """A `receive` that counts the bytes of the body and stops at the limit or at the deadline."""

    def __init__(self, receive: Receive, most: int | None, seconds: float) -> None:
        self.receive = receive
        self.most = most
        self.seconds = seconds
        self.deadline: float | None = None
        self.is_complete = False
        self.received = 0

    async def __call__(self) -> Message:
        if self.is_complete:  # what follows the body is the wait for a disconnection, which may last
            return await self.receive()
        if self.deadline is None:
            self.deadline = asyncio.get_running_loop().time() + self.seconds
        try:
            async with asyncio.timeout_at(self.deadline):
                message = await self.receive()
        except TimeoutError:
            text = f"The request body didn't arrive within {self.seconds:g} seconds."
            raise responses.RequestRefused(408, "REQUEST_TIMEOUT", text, CLOSING) from None
        self.received += len(message.get("body", b""))
        if self.most is not None and self.received > self.most:
            raise too_large(self.most)
        self.is_complete = not message.get("more_body", False)
        return message


class _Watch:
    """A `send` that remembers whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        await self.send(message)


def too_large(most: int) -> responses.RequestRefused:
    """The refusal of a body of more than `most` bytes."""
    return responses.RequestRefused(413, "PAYLOAD_TOO_LARGE", f"A request body has at most {most} bytes.", CLOSING)
