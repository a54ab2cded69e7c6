"""What the environment says of an installation: read once, checked, and passed inward as one frozen object."""

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mailer.transport import SmtpServer

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LEAST_KEY = 32
MOST_PORT = 65_535
NEAR = 0.85  # how alike two names are of which one is a slip of the other
_SPAN = re.compile(r"(\d{1,6})\s*(s|m|h|d)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", None: "seconds"}


class SettingsRefused(Exception):
    """The environment holds a value that can't be used; the text says which, and what would do."""


def _span(value: object) -> object:
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, str) and found is None:
        raise ValueError("must be a number with s, m, h or d behind it, such as 12h")
    return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else value


def _switch(value: object) -> object:
    words = {"on": True, "off": False}
    if isinstance(value, str) and value.lower() not in words:
        raise ValueError("must be on or off")
    return words[value.lower()] if isinstance(value, str) else value


Span = Annotated[timedelta, BeforeValidator(_span)]
Switch = Annotated[bool, BeforeValidator(_switch)]


class Settings(BaseSettings):
    """All that can be set; every name is the environment variable's in lower case, every default serves as it is."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: str = ""
    redis_url: str | None = None
    smtp_url: SecretStr | None = None
    mail_from: str = "rattache <no-reply@rattache.example>"
    public_url: str = "http://127.0.0.1:8000"
    account_app_url: str | None = None
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    secret_key: SecretStr | None = None
    secret_key_old: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    data_dir: Path = Path("rattache-data")
    storage_url: str = ""
    clamd_url: str | None = None
    documents_most_files: int = 100
    documents_most_bytes: int = 100 * 1024 * 1024
    time_zone: str = "Europe/Paris"
    log_format: Literal["console", "json"] = "console"
    session_idle: Span = timedelta(hours=12)
    courier_lease: Span = timedelta(seconds=30)
    job_period: Span | None = None
    live_replay: Span = timedelta(hours=24)
    rate_limits: Switch = True
    connections: int = 10_000
    connections_per_source: int = 512
    forwarded_allow_ips: Annotated[tuple[str, ...], NoDecode] = ()
    graphiql: Switch | None = None
    introspection: Switch | None = None
    metrics: Switch | None = None
    worker_listen: str | None = None

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        sqlite = value.startswith("sqlite://") and len(value) > len("sqlite://")
        if value and not sqlite and not (value.startswith("postgres://") and urlsplit(value).hostname):
            raise ValueError("must read sqlite://PATH or postgres://user:password@host:port/name")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must read redis://host:port or rediss://host:port")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            try:
                SmtpServer.parse(value.get_secret_value())
            except ValueError as error:
                raise ValueError("must read smtp://, smtps:// or smtp+starttls://user:password@host:port") from error
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        if not re.fullmatch(r"[^<>@\s]+@[^<>@\s]+|[^<>\r\n]*<[^<>@\s]+@[^<>@\s]+>", value):
            raise ValueError("must be an address, such as Portal <no-reply@example.org>")
        return value

    @field_validator("public_url", "account_app_url")
    @classmethod
    def _web(cls, value: str | None) -> str | None:
        if value is not None and not _is_web(value):
            raise ValueError("must be a web address, such as https://accounts.example.org")
        return value.rstrip("/") if value else None

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        found = tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
        if isinstance(found, tuple) and not all(_is_web(origin) for origin in found):
            raise ValueError("must be web addresses with commas between them, such as https://app.example.org")
        return found

    @field_validator("secret_key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < LEAST_KEY:
            raise ValueError(f"must have {LEAST_KEY} characters or more")
        return value

    @field_validator("secret_key_old", mode="before")
    @classmethod
    def _former(cls, value: object) -> object:
        found = tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
        if isinstance(found, tuple) and any(len(key) < LEAST_KEY for key in found if isinstance(key, str)):
            raise ValueError(f"must be former keys of {LEAST_KEY} characters or more, with commas between them")
        return found

    @field_validator("storage_url")
    @classmethod
    def _storage(cls, value: str) -> str:
        s3 = value.startswith("s3://") and urlsplit(value).hostname
        if value and not value.startswith("file:///") and not s3:
            raise ValueError("must read file:///PATH or s3://BUCKET/PREFIX")
        return value

    @field_validator("clamd_url")
    @classmethod
    def _clamd(cls, value: str | None) -> str | None:
        if value and not (value.startswith("unix:///") or (value.startswith("tcp://") and urlsplit(value).hostname)):
            raise ValueError("must read tcp://host:port or unix:///PATH")
        return value

    @field_validator("documents_most_files", "documents_most_bytes")
    @classmethod
    def _room(cls, value: int) -> int:
        if value < 0:
            raise ValueError("must be 0 or more")
        return value

    @field_validator("connections", "connections_per_source")
    @classmethod
    def _number(cls, value: int) -> int:
        if value < 1:
            raise ValueError("must be 1 or more")
        return value

    @field_validator("forwarded_allow_ips", mode="before")
    @classmethod
    def _proxies(cls, value: object) -> object:
        found = tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
        try:
            return tuple(str(ip_network(each) if "/" in each else ip_address(each)) for each in found or ())  # type: ignore[attr-defined]
        except ValueError as error:
            raise ValueError(
                "must be addresses or networks of your own proxies with commas between them, such as 10.0.0.5"
            ) from error

    @field_validator("worker_listen")
    @classmethod
    def _place(cls, value: str | None) -> str | None:
        if value is not None and place_of(value) is None:
            raise ValueError("must read address:port, such as 127.0.0.1:9100 or [::1]:9100")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("must be a time zone's name, such as Europe/Paris")
        return value

    @field_validator("session_idle", "live_replay")
    @classmethod
    def _some(cls, value: timedelta) -> timedelta:
        if value < timedelta(minutes=1):
            raise ValueError("must be a minute (1m) or more")
        return value

    @field_validator("courier_lease", "job_period")
    @classmethod
    def _breath(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < timedelta(seconds=1):
            raise ValueError("must be a second (1s) or more")
        return value

    @model_validator(mode="before")
    @classmethod
    def _lower(cls, values: dict[str, object]) -> dict[str, object]:
        given = values.get("log_format")
        return values | {"log_format": given.lower()} if isinstance(given, str) else values

    @property
    def database(self) -> str:
        """The address of the database: a file in the data folder unless one is set."""
        return self.database_url or f"sqlite://{self.data_dir / 'rattache.db'}"

    @property
    def storage(self) -> str:
        """The address of the store of documents: a folder in the data folder unless one is set."""
        return self.storage_url or (self.data_dir.absolute() / "documents").as_uri()

    @property
    def former_keys(self) -> tuple[str, ...]:
        """The application's former keys, by which what they sealed and signed is still opened."""
        return tuple(key.get_secret_value() for key in self.secret_key_old)

    @property
    def mails(self) -> Path:
        """The folder mails are written to where there is no mail server."""
        return self.data_dir / "mails"

    @property
    def smtp(self) -> str | None:
        """The mail server's address in clear."""
        return self.smtp_url.get_secret_value() if self.smtp_url else None

    @property
    def mail_domain(self) -> str:
        """The domain that mails are sent from."""
        return self.mail_from.rstrip(">").rpartition("@")[2]

    @property
    def zone(self) -> ZoneInfo:
        """The structures' time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def is_local(self) -> bool:
        """Is the public address this very machine's?"""
        return urlsplit(self.public_url).hostname in LOOPBACK

    @property
    def has_graphiql(self) -> bool:
        """Is there GraphiQL? By default for whoever sits at this machine."""
        return self.is_local if self.graphiql is None else self.graphiql

    @property
    def has_introspection(self) -> bool:
        """Are questions about the schema answered? By default for whoever sits at this machine."""
        return self.is_local if self.introspection is None else self.introspection

    @property
    def has_metrics(self) -> bool:
        """Are measures shown? By default to whoever sits at this machine."""
        return self.is_local if self.metrics is None else self.metrics

    def for_demo(self) -> Self:
        """The same, with a data folder of the demonstration's own.

        Raises:
            SettingsRefused: when the environment names a database, a store or servers, or leads people here from afar.
        """
        named = {
            "DATABASE_URL": self.database_url,
            "STORAGE_URL": self.storage_url,
            "REDIS_URL": self.redis_url,
            "SMTP_URL": self.smtp_url,
            "PUBLIC_URL": not self.is_local,
        }
        if any(named.values()):
            raise SettingsRefused(
                "--demo has known passwords and a world of its own on this machine: start it without "
                f"{', '.join(name for name, value in named.items() if value)}."
            )
        return self.model_copy(update={"data_dir": self.data_dir / "demo"})


def place_of(value: str) -> tuple[str, int] | None:
    """The address and the port of `127.0.0.1:9100` or `[::1]:9100`; None when it names no such place."""
    name, _, port = value.rpartition(":")
    try:
        address = ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return None
    is_written = name.startswith("[") == (address.version == 6)
    return (str(address), int(port)) if is_written and port.isdecimal() and 0 < int(port) <= MOST_PORT else None


def read(**defaults: object) -> Settings:
    """The settings of the environment; `defaults` stand where a variable isn't set.

    Raises:
        SettingsRefused: when a variable holds what it can't.
    """
    try:
        found = Settings()
        missing = {name: value for name, value in defaults.items() if name not in found.model_fields_set}
        return Settings(**missing) if missing else found  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsRefused(
            " ".join(_sentence(problem["loc"], problem["msg"]) for problem in error.errors())
        ) from None


def mistyped(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The variables that look like a setting and are none, each with the setting that is nearest."""
    known = {name.upper() for name in Settings.model_fields}
    found = []
    for name in sorted(set(environment) - known):
        nearest = get_close_matches(name.removeprefix("RATTACHE_"), known, 1, NEAR)
        if nearest:
            found.append((name, nearest[0]))
    return found


def in_clear(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """What goes to another machine readable on the way, each with what to do."""
    postgres = "" if "ssl" in urlsplit(settings.database_url).query else settings.database_url
    ways = (
        ("SMTP_URL", settings.smtp or "", "smtp", "take smtps:// or smtp+starttls://"),
        ("DATABASE_URL", postgres, "postgres", "let PostgreSQL demand TLS (hostssl), or tunnel"),
        ("REDIS_URL", settings.redis_url or "", "redis", "take rediss://"),
        ("CLAMD_URL", settings.clamd_url or "", "tcp", "run clamd on this machine, or tunnel"),
        ("AWS_ENDPOINT_URL", environment.get("AWS_ENDPOINT_URL", ""), "http", "take https://"),
    )
    return [
        f"{name} may be read on its way to {host}: {advice}"
        for name, url, scheme, advice in ways
        if urlsplit(url).scheme == scheme and (host := urlsplit(url).hostname) not in (None, *LOOPBACK)
    ]


def need_mail_server(settings: Settings) -> None:
    """Let pass what can write to its people: where mails are but files, whoever opens them is let in by their links.

    Raises:
        SettingsRefused: when people reach the server from elsewhere and there is no mail server.
    """
    if settings.smtp is None and not settings.is_local:
        raise SettingsRefused("PUBLIC_URL is not this machine's, so mails must leave it: set SMTP_URL.")


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    name = str(place[0]).upper() if place else "The environment"
    told = message.removeprefix("Value error, ")
    return f"{name} {told if told.startswith('must') else 'must be one that is allowed: ' + told}."


def _is_web(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
