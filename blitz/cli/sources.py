"""Commands that show what the server reads, and enable, disable or delete it; the group `blitz source`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.completing import complete_sources
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
    from blitz.data.records import BoardRecord
    from blitz.data.source_config import SourceConfig
    from blitz.data.source_records import SourceChange
    from blitz.io.connection import AsyncClient

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The source's name.", show_default=False, autocompletion=complete_sources),
]

sources = typer.Typer(
    name="source", help="What the server reads: devices, files, streams. Add, list, show, change, disable, delete."
)


def register(app: typer.Typer) -> None:
    """Add the commands; `blitz sources` is what scripts say that are older."""
    from blitz.cli import source_adding  # noqa: F401 - has commands of the group

    app.add_typer(sources, epilog=EPILOG, rich_help_panel=Panel.DEVICES)
    app.add_typer(sources, name="sources", epilog=EPILOG, hidden=True)


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
        headers = ("Name", "Link", "Baud", "Protocol", "Definition", "On connect", "USB", "Enabled")
        out.table(headers, [_source_row(record) for record in records])
    else:
        out.line("No sources. 'blitz found' lists new USB devices; add others with 'blitz source add LINK'.")


list_by_default(sources, list_sources)


@sources.command(epilog=EPILOG)
def show(
    source: NameArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one source: how it is configured, how it is doing, and what was changed, when and by whom."""

    async def look(client: "AsyncClient") -> "tuple[SourceConfig, BoardRecord | None, list[SourceChange]]":
        config = await _find(client, source)
        board = next((board for board in await client.boards() if board.name == source), None)
        return config, board, await client.source_history(source)

    config, board, changes = ask(client_settings(server, token, config_file), look)
    out = Output(as_json)
    out.document(source=config, board=board, history=changes)
    rows = [("Name", config.name), ("Link", config.link), *_line_rows(config)]
    if board is not None:
        rows.append(("State", f"{board.state.value}{': ' if board.error else ''}{board.error or ''}"))
        rows.append(("What it sends", ", ".join(filter(None, (board.board_name, board.format)))))
        rows.append(("Messages", f"{board.message_count} since the server started, {board.rate_hz:g} a second"))
    out.table(("What", "As it is"), [row for row in rows if row[1]])
    out.line("")
    _print_changes(out, source, changes)


@sources.command(epilog=EPILOG)
def history(
    source: NameArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was changed of a source, when and by whom; also of one that was deleted."""
    changes = ask(client_settings(server, token, config_file), lambda client: client.source_history(source))
    out = Output(as_json)
    out.document(source=source, history=changes)
    _print_changes(out, source, changes)


@sources.command(epilog=EPILOG)
def enable(
    source: NameArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the server read a disabled source again."""
    _switch(source, True, server, token, config_file, as_json)


@sources.command(epilog=EPILOG)
def disable(
    source: NameArgument,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a source and keep it: nobody reads it until it is enabled, after restarts, too."""
    _switch(source, False, server, token, config_file, as_json)


@sources.command(epilog=EPILOG)
def delete(
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


sources.command("remove", epilog=EPILOG, hidden=True)(delete)


@sources.command(epilog=EPILOG)
def kinds(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a source can be: what every server reads, and what plug-ins on this one bring."""
    found = ask(client_settings(server, token, config_file), lambda client: client.source_kinds())
    out = Output(as_json)
    out.document(kinds=found)
    rows = [(link, what, "Blitz", "") for link, what in _ALWAYS.items()]
    rows += [(f"{kind.prefix}:…", kind.summary, kind.origin, kind.error) for kind in found]
    out.table(("Link", "What it is", "From", "Trouble"), rows)


_ALWAYS = {
    "/dev/ttyUSB0": "A serial port, or a pseudo-terminal; COM3 on Windows.",
    "socket://HOST:PORT": "A serial line that a converter, or a program, offers over TCP.",
    "netscanner://HOST:PORT": "A pressure scanner, over TCP.",
    "replay:FILE": "A recording of what a device sent, played again.",
    "stream:NAME": "A stream of the server's own store.",
}


def _switch(
    source: str, is_enabled: bool, server: str | None, token: str | None, config_file: Path | None, as_json: bool
) -> None:
    settings = client_settings(server, token, config_file)
    changed = ask(settings, lambda client: client.update_source(source, is_enabled=is_enabled))
    out = Output(as_json)
    out.document(source=changed)
    what = "enabled" if is_enabled else "disabled: nobody reads it until it is enabled"
    out.line(f"{changed.name} is {what}.")


async def _find(client: "AsyncClient", name: str) -> "SourceConfig":
    from blitz.errors import UnknownSource

    known = {config.name: config for config in await client.sources()}
    if name not in known:
        there = ", ".join(known) or "none is configured"
        raise UnknownSource(f"There is no source {name!r}. Known are: {there}.")
    return known[name]


def _print_changes(out: Output, source: str, changes: "list[SourceChange]") -> None:
    if changes:
        out.table(("When", "Who", "What"), [(local_time(one.at), one.who, one.what) for one in changes])
    else:
        out.line(f"Nothing of {source} was changed.")


def _line_rows(config: "SourceConfig") -> list[tuple[str, str]]:
    serial = config.serial
    options = ", ".join(f"{name}={value}" for name, value in config.options.items())
    interval = "" if config.poll_interval_s is None else f"{config.poll_interval_s:g} s"
    usb = "" if config.identity is None else _usb(config)
    line = ""
    if _baud(config):
        line = (
            f"{serial.baud} baud, {serial.data_bits} data bits, parity {serial.parity}, {serial.stop_bits:g} stop bits"
        )
    return [
        ("Line", line),
        ("USB", usb),
        ("Protocol", config.protocol),
        ("Definition", _definition(config)),
        ("On connect", ", ".join(config.on_connect)),
        ("Interval", interval),
        ("Options", options),
        ("Recorded", "" if config.is_recorded else "no, only shown"),
        ("Enabled", "yes" if config.is_enabled else "no"),
    ]


def _source_row(record: "SourceConfig") -> tuple[str, ...]:
    shown = (record.name, record.link, _baud(record), record.protocol, _definition(record))
    return (*shown, ", ".join(record.on_connect), _usb(record), "yes" if record.is_enabled else "no")


def _definition(record: "SourceConfig") -> str:
    return record.definition.name if record.definition is not None else record.board_id or ""


def _baud(record: "SourceConfig") -> str:
    is_port = "://" not in record.link and not record.link.startswith(("replay:", "stream:")) and record.kind is None
    return str(record.serial.baud) if is_port else ""


def _usb(record: "SourceConfig") -> str:
    usb = record.identity
    return "" if usb is None else f"{usb.vendor_id:04x}:{usb.product_id:04x} {usb.serial_number}".strip()
