"""Opening the database as a process starts, again and again while it is away."""

import asyncio

import structlog

from models.db import database
from models.errors.errors import DatabaseAway

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0

log = structlog.get_logger(__name__)


class NotMigrated(DatabaseAway):
    """The database can be reached, but waits for `rattache migrate`."""


async def open_database(url: str, *, migrate: bool) -> None:
    """Connect to the database, migrated if asked, else checked.

    Raises:
        DatabaseAway: when it can't be reached, or lacks migrations; nothing stays open then.
    """
    if migrate:
        await database.migrate(url)
    await database.connect(url)
    try:
        await database.ping()
        missing = await database.pending_migrations()
        if missing:
            raise NotMigrated(f"it lacks the migrations {', '.join(missing)}")
    except BaseException:
        await database.close()
        raise


async def refuse_unusable(url: str) -> None:
    """Look at an SQLite file before anything is started on it, since no waiting mends one; others may be away for now.

    Raises:
        DatabaseAway: when the file can't be opened, or is no database.
    """
    if not database.is_sqlite_url(url):
        return
    await database.connect(url)
    try:
        await database.ping()
    finally:
        await database.close()


async def opened(url: str, *, migrate: bool) -> None:
    """Return once the database is open, trying again for as long as it is away."""
    pause = FIRST_PAUSE
    while True:
        try:
            await open_database(url, migrate=migrate)
        except DatabaseAway as away:
            log.warning("database_away", reason=str(away), next_try_in_seconds=pause)
        else:
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
