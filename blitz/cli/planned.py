"""Commands about sessions that the server starts and ends by itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_planned
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption, list_by_default
from blitz.cli.output import Output, duration, local_time, plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from blitz.data.records import PlannedStart, RunWishes, SessionPlan, StatusRecord

planned = typer.Typer(name="planned", help="List or cancel the starts that 'blitz start --at' has planned.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(planned, epilog=EPILOG, rich_help_panel=Panel.RECORD)


@planned.command("list", epilog=EPILOG)
def list_planned(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the starts that are planned, soonest first."""
    starts = ask(client_settings(server, token, config_file), lambda client: client.planned())
    out = Output(as_json)
    out.document(planned=starts)
    if starts:
        out.table(("ID", "Starts", "Name", "Ends", "Owner", "Waits"), [_row(start) for start in starts])
    else:
        out.line("No starts are planned. 'blitz start --at 14:00' plans one.")


list_by_default(planned, list_planned)


@planned.command(epilog=EPILOG)
def cancel(
    plan_id: Annotated[
        int,
        typer.Argument(
            metavar="ID", min=1, help="As the list shows it.", show_default=False, autocompletion=complete_planned
        ),
    ],
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a planned start."""
    ask(client_settings(server, token, config_file), lambda client: client.cancel_planned(plan_id))
    out = Output(as_json)
    out.document(cancelled=plan_id)
    out.line(f"The planned start {plan_id} is cancelled.")


def describe_plans(status: "StatusRecord") -> "Iterator[str]":
    """Say what the server will do by itself, and which new devices wait for a word."""
    if status.session is not None and status.session.plan is not None:
        yield from _describe_plan(status.session.plan, status.now)
    for start in status.planned:
        name = f" {start.name!r}" if start.name else ""
        yield f"Planned: session{name} at {local_time(start.start_at)}{f'; {start.waits}' if start.waits else ''}"
    for device in status.found:
        yield f"New: {device.words}. 'blitz listen {device.port}' listens to it, which may reset it."


def _describe_plan(plan: "SessionPlan", now: "datetime") -> "Iterator[str]":
    if plan.ends_at is not None:
        yield f"It is stopped at {local_time(plan.ends_at)}, in {duration(plan.ends_at - now)}."
    if plan.message_count is not None:
        yield f"It is stopped at {plural(plan.message_count, 'message')}."
    if plan.next_at is not None:
        yield f"The next session follows at {local_time(plan.next_at)}, in {duration(plan.next_at - now)}."


def _row(start: "PlannedStart") -> tuple[str, ...]:
    return str(start.id), local_time(start.start_at), start.name, describe_run(start.run), start.owner, start.waits


def describe_run(run: "RunWishes") -> str:
    """Return when a run ends, in a few words."""
    from datetime import timedelta

    parts = []
    if run.duration_s is not None:
        parts.append(f"after {duration(timedelta(seconds=run.duration_s))}")
    if run.message_count is not None:
        parts.append(f"at {plural(run.message_count, 'message')}")
    if run.repeat_every_s is not None:
        parts.append(f"a new session every {duration(timedelta(seconds=run.repeat_every_s))}")
    return ", ".join(parts) or "by hand"
