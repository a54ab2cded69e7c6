"""Whatever the program writes is for its owner alone, whatever was there and whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import file_permissions
from tests.graph.cli.test_commands import HEADER, run
from tests.graph.support.apps import settings_of
from tests.graph.support.servers import Server

pytestmark = pytest.mark.slow


@pytest.fixture
def generous() -> Iterator[None]:
    """A shell whose new files everybody may read."""
    before = os.umask(0)
    yield
    os.umask(before)


def _open_to_others(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    return sorted(str(path.relative_to(folder)) for path in found)


def test_a_server_in_a_folder_that_was_there_keeps_all_to_its_owner(tmp_path: Path, generous: None) -> None:
    data = tmp_path / "data"
    (data / "mails").mkdir(parents=True)
    for name in ("rattache.db", "secret-key", "mails/old.eml"):
        (data / name).touch()
    (data / "secret-key").write_text("a" * 48)
    with Server(tmp_path):
        found = _open_to_others(data)
        files = {path.name for path in data.iterdir()}
    assert found == []
    assert files >= {"rattache.db", "rattache.db-wal", "rattache.db-shm", "secret-key", "mails", "documents"}
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_refused_lines_and_previews_are_their_owners_alone(tmp_path: Path, generous: None) -> None:
    (tmp_path / "directory.csv").write_text(f"{HEADER}\nSIRET;12345678912345;F;1 rue;35000;Rennes;FR\n")
    (tmp_path / "directory.csv.refused.csv").touch()
    assert run(tmp_path, "import-structures", "directory.csv").returncode == 0
    assert run(tmp_path, "mail", "preview", "previews").returncode == 0
    assert _open_to_others(tmp_path) == ["directory.csv"]


def test_a_data_folder_that_holds_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.data_dir.mkdir()
    for name in ("notes.txt", "rattache.db"):
        (settings.data_dir / name).touch()
        (settings.data_dir / name).chmod(0o644)
    settings.data_dir.chmod(0o755)
    assert file_permissions.narrow(settings) == []
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (settings.data_dir, *sorted(settings.data_dir.iterdir()))]
    assert modes == [0o755, 0o644, 0o600]
