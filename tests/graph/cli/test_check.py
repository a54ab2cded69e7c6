"""`rattache check` and the servers beside the database: silent, missing, in clear text, or set under a mistyped name."""

import asyncio
import io
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from graph.app import office_of
from graph.files import storage as stores
from graph.settings import Settings, in_clear, mistyped
from models.accounts.accounts import Language
from models.db import database
from models.errors.errors import StorageAway
from resolvers import storage
from resolvers.accounts import accounts, wishes
from resolvers.scope import Scope
from tests.conftest import s3_environment
from tests.graph.cli.test_commands import run
from tests.graph.support.apps import settings_of
from tests.support.proxies import Proxy

pytestmark = pytest.mark.slow


@pytest.fixture
def s3_proxy(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, str]]:
    """A proxy to the S3 server, and the address of a bucket behind it."""
    bucket = f"bucket-{secrets.token_hex(8)}"
    httpx.put(f"{s3_server}/{bucket}").raise_for_status()
    with Proxy.to(s3_server) as proxy:
        for name, value in s3_environment(proxy.url(s3_server)).items():
            monkeypatch.setenv(name, value)
        yield proxy, f"s3://{bucket}/documents"


async def test_a_silent_store_is_told_and_used_again_afterwards(s3_proxy: tuple[Proxy, str]) -> None:
    proxy, url = s3_proxy
    store = stores.store_of(url)
    proxy.pause()
    with pytest.raises(StorageAway):
        await storage.put(store, "one", io.BytesIO(b"content"))
    with pytest.raises(StorageAway):
        await storage.read(store, "one", 0, 7)
    proxy.resume()
    await storage.put(store, "two", io.BytesIO(b"content"))
    pieces = [piece async for piece in await storage.read(store, "two", 0, 7)]
    assert b"".join(pieces) == b"content"


async def test_a_bucket_that_is_missing_is_told(s3_proxy: tuple[Proxy, str]) -> None:
    with pytest.raises(StorageAway, match="make the bucket"):
        await storage.put(stores.store_of("s3://nowhere-at-all/documents"), "one", io.BytesIO(b"content"))


def test_check_says_which_servers_can_not_be_used(tmp_path: Path, s3_server: str) -> None:
    away = {
        "STORAGE_URL": "s3://nowhere-at-all/documents",
        "REDIS_URL": "redis://127.0.0.1:1",
        "CLAMD_URL": "tcp://127.0.0.1:1",
    }
    done = run(tmp_path, "check", **away, **s3_environment(s3_server))
    failed = [line.split()[0] for line in done.stdout.splitlines() if "FAILED" in line]
    assert (done.returncode, done.stderr, failed) == (1, "", ["storage", "redis", "scanner"])


def test_check_tells_of_a_silent_database_within_its_bound(tmp_path: Path, postgres_database: str) -> None:
    with Proxy.to(postgres_database) as proxy:
        proxy.pause()
        done = run(tmp_path, "check", DATABASE_URL=proxy.url(postgres_database))
    failed = [line.split(maxsplit=2) for line in done.stdout.splitlines() if "FAILED" in line]
    assert (done.returncode, done.stderr) == (1, "")
    assert failed == [[name, "FAILED", "it gives no answer"] for name in ("database", "migrations")]


def test_check_tells_of_a_silent_redis_and_scanner_within_its_bound(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        place = "{}:{}".format(*silent.getsockname())
        done = run(tmp_path, "check", REDIS_URL=f"redis://{place}", CLAMD_URL=f"tcp://{place}")
    failed = [line.split()[0] for line in done.stdout.splitlines() if "FAILED" in line]
    assert (done.returncode, done.stderr, failed) == (1, "", ["redis", "scanner"])


NEW, OLD, OTHER = (f"the {which} key of this application" for which in ("newest", "former", "foreign"))


async def _an_unsent_link(installation: Settings) -> None:
    await database.migrate(installation.database)
    await database.connect(installation.database)
    scope = Scope(office_of(installation))
    await accounts.sign_up(
        scope,
        login_email="ada@people.example",
        first_name="Ada",
        last_name="V",
        language=Language.FR,
        accept_terms=True,
    )
    await wishes.grant(scope)
    await database.close()


def test_check_tells_what_still_needs_a_former_key(tmp_path: Path) -> None:
    asyncio.run(_an_unsent_link(settings_of(tmp_path, secret_key=SecretStr(OLD))))

    def told(**keys: str) -> tuple[int, list[str]]:
        done = run(tmp_path, "check", **keys)
        return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("former keys")]

    always = "links to unsubscribe in mails sent before need theirs for good"
    assert told(SECRET_KEY=OLD) == (0, [])
    none = f"former keys    ok      no unsent link needs one; {always}"
    assert told(SECRET_KEY=OLD, SECRET_KEY_OLD=OTHER) == (0, [none])
    lost = "former keys    FAILED  1 unsent links open under none of the keys: SECRET_KEY_OLD lacks one"
    assert told(SECRET_KEY=NEW) == told(SECRET_KEY=NEW, SECRET_KEY_OLD=OTHER) == (1, [lost])
    code, (line,) = told(SECRET_KEY=NEW, SECRET_KEY_OLD=f"{OTHER},{OLD}")
    needed = r"former keys    ok      1 unsent links need one until \d{4}-\d\d-\d\d \d\d:\d\d; " + always
    assert code == 0
    assert re.fullmatch(needed, line)


def test_check_warns_of_a_mistyped_setting_and_of_clear_text_to_another_machine(tmp_path: Path) -> None:
    given = {"DATABSE_URL": "sqlite://x", "AWS_ENDPOINT_URL": "http://s3.example:9000", "HOMEPAGE": "x"}
    lines = run(tmp_path, "check", **given).stdout.splitlines()
    assert [line for line in lines if "WARNING" in line] == [
        "configuration  WARNING DATABSE_URL is no setting: DATABASE_URL is",
        "clear text     WARNING AWS_ENDPOINT_URL may be read on its way to s3.example: take https://",
    ]


def test_a_slip_is_told_with_the_nearest_setting_and_other_variables_are_not() -> None:
    found = mistyped({"SMPT_URL": "", "RATTACHE_PUBLIC_URL": "", "PATH": "", "XDG_DATA_DIRS": "", "DATA_DIR": ""})
    assert found == [("RATTACHE_PUBLIC_URL", "PUBLIC_URL"), ("SMPT_URL", "SMTP_URL")]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"redis_url": "redis://cache.example"}, ["REDIS_URL"]),
        (
            {"database_url": "postgres://a@db.example/x", "smtp_url": "smtp://mail.example"},
            ["SMTP_URL", "DATABASE_URL"],
        ),
        ({"redis_url": "rediss://cache.example", "database_url": "postgres://a@127.0.0.1/x"}, []),
        ({"redis_url": "redis://localhost", "smtp_url": "smtp+starttls://mail.example"}, []),
    ],
)
def test_what_goes_to_another_machine_in_clear_is_named(
    tmp_path: Path, given: dict[str, str], named: list[str]
) -> None:
    told = in_clear(settings_of(tmp_path, **given), {})
    assert [line.split()[0] for line in told] == named
