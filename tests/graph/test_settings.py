"""What the environment may say, what stands where it says nothing, and how a wrong value is told."""

import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from graph import secret_key, settings
from graph.settings import Settings, SettingsRefused
from tests.graph.support.apps import settings_of

NAMES = [name.upper() for name in Settings.model_fields]
OPERATIONS = Path(__file__).parents[2] / "OPERATIONS.md"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_an_empty_environment_serves_from_a_folder_beside() -> None:
    read = settings.read()
    assert read.database == "sqlite://rattache-data/rattache.db"
    assert (read.mails, read.storage) == (
        Path("rattache-data/mails"),
        Path("rattache-data/documents").absolute().as_uri(),
    )
    assert (read.public_url, read.smtp, read.redis_url) == ("http://127.0.0.1:8000", None, None)
    assert (read.session_idle, read.time_zone, read.log_format) == (timedelta(hours=12), "Europe/Paris", "console")
    assert (read.rate_limits, read.has_graphiql, read.has_introspection, read.has_metrics) == (True,) * 4
    assert read.is_local


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("RATE_LIMITS", "")
    assert settings.read().database == "sqlite://rattache-data/rattache.db"


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("DATABASE_URL", "sqlite:///srv/x.db", "database", "sqlite:///srv/x.db"),
        ("DATABASE_URL", "postgres://u:p@h:5432/n", "database", "postgres://u:p@h:5432/n"),
        ("REDIS_URL", "redis://h:6379", "redis_url", "redis://h:6379"),
        ("SMTP_URL", "smtp+starttls://u:p@h:587", "smtp", "smtp+starttls://u:p@h:587"),
        ("MAIL_FROM", "Portal <a@b.example>", "mail_domain", "b.example"),
        ("MAIL_FROM", "a@b.example", "mail_domain", "b.example"),
        ("PUBLIC_URL", "https://accounts.example/", "public_url", "https://accounts.example"),
        ("PUBLIC_URL", "https://accounts.example", "is_local", False),
        ("PUBLIC_URL", "http://[::1]:8000", "is_local", True),
        ("ACCOUNT_APP_URL", "https://app.example/account", "account_app_url", "https://app.example/account"),
        ("ALLOWED_ORIGINS", "https://a.example, https://b.example", "allowed_origins",
         ("https://a.example", "https://b.example")),
        ("DATA_DIR", "/srv/data", "database", "sqlite:///srv/data/rattache.db"),
        ("STORAGE_URL", "file:///srv/files", "storage", "file:///srv/files"),
        ("STORAGE_URL", "s3://bucket/documents", "storage", "s3://bucket/documents"),
        ("CLAMD_URL", "tcp://127.0.0.1:3310", "clamd_url", "tcp://127.0.0.1:3310"),
        ("DOCUMENTS_MOST_FILES", "7", "documents_most_files", 7),
        ("DOCUMENTS_MOST_BYTES", "1048576", "documents_most_bytes", 1_048_576),
        ("TIME_ZONE", "Indian/Reunion", "time_zone", "Indian/Reunion"),
        ("LOG_FORMAT", "JSON", "log_format", "json"),
        ("SESSION_IDLE", "90m", "session_idle", timedelta(minutes=90)),
        ("SESSION_IDLE", "3600", "session_idle", timedelta(hours=1)),
        ("COURIER_LEASE", "2s", "courier_lease", timedelta(seconds=2)),
        ("JOB_PERIOD", "10s", "job_period", timedelta(seconds=10)),
        ("RATE_LIMITS", "off", "rate_limits", False),
        ("CONNECTIONS", "500", "connections", 500),
        ("CONNECTIONS_PER_SOURCE", "20", "connections_per_source", 20),
        ("FORWARDED_ALLOW_IPS", "10.0.0.5, fd00::/8", "forwarded_allow_ips", ("10.0.0.5", "fd00::/8")),
        ("GRAPHIQL", "off", "graphiql", False),
        ("INTROSPECTION", "OFF", "introspection", False),
        ("METRICS", "on", "has_metrics", True),
        ("WORKER_LISTEN", "[::1]:9100", "worker_listen", "[::1]:9100"),
        ("PUBLIC_URL", "https://accounts.example", "has_graphiql", False),
        ("PUBLIC_URL", "https://accounts.example", "has_introspection", False),
        ("PUBLIC_URL", "https://accounts.example", "has_metrics", False),
    ],
)  # fmt: skip
def test_a_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, attribute: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(settings.read(), attribute) == expected


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://h/n", "must read sqlite://PATH or postgres://user:password@host:port/name."),
        ("DATABASE_URL", "sqlite://", "must read sqlite://PATH or postgres://user:password@host:port/name."),
        ("DATABASE_URL", "postgres:///name", "must read sqlite://PATH or postgres://user:password@host:port/name."),
        ("REDIS_URL", "http://h", "must read redis://host:port or rediss://host:port."),
        ("SMTP_URL", "mail.example", "must read smtp://, smtps:// or smtp+starttls://user:password@host:port."),
        ("MAIL_FROM", "nobody", "must be an address, such as Portal <no-reply@example.org>."),
        ("PUBLIC_URL", "accounts.example", "must be a web address, such as https://accounts.example.org."),
        ("PUBLIC_URL", "http://h:99999", "must be a web address, such as https://accounts.example.org."),
        ("ACCOUNT_APP_URL", "app", "must be a web address, such as https://accounts.example.org."),
        ("ALLOWED_ORIGINS", "*",
         "must be web addresses with commas between them, such as https://app.example.org."),
        ("SECRET_KEY", "short", "must have 32 characters or more."),
        ("STORAGE_URL", "ftp://bucket", "must read file:///PATH or s3://BUCKET/PREFIX."),
        ("CLAMD_URL", "127.0.0.1:3310", "must read tcp://host:port or unix:///PATH."),
        ("DOCUMENTS_MOST_FILES", "-1", "must be 0 or more."),
        ("TIME_ZONE", "Mars/Olympus", "must be a time zone's name, such as Europe/Paris."),
        ("LOG_FORMAT", "xml", "must be one that is allowed: Input should be 'console' or 'json'."),
        ("SESSION_IDLE", "soon", "must be a number with s, m, h or d behind it, such as 12h."),
        ("SESSION_IDLE", "5s", "must be a minute (1m) or more."),
        ("COURIER_LEASE", "0s", "must be a second (1s) or more."),
        ("JOB_PERIOD", "0s", "must be a second (1s) or more."),
        ("RATE_LIMITS", "maybe", "must be on or off."),
        ("CONNECTIONS", "0", "must be 1 or more."),
        ("WORKER_LISTEN", "9100", "must read address:port, such as 127.0.0.1:9100 or [::1]:9100."),
        ("WORKER_LISTEN", "::1:9100", "must read address:port, such as 127.0.0.1:9100 or [::1]:9100."),
        ("WORKER_LISTEN", "127.0.0.1:70000", "must read address:port, such as 127.0.0.1:9100 or [::1]:9100."),
        ("FORWARDED_ALLOW_IPS", "*",
         "must be addresses or networks of your own proxies with commas between them, such as 10.0.0.5."),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused) as refused:
        settings.read()
    assert str(refused.value) == f"{name} {sentence}"


def test_a_default_gives_way_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.read(public_url="http://127.0.0.1:9").public_url == "http://127.0.0.1:9"
    monkeypatch.setenv("PUBLIC_URL", "https://set.example")
    assert settings.read(public_url="http://127.0.0.1:9").public_url == "https://set.example"


def test_secrets_are_not_shown_with_the_settings(tmp_path: Path) -> None:
    given = settings_of(tmp_path, secret_key="k" * 40, smtp_url="smtp://u:hush@h")
    assert "kkkk" not in repr(given)
    assert "hush" not in repr(given)


def test_the_key_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    given = settings_of(tmp_path)
    key = secret_key.application_key(given)
    kept = tmp_path / "data" / "secret-key"
    assert len(key) == 64
    assert secret_key.application_key(given) == key
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [path.name for path in kept.parent.iterdir()] == ["secret-key"]


def test_the_key_that_is_set_comes_first(tmp_path: Path) -> None:
    assert secret_key.application_key(settings_of(tmp_path, secret_key="s" * 32)) == "s" * 32
    assert not (tmp_path / "data").exists()


def test_a_key_that_can_not_be_kept_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(SettingsRefused, match=re.escape("set SECRET_KEY or DATA_DIR")):
        secret_key.application_key(settings_of(tmp_path))


def test_every_setting_is_told_to_operators_with_its_default() -> None:
    told = OPERATIONS.read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in told] == []
