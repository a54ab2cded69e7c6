"""How a posted form is read: from our own pages only, of a small size, as text."""

import asyncio
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from graph.http.csrf import Trusted

MOST_BYTES = 16 * 1024
SECONDS = 10.0
CLOSING = {"Connection": "close"}


async def read(request: Request, trusted: Trusted) -> dict[str, str]:
    """The fields of a form that one of our pages posted; the details of a refusal name the page that explains it.

    Raises:
        HTTPException: 403 from another site, 415 for another content type, 413 beyond 16 KiB, 408 after 10 s, 400 when
            it isn't text.
    """
    if is_foreign(request, trusted):
        raise HTTPException(403, "foreign")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "form")
    body = await received(request, MOST_BYTES)
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except ValueError as error:
        raise HTTPException(400, "form") from error
    # PostgreSQL's text takes no NUL.
    if any("\0" in value for value in fields.values()):
        raise HTTPException(400, "form")
    return fields


async def received(request: Request, most: int) -> bytes:
    """The body of a form, which has ten seconds to arrive.

    Raises:
        HTTPException: 413 when it has more bytes than `most`, 408 when it takes longer; the rest isn't read.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise HTTPException(413, "form", CLOSING)
    except TimeoutError:
        raise HTTPException(408, "form", CLOSING) from None
    return bytes(body)


def is_foreign(request: Request, trusted: Trusted) -> bool:
    """Was this posted from another site?

    Under `Referrer-Policy: no-referrer` a browser sends `Origin: null` even from our own form (Fetch standard, "append
    a request Origin header"), so null tells nothing; `Sec-Fetch-Site` doesn't depend on that policy.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    sender = request.headers.get("origin", "null")
    return site not in {"same-origin", "none"} or not (sender == "null" or trusted.allows(sender, request))
