"""The command that shows, saves and replaces the definition of what a source sends."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.options import (
    EPILOG,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    TokenOption,
)
from blitz.cli.output import Output, local_time

if TYPE_CHECKING:
    from blitz.data.board_definition import BoardDefinition


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(definition)


def definition(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The source's name, as 'blitz boards' lists it.", show_default=False)
    ],
    file: Annotated[
        Path | None,
        typer.Option(
            "--set", metavar="FILE", help="Put this TOML file's definition in force, at once.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it into this TOML file.", show_default=False),
    ] = None,
    versions: Annotated[bool, typer.Option("--versions", help="List what was in force, and since when.")] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show, save or replace the definition of what a source sends.

    It has the names, units and calibration of its channels. Save it, edit the file, and set it:

    \b
        blitz definition ttyUSB0 -o pump.toml
        blitz definition ttyUSB0 --set pump.toml
    """
    from blitz.data.board_definition import read_definition
    from blitz.data.definition_file import to_toml, write_definition

    if sum((file is not None, output is not None, versions)) > 1:
        raise typer.BadParameter("give only one of --set, --output and --versions.")
    settings = client_settings(server, token, config_file)
    out = Output(as_json)
    if versions:
        _print_versions(out, settings, source)
        return
    if file is not None:
        new = read_definition(file)
        record = ask(settings, lambda client: client.set_definition(source, new))
        out.line(f"The definition of {source} is {record.name}: {_channel_names(record)}.")
    else:
        record = ask(settings, lambda client: client.definition(source))
        if output is None:
            out.text(to_toml(record))
        else:
            write_definition(record, output)
            out.line(str(output))
    out.document(source=source, definition=record)


def _print_versions(out: Output, settings: Any, source: str) -> None:
    records = ask(settings, lambda client: client.definition_versions(source))
    out.document(source=source, versions=records)
    if not records:
        out.line(f"No definition was saved for {source}.")
        return
    headers = ("Version", "Since", "Who", "Serial number", "Name", "Channels")
    rows = [
        (
            str(record.version),
            local_time(record.changed_at),
            record.who,
            record.serial_number,
            record.definition.name,
            _channel_names(record.definition),
        )
        for record in records
    ]
    out.table(headers, rows)


def _channel_names(definition: "BoardDefinition") -> str:
    return ", ".join(channel.name for channel in definition.channels) or "no channels"
