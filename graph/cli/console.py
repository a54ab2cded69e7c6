"""The commands by name, and what their refusals look like: one sentence, and an exit code."""

import sys
from typing import NoReturn

import typer

from graph import file_permissions, logs
from graph.cli import admin, api_keys, check, mail, serve
from graph.settings import SettingsRefused
from models.errors.errors import DatabaseAway

app = typer.Typer(
    name="rattache",
    help="The accounts of a portal where people act for structures, served as a GraphQL API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve.serve)
app.command()(serve.worker)
app.command()(serve.migrate)
app.command("create-admin")(admin.create_admin)
app.command("import-structures")(admin.import_structures)
app.command("export-schema")(serve.export_schema)
app.command()(check.check)
app.add_typer(mail.mail, name="mail")
app.add_typer(api_keys.api_keys, name="api-key")
app.add_typer(admin.job, name="jobs")


def run() -> None:
    """Run the command of the command line: exit code 2 for what can't be set or asked, 1 for what failed."""
    file_permissions.keep_to_owner()
    logs.configure("console")  # until the settings are read
    try:
        app(prog_name="rattache")
    except SettingsRefused as refused:
        _leave(str(refused), 2)
    except admin.Refused as refused:
        _leave(str(refused), 1)
    except DatabaseAway as away:
        _leave(f"The database can't be used: {away}.", 1)


def _leave(sentence: str, code: int) -> NoReturn:
    typer.echo(f"rattache: {sentence}", err=True)
    sys.exit(code)
