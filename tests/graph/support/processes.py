"""Where streams and the acts they tell of meet: one server process on SQLite, two on PostgreSQL at ports of their own."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.db import database
from tests.conftest import new_postgres, on_server
from tests.graph.support.servers import Server

SETTINGS = {"RATE_LIMITS": "off", "LOG_FORMAT": "json", "SECRET_KEY": "a secret key that both processes share"}


@dataclass(frozen=True)
class Place:
    """A database, where the reader is connected, and where the acts are sent."""

    database: str
    reader: str
    writer: str


@contextmanager
def two_servers(folder: Path, name: str, **settings: str) -> Iterator[tuple[str, Server, Server]]:
    """The address of a new PostgreSQL database, and two running servers of it; skips where there is no PostgreSQL."""
    name = f"{name}_{os.getpid()}"  # runs beside each other don't meet
    address = asyncio.run(new_postgres(name))
    asyncio.run(database.migrate(address))
    folders = [folder / "one", folder / "two"]
    for each in folders:
        each.mkdir()
    shared = {**SETTINGS, **settings, "DATABASE_URL": address}
    one, two = (Server(each, shared, "--no-worker") for each in folders)
    try:
        with one, two:
            yield address, one, two
    finally:
        asyncio.run(on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
