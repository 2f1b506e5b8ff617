"""The command that writes a session as a file."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import client_settings
from blitz.cli.caches import CacheCommand, CachedSessionArgument, CacheOption
from blitz.cli.copying import find_cache
from blitz.cli.ending import end_if_told
from blitz.cli.notes import parse_time
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output

if TYPE_CHECKING:
    from blitz.data.records import SessionRecord


class FormatChoice(StrEnum):
    """What is written."""

    CSV = "csv"
    PARQUET = "parquet"
    FEATHER = "feather"
    HDF5 = "hdf5"
    XLSX = "xlsx"


class LayoutChoice(StrEnum):
    """How a table is laid out."""

    WIDE = "wide"
    LONG = "long"


class PresetChoice(StrEnum):
    """For whom a file is."""

    ANALYSIS = "analysis"
    SPREADSHEET = "spreadsheet"


ComputedOption = Annotated[
    bool,
    typer.Option(
        "--computed", help="Also the channels that are computed in the window; --channels takes their names, too."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, cls=CacheCommand, rich_help_panel=Panel.ANALYSE)(export)


def export(
    session_id: CachedSessionArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The same as --output.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write or replace. [default: session-ID.csv]"),
    ] = None,
    file_format: Annotated[
        FormatChoice | None,
        typer.Option("--format", "-f", help="[default: by the file's ending, or csv]"),
    ] = None,
    layout: Annotated[LayoutChoice, typer.Option(help="A row a message, or a row a reading.")] = LayoutChoice.WIDE,
    preset: Annotated[
        PresetChoice,
        typer.Option(
            help="For programs: every message, UTC, exact values. For spreadsheets: a row a second, local time, the "
            "separators of your language."
        ),
    ] = PresetChoice.ANALYSIS,
    channels: Annotated[
        list[str] | None, typer.Option("--channels", "-c", metavar="NAME", help="Only this channel; may be repeated.")
    ] = None,
    computed: ComputedOption = False,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Leave out what is earlier: 14:03:20, 2026-11-22T14:03, or +90."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Leave out what is then, or later.")] = None,
    first: Annotated[int | None, typer.Option(min=0, help="Leave out the messages before this number.")] = None,
    count: Annotated[int | None, typer.Option(min=0, help="Take so many messages.")] = None,
    step: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="A row for so many seconds each, of the nearest readings.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Of the definitions; 0: that of the recording. [default: the newest]")
    ] = None,
    sidecar: Annotated[
        bool, typer.Option("--sidecar/--no-sidecar", help="Write FILE.json, which 'blitz verify' needs.")
    ] = True,
    defuse: Annotated[
        bool, typer.Option("--defuse", help="For spreadsheets: an apostrophe before names that look like formulas.")
    ] = False,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a session as a file for other programs.

    It is downloaded first when it is not in the cache, and read from the cache when the server is away.
    """
    if file is not None and output is not None:
        raise typer.BadParameter("it is given by --output, too.", param_hint="FILE")
    from dataclasses import replace

    from blitz.data.export import export_session
    from blitz.data.export_formats import FileFormat
    from blitz.data.export_spelling import Spelling, spreadsheet_spelling
    from blitz.data.kept_computed import kept_channels

    settings, out = client_settings(server, token, config_file), Output(as_json)
    cached = find_cache(settings, session_id, cache, out)
    target = output or file or Path(f"session-{session_id}{FileFormat(file_format or 'csv').suffix}")
    spelling = spreadsheet_spelling() if preset is PresetChoice.SPREADSHEET else Spelling()
    warnings: list[str] = []
    with (
        cached.open() as database,
        out.progress(f"Exporting session {session_id}") as progress,
    ):
        session = database.session_record(session_id)
        written = export_session(
            database,
            session_id,
            target,
            format=_format(file_format, target),
            layout=layout.value,
            preset=preset.value,
            channels=channels or None,
            **wanted_times(begin, end, session),
            first=first,
            count=count,
            step_s=step,
            spelling=replace(spelling, is_defused=spelling.is_defused or defuse),
            version=version,
            computed=kept_channels(settings.cache_dir) if computed or channels else (),
            sidecar=sidecar,
            progress=progress,
            is_cancelled=end_if_told,
            warn=warnings.append,
        )
    out.document(path=str(written), layout=layout.value, session=session, warnings=warnings)
    out.line(str(written))
    for sentence in warnings:
        out.line(sentence)


def _format(chosen: FormatChoice | None, target: Path) -> str | None:
    """Return the format; None for that of the file's ending. A file without one is CSV, as it always was."""
    return chosen.value if chosen is not None else None if target.suffix else FormatChoice.CSV.value


def wanted_times(begin: str | None, end: str | None, session: "SessionRecord") -> dict[str, Any]:
    """Return what ``--from`` and ``--to`` mean, as ``start`` and ``stop``."""
    times = {"start": begin, "stop": end}
    return {name: None if text is None else parse_time(text, session.started_at) for name, text in times.items()}
