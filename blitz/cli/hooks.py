"""Commands about hooks, which tell people what happens: list, test."""

from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_hooks
from blitz.cli.faults import ExitCode
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption, list_by_default
from blitz.cli.output import Output, local_time

if TYPE_CHECKING:
    from blitz.data.hook_records import HookRecord

hooks = typer.Typer(name="hooks", help="Show whom the server tells what happens, and try it.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(hooks, epilog=EPILOG, rich_help_panel=Panel.ADMINISTER)


@hooks.command("list", epilog=EPILOG)
def list_hooks(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the server's hooks, and how they are doing."""
    records = ask(client_settings(server, token, config_file), lambda client: client.hooks())
    out = Output(as_json)
    out.document(hooks=records)
    if not records:
        out.line(
            "No hooks. Tables [[server.hooks]] in the server's settings file make them: see docs/administration.md."
        )
        return
    headers = ("Name", "Kind", "Tells", "Sent", "Waiting", "Dropped", "Last sent", "Trouble")
    out.table(headers, [_row(record) for record in records])


list_by_default(hooks, list_hooks)


@hooks.command("test", epilog=EPILOG)
def try_hook(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The hook's name.", show_default=False, autocompletion=complete_hooks)
    ],
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server tell somebody that this is a test, and say whether it was taken."""
    outcome = ask(client_settings(server, token, config_file), lambda client: client.test_hook(name))
    out = Output(as_json)
    out.document(test=outcome)
    if outcome.is_sent:
        out.line(f"Sent in {outcome.took_s:.1f} s.")
        return
    out.line(f"Not sent: {outcome.error}")
    raise typer.Exit(ExitCode.ERROR)


def _row(record: "HookRecord") -> tuple[str, ...]:
    counts = str(record.sent), str(record.waiting), str(record.dropped)
    last = "–" if record.last_success is None else local_time(record.last_success)
    return record.name, record.kind, record.target, *counts, last, record.error or ""
