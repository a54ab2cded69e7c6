"""How a posted form is read: from our own pages only, of a small size, as text."""

from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from graph.origins import Trusted

MOST_BYTES = 16 * 1024


async def read(request: Request, trusted: Trusted) -> dict[str, str]:
    """The fields of a form that one of our pages posted; the details of a refusal name the page that explains it.

    Raises:
        HTTPException: 403 from another site, 415 for another content type, 413 beyond 16 KiB, 400 when it isn't text.
    """
    if is_foreign(request, trusted):
        raise HTTPException(403, "foreign")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "form")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "form")
    try:
        fields = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except ValueError as error:
        raise HTTPException(400, "form") from error
    # PostgreSQL's text takes no NUL.
    if any("\0" in value for value in fields.values()):
        raise HTTPException(400, "form")
    return fields


def is_foreign(request: Request, trusted: Trusted) -> bool:
    """Was this posted from another site?

    Under `Referrer-Policy: no-referrer` a browser sends `Origin: null` even from our own form (Fetch standard, "append
    a request Origin header"), so null tells nothing; `Sec-Fetch-Site` doesn't depend on that policy.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    sender = request.headers.get("origin", "null")
    return site not in {"same-origin", "none"} or not (sender == "null" or trusted.allows(sender, request))
