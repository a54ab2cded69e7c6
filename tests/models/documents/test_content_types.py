"""Contents: every extension of the portal with content that is its own, somebody else's, or nobody's."""

import io
import zipfile

import pytest

from models.documents import content_types
from models.errors.errors import DomainError, FileContentMismatch, FileEmpty, FileTooLarge, FileTypeNotAllowed

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(40)
JPEG, JPEG_BARE = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(30), b"\xff\xd8\xff\xdb" + bytes(30)
GIF, BMP = b"GIF89a" + bytes(20), b"BM" + bytes(52)
TIFF, TIFF_BIG = b"II*\0" + bytes(20), b"MM\0*" + bytes(20)
PDF = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n"
GZIP, BZIP = b"\x1f\x8b\x08\0" + bytes(16), b"BZh91AY&SY" + bytes(20)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
RTF, TEXT = b"{\\rtf1\\ansi Bonjour}", "Bonjour à tous\n".encode()
XML, SVG = b'<?xml version="1.0"?>\n<a/>', b'<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>'
HTML = b"<!DOCTYPE html><html><body>x</body></html>"
DER = b"\x30\x82\x05\x10\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + bytes(30)
EXE, ELF = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff" + bytes(100), b"\x7fELF\x02\x01\x01" + bytes(60)


def _zip(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


OFFICE, OPEN, EMPTY_ZIP = _zip("[Content_Types].xml", "word/document.xml"), _zip("mimetype", "content.xml"), _zip()
GOOD: dict[str, list[bytes]] = {
    "bmp": [BMP], "htm": [HTML, TEXT], "fax": [bytes(50), TIFF], "png": [PNG], "xhtml": [XML, HTML], "bz2": [BZIP],
    "jpeg": [JPEG, JPEG_BARE], "pps": [OLE], "xlc": [OLE, b"\x09\x04\x06\0" + bytes(30)], "csv": [TEXT, b"a;b\n1;2\n", b"BM;MZ\n"],
    "jpg": [JPEG, JPEG_BARE], "ppt": [OLE], "pptx": [OFFICE], "xlm": [OLE], "doc": [OLE], "odp": [OPEN], "rtf": [RTF],
    "xls": [OLE], "gif": [GIF, b"GIF87a" + bytes(20)], "ods": [OPEN], "svg": [SVG, XML], "xml": [XML, SVG, TEXT], "gz": [GZIP],
    "odt": [OPEN], "tgz": [GZIP], "xsd": [XML], "gzip": [GZIP], "p7s": [DER, b"-----BEGIN PKCS7-----\n"], "tif": [TIFF, TIFF_BIG],
    "xsl": [XML], "html": [HTML], "pdf": [PDF],
    "txt": [TEXT, b"x", "é".encode("latin-1"), "\ufeffBonjour".encode("utf-16-le"), b"MZ is a name", b"PK is one too"],
    "zip": [OFFICE, EMPTY_ZIP], "tiff": [TIFF, TIFF_BIG], "xlsx": [OFFICE], "docx": [OFFICE],
}  # fmt: skip
TELLING = {
    "png": PNG,
    "jpg": JPEG,
    "gif": GIF,
    "pdf": PDF,
    "gz": GZIP,
    "doc": OLE,
    "rtf": RTF,
    "zip": OFFICE,
    "exe": EXE,
    "elf": ELF,
}
RELATED = {
    "zip": "zip docx xlsx pptx odt ods odp",
    "doc": "doc xls ppt pps xlc xlm",
    "gz": "gz gzip tgz",
    "jpg": "jpg jpeg",
}


def _problem(name: str, content: bytes) -> type[DomainError] | None:
    problems: list[DomainError] = []
    ends = content[: content_types.ENDS] + content[content_types.ENDS :][-content_types.ENDS :]
    content_types.check(problems, name, len(content), ends, "file")
    assert len(problems) <= 1
    return type(problems[0]) if problems else None


def test_the_extensions_are_the_portals() -> None:
    assert set(GOOD) == set(content_types.KINDS)
    assert len(GOOD) == 37


@pytest.mark.parametrize(("extension", "content"), [(name, content) for name, all in GOOD.items() for content in all])
def test_content_of_its_own_is_taken(extension: str, content: bytes) -> None:
    assert _problem(f"file.{extension}", content) is None
    assert _problem(f"FILE.{extension.upper()}", content) is None


@pytest.mark.parametrize("extension", GOOD)
@pytest.mark.parametrize("kind", TELLING)
def test_content_of_another_kind_is_refused(extension: str, kind: str) -> None:
    if extension not in RELATED.get(kind, kind).split():
        assert _problem(f"file.{extension}", TELLING[kind]) is FileContentMismatch


@pytest.mark.parametrize(
    "extension", [name for name, kind in content_types.KINDS.items() if kind.signatures and not kind.takes_others]
)
def test_plain_text_is_not_a_format_with_a_signature(extension: str) -> None:
    assert _problem(f"file.{extension}", TEXT) is FileContentMismatch


@pytest.mark.parametrize("name", ["a.exe", "a.js", "a", "a.pdf.exe", "a.", "a.7z", "a.docm"])
def test_other_extensions_are_refused(name: str) -> None:
    assert _problem(name, TEXT) is FileTypeNotAllowed


def test_four_mebibytes_are_taken_and_a_byte_more_is_not() -> None:
    problems: list[DomainError] = []
    content_types.check(problems, "a.fax", 4_194_304, bytes(100), "file")
    assert problems == []
    content_types.check(problems, "a.fax", 4_194_305, bytes(100), "file")
    assert [(type(problem), problem.path, problem.data) for problem in problems] == [
        (FileTooLarge, ("file",), {"most": 4})
    ]


def test_an_empty_file_is_refused_as_that_alone() -> None:
    assert _problem("a.pdf", b"") is FileEmpty


def test_a_signature_at_the_end_of_an_ordinary_text_changes_nothing() -> None:
    assert _problem("a.txt", TEXT * 2000 + b"</svg>") is None
