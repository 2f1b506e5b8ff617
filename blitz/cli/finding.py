"""Commands that find what is new: USB devices that nobody listens to, and servers on the network."""

from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.completing import complete_found
from blitz.cli.ending import at_once
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output

if TYPE_CHECKING:
    from blitz.data.records import FoundDevice
    from blitz.io.discovery import FoundServer

PortArgument = Annotated[
    str,
    typer.Argument(
        metavar="PORT", help="As 'blitz found' lists it.", show_default=False, autocompletion=complete_found
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(found)
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(listen)
    app.command(epilog=EPILOG, rich_help_panel=Panel.RUN)(discover)


def found(
    ignored: Annotated[bool, typer.Option("--ignored", help="List those that are ignored, too.")] = False,
    ignore: Annotated[
        str | None,
        typer.Option(
            "--ignore", metavar="PORT", help="Ask no more of the device at this port.", autocompletion=complete_found
        ),
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List new USB devices, which nobody listens to yet."""
    settings = client_settings(server, token, config_file)
    out = Output(as_json)
    if ignore is not None:
        ask(settings, lambda client: client.ignore(ignore))
        out.document(ignored=ignore)
        out.line(f"The device at {ignore} is ignored. 'blitz listen {ignore}' listens to it all the same.")
        return
    devices = ask(settings, lambda client: client.found(ignored))
    out.document(found=devices)
    if devices:
        out.table(("Port", "Device", "Serial number", ""), [_row(device) for device in devices])
        out.line("'blitz listen PORT' listens to one, which may reset it.")
    else:
        out.line("No new USB devices. Ports of other kinds are named: 'blitz source add PORT'.")


def listen(
    port: PortArgument,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Of the source. [default: the port's]", show_default=False)
    ] = None,
    baud: Annotated[
        int | None, typer.Option(metavar="BAUD", min=50, max=20_000_000, help="Baud rate. [default: 57600]")
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Listen to a new USB device from now on. Opening its port resets most boards."""
    source = ask(client_settings(server, token, config_file), lambda client: client.listen(port, name, baud))
    out = Output(as_json)
    out.document(source=source)
    out.line(f"{source.name} at {source.link} is listened to. 'blitz boards' shows what it is.")


def discover(
    seconds: Annotated[float, typer.Option("--for", metavar="S", min=0.1, max=60, help="How long to look.")] = 3.0,
    as_json: JsonOption = False,
) -> None:
    """Look for servers on the network that announce themselves."""
    from blitz.io.discovery import discover as look

    with at_once():
        servers = look(seconds)
    out = Output(as_json)
    out.document(servers=[{"url": server.url, **vars(server)} for server in servers])
    if servers:
        out.table(("Name", "Address", "Version", "Needs"), [_server_row(server) for server in servers])
    else:
        out.line("No server announces itself here. One that listens on 127.0.0.1 alone does not.")


def _row(device: "FoundDevice") -> tuple[str, ...]:
    return device.port, device.words, device.serial_number, "ignored" if device.is_ignored else ""


def _server_row(server: "FoundServer") -> tuple[str, ...]:
    needs = "a link with token and fingerprint" if server.needs_fingerprint else "a token"
    return server.name, server.url, server.version, needs
