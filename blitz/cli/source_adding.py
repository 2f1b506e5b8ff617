"""Commands that add a source to the server, and change one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli import source_options as options
from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_ports
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, ServerOption, TokenOption
from blitz.cli.output import Output
from blitz.cli.sources import NameArgument, sources

if TYPE_CHECKING:
    from blitz.data.source_config import SourceConfig
    from blitz.io.connection import AsyncClient


@sources.command(epilog=EPILOG)
def add(
    link: Annotated[
        str,
        typer.Argument(
            metavar="LINK",
            help="PORT[:BAUD], socket://HOST:PORT, netscanner://HOST:PORT, replay:FILE, stream:NAME, a file that ends "
            "with .csv, .tsv, .txt or .log, or what 'blitz source kinds' lists.",
            show_default=False,
            autocompletion=complete_ports,
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="What it is called. [default: as the port]", show_default=False)
    ] = None,
    definition: options.DefinitionOption = None,
    print_format: options.FormatOption = None,
    protocol: options.ProtocolOption = None,
    baud: options.BaudOption = None,
    data_bits: options.DataBitsOption = None,
    parity: options.ParityOption = None,
    stop_bits: options.StopBitsOption = None,
    flow_control: options.FlowOption = None,
    dtr: options.DtrOption = None,
    rts: options.RtsOption = None,
    on_connect: options.OnConnectOption = None,
    interval: options.IntervalOption = None,
    rows: options.RowsOption = None,
    kind_options: options.KindOptions = None,
    record: options.RecordOption = None,
    later: Annotated[
        bool, typer.Option("--later", help="Add it though it cannot be opened now: it is read once it is there.")
    ] = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server read a device, a file or a stream, from now on and after restarts.

    It is opened at once; if that is not possible, nothing of it is kept.

    \b
        blitz source add /dev/ttyUSB0 --baud 115200 --format csv
        blitz source add results.csv --interval 10
    """
    settings = client_settings(server, token, config_file)
    line = options.serial_changes(
        baud=baud, data_bits=data_bits, parity=parity, stop_bits=stop_bits, flow_control=flow_control, dtr=dtr, rts=rts
    )
    fields = options.place_changes(options.file_link(link, settings.server))
    fields |= {"name": name or options.usual_name(fields["link"])}
    fields |= options.given(
        {
            "protocol": options.protocol_of(print_format, protocol),
            "on_connect": on_connect,
            "poll_interval_s": interval,
            "options": options.kind_settings(kind_options, rows),
            "is_recorded": record,
        }
    )
    line = fields.get("serial", {}) | line

    async def add_source(client: "AsyncClient") -> "SourceConfig":
        kind = await options.find_definition(client, definition) if definition is not None else None
        usual = {"baud": kind.baud} if kind is not None and kind.baud else {}
        source = options.new_source({**fields, "serial": usual | line, "definition": kind})
        return await client.add_source(source, later=later)

    options.new_source({**fields, "serial": line})  # what is wrong is told without asking the server
    added = ask(settings, add_source)
    out = Output(as_json)
    out.document(source=added)
    since = "as soon as it is there" if later else "from now on"
    out.line(f"The server reads {added.link} as {added.name} {since}.")


@sources.command(epilog=EPILOG)
def change(
    source: NameArgument,
    name: Annotated[str | None, typer.Option("--name", "-n", help="A new name.", show_default=False)] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="Another port, address or file.", show_default=False)
    ] = None,
    definition: options.DefinitionOption = None,
    print_format: options.FormatOption = None,
    protocol: options.ProtocolOption = None,
    baud: options.BaudOption = None,
    data_bits: options.DataBitsOption = None,
    parity: options.ParityOption = None,
    stop_bits: options.StopBitsOption = None,
    flow_control: options.FlowOption = None,
    dtr: options.DtrOption = None,
    rts: options.RtsOption = None,
    on_connect: options.OnConnectOption = None,
    interval: options.IntervalOption = None,
    rows: options.RowsOption = None,
    kind_options: options.KindOptions = None,
    record: options.RecordOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a source; what is not given stays."""
    settings = client_settings(server, token, config_file)
    line = options.serial_changes(
        baud=baud, data_bits=data_bits, parity=parity, stop_bits=stop_bits, flow_control=flow_control, dtr=dtr, rts=rts
    )
    changes: dict[str, Any] = (
        options.place_changes(options.file_link(link, settings.server)) if link is not None else {}
    )
    changes |= options.given(
        {
            "name": name,
            "protocol": options.protocol_of(print_format, protocol),
            "on_connect": on_connect,
            "poll_interval_s": interval,
            "is_recorded": record,
            "serial": changes.get("serial", {}) | line or None,
        }
    )
    told = options.kind_settings(kind_options, rows)
    if not changes and not told and definition is None:
        raise typer.BadParameter("say what to change, such as --baud 115200.")

    async def change_source(client: "AsyncClient") -> "SourceConfig":
        if definition is not None:
            changes["definition"] = await options.find_definition(client, definition)
        if told:
            before = {one.name: one.options for one in await client.sources()}.get(source, {})
            changes["options"] = {**before, **told}
        return await client.update_source(source, **changes)

    changed = ask(settings, change_source)
    out = Output(as_json)
    out.document(source=changed)
    out.line(f"{changed.name} is changed.")
