"""Loading the public directory of structures from its CSV file: read as a stream, written in batches, told on a bar.

No event is kept of an imported line: it is what the directory says, not a person's act.
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from models.accounts.accounts import Language
from models.errors.errors import DomainError, Invalid
from models.structures import directory
from models.structures.directory import Entry, Tally
from models.structures.structures import StructureKind
from schema.words import wording

BATCH = 1000
NEEDED = ("TypeIdentifiant", "Identifiant", "RaisonSociale")
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")  # the last one reads anything
CHUNK = 1 << 20
FORMULA_STARTS = ("=", "+", "-", "@", "\t")
REPORT_HEADER = ("Ligne", "Motif", *NEEDED)


class NotADirectory(Exception):
    """The file isn't a directory of structures: `missing` names the columns that its first line lacks."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(", ".join(missing))
        self.missing = missing


@dataclass
class _Reading:
    """A file being read: its lines, and how many bytes have been taken."""

    lines: Iterator[tuple[int, list[str] | None]]
    header: dict[str, int]
    position: Callable[[], int]


@dataclass
class _Batch:
    """Entries waiting to be written, and the identifiers met so far (their hashes, to stay small)."""

    entries: list[Entry] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)


def report_beside(path: Path) -> Path:
    """Where the refused lines of a file are told: FILE.refused.csv beside it."""
    return path.with_name(f"{path.name}.refused.csv")


async def import_structures(
    path: Path,
    kind: StructureKind | None,
    report: Path,
    *,
    at: datetime,
    language: Language = Language.EN,
    progress: bool = True,
) -> Tally:
    """Load the directory; refused lines go to `report` with their number and reason. Loading it again changes nothing.

    Without `kind`, a SIRET whose SIREN starts with 1 or 2 is a public body's, anything else private.

    Raises:
        OSError: when a file can't be read or written.
        NotADirectory: when a mandatory column is missing; then nothing is written.
        DatabaseAway: when the database can't be reached; the batches before stay, running again goes on.
    """
    tally, batch = Tally(), _Batch()
    with _opened(path) as reading, _refusals(report) as refuse, _bar(path, progress) as advance:
        for number, cells in reading.lines:
            line = _named(reading.header, cells)
            try:
                batch.entries.append(_checked(cells, line, reading.header, kind, tally, batch.seen))
            except DomainError as error:
                tally.refused += 1
                refuse.writerow(_told(number, error, line, language))
            if len(batch.entries) == BATCH:
                await directory.absorb(batch.entries, tally, at)
                batch.entries.clear()
                advance(reading.position())
        if batch.entries:
            await directory.absorb(batch.entries, tally, at)
        advance(reading.position())
    return tally


def _checked(
    cells: list[str] | None,
    line: dict[str, str],
    header: dict[str, int],
    kind: StructureKind | None,
    tally: Tally,
    seen: set[int],
) -> Entry:
    """The entry of a line that is right and whose identifier no line before it has."""
    if cells is None or len(cells) != len(header):
        raise Invalid(rule="cells")
    entry = directory.check(line, kind, tally)
    key = hash((entry.identifier_type, entry.identifier))
    if key in seen:
        raise Invalid("Identifiant", rule="repeated")
    seen.add(key)
    return entry


def _named(header: dict[str, int], cells: list[str] | None) -> dict[str, str]:
    found = cells or []
    return {name: found[place] for name, place in header.items() if place < len(found)}


# ------------------------------------------------------------------ reading the file
@contextmanager
def _opened(path: Path) -> Iterator[_Reading]:
    with path.open("rb") as binary, io.TextIOWrapper(binary, encoding=_encoding(path), newline="") as file:
        lines = _lines(file)
        _, names = next(lines, (1, None))
        header = {name.strip(): place for place, name in enumerate(names or [])}
        missing = tuple(name for name in NEEDED if name not in header)
        if missing:
            raise NotADirectory(missing)
        yield _Reading(lines, header, binary.tell)


def _encoding(path: Path) -> str:
    """The first encoding by which the whole file can be read: UTF-8, or what spreadsheets on Windows write."""
    for encoding in ENCODINGS:
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(CHUNK):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise AssertionError  # every byte is a character of the last one


def _lines(file: IO[str]) -> Iterator[tuple[int, list[str] | None]]:
    """Each record with the number of its first line, None for one that can't be read; blank lines are passed over."""
    reader = csv.reader(file, delimiter=";")
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, None
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


# ------------------------------------------------------------------ telling
@contextmanager
def _refusals(report: Path) -> Iterator[Any]:
    report.unlink(missing_ok=True)  # the lines hold what people must not read who could read those of before
    with report.open("x", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(REPORT_HEADER)
        yield writer


def _told(number: int, error: DomainError, line: dict[str, str], language: Language) -> list[str]:
    reasons = " ".join(
        f"{single.path[0]}: {wording.explain(single, language)}" if single.path else wording.explain(single, language)
        for single in error.each()
    )
    return [str(number), reasons, *(_neutral(line.get(name, "")) for name in NEEDED)]


def _neutral(cell: str) -> str:
    """The cell as text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


@contextmanager
def _bar(path: Path, shown: bool) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(path.name, total=path.stat().st_size)
        yield lambda position: bar.update(task, completed=position)
