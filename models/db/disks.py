"""Disks: whether the database has room to write, remembered from a refusal until a trial shows that it has again."""

import sqlite3
import time

import asyncpg

from models.errors.errors import DatabaseAway

HELD_SECONDS = 10.0  # after a refusal: what a trial can write isn't all that people ask for
TRIAL_BYTES = 64 * 1024
FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}

_refused_at: float | None = None


def code_of(error: sqlite3.Error) -> int:
    """SQLite's own code of the error, without what details it; 0 when it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_full(error: object) -> bool:
    """Does the error say that nothing more can be written?"""
    if isinstance(error, sqlite3.Error):
        return code_of(error) in FULL
    return isinstance(error, asyncpg.DiskFullError)


def refused() -> None:
    """A write was refused for want of room."""
    global _refused_at  # noqa: PLW0603 - one process has one database
    _refused_at = time.monotonic()


def is_doubted() -> bool:
    """Was a write refused, and none has shown since that there is room?"""
    return _refused_at is not None


def must_rest() -> None:
    """Let pass once it has been a while since a write was refused.

    Raises:
        DatabaseAway: until then.
    """
    if _refused_at is not None and time.monotonic() < _refused_at + HELD_SECONDS:
        raise DatabaseAway("it has no room to write")


def cleared() -> None:
    """A trial was written."""
    global _refused_at  # noqa: PLW0603 - one process has one database
    _refused_at = None


# What takes new room in the database and leaves nothing behind.
POSTGRES_TRIAL = (
    "CREATE TEMPORARY TABLE rattache_trial ON COMMIT DROP AS "
    f"SELECT string_agg(md5(number::text), '') AS filling FROM generate_series(1, {TRIAL_BYTES // 32}) AS number"
)
SQLITE_TRIAL = (
    "CREATE TABLE IF NOT EXISTS rattache_trial (filling BLOB)",
    f"INSERT INTO rattache_trial VALUES (randomblob({TRIAL_BYTES}))",
)
SQLITE_TRIAL_END = "DROP TABLE IF EXISTS rattache_trial"
