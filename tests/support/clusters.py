"""A PostgreSQL cluster that a test starts itself, beside the one that all tests share: its own files, port and ids."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.graph.support.servers import free_port

PROGRAMS = ("initdb", "pg_ctl", "pg_dump", "pg_restore")


def folder_of_programs() -> Path:
    """Where the newest server's programs are; skips where there are none."""
    places = [Path(path) for path in os.environ.get("PATH", "").split(os.pathsep)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    found = next((place for place in places if all((place / name).is_file() for name in PROGRAMS)), None)
    if found is None:
        pytest.skip("no programs of a PostgreSQL server (initdb, pg_ctl, pg_dump, pg_restore)")
    return found


def owner() -> str | None:
    """Whose the cluster has to be: PostgreSQL refuses to run as root; None for whoever runs the tests."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@contextmanager
def running() -> Iterator[str]:
    """The address of a new, empty cluster without a database's name; gone afterwards."""
    programs, user, port = folder_of_programs(), owner(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="rattache-cluster-"))
    if user is not None:
        shutil.chown(folder, user)

    def run(name: str, *options: str) -> None:
        subprocess.run(
            [programs / name, "-D", folder / "data", *options],
            user=user, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    try:
        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
        settings = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", settings)
        yield f"postgres://postgres@127.0.0.1:{port}"
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(folder)


def dump(address: str, file: Path) -> None:
    """Write the whole database to the file, as `pg_dump` does."""
    _run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={address}")


def restore(file: Path, address: str) -> None:
    """Fill the empty database with what was dumped, as `pg_restore` does."""
    _run("pg_restore", "--exit-on-error", f"--dbname={address}", str(file))


def _run(name: str, *options: str) -> None:
    subprocess.run([folder_of_programs() / name, *options], check=True, timeout=60)
