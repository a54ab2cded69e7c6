"""The commands that let integrations in: API keys made, listed and revoked."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from graph.operators import Refused, within
from graph.settings import Settings
from models.keys import ApiKey
from resolvers import keys
from resolvers.scope import Scope

api_keys = typer.Typer(help="Let integrations record activities, and stop them.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="What the key is known by; no two in use have the same.")]


@api_keys.command("create")
def create(name: Name) -> None:
    """Make a key and print it: this once, since only a hash of it is kept."""

    async def act(scope: Scope, _: Settings) -> str:
        return await keys.create(scope, name)

    key = within(act)
    typer.echo(f"The key of {name}, which is shown only now:", err=True)
    typer.echo(key)


@api_keys.command("list")
def listed() -> None:
    """List the keys there are and were, never what they are."""

    async def act(_: Scope, __: Settings) -> list[ApiKey]:
        return await keys.listed()

    table = Table("id", "name", "created", "revoked")
    for key in within(act):
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M:%S}" if key.revoked_at else ""
        table.add_row(str(key.id), key.name, f"{key.created_at:%Y-%m-%d %H:%M:%S}", revoked)
    Console().print(table)


@api_keys.command("revoke")
def revoke(name: Name) -> None:
    """Stop the key in use under this name, at once and for good."""

    async def act(scope: Scope, _: Settings) -> bool:
        return await keys.revoke(scope, name)

    if not within(act):
        raise Refused(f"No key named {name} is in use.")
    typer.echo(f"The key of {name} is revoked.")
