"""What jobs share: rows acted on one by one, so that one that fails is told and the others go on.

A job is `async def name(scope: Scope) -> int`: what is due by the scope's clock is done, once for each occasion however
many workers run it, and the number of occasions comes back. Each row is a transaction of its own that takes its
occasion (`models.mail.idempotency_keys.take`) beside what it changes; `graph/worker/jobs.py` says which jobs run, and
how often.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import structlog

from models.errors.errors import DatabaseAway

log = structlog.get_logger(__name__)
Row = TypeVar("Row")


async def each(job: str, rows: Iterable[Row], act: Callable[[Row], Awaitable[int]]) -> int:
    """How many occasions the rows came to; one that fails is logged, left as it was, and tried again by the next run.

    A job that is cancelled finishes the row in hand first.

    Raises:
        DatabaseAway: when the database can't be reached: no other row would fare better.
    """
    done = 0
    for row in rows:
        try:
            done += await _whole(act, row)
        except DatabaseAway:
            raise
        except Exception:
            log.exception("job_row_failed", job=job, row=getattr(row, "id", row))
    return done


async def _whole(act: Callable[[Row], Awaitable[int]], row: Row) -> int:
    working = asyncio.ensure_future(act(row))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        with suppress(Exception):
            await working
        raise
