"""The commands by name, and what their refusals look like: one sentence, and an exit code."""

import sys
from typing import NoReturn

import typer

from graph import api_keys, checks, logs, operators, outboxes, permissions, serving
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
app.command()(serving.serve)
app.command()(serving.worker)
app.command()(serving.migrate)
app.command("create-admin")(operators.create_admin)
app.command("import-structures")(operators.import_structures)
app.command("export-schema")(serving.export_schema)
app.command()(checks.check)
app.add_typer(outboxes.mail, name="mail")
app.add_typer(api_keys.api_keys, name="api-key")
app.add_typer(operators.job, name="jobs")


def run() -> None:
    """Run the command of the command line: exit code 2 for what can't be set or asked, 1 for what failed."""
    permissions.keep_to_owner()
    logs.configure("console")  # until the settings are read
    try:
        app(prog_name="rattache")
    except SettingsRefused as refused:
        _leave(str(refused), 2)
    except operators.Refused as refused:
        _leave(str(refused), 1)
    except DatabaseAway as away:
        _leave(f"The database can't be used: {away}.", 1)


def _leave(sentence: str, code: int) -> NoReturn:
    typer.echo(f"rattache: {sentence}", err=True)
    sys.exit(code)
