"""Cells that no spreadsheet computes, lines by RFC 4180, and the columns in both languages."""

import pytest

from graph.files import csv_sheets
from graph.files.csv_sheets import Sheet, harmless
from models.accounts.accounts import Language
from models.attachments.attachments import AttachmentStatus, Role
from models.events import summaries
from models.structures.identifiers import IdentifierType
from models.structures.structures import StructureKind, StructureStatus
from models.subscriptions.subscriptions import SubscriptionMode
from tests.graph.support.downloads import cells

PLAIN = Sheet((("Un", "One"), ("Deux", "Two")), lambda element, place: element)


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+33123456789", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "＝1+1", "＠SUM(A1)",
        '=HYPERLINK("http://evil.example")', "=cmd|' /C calc'!A0",
    ],
)  # fmt: skip
def test_a_cell_that_would_be_computed_gets_an_apostrophe(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["Société", "1-2", "a=b", "", "'=1", " x", "3+4", "é@a"])
def test_any_other_cell_stays(cell: str) -> None:
    assert harmless(cell) == cell


def test_an_absent_cell_is_empty() -> None:
    assert harmless(None) == ""


def test_quotes_separators_and_line_ends_are_quoted() -> None:
    elements = [("a;b", 'say "no"'), ("two\nlines", "two\r\nlines"), ("Œuvre, été", None), ("=a;b", "x\ry")]
    assert PLAIN.lines(elements, Language.FR) == (
        '"a;b";"say ""no"""\r\n"two\nlines";"two\r\nlines"\r\nŒuvre, été;\r\n"\'=a;b";"x\ry"\r\n'.encode()
    )
    read = cells(PLAIN.opening(Language.FR) + PLAIN.lines(elements, Language.FR))
    assert read == [
        ["Un", "Deux"], ["a;b", 'say "no"'], ["two\nlines", "two\r\nlines"], ["Œuvre, été", ""], ["'=a;b", "x\ry"]
    ]  # fmt: skip


def test_a_file_begins_with_the_byte_order_mark_and_the_columns_in_the_readers_language() -> None:
    assert PLAIN.opening(Language.FR) == b"\xef\xbb\xbfUn;Deux\r\n"
    assert PLAIN.opening(Language.EN) == b"\xef\xbb\xbfOne;Two\r\n"


def test_every_value_that_an_export_shows_has_words() -> None:
    assert set(csv_sheets.IDENTIFIER_TYPES) == set(IdentifierType)
    assert set(csv_sheets.KINDS) == set(StructureKind)
    assert set(csv_sheets.STRUCTURE_STATUSES) == set(StructureStatus)
    assert set(csv_sheets.STATUSES) == set(AttachmentStatus) - {AttachmentStatus.REFUSED, AttachmentStatus.REMOVED}
    assert set(csv_sheets.MODES) == set(SubscriptionMode)
    assert set(summaries.ROLES) == set(Role)
