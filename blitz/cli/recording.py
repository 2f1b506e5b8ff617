"""Commands that start and stop recording."""

from datetime import datetime
from typing import Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_sessions
from blitz.cli.moments import parse_duration, parse_moment
from blitz.cli.notes import FieldOption, TagOption, parse_fields
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output, local_time
from blitz.cli.planned import describe_run


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.RECORD)(start)
    app.command(epilog=EPILOG, rich_help_panel=Panel.RECORD)(stop)


def start(
    name: Annotated[str, typer.Option("--name", "-n", help="What the session is called.", show_default=False)] = "",
    notes: Annotated[str, typer.Option("--notes", help="What else should be remembered.", show_default=False)] = "",
    owner: Annotated[
        str | None, typer.Option("--owner", help="Who records. [default: user@machine]", show_default=False)
    ] = None,
    tag: TagOption = None,
    field: FieldOption = None,
    join: Annotated[bool, typer.Option("--join", help="Be content with a session that runs already.")] = False,
    lasts: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="The server stops it after that time: 90, 10m, 4h.")
    ] = None,
    readings: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The server stops it at N messages of all boards.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="The server starts it then: 14:00, 2026-11-22T14:00, +10m.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="A new session follows each time, no message lost between.")
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a session: from now on everything is recorded.

    The server owns the timer: it starts and stops what is planned although nobody is connected.

    \b
        blitz start --at 22:00 --for 8h --every 1h
    """
    settings = client_settings(server, token, config_file)
    words: dict[str, Any] = {"tags": tag or (), "fields": parse_fields(field)}
    words |= {
        "duration_s": None if lasts is None else parse_duration(lasts, "--for"),
        "message_count": readings,
        "repeat_every_s": None if every is None else parse_duration(every, "--every"),
    }
    out = Output(as_json)
    if at is not None:
        if join:
            raise typer.BadParameter("--join is for a session that starts now.", param_hint="--at")
        start_at = parse_moment(at, "--at", datetime.now().astimezone())
        planned = ask(settings, lambda client: client.plan_start(start_at, name, notes, owner, **words))
        out.document(planned=planned)
        out.line(f"Planned as {planned.id}: starts {local_time(planned.start_at)}, ends {describe_run(planned.run)}.")
        return
    session, is_new = ask(settings, lambda client: client.start_or_join(name, notes, owner, join=join, **words))
    out.document(session=session, created=is_new)
    if is_new:
        out.line(f"Session {session.id} is being recorded.")
        if session.plan is not None and session.plan.ends_at is not None:
            out.line(f"It is stopped at {local_time(session.plan.ends_at)}.")
    else:
        owned = f", started by {session.owner}" if session.owner else ""
        out.line(f"Session {session.id} runs already{owned}.")


def stop(
    session_id: Annotated[
        int | None,
        typer.Argument(
            metavar="SESSION",
            min=1,
            help="Stop only if this one runs.",
            show_default=False,
            autocompletion=complete_sessions,
        ),
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the session that runs."""
    session = ask(client_settings(server, token, config_file), lambda client: client.stop(session_id))
    out = Output(as_json)
    out.document(session=session)
    out.line(f"Session {session.id} has stopped, with {session.message_count} messages.")
    if session.verdict:
        out.line(session.verdict)
