"""What documents may contain: the extensions of the portal, their media types, and content that agrees with them."""

from collections.abc import Mapping
from dataclasses import dataclass

import puremagic

from models.documents.filenames import extension_of
from models.errors.errors import DomainError, FileContentMismatch, FileEmpty, FileTooLarge, FileTypeNotAllowed

MOST_BYTES = 4 * 1024 * 1024  # inclusive. Source: DOMAIN 6.2
ENDS = 8 * 1024  # how much of a file's beginning and end is looked at
# Shorter signatures are found at the head of other files too: of texts ("BM", "MZ", "BZh"), and of anything.
LEAST_IN_TEXT, LEAST = 4, 3


@dataclass(frozen=True)
class Kind:
    """What files of an extension are: their media type, and the names under which their signature is known, if any.

    Some took several forms over the years, of which only `signatures` are known: others pass as well.
    """

    mime_type: str
    signatures: frozenset[str] = frozenset()
    takes_others: bool = False
    is_text: bool = False


def _text(mime_type: str) -> Kind:
    return Kind(mime_type, is_text=True)


_GZIP, _ZIP = frozenset({"gz", "tgz", "tar.gz", "gzip"}), frozenset({"zip", "docx", "xlsx", "pptx", "odt"})
_OLE, _TIFF = frozenset({"doc", "xls", "ppt", "msi"}), frozenset({"tif", "tiff"})
_JPEG = Kind("image/jpeg", frozenset({"jpg", "jpeg"}))
_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN = "application/vnd.oasis.opendocument"
# Source of the list: DOMAIN 6.
KINDS: Mapping[str, Kind] = {
    "bmp": Kind("image/bmp", frozenset({"bmp"})),
    "htm": _text("text/html"),
    "fax": Kind("image/g3fax", _TIFF, takes_others=True),
    "png": Kind("image/png", frozenset({"png"})),
    "xhtml": _text("application/xhtml+xml"),
    "bz2": Kind("application/x-bzip2", frozenset({"bz2"})),
    "jpeg": _JPEG,
    "pps": Kind("application/vnd.ms-powerpoint", _OLE),
    "xlc": Kind("application/vnd.ms-excel", _OLE, takes_others=True),
    "csv": _text("text/csv"),
    "jpg": _JPEG,
    "ppt": Kind("application/vnd.ms-powerpoint", _OLE),
    "pptx": Kind(f"{_OFFICE}.presentationml.presentation", _ZIP),
    "xlm": Kind("application/vnd.ms-excel", _OLE, takes_others=True),
    "doc": Kind("application/msword", _OLE),
    "odp": Kind(f"{_OPEN}.presentation", _ZIP),
    "rtf": Kind("application/rtf", frozenset({"rtf"})),
    "xls": Kind("application/vnd.ms-excel", _OLE),
    "gif": Kind("image/gif", frozenset({"gif"})),
    "ods": Kind(f"{_OPEN}.spreadsheet", _ZIP),
    "svg": _text("image/svg+xml"),
    "xml": _text("application/xml"),
    "gz": Kind("application/gzip", _GZIP),
    "odt": Kind(f"{_OPEN}.text", _ZIP),
    "tgz": Kind("application/gzip", _GZIP),
    "xsd": _text("application/xml"),
    "gzip": Kind("application/gzip", _GZIP),
    "p7s": Kind("application/pkcs7-signature"),
    "tif": Kind("image/tiff", _TIFF),
    "xsl": _text("application/xslt+xml"),
    "html": _text("text/html"),
    "pdf": Kind("application/pdf", frozenset({"pdf"})),
    "txt": _text("text/plain"),
    "zip": Kind("application/zip", _ZIP),
    "tiff": Kind("image/tiff", _TIFF),
    "xlsx": Kind(f"{_OFFICE}.spreadsheetml.sheet", _ZIP),
    "docx": Kind(f"{_OFFICE}.wordprocessingml.document", _ZIP),
}
_PROGRAMS = frozenset({"exe", "dll", "elf", "", "macho", "class", "dex"})
_TELLING = _PROGRAMS.union(*(kind.signatures for kind in KINDS.values()))
_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


def check(problems: list[DomainError], name: str, size: int, ends: bytes, *path: str) -> str:
    """The media type of a file by its name; `ends` is how it begins and ends. Its size, kind and content are looked at.

    The content must agree with the extension where it has a signature: the extension's own, or nobody else's.
    """
    extension = extension_of(name)
    kind = KINDS.get(extension)
    if size == 0:
        problems.append(FileEmpty(*path))
    elif size > MOST_BYTES:
        problems.append(FileTooLarge(*path, most=MOST_BYTES))
    if kind is None:
        problems.append(FileTypeNotAllowed(*path))
        return "application/octet-stream"
    if 0 < size <= MOST_BYTES and not _agrees(kind, ends):
        problems.append(FileContentMismatch(*path, extension=extension))
    return kind.mime_type


def _agrees(kind: Kind, ends: bytes) -> bool:
    found = _signatures(ends)
    if not kind.signatures.isdisjoint(found):
        return True
    if (kind.signatures and not kind.takes_others) or (kind.is_text and _is_binary(ends)):
        return False
    least = LEAST_IN_TEXT if kind.is_text else LEAST
    return not any(length >= least and name in _TELLING for name, length in found.items())


def _is_binary(ends: bytes) -> bool:
    return b"\0" in ends and not ends.startswith(_UTF_16_OR_32)


def _signatures(ends: bytes) -> dict[str, int]:
    """The names of formats whose signature the content has, each with the length in bytes of the longest."""
    try:
        matches = puremagic.magic_string(ends)
    except (puremagic.PureError, ValueError):  # nothing is known to begin, or to end, like this
        return {}
    found: dict[str, int] = {}
    for match in matches:
        name = match.extension.removeprefix(".").lower()
        found[name] = max(found.get(name, 0), len(match.byte_match))
    return found
