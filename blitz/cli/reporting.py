"""The command that writes a session's report."""

from pathlib import Path
from typing import Annotated

import typer

from blitz.cli.asking import client_settings
from blitz.cli.caches import CacheCommand, CacheOption
from blitz.cli.completing import complete_sessions
from blitz.cli.copying import find_cache
from blitz.cli.ending import end_if_told
from blitz.cli.exporting import ComputedOption, wanted_times
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output
from blitz.data.report_choice import PlotsBy, login_name


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, cls=CacheCommand, rich_help_panel=Panel.ANALYSE)(report)


def report(
    session_id: Annotated[
        int | None,
        typer.Argument(
            metavar="SESSION",
            help="A session's id; below 0 for imported ones.",
            show_default=False,
            autocompletion=complete_sessions,
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The same as --output.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="File to write or replace. [default: session-ID.html]"),
    ] = None,
    channels: Annotated[
        list[str] | None, typer.Option("--channels", "-c", metavar="NAME", help="Only this channel; may be repeated.")
    ] = None,
    computed: ComputedOption = False,
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Leave out what is earlier: 14:03:20, 2026-11-22T14:03, or +90."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Leave out what is then, or later.")] = None,
    plots: Annotated[
        PlotsBy, typer.Option(help="A plot for the channels of a unit, one for each channel, or none.")
    ] = PlotsBy.UNIT,
    template: Annotated[
        Path | None,
        typer.Option(
            "--template",
            metavar="FILE",
            help="A template of your own, or a folder with a report.html in it. [default: the setting]",
        ),
    ] = None,
    write_template: Annotated[
        Path | None,
        typer.Option(
            "--write-template", metavar="FILE", help="Write the usual template there, to be changed; no report is made."
        ),
    ] = None,
    author: Annotated[
        str | None, typer.Option("--author", metavar="NAME", help="Who makes it. [default: your name of login]")
    ] = None,
    utc: Annotated[bool, typer.Option("--utc", help="Times in UTC rather than in this computer's zone.")] = False,
    version: Annotated[
        int | None, typer.Option(min=0, help="Of the definitions; 0: that of the recording. [default: the newest]")
    ] = None,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a session's report: one HTML file, to be read, printed and kept.

    It has plots, statistics, markers, commands, gaps and losses, definitions and a fingerprint of the data, and needs
    nothing besides itself. PDF: print it in a browser.
    """
    out = Output(as_json)
    if write_template is not None:
        _write_template(write_template, out)
        return
    if session_id is None:
        raise typer.BadParameter("which session is the report about?", param_hint="SESSION")
    if file is not None and output is not None:
        raise typer.BadParameter("it is given by --output, too.", param_hint="FILE")
    from datetime import UTC

    from blitz.data.kept_computed import kept_channels
    from blitz.data.report import write_report
    from blitz.data.report_template import ReportTemplate

    settings = client_settings(server, token, config_file)
    template = template or settings.report_template
    ReportTemplate(template)  # what is wrong with it is told before anything is downloaded
    cached = find_cache(settings, session_id, cache, out)
    target = output or file or Path(f"session-{session_id}.html")
    with cached.open() as database, out.progress(f"Report of session {session_id}") as progress:
        session = database.session_record(session_id)
        written, lacks = write_report(
            database,
            session_id,
            target,
            channels=channels or None,
            **wanted_times(begin, end, session),
            plots=plots,
            template=template,
            author=login_name() if author is None else author,
            zone=UTC if utc else None,
            version=version,
            computed=kept_channels(settings.cache_dir) if computed or channels else (),
            progress=progress,
            is_cancelled=end_if_told,
        )
    out.document(path=str(written), session=session, warnings=list(lacks))
    out.line(str(written))
    for sentence in lacks:
        out.line(sentence)


def _write_template(target: Path, out: Output) -> None:
    from blitz.data.export_file import replacing
    from blitz.data.report_template import default_template

    if target.exists():
        raise typer.BadParameter(f"{target} is there already.", param_hint="--write-template")
    with replacing(target.absolute()) as part:
        part.write_text(default_template(), encoding="utf-8")
    out.document(path=str(target.absolute()))
    out.line(str(target.absolute()))
