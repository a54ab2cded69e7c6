"""Multipart requests: the GraphQL multipart request specification, read while it arrives and never held in memory.

The form has the fields `operations` and `map`, then the files. A file that grows over what a document may have is
received no further, only counted: the operation then refuses it by its path. What can't be such a form is refused here.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.requests import Request
from strawberry.http import GraphQLRequestData

from graph.http import csrf, header_parameters, requests, responses
from models.documents.content_types import ENDS, MOST_BYTES
from models.documents.documents import File
from resolvers.documents.documents import Upload

MEBIBYTE = 1024 * 1024
MOST_FILES = 10
MOST_BODY = 17 * MEBIBYTE  # four files of the largest size, and what comes with them
MOST_FIELD = MEBIBYTE
IN_MEMORY = 64 * 1024  # of each file; the rest waits on disk
CLOSING = {"connection": "close"}  # what is left of a refused body isn't read


def is_multipart(content_type: str) -> bool:
    """Is this `Content-Type` a form's that may carry files?"""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


@dataclass
class Part:
    """One part of the form as far as it came."""

    name: str
    filename: str | None
    content: IO[bytes]
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    head: bytearray = field(default_factory=bytearray)
    is_whole: bool = False

    def take(self, data: bytes) -> None:
        """Keep a piece; of a file that is too large nothing is kept any more."""
        self.size += len(data)
        if self.filename is None and self.size > MOST_FIELD:
            raise bad(f"The field `{self.name}` has at most {MOST_FIELD} bytes.", 413, "PAYLOAD_TOO_LARGE")
        if self.is_too_large:
            self.content.seek(0)
            self.content.truncate()
            return
        self.content.write(data)
        self.digest.update(data)
        self.head += data[: max(0, ENDS - len(self.head))]

    @property
    def is_too_large(self) -> bool:
        """Has more come than a document may have?"""
        return self.filename is not None and self.size > MOST_BYTES

    def text(self) -> bytes:
        """All of a field."""
        self.content.seek(0)
        return self.content.read()

    def upload(self) -> Upload:
        """The file as operations take it."""
        tail = b""
        if not self.is_too_large and self.size > len(self.head):
            self.content.seek(-min(ENDS, self.size - len(self.head)), 2)
            tail = self.content.read()
        self.content.seek(0)
        file = File(self.filename or "", self.size, self.digest.hexdigest(), bytes(self.head) + tail)
        return Upload(file, self.content)


class Form:
    """The form of one request, fed with its bytes; its files are given back by `close`."""

    def __init__(self, content_type: str) -> None:
        boundary = header_parameters.parse(content_type)[1].get("boundary", "")
        if not boundary:
            raise bad("The form has no boundary.")
        self.parts: dict[str, Part] = {}
        self.is_over = False
        self.data: GraphQLRequestData | None = None
        self.map: dict[str, list[list[str]]] = {}
        self._part: Part | None = None
        self._headers: list[tuple[bytearray, bytearray]] = []
        callbacks: Any = {
            "on_part_begin": self._headers.clear,
            "on_header_begin": lambda: self._headers.append((bytearray(), bytearray())),
            "on_header_field": lambda data, start, end: self._headers[-1][0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._headers[-1][1].extend(data[start:end]),
            "on_headers_finished": self._begin,
            "on_part_data": lambda data, start, end: cast(Part, self._part).take(bytes(data[start:end])),
            "on_part_end": self._end,
            "on_end": self._finish,
        }
        try:
            self._parser = MultipartParser(boundary.encode("latin-1"), callbacks)
        except FormParserError:
            raise bad("The form's boundary is too long.") from None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            answers.RequestRefused: when they can't be of such a form.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            raise bad("The form isn't well-formed multipart/form-data.") from None

    def close(self) -> None:
        """Give the files back."""
        for part in self.parts.values():
            part.content.close()

    @property
    def needs_no_more(self) -> bool:
        """Is every file there that can be, one of them being too large?"""
        files = [self.parts.get(name) for name in self.map]
        too_large = [part for part in files if part is not None and part.is_too_large]
        return bool(too_large) and all(part is not None and (part.is_whole or part.is_too_large) for part in files)

    def request(self) -> GraphQLRequestData:
        """The operation, its variables holding the files where the map says.

        Raises:
            answers.RequestRefused: when something is missing, or the map names a place that isn't there.
        """
        if self.data is None or not self.map.keys() <= self.parts.keys():
            raise bad("The form has the field `operations`, the field `map`, then every file that the map names.")
        for name, paths in self.map.items():
            upload = self.parts[name].upload()
            for path in paths:
                _put(self.data.variables, path, upload)
        return self.data

    # -------------------------------------------------------------- what the parser tells
    def _begin(self) -> None:
        name, filename = _disposition(self._headers)
        if name in self.parts:
            raise bad(f"The part `{name[:40]}` comes twice.")
        expected = ("operations", "map")[len(self.parts)] if len(self.parts) < 2 else None
        if (name != expected) if expected else (name not in self.map):
            raise bad("The form has the field `operations`, the field `map`, then the files that the map names.")
        if (filename is None) is not (expected is not None):
            raise bad(f"The part `{name[:40]}` must be a {'field' if expected else 'file with a file name'}.")
        self._part = self.parts[name] = Part(name, filename, _spool())

    def _end(self) -> None:
        part = cast(Part, self._part)
        part.is_whole = True
        if part.name == "operations" and len(self.parts) == 1:
            self.data = requests.from_json(part.text(), "field `operations`")
        elif part.name == "map" and len(self.parts) == 2:
            self.map = _mapped(requests.decode(part.text(), "field `map`"))

    def _finish(self) -> None:
        self.is_over = True


async def received(request: Request) -> GraphQLRequestData:
    """The operation of a multipart request; its files are there until `close`.

    Raises:
        answers.RequestRefused: 400 when it isn't of its form, or without a preflight header, as a page of another site
            could have sent it; 413 when it is too large as a whole.
    """
    if not csrf.asks_preflight(request):
        names = " or ".join(f"`{name}`" for name in csrf.PREFLIGHT_HEADERS)
        raise bad(f"A multipart request needs the header {names}, with any value.")
    form = request.state.form = Form(request.headers.get("content-type", ""))
    length = request.headers.get("content-length", "")
    declared = int(length) if length.isdecimal() and len(length) < 20 else 0
    count = 0
    async for data in _stream(request):
        form.feed(data)
        count += len(data)
        if max(declared, count) > MOST_BODY and form.needs_no_more:
            request.state.is_unread = True
            return form.request()
        if count > MOST_BODY:
            raise bad(f"A multipart request has at most {MOST_BODY} bytes.", 413, "PAYLOAD_TOO_LARGE")
    if not form.is_over:
        raise bad("The form ends before its last boundary.")
    return form.request()


def close(request: Request) -> None:
    """Give back the files of a request that had any."""
    form = getattr(request.state, "form", None)
    if form is not None:
        form.close()


def _spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(IN_MEMORY)


async def _stream(request: Request) -> AsyncIterator[bytes]:
    async for data in request.stream():
        for start in range(0, len(data), IN_MEMORY):
            yield data[start : start + IN_MEMORY]


def _disposition(headers: list[tuple[bytearray, bytearray]]) -> tuple[str, str | None]:
    """The name of a part and of its file (RFC 7578: in UTF-8)."""
    said = next((bytes(value) for name, value in headers if bytes(name).lower() == b"content-disposition"), b"")
    try:
        kind, given = header_parameters.parse(said.decode())
    except UnicodeDecodeError:
        raise bad("A part's Content-Disposition isn't UTF-8.") from None
    name = given.get("name")
    if kind != "form-data" or name is None:
        raise bad("A part has no name.")
    return name, given.get("filename")


def _mapped(value: object) -> dict[str, list[list[str]]]:
    if not isinstance(value, dict) or not 1 <= len(value) <= MOST_FILES:
        raise bad(f"The field `map` must be an object of 1 to {MOST_FILES} files.")
    for name, paths in value.items():
        named = name not in ("operations", "map") and isinstance(paths, list) and 1 <= len(paths) <= MOST_FILES
        if not named or not all(isinstance(path, str) and path.startswith("variables.") for path in paths):
            raise bad('The field `map` must give each file a list of paths such as "variables.file".')
    return {name: [path.split(".")[1:] for path in paths] for name, paths in value.items()}


def _put(variables: Mapping[str, Any] | None, path: list[str], upload: Upload) -> None:
    """Put the file where the path leads, in the place of a null."""
    place: Any = variables
    for step in path[:-1]:
        place = _at(place, step)
    if _at(place, path[-1], missing=upload) is not None:
        raise bad(f"There is no null at `variables.{'.'.join(path)[:80]}` for a file.")
    place[int(path[-1]) if isinstance(place, list) else path[-1]] = upload


def _at(place: Any, step: str, missing: object = None) -> Any:
    if isinstance(place, dict):
        return place.get(step, missing)
    if isinstance(place, list) and step.isdecimal() and len(step) < 10 and int(step) < len(place):
        return place[int(step)]
    return missing


def bad(message: str, status: int = 400, code: str = "BAD_REQUEST") -> responses.RequestRefused:
    """The refusal of a form, after which the connection is closed: the rest of it isn't read."""
    return responses.RequestRefused(status, code, message, CLOSING)
