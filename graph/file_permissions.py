"""Permissions: whatever the program keeps in files is for its owner alone, also what was there before it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from graph.settings import Settings
from models.db import database

OTHERS = stat.S_IRWXG | stat.S_IRWXO
BESIDE = ("", "-wal", "-shm", "-journal")  # how SQLite names the files of one database
NAMES = ("secret-key", "mails", "documents", "demo", "rattache.db")


def keep_to_owner() -> None:
    """Make every file and folder that this process creates, and those of its children, its owner's alone."""
    os.umask(OTHERS)


def narrow(settings: Settings) -> list[Path]:
    """Take what others may do with the installation's files from them; those that stay open to others."""
    left = []
    for path in exposed(settings):
        try:
            os.chmod(path, stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)
        except OSError:
            left.append(path)
    return left


def exposed(settings: Settings) -> list[Path]:
    """The installation's files and folders that others may do something with."""
    return [path for path in _kept(settings) if not path.is_symlink() and path.lstat().st_mode & OTHERS]


def _kept(settings: Settings) -> Iterator[Path]:
    """What the program writes, and nothing else: a data folder that holds other things too is left as it is."""
    folder = settings.data_dir
    found = list(folder.iterdir()) if folder.is_dir() else []
    if found and all(path.name.startswith((*NAMES, ".secret-key")) for path in found):
        yield folder
    yield from (path for name in NAMES for path in _tree(folder / name))
    if database.is_sqlite_url(settings.database):
        file = settings.database.removeprefix("sqlite://").partition("?")[0]
        yield from (path for ending in BESIDE if (path := Path(file + ending)).exists())
    if settings.storage.startswith("file://"):
        yield from _tree(Path(unquote(urlsplit(settings.storage).path)))


def _tree(path: Path) -> Iterator[Path]:
    if path.exists() and not path.is_symlink():
        yield path
        for folder, folders, files in os.walk(path):
            yield from (Path(folder, name) for name in (*folders, *files))
