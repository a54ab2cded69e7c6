"""The commands that run the program: the server, a courier alone, the migrations, the schema as text."""

import asyncio
import gc
import os
from typing import Annotated, Any

import structlog
import typer
import uvicorn
from starlette.applications import Starlette

from graph import app, file_permissions, logs, secret_key, settings
from graph.cli import demo
from graph.http import body_limit, connections, sockets, sources
from graph.settings import LOOPBACK, Settings, SettingsRefused
from graph.worker import starting, workers
from models.db import database
from schema import sdl

OPTIONS = "RATTACHE_SERVE"  # how the options reach the processes of `--workers`: a host, and the words that follow
GRACE_SECONDS = 15
log = structlog.get_logger(__name__)
PROTOCOLS: dict[str, Any] = {
    "http": connections.Entrance,
    "ws": sockets.SocketConnection,
    "ws_max_size": body_limit.MEBIBYTE,
    "ws_per_message_deflate": False,  # most messages are short, and each connection would keep a dictionary
    "ws_ping_interval": None,  # pings of our own go to all readers, in the protocol that they speak
}


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.", min=1, max=65_535)] = 8000,
    processes: Annotated[
        int, typer.Option("--workers", help="How many processes serve; more than one needs PostgreSQL.", min=1)
    ] = 1,
    with_demo: Annotated[
        bool,
        typer.Option("--demo", help="Serve a small world of its own, with known passwords, on this machine alone."),
    ] = False,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Send no mail and run no job: `rattache worker` does.")
    ] = False,
) -> None:
    """Serve the API and the pages, send the mails, run the jobs; the database is migrated first."""
    if with_demo and host not in LOOPBACK:
        raise SettingsRefused("--demo has known passwords: it listens at 127.0.0.1 only.")
    if with_demo and processes > 1:
        raise SettingsRefused("--demo is served by one process: leave --workers out.")
    chosen = read(host, port, with_demo)
    if processes > 1 and database.is_sqlite_url(chosen.database):
        raise SettingsRefused(
            "--workers needs PostgreSQL, since an SQLite file is served by one process: set DATABASE_URL."
        )
    logs.configure(chosen.log_format)
    secret_key.application_key(chosen)  # made by this process, so that all of them read the same
    _look_at_files(chosen)
    if with_demo:
        asyncio.run(demo.refuse_foreign(chosen))
        typer.echo(demo.told(chosen))
    os.environ[OPTIONS] = " ".join([host, str(port), *["demo"] * with_demo, *["no-worker"] * no_worker])
    uvicorn.run(
        "graph.cli.serve:application",
        factory=True,
        host=host,
        port=port,
        workers=processes,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        **proxies(chosen),
        **PROTOCOLS,
    )


def proxies(settings: Settings) -> dict[str, Any]:
    """Whose word about the source of a request the server takes: nobody's, unless it is told to."""
    named = sources.as_seen(settings.forwarded_allow_ips)
    return {"proxy_headers": bool(named), "forwarded_allow_ips": named}


def application() -> Starlette:
    """The application of one serving process, by the environment and the options of `rattache serve`."""
    host, port, *words = os.environ.get(OPTIONS, "127.0.0.1 8000").split()
    chosen = read(host, int(port), "demo" in words)
    logs.configure(chosen.log_format)
    room = connections.room(chosen.connections)
    return app.create_app(
        chosen.model_copy(update={"connections": room}),
        sends="no-worker" not in words,
        on_loopback=host in LOOPBACK,
        prepare=demo.prepare if "demo" in words else None,
        settle=_keep_for_good,
    )


def _keep_for_good() -> None:
    """Have the garbage collector pass over what is there now: modules and the schema, which stay for good.

    They are 150,000 objects. It would go through all of them again and again, for 100 ms each time.
    """
    gc.collect()
    gc.freeze()


def read(host: str, port: int, with_demo: bool) -> Settings:
    """The settings of a server that listens there.

    Raises:
        SettingsRefused: when the environment can't be used.
    """
    shown = f"[{host}]" if ":" in host else host
    shown = "127.0.0.1" if shown in ("0.0.0.0", "[::]") else shown  # noqa: S104 - a link can't lead to "everywhere"
    chosen = settings.read(public_url=f"http://{shown}:{port}")
    if with_demo:
        return chosen.for_demo()
    settings.need_mail_server(chosen)
    return chosen


def _look_at_files(chosen: Settings) -> None:
    for path in file_permissions.narrow(chosen):
        log.warning("file_open_to_others", path=str(path))
    asyncio.run(starting.refuse_unusable(chosen.database))


def worker() -> None:
    """Send the mails of the outbox and run the jobs; any number of workers may run, on any number of machines."""
    chosen = settings.read()
    settings.need_mail_server(chosen)
    logs.configure(chosen.log_format)
    _look_at_files(chosen)
    bell = workers.Bell()
    asyncio.run(workers.work(chosen, app.office_of(chosen, bell=bell), bell))


def migrate() -> None:
    """Bring the database to the newest migration; nothing happens when it is there already."""
    chosen = settings.read()
    asyncio.run(database.migrate(chosen.database))
    typer.echo("The database is at the newest migration.")


def export_schema() -> None:
    """Print the GraphQL schema in the schema definition language."""
    typer.echo(sdl(), nl=False)
