"""The commands for the outbox: what waits, what was given up and why, and how each mail reads."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graph import settings
from graph.cli.admin import Refused, within
from graph.settings import Settings
from graph.worker import workers
from mailer import outbox, previews
from models.mail.mail_attempts import MailAttempt
from models.mail.outbox import Mail, MailState
from resolvers.scope import Scope

mail = typer.Typer(help="Look at the outbox, try again what was given up, see how mails read.", no_args_is_help=True)


@mail.command("list")
def list_mails(
    state: Annotated[MailState | None, typer.Option(help="Only the mails of this state.", case_sensitive=False)] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only the mails that were given up.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=1000)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
) -> None:
    """List the newest mails: as a table in a terminal, elsewhere one a line with tabs between, nothing cut."""

    async def act(_: Scope, __: Settings) -> list[Mail]:
        return await (outbox.dead_letters(limit=limit) if dead else outbox.listed(state, limit=limit))

    found = within(act)
    if as_json:
        for each in found:
            typer.echo(orjson.dumps(_line(each)))
        return
    terminal = Console()
    rows = [[str(value) for value in _line(each).values()] for each in found]
    if not terminal.is_terminal:
        for row in [COLUMNS, *rows]:
            typer.echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    terminal.print(table)


COLUMNS = ("id", "state", "message", "to", "due", "tries", "last error")


def _line(found: Mail) -> dict[str, object]:
    due = found.due_at.isoformat(timespec="seconds")
    values = (found.id, found.state, found.message, found.address, due, found.attempts, found.last_error or "")
    return dict(zip((column.replace(" ", "_") for column in COLUMNS), values, strict=True))


@mail.command("show")
def show_mail(mail_id: Annotated[int, typer.Argument(help="The mail's id, as `list` shows it.")]) -> None:
    """Show one mail and every try to send it; the token of its link stays sealed."""

    async def act(_: Scope, __: Settings) -> tuple[Mail | None, list[MailAttempt]]:
        return await outbox.shown(mail_id), await outbox.attempts_of(mail_id)

    found, attempts = within(act)
    if found is None:
        raise Refused(f"There is no mail {mail_id}.")
    for name in Mail._meta.fields_db_projection:
        typer.echo(f"{name}: {getattr(found, name)}")
    for each in attempts:
        typer.echo(f"{each.at:%Y-%m-%d %H:%M:%S} {each.outcome} {each.answer or ''} ({each.courier})")


@mail.command("retry")
def retry_mails(
    ids: Annotated[
        list[int] | None, typer.Argument(help="Their ids; all that were given up when none is named.")
    ] = None,
) -> None:
    """Try mails again for three more days; one whose link has died stays dead."""

    async def act(scope: Scope, _: Settings) -> int:
        return await outbox.retry(ids or None, now=scope.now())

    typer.echo(f"{within(act)} mails will be tried again.")


@mail.command("preview")
def preview_mails(
    folder: Annotated[Path, typer.Argument(help="Where to write them; made if need be.", file_okay=False)],
) -> None:
    """Write every mail, of sample facts and in each language, as .eml, .html and .txt files."""
    written = 0
    for preview in previews.every(workers.letterhead(settings.read())):
        place = folder / preview.language
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{preview.name}.eml").write_bytes(preview.mail.as_bytes())
        for kind, ending in (("plain", "txt"), ("html", "html")):
            text = previews.part(preview.mail, kind)
            (place / f"{preview.name}.{ending}").write_text(text, encoding="utf-8")
        written += 1
    typer.echo(f"{written} mails are in {folder}.")
