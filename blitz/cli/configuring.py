"""Commands that configure the server: its sources, and the definitions of what they send."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli import source_options as options
from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.options import (
    EPILOG,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    TokenOption,
    YesOption,
    list_by_default,
)
from blitz.cli.output import Output, local_time

if TYPE_CHECKING:
    from blitz.data.board_definition import BoardDefinition
    from blitz.data.source_config import SourceConfig
    from blitz.io.connection import AsyncClient

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The source's name.", show_default=False)]

sources = typer.Typer(name="sources", help="List, add, change or remove the sources that the server reads.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(sources, epilog=EPILOG, rich_help_panel=Panel.DEVICES)
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(definition)


@sources.command("list", epilog=EPILOG)
def list_sources(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the server's sources, those that were found included."""
    records = ask(client_settings(server, token, config_file), lambda client: client.sources())
    out = Output(as_json)
    out.document(sources=records)
    if records:
        headers = ("Name", "Link", "Baud", "Protocol", "Definition", "On connect", "USB")
        out.table(headers, [_source_row(record) for record in records])
    else:
        out.line("No sources. 'blitz found' lists new USB devices; add others with 'blitz sources add LINK'.")


list_by_default(sources, list_sources)


@sources.command(epilog=EPILOG)
def add(
    link: Annotated[
        str,
        typer.Argument(
            metavar="LINK",
            help="PORT[:BAUD], socket://HOST:PORT, netscanner://HOST:PORT, replay:FILE or stream:NAME.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="What it is called. [default: as the port]", show_default=False)
    ] = None,
    definition: options.DefinitionOption = None,
    protocol: options.ProtocolOption = None,
    baud: options.BaudOption = None,
    data_bits: options.DataBitsOption = None,
    parity: options.ParityOption = None,
    stop_bits: options.StopBitsOption = None,
    flow_control: options.FlowOption = None,
    dtr: options.DtrOption = None,
    rts: options.RtsOption = None,
    on_connect: options.OnConnectOption = None,
    poll_interval: options.PollOption = None,
    record: options.RecordOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server read a device, from now on and after restarts."""
    line = options.serial_changes(
        baud=baud, data_bits=data_bits, parity=parity, stop_bits=stop_bits, flow_control=flow_control, dtr=dtr, rts=rts
    )
    fields = options.place_changes(link)
    fields |= {"name": name or options.usual_name(fields["link"])}
    fields |= options.given(
        {
            "protocol": protocol and protocol.value,
            "on_connect": on_connect,
            "poll_interval_s": poll_interval,
            "is_recorded": record,
        }
    )
    line = fields.get("serial", {}) | line

    async def add_source(client: "AsyncClient") -> "SourceConfig":
        kind = await options.find_definition(client, definition) if definition is not None else None
        usual = {"baud": kind.baud} if kind is not None and kind.baud else {}
        return await client.add_source(options.new_source({**fields, "serial": usual | line, "definition": kind}))

    options.new_source({**fields, "serial": line})  # what is wrong is told without asking the server
    added = ask(client_settings(server, token, config_file), add_source)
    out = Output(as_json)
    out.document(source=added)
    out.line(f"The server reads {added.link} as {added.name} from now on.")


@sources.command(epilog=EPILOG)
def change(
    source: NameArgument,
    name: Annotated[str | None, typer.Option("--name", "-n", help="A new name.", show_default=False)] = None,
    link: Annotated[str | None, typer.Option("--link", help="Another port or address.", show_default=False)] = None,
    definition: options.DefinitionOption = None,
    protocol: options.ProtocolOption = None,
    baud: options.BaudOption = None,
    data_bits: options.DataBitsOption = None,
    parity: options.ParityOption = None,
    stop_bits: options.StopBitsOption = None,
    flow_control: options.FlowOption = None,
    dtr: options.DtrOption = None,
    rts: options.RtsOption = None,
    on_connect: options.OnConnectOption = None,
    poll_interval: options.PollOption = None,
    record: options.RecordOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a source; what is not given stays."""
    line = options.serial_changes(
        baud=baud, data_bits=data_bits, parity=parity, stop_bits=stop_bits, flow_control=flow_control, dtr=dtr, rts=rts
    )
    changes: dict[str, Any] = options.place_changes(link) if link is not None else {}
    changes |= options.given(
        {
            "name": name,
            "protocol": protocol and protocol.value,
            "on_connect": on_connect,
            "poll_interval_s": poll_interval,
            "is_recorded": record,
            "serial": changes.get("serial", {}) | line or None,
        }
    )
    if not changes and definition is None:
        raise typer.BadParameter("say what to change, such as --baud 115200.")

    async def change_source(client: "AsyncClient") -> "SourceConfig":
        if definition is not None:
            changes["definition"] = await options.find_definition(client, definition)
        return await client.update_source(source, **changes)

    changed = ask(client_settings(server, token, config_file), change_source)
    out = Output(as_json)
    out.document(source=changed)
    out.line(f"{changed.name} is changed.")


@sources.command(epilog=EPILOG)
def remove(
    source: NameArgument,
    yes: YesOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server forget a source; what was recorded of it stays."""
    settings = client_settings(server, token, config_file)
    confirm(f"Remove the source {source} from the server? What was recorded of it stays.", yes=yes)
    ask(settings, lambda client: client.delete_source(source))
    out = Output(as_json)
    out.document(removed=source)
    out.line(f"{source} is removed.")


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


def _source_row(record: "SourceConfig") -> tuple[str, ...]:
    kind = record.definition.name if record.definition is not None else record.board_id or ""
    baud = "" if "://" in record.link or record.link.startswith(("replay:", "stream:")) else str(record.serial.baud)
    usb = record.identity
    identity = "" if usb is None else f"{usb.vendor_id:04x}:{usb.product_id:04x} {usb.serial_number}".strip()
    return record.name, record.link, baud, record.protocol, kind, ", ".join(record.on_connect), identity
