"""Commands that record what a port says, byte by byte, and play it back."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz import __version__
from blitz.cli.completing import complete_ports
from blitz.cli.ending import end_if_told, is_told, waking
from blitz.cli.options import EPILOG, JsonOption, Panel
from blitz.cli.output import Output, printable
from blitz.cli.programs import SERVER_PACKAGES, needing
from blitz.cli.source_options import (
    DataBitsOption,
    DtrOption,
    FlowOption,
    ParityOption,
    RtsOption,
    StopBitsOption,
    place_changes,
    serial_changes,
)

if TYPE_CHECKING:
    from blitz.data.source_config import SerialOptions
    from blitz.io.recorder import Progress

_SHOW_EVERY_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(record)
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(replay)


def record(
    port: Annotated[
        str, typer.Argument(metavar="PORT[:BAUD]", help="A port, or socket://HOST:PORT.", autocompletion=complete_ports)
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What is written, such as run.jsonl.")],
    seconds: Annotated[
        float | None, typer.Option(metavar="S", min=0.001, help="How long. [default: until Ctrl-C]", show_default=False)
    ] = None,
    send: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A line to send first; may be given several times.")
    ] = None,
    data_bits: DataBitsOption = None,
    parity: ParityOption = None,
    stop_bits: StopBitsOption = None,
    flow_control: FlowOption = None,
    dtr: DtrOption = None,
    rts: RtsOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    config_file: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The server's settings: what must not be touched.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Record the raw bytes that a port gives, with their times.

    For bug reports and tests. Only listens, unless --send says otherwise. Each line of the file is one read or write,
    as JSON.
    """
    from blitz.io.recording import RecordingError, RecordingWriter

    if not force and file.exists():
        raise RecordingError(f"Cannot write {file}: it exists already. Give another name, or --force.")
    serial = serial_changes(
        data_bits=data_bits, parity=parity, stop_bits=stop_bits, flow_control=flow_control, dtr=dtr, rts=rts
    )
    link_name, options = _parse_port(port, serial)
    _check_allowed(link_name, config_file)
    with needing("server", "Recording a port", SERVER_PACKAGES):
        from blitz.io.link import is_port, open_link
        from blitz.io.recorder import record_link
    out = Output(as_json)
    header: dict[str, object] = {"link": link_name, "version": __version__}
    if is_port(link_name):
        header |= options.model_dump(exclude_defaults=True) | {"baud": options.baud}
    with (
        contextlib.closing(open_link(link_name, options)) as link,
        RecordingWriter(file, header, overwrite=force) as writer,
        _shown_progress(as_json) as show,
    ):
        out.line(f"Recording {link_name} into {file}.{'' if seconds else ' Ctrl-C ends it.'}")
        sys.stdout.flush()
        done = record_link(
            link,
            writer,
            sends=[text.encode() + b"\n" for text in send or ()],
            seconds=seconds,
            is_over=is_told,
            progress=show,
        )
    out.document(
        file=str(file),
        link=link_name,
        seconds=round(done.elapsed_s, 3),
        received_bytes=writer.received_bytes,
        sent_bytes=writer.sent_bytes,
    )
    out.line(f"{file} holds {done.received_bytes} bytes of {done.elapsed_s:.1f} s.")
    if not done.received_bytes:
        rate = f"Check the rate ({options.baud} baud) and the cable. " if is_port(link_name) else ""
        out.line(f"Nothing came. {rate}Some devices speak only when they are asked: see --send.")


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    speed: Annotated[str, typer.Option(metavar="X|max", help="Times its own speed, or as fast as it is read.")] = "1",
    link: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A link to make to the port, such as /tmp/board.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Play a recording on a port that any program can open.

    Waits until the port is opened, and ends when everything is read. The server can also play one by itself:
    blitz serve --serial replay:FILE.
    """
    from blitz.io.recording import RecordingReader

    with needing("", "Playing a recording on a port", {"fcntl", "pty", "termios", "tty"}):
        from blitz.io.replay_link import parse_speed
        from blitz.io.replay_port import ReplayPort
    factor = parse_speed(speed)
    RecordingReader(file).close()
    out = Output(as_json)
    with contextlib.closing(ReplayPort(link)) as port, waking(port.stop):
        out.document(path=port.path)
        out.line(f"{file} is played at {port.path} as soon as a program opens it. Ctrl-C ends it.")
        sys.stdout.flush()
        port.play(file, factor)
    end_if_told()
    out.document(played_bytes=port.played_bytes)
    out.line(f"All {port.played_bytes} bytes have been read.")


def _parse_port(port: str, serial: dict[str, Any]) -> tuple[str, "SerialOptions"]:
    from pydantic import ValidationError

    from blitz.data.model_faults import first_fault
    from blitz.data.source_config import SerialOptions

    place = place_changes(port)
    try:
        return place["link"], SerialOptions.model_validate(place.get("serial", {}) | serial)
    except ValidationError as error:
        raise typer.BadParameter(f"there is no such serial line: {first_fault(error)}.") from None


def _check_allowed(link: str, config_file: Path | None) -> None:
    """Refuse a port that the server must never touch."""
    from blitz import config
    from blitz.errors import LinkError

    forbidden = config.load(config.ServerSettings, {}, config_file).never_touch
    with needing("server", "Recording a port", SERVER_PACKAGES):
        from blitz.io.usb_ports import is_forbidden
    if is_forbidden(link, None, forbidden):
        raise LinkError(f"Cannot open {link}: it is on the list never_touch of the settings. Take it off the list.")


@contextlib.contextmanager
def _shown_progress(as_json: bool) -> Iterator[Callable[["Progress"], None]]:
    """Show on a terminal how far a recording is."""
    is_terminal = not as_json and sys.stderr is not None and sys.stderr.isatty()
    shown_s = 0.0

    def show(progress: "Progress") -> None:
        nonlocal shown_s
        if is_terminal and time.monotonic() - shown_s > _SHOW_EVERY_S:
            shown_s = time.monotonic()
            sys.stderr.write(printable(f"{progress.received_bytes} bytes in {progress.elapsed_s:.0f} s") + "\r")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if is_terminal:
            sys.stderr.write("\x1b[K")
            sys.stderr.flush()
