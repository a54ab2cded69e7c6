"""File names: which are taken, and how they are written in an archive."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from models.documents import filenames
from models.errors.errors import DomainError, Invalid, Missing, TooLong


def _problem(name: str) -> type[DomainError] | None:
    problems: list[DomainError] = []
    filenames.check(problems, name, "file")
    assert [problem.path for problem in problems] in ([], [("file",)])
    return type(problems[0]) if problems else None


@pytest.mark.parametrize(
    "name",
    [
        "RIB.pdf", "Relevé d'identité.PDF", "Договор аренды.docx", "発注書.xlsx", "قرارداد\u200cها.pdf", "हिन्दी.txt",
        "חשבון.pdf", "a", "archive.tar.gz", "50 % (2).csv", "Facture: avril.pdf", "a" * 196 + ".pdf", "🧾.png", "-.txt", "~.txt",
    ],
)  # fmt: skip
def test_a_name_in_any_script_is_taken(name: str) -> None:
    assert _problem(name) is None


@pytest.mark.parametrize("name", ["", " ", "\t", "\u00a0"])
def test_an_empty_name_is_missing(name: str) -> None:
    assert _problem(name) is Missing


@pytest.mark.parametrize(
    "name",
    [
        "../a.pdf", "a/b.pdf", "/etc/passwd", "..", ".", ".htaccess", "C:\\x.pdf", "c:x.pdf", "a\\b.pdf", "\\\\host\\x.pdf",
        "a.pdf.", "a.pdf ", " a.pdf", "CON", "nul.txt", "com1.pdf", "LPT9.tar.gz",
        "a\0.pdf", "a\n.pdf", "a\r\nX: y.pdf", "a\x7f.pdf", "a\u0085.pdf", "fdp.\u202excod", "a\u2066b.pdf", "\ufeffa.pdf",
        "a\ud800.pdf", "a\u2028.pdf", "a\u3164.pdf",
    ],
)  # fmt: skip
def test_a_path_a_hidden_file_or_what_can_not_be_seen_is_refused(name: str) -> None:
    assert _problem(name) is Invalid


@pytest.mark.parametrize("name", ["a" * 197 + ".pdf", "発" * 85 + ".pdf"])
def test_a_name_that_no_file_system_takes_is_too_long(name: str) -> None:
    assert _problem(name) is TooLong


def test_a_name_is_kept_in_composed_form() -> None:
    problems: list[DomainError] = []
    assert filenames.check(problems, unicodedata.normalize("NFD", "Relevé.pdf")) == "Relevé.pdf"


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.PDF", "pdf"), ("a.tar.gz", "gz"), ("a", ""), ("a.", ""), (".pdf", "pdf"), ("a.b c", "b c")],
)
def test_the_extension_is_what_follows_the_last_dot(name: str, extension: str) -> None:
    assert filenames.extension_of(name) == extension


def test_names_of_an_archive_are_unique_on_every_system() -> None:
    given = ["a.pdf", "A.PDF", "a (2).pdf", "a.pdf", "b", "b", "c:d.txt", "c_d.txt", "É.txt", "é.txt"]
    assert filenames.unique(given) == [
        "a.pdf", "A (2).PDF", "a (2) (2).pdf", "a (3).pdf", "b", "b (2)", "c_d.txt", "c_d (2).txt", "É.txt", "é (2).txt",
    ]  # fmt: skip


@given(some.text(max_size=260))
def test_whatever_is_taken_stays_one_visible_name_within_its_folder(name: str) -> None:
    problems: list[DomainError] = []
    kept = filenames.check(problems, name)
    assert problems or 0 < len(kept.encode()) <= 255
    assert problems or not ({"/", "\\", "\0"} & set(kept) or kept.startswith("."))
