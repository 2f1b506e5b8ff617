"""Commands that start and stop recording."""

from typing import Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.notes import FieldOption, TagOption, parse_fields
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, ServerOption, TokenOption
from blitz.cli.output import Output


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG)(start)
    app.command(epilog=EPILOG)(stop)


def start(
    name: Annotated[str, typer.Option("--name", "-n", help="What the session is called.", show_default=False)] = "",
    notes: Annotated[str, typer.Option("--notes", help="What else should be remembered.", show_default=False)] = "",
    owner: Annotated[
        str | None, typer.Option("--owner", help="Who records. [default: user@machine]", show_default=False)
    ] = None,
    tag: TagOption = None,
    field: FieldOption = None,
    join: Annotated[bool, typer.Option("--join", help="Be content with a session that runs already.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a session: from now on everything is recorded."""
    settings = client_settings(server, token, config_file)
    tags, fields = tag or (), parse_fields(field)
    session, is_new = ask(
        settings, lambda client: client.start_or_join(name, notes, owner, join=join, tags=tags, fields=fields)
    )
    out = Output(as_json)
    out.document(session=session, created=is_new)
    if is_new:
        out.line(f"Session {session.id} is being recorded.")
    else:
        owned = f", started by {session.owner}" if session.owner else ""
        out.line(f"Session {session.id} runs already{owned}.")


def stop(
    session_id: Annotated[
        int | None,
        typer.Argument(metavar="SESSION", min=1, help="Stop only if this one runs.", show_default=False),
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
