"""The command that finds out what a device sends."""

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings
from blitz.cli.ending import at_once
from blitz.cli.options import EPILOG, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output
from blitz.cli.programs import SERVER_PACKAGES, needing

if TYPE_CHECKING:
    from blitz.config import ServerSettings
    from blitz.data.board_definition import BoardDefinition
    from blitz.data.source_config import SourceConfig
    from blitz.io.connection import AsyncClient
    from blitz.io.doctor_listening import Heard
    from blitz.io.usb_ports import FoundPort


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(doctor)


def doctor(
    place: Annotated[
        str | None,
        typer.Argument(metavar="[PORT|RECORDING]", help="A port, socket://HOST:PORT, or a file.", show_default=False),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option(metavar="N", min=50, max=20_000_000, help="Listen at this rate only.", show_default=False),
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="S", min=0.1, help="How long at most, at each rate.")] = 5.0,
    asks: Annotated[
        bool, typer.Option("--ask", help="Ask a silent device for its Blitz id; else it only listens.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Write the definition.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Let the running server have it as a source.", show_default=False)
    ] = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="Settings: what must not be touched, the server.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find out what a device sends: rate, framing, channels.

    Listens, and proposes. Without a port: at each free USB port of a known kind. Never opens a port that another
    program uses, or one on the list never_touch.
    """
    from blitz import config
    from blitz.errors import ConfigError, ExportError

    if place is None and (output or save):
        raise typer.BadParameter("name the port or recording whose format is to be written or saved.")
    if output is not None and not force and output.exists():
        raise ExportError(f"Cannot write {output}: it exists already. Give another name, or --force.")
    settings = config.load(config.ServerSettings, {}, config_file)
    out = Output(as_json)
    with needing("server", "The doctor", SERVER_PACKAGES):
        from blitz.io import doctor_listening as _  # noqa: F401
    diagnosed: dict[str, Heard] = {}
    if place is None:
        diagnosed = _diagnose_free_ports(out, settings, baud, seconds, asks=asks)
    else:
        diagnosed[place] = _diagnose_one(out, place, settings, baud, seconds, asks=asks)
        _show(out, place, diagnosed[place])
    out.document(diagnoses=[_document(where, heard) for where, heard in diagnosed.items()])
    if place is None:
        return
    if output is not None:
        from blitz.data.definition_file import write_definition

        definition = _named(diagnosed[place], output.stem)
        if definition is None:
            raise ExportError(f"Nothing is written into {output}: no channels are known.")
        write_definition(definition, output)
        out.line(f"{output} holds the definition '{definition.id}'.")
    if save is not None:
        try:
            source = _source(save, place, diagnosed[place])
        except ValueError as error:
            raise ConfigError(f"Cannot save {save!r}: {error}") from error
        kept = ask(client_settings(server, token, config_file), lambda client: _save(client, source))
        out.line(f"The server has the source {kept.name}.")


async def _save(client: "AsyncClient", source: "SourceConfig") -> "SourceConfig":
    """Add a source to the server's, or tell what is known now of one that is there at this port already."""
    from blitz.io.usb_ports import real_port

    there = next((each for each in await client.sources() if each.name == source.name), None)
    if there is None or real_port(there.link) != real_port(source.link):
        return await client.add_source(source)
    learnt = source.model_dump(mode="json", include={"serial", "framing", "definition", "protocol"})
    return await client.update_source(source.name, **learnt)


def _diagnose_free_ports(
    out: Output, settings: "ServerSettings", baud: int | None, seconds: float, *, asks: bool
) -> "dict[str, Heard]":
    from blitz.errors import LinkError
    from blitz.io.port_faults import A_SERVER, LENDS, is_in_use_by_others
    from blitz.io.usb_ports import find_ports

    diagnosed = {}
    ports = find_ports(settings.never_touch)
    if not ports:
        out.line("This machine has no serial port now. Plug a device in, or name a port or a recording.")
    for port in ports:
        users = is_in_use_by_others(port.port)
        if users:
            is_lent = any(user.startswith(A_SERVER) for user in users)
            out.line(f"{_title(port)}: used by {' and '.join(users)}, and left alone.{f' {LENDS}' if is_lent else ''}")
        elif not port.is_known_kind:
            out.line(f"{_title(port)}: of no known kind, and left alone. To try it: blitz doctor {port.port}")
        else:
            try:
                diagnosed[port.port] = _diagnose_one(out, port.port, settings, baud, seconds, asks=asks)
            except LinkError as error:
                out.line(str(error))
                continue
            _show(out, port.port, diagnosed[port.port])
    return diagnosed


def _title(port: "FoundPort") -> str:
    return f"{port.port} ({port.description})" if port.description else port.port


def _diagnose_one(
    out: Output, place: str, settings: "ServerSettings", baud: int | None, seconds: float, *, asks: bool
) -> "Heard":
    from blitz.data.board_definition import load_definitions
    from blitz.data.source_config import SerialOptions
    from blitz.errors import LinkError
    from blitz.io.doctor_listening import LIKELY_RATES, hear_recording, listen
    from blitz.io.link import is_port, open_link
    from blitz.io.serial_link import PyserialLink

    known = load_definitions(settings.definitions_dir)
    if is_port(place):
        if Path(place).is_file():
            return hear_recording(Path(place), known)
        _check_port(place, settings)
    rates = (baud,) if baud else LIKELY_RATES
    with (
        contextlib.closing(open_link(place, SerialOptions(baud=rates[0]))) as link,
        at_once(),
        out.progress(f"Listening to {place}") as tell,
    ):
        change_rate = link.change_rate if isinstance(link, PyserialLink) else None
        try:
            return listen(link, rates, seconds, known, is_asking=asks, change_rate=change_rate, tell=tell)
        except LinkError as error:  # which nobody opens again here
            raise LinkError(str(error).partition(" It is opened again")[0]) from error


def _check_port(port: str, settings: "ServerSettings") -> None:
    """Refuse what must never be opened, and what another program has open: opening alone resets a board."""
    from blitz.errors import LinkError
    from blitz.io.port_faults import busy, is_in_use_by_others
    from blitz.io.usb_ports import find_ports, is_forbidden, real_port

    identity = next((each.identity for each in find_ports() if each.port == real_port(port)), None)
    if is_forbidden(port, identity, settings.never_touch):
        raise LinkError(f"Cannot open {port}: it is on the list never_touch of the settings. Take it off the list.")
    if is_in_use_by_others(port):
        raise LinkError(busy(port))


def _show(out: Output, place: str, heard: "Heard") -> None:
    from blitz.io.diagnosis import Confidence, hex_dump

    diagnosis = heard.diagnosis
    rate = f", at {heard.baud} baud" if heard.baud is not None and heard.sample else ""
    if diagnosis.confidence is Confidence.UNKNOWN:
        out.line(f"{place}: {diagnosis.summary}{rate}.")
    else:
        out.line(f"{place}: {diagnosis.summary}{rate}. This is {diagnosis.confidence.value}.")
    for reason in diagnosis.reasons:
        out.line(f"  {reason}")
    if diagnosis.confidence is Confidence.UNKNOWN:
        for line in hex_dump(heard.sample):
            out.line(f"  {line}")
    rows = diagnosis.rows()
    if rows:
        out.table(diagnosis.channels, [["" if value is None else f"{value:.6g}" for value in row] for row in rows])


def _document(place: str, heard: "Heard") -> dict[str, Any]:
    from blitz.io.diagnosis import hex_dump

    diagnosis = heard.diagnosis
    return {
        "place": place,
        "baud": heard.baud,
        "heard_bytes": len(heard.sample),
        "seconds": round(heard.seconds, 3),
        "confidence": diagnosis.confidence.value,
        "summary": diagnosis.summary,
        "reasons": diagnosis.reasons,
        "board_id": diagnosis.board_id,
        "parity": diagnosis.parity,
        "framing": diagnosis.framing,
        "definition": diagnosis.definition,
        "rows": diagnosis.rows(),
        "hex": hex_dump(heard.sample),
    }


def _named(heard: "Heard", name: str) -> "BoardDefinition | None":
    """Return the proposed definition under a name of its own; that of a Blitz board keeps its id."""
    from blitz.data.board_definition import BoardDefinition

    definition = heard.diagnosis.definition
    if definition is None or heard.diagnosis.board_id is not None:
        return definition
    identity = re.sub("[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:40] or definition.id
    return BoardDefinition.model_validate(definition.model_dump() | {"id": identity, "baud": heard.baud})


def _source(name: str, place: str, heard: "Heard") -> "SourceConfig":
    from blitz.data.source_config import SerialOptions, SourceConfig
    from blitz.io.link import is_port
    from blitz.io.recording import RecordingReader
    from blitz.io.usb_ports import find_ports, real_port

    diagnosis = heard.diagnosis
    if diagnosis.framing is None:
        raise ValueError("what the device sends is not known.")
    is_file = is_port(place) and Path(place).is_file()
    if is_file:
        RecordingReader(Path(place)).close()  # raw bytes have no times, and are no source
    link = f"replay:{Path(place).resolve()}" if is_file else place
    identity = next((each.identity for each in find_ports() if each.port == real_port(place)), None)
    definition = None if diagnosis.board_id is not None else _named(heard, name)
    serial: dict[str, Any] = {"baud": heard.baud} if heard.baud else {}
    if diagnosis.parity != "none":
        serial |= {"data_bits": 7, "parity": diagnosis.parity}
    return SourceConfig(
        name=name,
        link=link,
        serial=SerialOptions.model_validate(serial),
        framing=None if definition is not None or diagnosis.board_id is not None else diagnosis.framing,
        definition=definition,
        identity=identity,
        board_id=diagnosis.board_id,
    )
