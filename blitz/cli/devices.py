"""Commands that act on devices: command, release, retake, attach, bad-frames."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.accounts import print_bad_frames
from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.lending import run_with_port
from blitz.cli.options import (
    EPILOG,
    BoardArgument,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    TokenOption,
    YesOption,
)
from blitz.cli.output import Output, local_time
from blitz.errors import ConfigError

if TYPE_CHECKING:
    from blitz.data.board_definition import BoardDefinition, Command
    from blitz.data.records import BoardRecord
    from blitz.io.connection import AsyncClient

_LEND_S = 300.0


class Ending(StrEnum):
    """What is sent behind a line of text."""

    LF = "lf"
    CRLF = "crlf"
    CR = "cr"
    NONE = "none"

    @property
    def text(self) -> str:
        """The characters."""
        return {"lf": "\n", "crlf": "\r\n", "cr": "\r", "none": ""}[self.value]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(command)
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(release)
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(retake)
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(attach)
    app.command(name="bad-frames", epilog=EPILOG, rich_help_panel=Panel.DEVICES)(bad_frames)


def command(
    board: BoardArgument,
    line: Annotated[
        str | None,
        typer.Argument(
            metavar="LINE|NAME",
            help="A line, or the name of one of the board's commands; none: list those.",
            show_default=False,
        ),
    ] = None,
    value: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="With a command that takes one, such as a set point.", show_default=False),
    ] = None,
    is_hex: Annotated[
        bool, typer.Option("--hex", help="LINE is hex digits: send these bytes, without an end.")
    ] = False,
    ending: Annotated[
        Ending | None, typer.Option(help="Sent behind a line of text. [default: lf]", show_default=False)
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Wait for the first line that matches. Blitz boards are waited for without it.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="S", min=0.001, max=60, help="Seconds to wait for the answer to a line.")
    ] = 2.0,
    yes: YesOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a line or a named command to a board; print its answer."""
    settings = client_settings(server, token, config_file)
    out = Output(as_json)
    is_plain = not is_hex and ending is None and answer is None
    definition = ask(settings, lambda client: _definition(client, board)) if line is None or is_plain else None
    if line is None:
        _list_commands(out, board, definition)
        return
    named = definition.command(line) if definition is not None else None
    if value is not None and named is None:
        raise ConfigError(
            f"{board} has no command {line!r} that takes a value. Without a line, its commands are listed."
        )
    if named is not None and named.is_actuator:
        confirm(f"{named.name} moves or heats something. Send it to {board}?", yes=yes)

    async def send(client: "AsyncClient") -> str | None:
        if named is not None:
            return await client.command(board, command=named.name, value=value)
        end = (ending or Ending.LF).text
        return await client.command(board, line, is_hex=is_hex, ending=end, answer=answer, timeout_s=timeout)

    reply = ask(settings, send)
    out.document(board=board, line=line, command=named and named.name, answer=reply)
    out.line(f"Sent to {board}." if reply is None else reply)


def release(
    board: BoardArgument,
    program: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND",
            help="Run this meanwhile. {port} in it, and BLITZ_RELEASED_PORT in its environment, are the port.",
            show_default=False,
        ),
    ] = None,
    for_s: Annotated[
        float, typer.Option("--for", metavar="S", min=1, max=86400, help="Seconds until it is taken again by itself.")
    ] = _LEND_S,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Lend a board's port to a program, such as one that flashes it.

    With a COMMAND, the port is taken again when it ends, and its exit code is ours:

    \b
        blitz release ttyUSB0 -- avrdude -p m328p -c arduino -P {port} -U pump.hex
    """
    settings = client_settings(server, token, config_file)
    out = Output(as_json)
    record = ask(settings, lambda client: client.release(board, for_s))
    if not program:
        out.document(board=record)
        until = f" until {local_time(record.retake_at)}" if record.retake_at is not None else ""
        out.line(f"{record.link} is free{until}. Take it again before with 'blitz retake {board}'.")
        return
    exit_code = run_with_port(
        program, record.link, lambda: ask(settings, lambda client: client.retake(board)), as_json=as_json
    )
    out.document(board=board, port=record.link, command=program, exit_code=exit_code)
    raise typer.Exit(exit_code)


def retake(
    board: BoardArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server take a lent port again."""
    record = ask(client_settings(server, token, config_file), lambda client: client.retake(board))
    _print_state(Output(as_json), record)


def attach(
    board: BoardArgument,
    port: Annotated[str, typer.Argument(metavar="PORT", help="One of its candidates.", show_default=False)],
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which of several devices that look alike is this board."""
    record = ask(client_settings(server, token, config_file), lambda client: client.attach(board, port))
    _print_state(Output(as_json), record)


def bad_frames(
    board: BoardArgument,
    whole: Annotated[bool, typer.Option("--whole", help="All of long frames, too.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last frames of a board that meant nothing."""
    frames = ask(client_settings(server, token, config_file), lambda client: client.bad_frames(board))
    out = Output(as_json)
    out.document(board=board, bad_frames=frames)
    if frames:
        print_bad_frames(out, frames, whole=whole)
    else:
        out.line(f"No bad frames of {board}.")


async def _definition(client: "AsyncClient", board: str) -> "BoardDefinition | None":
    return next((record.definition for record in await client.boards() if record.name == board), None)


def _list_commands(out: Output, board: str, definition: "BoardDefinition | None") -> None:
    commands = definition.commands if definition is not None else ()
    out.document(board=board, commands=commands)
    if not commands:
        out.line(f"No commands of {board} are known. Send it a line with 'blitz command {board} LINE'.")
        return
    out.table(("Command", "Sends", "Value", "Answer", "Moves something"), [_command_row(part) for part in commands])


def _command_row(part: "Command") -> tuple[str, ...]:
    value = part.parameter.words if part.parameter else ""
    return part.name, part.send, value, part.answer or "", "yes" if part.is_actuator else ""


def _print_state(out: Output, record: "BoardRecord") -> None:
    out.document(board=record)
    out.line(f"{record.name} is at {record.link}: {record.state.value}{f', {record.error}' if record.error else '.'}")
