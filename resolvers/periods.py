"""The period of an attachment: two calendar days, both inclusive, in the structures' time zone. Source: DOMAIN 4."""

from datetime import date

from models.errors.errors import DomainError, Invalid

EARLIEST = date(1900, 1, 1)


def check_start(problems: list[DomainError], start: date, *path: str) -> None:
    """Add to `problems` a first day that is out of range."""
    if start < EARLIEST:
        problems.append(Invalid(*path, rule="date_range"))


def check(problems: list[DomainError], start: date, end: date | None, today: date, *path: str) -> None:
    """Add to `problems` what is wrong with the days: out of range, ending before it starts, or ended already."""
    check_start(problems, start, *path, "valid_from")
    if end is None:
        return
    if end < start:
        problems.append(Invalid(*path, "valid_until", rule="end_before_start"))
    elif end < today:
        problems.append(Invalid(*path, "valid_until", rule="end_in_past"))
