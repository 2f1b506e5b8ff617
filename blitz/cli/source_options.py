"""The options that describe a source, and what becomes of them."""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from blitz.data.board_definition import BoardDefinition
    from blitz.data.source_config import SourceConfig
    from blitz.io.connection import AsyncClient


class Protocol(StrEnum):
    """How a device is talked to."""

    AUTO = "auto"
    BLITZ = "blitz"
    STREAM = "stream"
    NETSCANNER = "netscanner"


class PrintFormat(StrEnum):
    """What a device prints."""

    CSV = "csv"
    PAIRS = "pairs"
    JSON = "json"
    BLITZ = "blitz"
    NETSCANNER = "netscanner"


class Rows(StrEnum):
    """Which rows of a file are read."""

    MISSING = "missing"
    NEW = "new"


class Parity(StrEnum):
    """The parity bit of a serial line."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"
    MARK = "mark"
    SPACE = "space"


class FlowControl(StrEnum):
    """Who says when to wait on a serial line."""

    NONE = "none"
    RTSCTS = "rtscts"
    XONXOFF = "xonxoff"
    DSRDTR = "dsrdtr"


class Level(StrEnum):
    """How a control line stands."""

    ON = "on"
    OFF = "off"


BaudOption = Annotated[int | None, typer.Option(metavar="N", help="Baud rate.", show_default=False)]
DataBitsOption = Annotated[int | None, typer.Option(metavar="N", min=5, max=8, help="5 to 8.", show_default=False)]
ParityOption = Annotated[Parity | None, typer.Option(help="Parity bit.", show_default=False)]
StopBitsOption = Annotated[float | None, typer.Option(metavar="N", help="1, 1.5 or 2.", show_default=False)]
FlowOption = Annotated[FlowControl | None, typer.Option("--flow-control", help="Handshake.", show_default=False)]
DtrOption = Annotated[
    Level | None, typer.Option(help="off: most boards are then not reset by opening the port.", show_default=False)
]
RtsOption = Annotated[Level | None, typer.Option(help="The line RTS.", show_default=False)]
ProtocolOption = Annotated[
    Protocol | None,
    typer.Option(help="auto: listen, then ask; stream: listen only; blitz: ask.", show_default=False),
]
DefinitionOption = Annotated[
    str | None,
    typer.Option(
        "--definition", metavar="TYPE|FILE", help="What it sends: one of 'blitz boards --types', or a TOML file."
    ),
]
OnConnectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--on-connect",
        metavar="LINE",
        help="Line, or name of a command, sent whenever it is connected; several times for several.",
        show_default=False,
    ),
]
RecordOption = Annotated[
    bool | None,
    typer.Option("--record/--no-record", help="Of a stream: whether its points go into sessions, or are only shown."),
]
IntervalOption = Annotated[
    float | None,
    typer.Option(
        *("--interval", "-i", "--poll-interval"),
        metavar="S",
        help="Seconds from one look at it to the next: polls, checks of a file. [default: 10 for files]",
        show_default=False,
    ),
]
RowsOption = Annotated[
    Rows | None,
    typer.Option(help="Of a file: missing: all that no session has yet; new: those that come from now on."),
]
KindOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="For its kind of source; several times for several."),
]
FormatOption = Annotated[
    PrintFormat | None,
    typer.Option(
        "--format",
        help="What it prints, where that is not to be found out: csv, pairs, json: listened to; blitz: asked.",
        show_default=False,
    ),
]

_ADDRESS = re.compile(r"[a-z]{2,}://|[a-z][a-z0-9]+:(?!\d+$)")
_TABLE = re.compile(r"(?!\w{2,}:).+\.(csv|tsv|txt|log)", re.IGNORECASE)
_LOCAL = re.compile(r"localhost|127\.[\d.]+|::1")


def serial_changes(**options: Any) -> dict[str, Any]:
    """Return the options of the serial line that were given.

    >>> serial_changes(baud=9600, parity=Parity.EVEN, dtr=None)
    {'baud': 9600, 'parity': 'even'}
    """
    return given({name: value.value if isinstance(value, StrEnum) else value for name, value in options.items()})


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options that are not None, or empty lists."""
    return {name: value for name, value in options.items() if value is not None and value != []}


def place_changes(link: str) -> dict[str, Any]:
    """Read a link as ``blitz serve --serial`` does, without the definition: a port may have a baud rate behind it.

    >>> place_changes("/dev/ttyUSB0:115200")
    {'link': '/dev/ttyUSB0', 'serial': {'baud': 115200}}
    >>> place_changes("netscanner://10.0.0.7:9000")
    {'link': 'socket://10.0.0.7:9000', 'protocol': 'netscanner'}
    """
    if link.startswith("netscanner://"):
        return {"link": "socket" + link.removeprefix("netscanner"), "protocol": "netscanner"}
    port, _, baud = link.rpartition(":")
    if _ADDRESS.match(link) or not port or not baud.isdecimal():
        return {"link": link} | ({"protocol": "stream"} if link.startswith("replay:") else {})
    return {"link": port, "serial": {"baud": int(baud)}}


def file_link(link: str, server: str) -> str:
    """Return the link of a file of rows, by its whole path; others stay as they are.

    :param server: a file's path is its path there.
    :raises typer.BadParameter: if it is not the whole path, and the server is another machine.

    >>> file_link("/data/run.csv", "http://lab:8999"), file_link("/dev/ttyUSB0", "http://lab:8999")
    ('csv:/data/run.csv', '/dev/ttyUSB0')
    """
    path = link.removeprefix("csv:")
    if path == link and not _TABLE.fullmatch(link):
        return link
    if _LOCAL.fullmatch(urlsplit(server if "://" in server else f"http://{server}").hostname or ""):
        return f"csv:{Path(path).expanduser().absolute()}"
    if not PurePosixPath(path).is_absolute() and not PureWindowsPath(path).is_absolute():
        raise typer.BadParameter(
            f"{path!r}: the server is another machine. Give the whole path of the file there, such as "
            f"csv:/home/lab/{PurePosixPath(path).name}.",
            param_hint="LINK",
        )
    return f"csv:{path}"


def kind_settings(given_options: Sequence[str] | None, rows: Rows | None) -> dict[str, Any] | None:
    """Return what a kind of source is told; None if nothing is.

    >>> kind_settings(["depth=3", "bus=/sys/bus"], Rows.NEW)
    {'depth': 3, 'bus': '/sys/bus', 'rows': 'new'}
    """
    told: dict[str, Any] = {}
    for option in given_options or ():
        name, mark, value = option.partition("=")
        if not mark or not name:
            raise typer.BadParameter(f"{option!r} is not NAME=VALUE.", param_hint="--option")
        try:
            told[name] = json.loads(value)
        except ValueError:
            told[name] = value
    if rows is not None:
        told["rows"] = rows.value
    return told or None


def protocol_of(print_format: PrintFormat | None, protocol: Protocol | None) -> str | None:
    """Return how a device is talked to that prints something.

    >>> protocol_of(PrintFormat.CSV, None), protocol_of(PrintFormat.BLITZ, None)
    ('stream', 'blitz')
    """
    if print_format is None:
        return None if protocol is None else protocol.value
    if protocol is not None:
        raise typer.BadParameter("give only one of --format and --protocol.")
    is_asked = print_format in (PrintFormat.BLITZ, PrintFormat.NETSCANNER)
    return print_format.value if is_asked else Protocol.STREAM.value


def usual_name(link: str) -> str:
    """Return what a source at a link is called when nobody says.

    >>> usual_name("/dev/ttyUSB0"), usual_name("socket://lab-pi:4001"), usual_name("stream:room")
    ('ttyUSB0', 'lab-pi:4001', 'room')
    """
    if link.startswith("stream:"):
        return re.sub(r"[\s%#?]", "_", link.removeprefix("stream:"))[:60] or "source"
    short = link.partition("?")[0].replace("\\", "/").rstrip("/").rpartition("/")[2].removeprefix("replay:")
    return re.sub(r"[\s%#?]", "_", short) or "source"


async def find_definition(client: "AsyncClient", what: str) -> "BoardDefinition":
    """Return the definition that a ``--definition`` means.

    :raises typer.BadParameter: if there is none.
    :raises ConfigError: if it is a file that cannot be read.
    """
    from blitz.data.board_definition import read_definition

    if what.endswith(".toml") or "/" in what or "\\" in what:
        return read_definition(Path(what))
    known = {definition.id: definition for definition in await client.definitions()}
    if what not in known:
        raise typer.BadParameter(
            f"there is no type {what!r}. Known are: {', '.join(sorted(known))}; a file ends with .toml.",
            param_hint="--definition",
        )
    return known[what]


def new_source(fields: Mapping[str, Any]) -> "SourceConfig":
    """Make a source of what was given.

    :raises typer.BadParameter: if a value is wrong.
    """
    from pydantic import ValidationError

    from blitz.data.model_faults import first_fault
    from blitz.data.source_config import SourceConfig

    try:
        return SourceConfig.model_validate(fields)
    except ValidationError as error:
        raise typer.BadParameter(f"{first_fault(error)}.") from error
