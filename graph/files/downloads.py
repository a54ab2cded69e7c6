"""`/documents/...`: documents behind signed addresses, one with byte ranges or several as a ZIP: always downloads."""

import io
import unicodedata
import zipfile
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

from limits import RateLimitItemPerMinute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from graph.files import ranges, transfers
from graph.http.authentication import Authentication
from models.accounts.accounts import Language
from models.documents import filenames
from models.errors.errors import DatabaseAway, DomainError
from resolvers.documents import downloads
from resolvers.scope import Scope

PER_SOURCE = RateLimitItemPerMinute(600)
PIECE_BYTES = 64 * 1024
HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
ARCHIVE_NAMES = {Language.FR: "pieces-jointes", Language.EN: "documents"}


class Downloads:
    """Serves the documents of one process."""

    def __init__(self, entrance: Authentication) -> None:
        self.entrance = entrance

    def routes(self) -> list[BaseRoute]:
        """The address of one document, and that of several."""
        return [
            Route(downloads.ONE, transfers.endpoint(self._one, self.entrance)),
            Route(downloads.ARCHIVE, transfers.endpoint(self._archive, self.entrance)),
        ]

    async def _one(self, request: Request) -> Response:
        scope, (document,) = await self._found(request, downloads.ONE)
        tag = f'"{document.sha256}"'
        headers = {
            **HEADERS,
            "Accept-Ranges": "bytes",
            "Content-Disposition": disposition(document.filename),
            "ETag": tag,
        }
        try:
            part = ranges.asked(request.headers.get("range"), request.headers.get("if-range"), document.size, tag)
        except ranges.NotSatisfiable:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{document.size}"})
        start, stop = part or (0, document.size)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{document.size}"
        headers["Content-Length"] = str(stop - start)
        pieces = (
            transfers.nothing() if request.method == "HEAD" else await downloads.content(scope, document, start, stop)
        )
        status = 200 if part is None else 206
        return transfers.Download(_unbroken(pieces), status, headers, media_type=document.mime_type)

    async def _archive(self, request: Request) -> Response:
        scope, found = await self._found(request, downloads.ARCHIVE)
        name = f"{ARCHIVE_NAMES[scope.language]}-{scope.today().isoformat()}.zip"
        headers = {**HEADERS, "Content-Disposition": disposition(name)}
        # what is wrong from the start shows in the status: the first document is asked for before it is said
        pieces = (
            transfers.nothing() if request.method == "HEAD" else zipped(scope, found, await _whole(scope, found[0]))
        )
        return transfers.Download(_unbroken(pieces), headers=headers, media_type="application/zip")

    async def _found(self, request: Request, path: str) -> tuple[Scope, list[Any]]:
        scope = self.entrance.scope(request)
        await self.entrance.limits.count(PER_SOURCE, "documents", scope.source or "")
        held = await transfers.enter(self.entrance, scope, request, path)
        return scope, await downloads.found(scope, held)


async def zipped(scope: Scope, documents: Sequence[Any], first: bytes) -> AsyncIterator[bytes]:
    """The documents as one ZIP, no more than one of them in memory; `first` is the first one's content.

    They are stored as they are: nearly all of their formats are compressed already.
    """
    sink = Sink()
    names = filenames.unique(document.filename for document in documents)
    with zipfile.ZipFile(sink, "w") as archive:
        for place, (document, name) in enumerate(zip(documents, names, strict=True)):
            written = document.created_at.astimezone(scope.office.time_zone)
            entry = zipfile.ZipInfo(name, written.timetuple()[:6])
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, first if place == 0 else await _whole(scope, document))
            for piece in sink.taken():
                yield piece
    for piece in sink.taken():
        yield piece


class Sink(io.RawIOBase):
    """A file that can only be written to, and gives what was written in pieces."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Keep the data until it is taken."""
        self._written += data
        return len(data)

    def taken(self) -> list[bytes]:
        """All that was written since the last time."""
        written, self._written = bytes(self._written), bytearray()
        return [written[start : start + PIECE_BYTES] for start in range(0, len(written), PIECE_BYTES)]


async def _whole(scope: Scope, document: Any) -> bytes:
    return b"".join([piece async for piece in await downloads.content(scope, document)])


async def _unbroken(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for piece in pieces:
            yield piece
    except (DomainError, DatabaseAway) as error:
        raise transfers.BrokenOff from error


def disposition(name: str) -> str:
    """The header that makes a browser save the file under its name (RFC 6266): in plain letters, and as it is."""
    bare = unicodedata.normalize("NFKD", name)
    kept = (character for character in bare if not unicodedata.combining(character))
    plain = "".join(character if _is_plain(character) else "_" for character in kept)
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _is_plain(character: str) -> bool:
    return character.isascii() and character.isprintable() and character not in '"\\%'


def routes(entrance: Authentication) -> list[BaseRoute]:
    """The addresses of documents."""
    return Downloads(entrance).routes()
