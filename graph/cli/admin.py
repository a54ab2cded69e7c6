"""The commands that operators give to a database: administrators, imports, the jobs."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from graph import logs, settings
from graph.app import office_of
from graph.cli import import_structures as imports
from graph.settings import Settings
from graph.worker import jobs, starting, workers
from models.accounts.accounts import Language
from models.accounts.actors import PlatformRole
from models.db import database, timeouts
from models.errors.errors import DomainError
from models.structures.directory import Tally
from models.structures.structures import StructureKind
from resolvers.accounts import operators
from resolvers.scope import Scope
from schema.words.wording import explain

Result = TypeVar("Result")

job = typer.Typer(help="Look at what is done by the clock, and do what is due at once.", no_args_is_help=True)


class Refused(Exception):
    """The command can't be followed; the text says why."""


def within(act: Callable[[Scope, Settings], Awaitable[Result]]) -> Result:
    """What `act` gives with the database open; an operator acts as nobody, in English.

    Raises:
        SettingsRefused: when the environment can't be used.
        DatabaseAway: when the database can't be reached, or isn't migrated.
        Refused: when a rule refuses the act.
    """
    chosen = settings.read()
    logs.configure(chosen.log_format)
    office = office_of(chosen)

    async def opened() -> Result:
        await starting.open_database(chosen.database, migrate=database.is_sqlite_url(chosen.database))
        try:
            with timeouts.patient(timeouts.WORK):
                return await act(Scope(office, language=Language.EN), chosen)
        except DomainError as error:
            raise Refused(explain(error, Language.EN)) from error
        finally:
            await database.close()

    return asyncio.run(opened())


def create_admin(
    email: Annotated[str, typer.Argument(help="The login e-mail.")],
    support: Annotated[bool, typer.Option("--support", help="Give the role of support, not of administrator.")] = False,
    first_name: Annotated[str, typer.Option(help="Of a new account.")] = "Compte",
    last_name: Annotated[str, typer.Option(help="Of a new account.")] = "Administration",
) -> None:
    """Make an account an administrator's, a new one if need be, and print the link that activates it."""
    role = PlatformRole.SUPPORT if support else PlatformRole.ADMIN

    async def act(scope: Scope, chosen: Settings) -> None:
        token = await operators.give_platform_role(scope, email, role, first_name=first_name, last_name=last_name)
        typer.echo(f"{email} has the role {role}.")
        if token:
            typer.echo("To activate the account within 60 minutes, open:")
            typer.echo(workers.letterhead(chosen).link("activate", token))

    within(act)


def import_structures(
    file: Annotated[Path, typer.Argument(help="The public directory's CSV file.", exists=True, dir_okay=False)],
    kind: Annotated[
        StructureKind | None,
        typer.Option(case_sensitive=False, help="Of all lines; else a SIRET that starts with 1 or 2 is PUBLIC."),
    ] = None,
) -> None:
    """Load structures from the public directory, refused lines into a file beside; again, it changes nothing."""
    report = imports.report_beside(file)

    async def act(scope: Scope, _: Settings) -> Tally:
        return await imports.import_structures(file, kind, report, at=scope.now())

    try:
        tally = within(act)
    except imports.NotADirectory as error:
        raise Refused(f"{file} isn't a directory of structures: its first line lacks {error}.") from error
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}.") from error
    typer.echo(", ".join(f"{count} {name}" for name, count in vars(tally).items()) + ".")
    if tally.refused:
        typer.echo(f"The refused lines and why are in {report}.")


@job.command("list")
def list_jobs() -> None:
    """List the jobs, how often each runs and what it does."""
    period = settings.read().job_period
    table = Table("job", "every", "what it does")
    for name, each in jobs.JOBS.items():
        table.add_row(name, str(period or each.period), each.purpose)
    Console().print(table)


@job.command("run")
def run_job(name: Annotated[str, typer.Argument(help="The job's name, as `list` shows it.")]) -> None:
    """Run one job now; what was done before is not done again."""
    found = jobs.JOBS.get(name)
    if found is None:
        raise Refused(f"There is no job {name}: there are {', '.join(jobs.JOBS)}.")

    async def act(scope: Scope, _: Settings) -> int:
        return await found.act(scope)

    typer.echo(f"{name}: {within(act)} acted on.")
