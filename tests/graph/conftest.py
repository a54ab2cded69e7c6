"""What tests of the running server share: the processes that streams and acts go to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.support.processes import SETTINGS, Place, two_servers
from tests.graph.support.servers import Server


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One process on SQLite; two on PostgreSQL, the reader at the one and the acts at the other."""
    folder: Path = tmp_path_factory.mktemp("processes")
    if request.param == "sqlite":
        settings = {**SETTINGS, "DATABASE_URL": f"sqlite://{folder / 'live.db'}"}
        with Server(folder, settings, "--no-worker") as server:
            yield Place(settings["DATABASE_URL"], server.url, server.url)
        return
    with two_servers(folder, f"rattache_{request.module.__name__.rpartition('.')[2]}") as (address, one, two):
        yield Place(address, one.url, two.url)
