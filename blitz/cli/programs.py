"""Commands that are programs of their own: the server, the desktop client, the simulator."""

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from blitz.cli.asking import client_settings
from blitz.cli.ending import hand_over
from blitz.cli.faults import InstallationError
from blitz.cli.options import EPILOG, ConfigOption, JsonErrorsOption, JsonOption, Panel, ServerOption, TokenOption

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


SERVER_PACKAGES = frozenset(
    (
        "cobs",
        "cryptography",
        "fastapi",
        "fastapi_offline",
        "fastcrc",
        "hiredis",
        "prometheus_client",
        "redis",
        "segno",
        "serial",
        "starlette",
        "uvicorn",
    )
)
"""What the extra `server` brings, by the names that are imported."""


_KINDS = (
    "plain, csv, csv-header, csv-time, semicolon, tab, spaces, cr, pairs, json, nmea, silent, cobs, cobs-plain, slip, "
    "slip-crc, start-length, start-fixed, struct"
)
"""What the simulator knows, written here because it is slow to import."""


class Durability(StrEnum):
    """When the store writes to disk."""

    ALWAYS = "always"
    EVERYSEC = "everysec"
    NONE = "none"


class ScanUsb(StrEnum):
    """What becomes of USB devices that are no sources."""

    KNOWN = "known"
    ASK = "ask"
    OFF = "off"


class LogLevel(StrEnum):
    """How much the log says."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.RUN)(serve)
    app.command(epilog=EPILOG, rich_help_panel=Panel.RUN)(client)
    app.command(epilog=EPILOG, rich_help_panel=Panel.RUN)(simulate)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the HTTP interface; 0: a free one. [default: 8999]")] = None,
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the server's own Redis.")] = None,
    redis_url: Annotated[str | None, typer.Option(metavar="URL", help="A Redis to use instead of its own.")] = None,
    redis_prefix: Annotated[str | None, typer.Option(metavar="TEXT", help="Put before every key in Redis.")] = None,
    no_acquisition: Annotated[
        bool,
        typer.Option("--no-acquisition", help="Open no port: serve what another server over the same Redis records."),
    ] = False,
    serial: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PORT[:BAUD][=DEFINITION]", help="A port or an address to open; may be given several times."
        ),
    ] = None,
    simulate: Annotated[int | None, typer.Option(metavar="N", help="Number of simulated boards.")] = None,
    definitions_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of your own board definitions, *.toml.")
    ] = None,
    durability: Annotated[
        Durability | None, typer.Option(help="When Redis writes to disk. [default: always]", show_default=False)
    ] = None,
    preview: Annotated[
        bool | None,
        typer.Option("--preview/--no-preview", help="Poll boards while nothing is recorded. [default: preview]"),
    ] = None,
    scan_usb: Annotated[
        ScanUsb | None,
        typer.Option(
            help="New USB devices: open those of known makers, wait for 'blitz listen', or ignore them. [default: ask]",
            show_default=False,
        ),
    ] = None,
    no_scan_usb: Annotated[bool, typer.Option("--no-scan-usb", help="The same as --scan-usb off.")] = False,
    token: Annotated[
        str | None, typer.Option(help="One more token, of an admin; better 'blitz token create', or BLITZ_TOKEN.")
    ] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own certificate, PEM. [default: one is made when needed]")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, PEM, if it is not in there.")] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="No TLS beyond loopback: whoever can listen on the network reads all tokens and messages.",
        ),
    ] = False,
    exit_when_idle: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="End by itself when nobody has looked and nothing was recorded for so long."
        ),
    ] = None,
    log_level: Annotated[
        LogLevel | None, typer.Option(help="How much the log says. [default: info]", show_default=False)
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="A TOML file with a table [server].")
    ] = None,
    as_json: JsonErrorsOption = False,
) -> None:
    """Run the server: acquire, store and serve what boards send.

    Beyond loopback, as with --host 0.0.0.0, it needs a token, which 'blitz token create' makes, and uses TLS.
    """
    hand_over()
    from blitz import config

    arguments = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "redis_url": redis_url,
        "redis_prefix": redis_prefix,
        "acquisition": False if no_acquisition else None,
        "serial": tuple(serial) if serial else None,
        "simulate": simulate,
        "definitions_dir": definitions_dir,
        "durability": durability and durability.value,
        "preview": preview,
        "scan_usb": "off" if no_scan_usb else scan_usb and scan_usb.value,
        "token": token,
        "tls_certificate": tls_certificate,
        "tls_key": tls_key,
        "insecure": insecure or None,
        "exit_when_idle_s": exit_when_idle,
        "log_level": log_level and log_level.value,
    }
    settings = config.load(config.ServerSettings, arguments, config_file)
    with needing("server", "The server", SERVER_PACKAGES):
        import_module("cryptography")  # the server itself does so where it needs a certificate
        from blitz import server
    raise typer.Exit(server.run(settings))


def client(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonErrorsOption = False,
) -> None:
    """Open the desktop client's window."""
    hand_over()
    settings = client_settings(server, token, config_file)
    from blitz.io.address import ServerAddress

    ServerAddress.parse(settings.server, token=settings.token, fingerprint=settings.fingerprint)
    _check_screen()
    with needing("gui", "The desktop client", {"PyQt5", "pyqtgraph"}):
        from blitz import client as program
    raise typer.Exit(program.run(settings))


def simulate(
    boards: Annotated[
        str | None, typer.Option(metavar="ID,ID…", help="Boards, by their ids. [default: 08,09]", show_default=False)
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:HZ]",
            help=f"A device that is no board, such as csv:50; may be given several times. Kinds: {_KINDS}.",
        ),
    ] = None,
    scanner: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=0, max=65535, help="A pressure scanner, at this TCP port; 0: a free one."),
    ] = None,
    rate: Annotated[float, typer.Option(metavar="HZ", min=0.001, help="Messages a second, of each.")] = 10.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Devices send nothing until told: on.")] = False,
    ring: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Unsent messages that a board keeps. [default: the board's]")
    ] = None,
    streaming: Annotated[bool, typer.Option("--streaming", help="Send unasked, as some boards do.")] = False,
    silence: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long a board says nothing after its port is opened.")
    ] = 1.0,
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Messages in all. [default: no end]", show_default=False)
    ] = None,
    link_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the links sim1, sim2, … to the ports.")
    ] = None,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="End when the standard input ends.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate boards and devices on serial ports, until Ctrl-C."""
    hand_over()
    if boards is None:
        boards = "" if device or scanner is not None else "08,09"
    elif not boards.strip(" ,"):
        raise typer.BadParameter("name boards by their ids, such as 08,09.", param_hint="--boards")
    ids = [part.strip().lower() for part in boards.split(",") if part.strip()]
    with (
        needing("", "The simulator", {"fcntl", "pty", "termios", "tty"}),
        needing("server", "The simulator", SERVER_PACKAGES),
    ):
        from blitz.io.simulator import run_simulator
    try:
        run_simulator(
            ids,
            devices=[_parse_device(each) for each in device or ()],
            scanner_port=scanner,
            quiet=quiet,
            rate_hz=rate,
            ring=ring,
            streaming=streaming,
            silence_s=silence,
            count=count,
            link_dir=link_dir,
            exit_with_parent=exit_with_parent,
            as_json=as_json,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _parse_device(text: str) -> tuple[str, float | None]:
    """Read ``KIND`` or ``KIND:HZ``."""
    kind, colon, rate = text.partition(":")
    try:
        return kind.strip().lower(), float(rate) if colon else None
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not KIND or KIND:HZ, such as csv:50.", param_hint="--device") from None


def _check_screen() -> None:
    """Qt ends the whole program where there is no screen: say it before."""
    if sys.platform == "linux" and not any(os.environ.get(name) for name in _SCREENS):
        raise InstallationError(
            "Cannot open a window: there is no screen here (DISPLAY and WAYLAND_DISPLAY are empty). "
            "Run 'blitz client --server URL' on a machine with one, or use the other commands."
        )


@contextmanager
def needing(extra: str, what: str, modules: Collection[str]) -> Iterator[None]:
    """Turn the absence of a part's packages into a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in modules:
            raise
        if not extra:
            sentence = f"{what} needs pseudo terminals ({missing}), which this system does not have."
        else:
            package = "pyserial" if missing == "serial" else missing.replace("_", "-")
            sentence = f'{what} needs {package}, which is not installed. Install it with: pip install "blitz[{extra}]"'
        raise InstallationError(sentence) from error
