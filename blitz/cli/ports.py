"""`blitz ports`: the serial ports that there are, what is plugged in, who has it, and what stands in the way."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output
from blitz.cli.programs import SERVER_PACKAGES, needing
from blitz.errors import BlitzError, ConfigError

if TYPE_CHECKING:
    from blitz.data.records import BoardRecord, FoundDevice
    from blitz.io.connection import AsyncClient

_HEADERS = ("Port", "What it is", "Serial number", "Source", "State", "In use by", "Trouble")


@dataclass(frozen=True)
class Port:
    """One port, as far as it is known."""

    port: str
    kind: str = ""
    serial_number: str = ""
    source: str = ""
    """Name of the server's source that reads it."""
    state: str = ""
    in_use_by: list[str] = field(default_factory=list)
    """Programs of this machine, each with its process."""
    trouble: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(ports)


def ports(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List serial ports: what is there, which source reads it, who has it open, and what to do where one cannot.

    Those of this machine, whether a server runs on it or not; of a server elsewhere those that it reads, and new USB
    devices. Opens none.
    """
    from blitz.config import LOOPBACK_HOSTS
    from blitz.io.address import ServerAddress

    settings = client_settings(server, token, config_file)
    address = ServerAddress.parse(settings.server, token=settings.token, fingerprint=settings.fingerprint)
    is_here = address.host in LOOPBACK_HOSTS
    away = ""
    try:
        boards, devices = ask(settings, _read)
    except ConfigError:
        raise
    except BlitzError as error:
        if not is_here:
            raise
        boards, devices, away = [], [], str(error)
    if is_here:
        with needing("server", "Listing ports", SERVER_PACKAGES):
            listed = list(_with_sources(_here(), boards))
    else:
        listed = _elsewhere(boards, devices)
    out = Output(as_json)
    out.document(ports=[asdict(each) for each in listed], server=None if away else str(address), away=away)
    if listed:
        _print(out, listed)
    else:
        out.line("This machine has no serial port now." if is_here else f"{address} reads no port.")
    if away:
        out.line(f"Which sources read them is not known: {away}")


async def _read(client: "AsyncClient") -> "tuple[list[BoardRecord], list[FoundDevice]]":
    return await client.boards(), await client.found(ignored=True)


def _here() -> list[Port]:
    from blitz.io.port_faults import is_in_use_by_others, may_not_open
    from blitz.io.usb_ports import find_ports

    return [
        Port(
            found.port,
            found.maker,
            found.identity.serial_number if found.identity else "",
            in_use_by=is_in_use_by_others(found.port),
            trouble=may_not_open(found.port),
        )
        for found in find_ports()
    ]


def _with_sources(listed: Sequence[Port], boards: "Iterable[BoardRecord]") -> Iterable[Port]:
    """Say of each port which source reads it; sources of which the port is not there, or is no device, follow."""
    from blitz.io.port_faults import is_in_use_by_others
    from blitz.io.usb_ports import real_port

    by_place = {real_port(board.link): board for board in boards if _is_port(board.link)}
    for each in listed:
        board = by_place.pop(real_port(each.port), None)
        yield (
            each
            if board is None
            else replace(each, source=board.name, state=board.state.value, trouble=each.trouble or board.error or "")
        )
    for place, board in by_place.items():
        yield replace(_of_board(board), in_use_by=is_in_use_by_others(place))


def _elsewhere(boards: "Iterable[BoardRecord]", devices: "Iterable[FoundDevice]") -> list[Port]:
    known = [_of_board(board) for board in boards if _is_port(board.link)]
    new = [
        Port(device.port, device.maker, device.serial_number, state="ignored" if device.is_ignored else "new")
        for device in devices
    ]
    return known + new


def _of_board(board: "BoardRecord") -> Port:
    kind = f"{board.board_id or ''} {board.board_name}".strip()
    return Port(board.link, kind, source=board.name, state=board.state.value, trouble=board.error or "")


def _is_port(link: str) -> bool:
    from blitz.data.source_config import kind_of

    return "://" not in link and kind_of(link) is None and not link.startswith(("replay:", "stream:"))


def _print(out: Output, listed: Sequence[Port]) -> None:
    rows = [
        (
            each.port,
            each.kind or "–",
            each.serial_number,
            each.source or "–",
            each.state,
            ", ".join(each.in_use_by),
            each.trouble,
        )
        for each in listed
    ]
    shown = [place for place, header in enumerate(_HEADERS) if place < 2 or any(row[place] for row in rows)]
    out.table([_HEADERS[place] for place in shown], [[row[place] for place in shown] for row in rows])
