"""The commands that let integrations in: API keys made, listed and revoked."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from graph.cli.admin import Refused, within
from graph.settings import Settings
from models.activities.api_keys import ApiKey
from resolvers.activities import api_keys as keys
from resolvers.scope import Scope

api_keys = typer.Typer(help="Let integrations record activities, and stop them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="What the key is known by; no two in use have the same.")]


@api_keys.command("create")
def create(
    name: Name,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The last day on which it is good.")
    ] = None,
) -> None:
    """Make a key and print it: this once, since only a hash of it is kept."""

    async def act(scope: Scope, _: Settings) -> str:
        return await keys.create(scope, name, until=until.date() if until else None)

    key = within(act)
    typer.echo(f"The key of {name}, which is shown only now:", err=True)
    typer.echo(key)


@api_keys.command("list")
def listed() -> None:
    """List the keys there are and were, never what they are."""

    async def act(_: Scope, __: Settings) -> list[ApiKey]:
        return await keys.listed()

    table = Table("id", "name", "created", "last used", "ends", "revoked")
    for key in within(act):
        moments = (key.created_at, key.last_used_at, key.expires_at, key.revoked_at)
        table.add_row(str(key.id), key.name, *(f"{at:%Y-%m-%d %H:%M:%S}" if at else "" for at in moments))
    Console().print(table)


@api_keys.command("revoke")
def revoke(name: Name) -> None:
    """Stop the key in use under this name, at once and for good."""

    async def act(scope: Scope, _: Settings) -> bool:
        return await keys.revoke(scope, name)

    if not within(act):
        raise Refused(f"No key named {name} is in use.")
    typer.echo(f"The key of {name} is revoked.")
