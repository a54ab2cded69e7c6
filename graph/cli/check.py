"""`rattache check`: whether this installation could serve, one line for each thing it needs."""

import asyncio
import io
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from graph import file_permissions, secret_key, settings
from graph.files import clamav
from graph.files import storage as stores
from graph.settings import Settings, SettingsRefused
from mailer import outbox
from mailer.failures import TransportFailure
from mailer.seals import Sealer
from mailer.transport import open_transport
from models.db import database
from models.errors.errors import DatabaseAway, NoVerdict
from models.structures import services, structures
from resolvers import storage
from resolvers.scope import utc_now

MOST_SECONDS = 10.0


class Failed(Exception):
    """The thing that was looked at can't be used; the text says why."""


def check() -> None:
    """Look at configuration, database, migrations, mail and storage; exit code 1 when any of them fails."""
    try:
        chosen = settings.read()
        settings.need_mail_server(chosen)
        secret_key.application_key(chosen)
    except SettingsRefused as refused:
        typer.echo(f"configuration  FAILED  {refused}")
        raise typer.Exit(1) from None
    kept = "SECRET_KEY is set" if chosen.secret_key else f"the key is kept in {chosen.data_dir / 'secret-key'}"
    typer.echo(f"configuration  ok      {kept}")
    for name, nearest in settings.mistyped(os.environ):
        typer.echo(f"configuration  WARNING {name} is no setting: {nearest} is")
    for path in file_permissions.exposed(chosen):
        typer.echo(f"files          WARNING others may read {path}: chmod go= {path}")
    for told in settings.in_clear(chosen, os.environ):
        typer.echo(f"clear text     WARNING {told}")
    if not asyncio.run(_all_pass(chosen)):
        raise typer.Exit(1)


async def _all_pass(chosen: Settings) -> bool:
    looks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "database": _database,
        "migrations": _migrations,
        "mail": _mail,
        "storage": _storage,
    }
    if chosen.redis_url:
        looks["redis"] = _redis
    if chosen.clamd_url:
        looks["scanner"] = _scanner
    results = [await _passes(name, look, chosen) for name, look in looks.items()]
    if results[1]:
        await _tell_doubles()
        await _tell_public_bodies()
        results.append(await _passes_former_keys(chosen))
    await database.close()
    return all(results)


async def _passes(name: str, look: Callable[[Settings], Awaitable[str]], chosen: Settings) -> bool:
    try:
        async with asyncio.timeout(MOST_SECONDS):
            typer.echo(f"{name:14} ok      {await look(chosen)}")
    except (Failed, SettingsRefused, DatabaseAway, NoVerdict, TransportFailure, RedisError, OSError) as failure:
        typer.echo(f"{name:14} FAILED  {str(failure) or 'it gives no answer'}")
        return False
    return True


async def _database(chosen: Settings) -> str:
    await database.connect(chosen.database)
    await database.ping()
    return "SQLite answers" if database.is_sqlite() else "PostgreSQL answers"


async def _migrations(_: Settings) -> str:
    await database.ping()
    missing = await database.pending_migrations()
    if missing and not database.is_sqlite():
        raise Failed(f"run `rattache migrate`: {', '.join(missing)}")
    return f"`rattache serve` will apply {', '.join(missing)}" if missing else "none is missing"


async def _tell_doubles() -> None:
    """Name the services of before whose codes differ by case alone: they work, but no new ones like them are taken."""
    if await database.pending_migrations():
        return
    for structure, codes in await services.doubles():
        typer.echo(f"service codes  DOUBLE  {structure}: {', '.join(codes)} (rename all but one)")


async def _tell_public_bodies() -> None:
    """Name the structures of before that hold a public body's SIRET as private ones: no new ones like them are made."""
    if await database.pending_migrations():
        return
    for name, siret in await structures.private_public_bodies():
        typer.echo(f"structures     PRIVATE {name}: {siret} is a public body's SIRET (support corrects its kind)")


async def _mail(chosen: Settings) -> str:
    await open_transport(chosen.smtp, chosen.mails).check()
    return "the mail server lets us in" if chosen.smtp else f"no SMTP_URL: mails are written to {chosen.mails}"


async def _storage(chosen: Settings) -> str:
    store, key = stores.store_of(chosen.storage), f"check-{secrets.token_hex(8)}"
    await storage.put(store, key, io.BytesIO(b"check"))
    await storage.delete(store, key)
    return chosen.storage


async def _redis(chosen: Settings) -> str:
    assert chosen.redis_url is not None
    async with Redis.from_url(chosen.redis_url) as redis:
        await redis.ping()
    return "Redis answers"


async def _scanner(chosen: Settings) -> str:
    async def content() -> AsyncIterator[bytes]:
        yield b"check"

    scanner = clamav.scanner_of(chosen.clamd_url)
    assert scanner is not None
    await scanner(content())
    return "the virus scanner answers"


async def _passes_former_keys(chosen: Settings) -> bool:
    """Say what still needs a former key; nothing to say where there is none, and nothing that needs one."""
    if await database.pending_migrations():
        return True
    sealer = Sealer(secret_key.application_key(chosen), chosen.mail_domain, chosen.former_keys)
    sealed = await outbox.sealed(sealer, now=utc_now())
    if not (chosen.former_keys or sealed.lost):
        return True

    async def look(_: Settings) -> str:
        if sealed.lost:
            raise Failed(f"{sealed.lost} unsent links open under none of the keys: SECRET_KEY_OLD lacks one")
        needed = f"{sealed.former} unsent links need one until {sealed.until:%Y-%m-%d %H:%M}" if sealed.until else ""
        return f"{needed or 'no unsent link needs one'}; links to unsubscribe in mails sent before need theirs for good"

    return await _passes("former keys", look, chosen)
