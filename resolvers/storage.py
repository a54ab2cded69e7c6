"""What keeps the content of documents: a store of objects, a folder or S3-compatible, and maybe a virus scanner."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import MemoryStore, ObjectStore

from models.errors.errors import StorageAway

if TYPE_CHECKING:
    from obstore import GetResult

PIECE_BYTES = 64 * 1024
LISTED_AT_ONCE = 1000
DOUBT_SECONDS = 2.0  # of waiting, after which the store must show that it is there
PROOF_SECONDS = 2.0
Answer = TypeVar("Answer")

Store = ObjectStore
Nowhere = MemoryStore  # for work that keeps no documents


class Scanner(Protocol):
    """A virus scanner."""

    async def __call__(self, content: AsyncIterator[bytes]) -> str | None:
        """The name of what was found in the content; None when it is clean.

        Raises:
            StorageAway: when it can't be asked.
            NoVerdict: when it is there and gives no verdict on this content.
        """


class ContentMissing(Exception):
    """The store has no object of this key."""


# What this process asked of its store, and what of it failed, by operation.
OPERATIONS = ("put", "read", "delete", "list")
asked: Counter[str] = Counter()
failed: Counter[str] = Counter()


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ContentMissing from error
    except (BaseError, OSError) as error:
        failed[operation] += 1
        raise StorageAway(f"the store of documents can't be used: {type(error).__name__}") from error


async def _answered(store: Store, act: Awaitable[Answer]) -> Answer:
    """What the store answers; one that is slow is waited for, one that doesn't say that it is there isn't.

    Raises:
        TimeoutError: when the store has fallen silent.
    """
    asked = asyncio.ensure_future(act)
    try:
        while not (await asyncio.wait({asked}, timeout=DOUBT_SECONDS))[0]:
            async with asyncio.timeout(PROOF_SECONDS):
                with suppress(FileNotFoundError):
                    await obstore.head_async(store, "nothing")
        return asked.result()
    finally:
        asked.cancel()


async def put(store: Store, key: str, content: IO[bytes]) -> None:
    """Store the content, whole or not at all.

    Raises:
        StorageAway: when the store can't be used.
    """
    asked["put"] += 1
    try:
        with _translated("put"):
            await _answered(store, obstore.put_async(store, key, content, use_multipart=False))
    except ContentMissing as error:
        failed["put"] += 1
        raise StorageAway("the store of documents has no such place: make the bucket") from error


async def read(store: Store, key: str, start: int, stop: int) -> AsyncIterator[bytes]:
    """The bytes from `start` up to `stop` in pieces; asked for before the first of them is given.

    Raises:
        ContentMissing: when there is no such object.
        StorageAway: when the store can't be used, before the first piece or after.
    """
    asked["read"] += 1
    with _translated("read"):
        found = await _answered(store, obstore.get_async(store, key, options={"range": (start, stop)}))
    return _pieces(found)


async def _pieces(found: "GetResult") -> AsyncIterator[bytes]:
    with _translated("read"):
        async for piece in found.stream(min_chunk_size=PIECE_BYTES):
            yield bytes(piece)


async def delete(store: Store, key: str) -> None:
    """Delete the object; one that isn't there is as good as deleted.

    Raises:
        StorageAway: when the store can't be used.
    """
    asked["delete"] += 1
    try:
        with _translated("delete"):
            await _answered(store, obstore.delete_async(store, key))
    except ContentMissing:
        return


async def keys(store: Store) -> AsyncIterator[list[tuple[str, datetime]]]:
    """The key of every object and when it was written, in batches.

    Raises:
        StorageAway: when the store can't be used.
    """
    asked["list"] += 1
    with _translated("list"):
        async for batch in obstore.list(store, chunk_size=LISTED_AT_ONCE):
            yield [(item["path"], item["last_modified"]) for item in batch]
