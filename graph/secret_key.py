"""The application's key: the one that is set, or one made once and kept in the data folder."""

import os
import secrets
from pathlib import Path

from graph.settings import LEAST_KEY, Settings, SettingsRefused


def application_key(settings: Settings) -> str:
    """The key that seals what must not be read in the database.

    Raises:
        SettingsRefused: when none is set and none can be kept.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / "secret-key"
    try:
        return _kept(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsRefused(f"No key can be kept at {path} ({reason}): set SECRET_KEY or DATA_DIR.") from error


def _kept(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        # Written whole under another name first: of two processes that start at once both read the same key.
        draft = path.with_name(f".secret-key.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = path.read_text(encoding="ascii").strip()
    if len(key) < LEAST_KEY:
        raise SettingsRefused(
            f"The key in {path} is shorter than {LEAST_KEY} characters: remove the file or set SECRET_KEY."
        )
    return key
