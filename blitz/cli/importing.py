"""Commands that bring files in as sessions, and move sessions from one machine to another."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import client_settings
from blitz.cli.caches import (
    CacheCommand,
    CachedSessionArgument,
    CacheOption,
    cache_to_fill,
    meant_cache,
    usual_cache,
)
from blitz.cli.copying import find_cache
from blitz.cli.ending import end_if_told
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, ServerOption, TokenOption
from blitz.cli.output import Output, local_time, plural

if TYPE_CHECKING:
    from blitz.data.importing import ImportPlan

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


class Unit(StrEnum):
    """What numbers count."""

    S = "s"
    MS = "ms"
    US = "us"
    NS = "ns"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import", epilog=EPILOG, rich_help_panel=Panel.ANALYSE)(import_file)
    app.command(epilog=EPILOG, cls=CacheCommand, rich_help_panel=Panel.KEEP)(pack)
    app.command(epilog=EPILOG, rich_help_panel=Panel.KEEP)(unpack)


def import_file(
    file: FileArgument,
    name: Annotated[str, typer.Option(metavar="NAME", help="The session's name. [default: the file's]")] = "",
    time_column: Annotated[
        str | None, typer.Option(metavar="HEADING", help="Which column has the times. [default: it is found]")
    ] = None,
    unit: Annotated[
        Unit | None, typer.Option(help="Of times that are numbers. [default: told by their size]", show_default=False)
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="HEADING", help="Take this column; again for others. [default: all]")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of times without one, as Europe/Vienna. [default: UTC]")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When it began, as 2024-05-01T12:00:00+02:00; for times that count from there."
        ),
    ] = None,
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="What 01/02/2024 means.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be imported.")] = False,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a file of measurements into the cache, as a session.

    The file is CSV or other separated text, Parquet, Feather, or JSON {"series": [[time, value], ...]}. The session
    can be plotted, queried and exported like others; its id is below 0. How the file is written is found out; the
    options say what it does not.
    """
    from blitz.data.import_table import ImportOptions
    from blitz.data.importing import import_file as bring_in
    from blitz.data.importing import plan_import

    out = Output(as_json)
    options = ImportOptions(
        name=name,
        time_column=time_column,
        unit=None if unit is None else unit.value,
        columns=tuple(column) if column else None,
        timezone=timezone,
        start=_moment(start),
        day_first=day_first,
    )
    if dry_run:
        plan = plan_import(file, options)
        out.document(plan=_as_document(plan))
        _show_plan(out, plan)
        return
    place = cache_to_fill(client_settings(server, token, config_file), cache)
    plans: list[ImportPlan] = []
    with (
        place.open() as database,
        out.progress(f"Importing {file.name}") as progress,
    ):
        session = bring_in(database, file, options, progress=progress, is_cancelled=end_if_told, tell=plans.append)
    out.document(session=session, cache=str(place), left_out=list(plans[0].left_out))
    _show_left_out(out, plans[0])
    out.line(
        f"{file} is session {session.id} in the cache {place.words}: {plural(session.message_count, 'message')} of "
        f"{plural(len(plans[0].channels), 'channel')}, from {local_time(session.started_at)}."
    )


def pack(
    session_id: CachedSessionArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="[default: session-ID.blitz]", show_default=False)
    ] = None,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a session into one file, for another machine.

    'blitz unpack' reads it there. Raw messages, definitions, markers and all else are in it, with checksums. The
    session is downloaded first when it is not in the cache.
    """
    from blitz.data.session_file import SUFFIX, pack_session

    out = Output(as_json)
    holding = find_cache(client_settings(server, token, config_file), session_id, cache, out)
    target = file or Path(f"session-{session_id}{SUFFIX}")
    with (
        holding.open() as database,
        out.progress(f"Packing session {session_id}") as progress,
    ):
        written = pack_session(database, session_id, target, progress=progress, is_cancelled=end_if_told)
        session = database.session_record(session_id)
    out.document(path=str(written), session=session)
    out.line(str(written))


def unpack(
    file: FileArgument,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a packed session into the cache.

    The file is verified wholly first. The session goes to the cache of the store that recorded it; one that is there
    already is left alone. Needs no server.
    """
    from blitz.data.session_file import unpack_session, verify_session_file

    out = Output(as_json)
    settings = client_settings(server, token, config_file)
    with out.progress(f"Unpacking {file.name}") as progress:
        place = meant_cache(settings, cache)
        if place is None:
            saved = verify_session_file(file, progress)
            is_of_store = saved.store_id and saved.record.id > 0
            place = usual_cache(settings, saved.store_id) if is_of_store else cache_to_fill(settings, cache)
        with place.open() as database:
            unpacked = unpack_session(database, file, progress=progress)
    session = unpacked.record
    out.document(session=session, cache=str(place), was_there=unpacked.was_there)
    if unpacked.was_there:
        out.line(f"Session {session.id} is in the cache {place.words} already, and was left as it is.")
    else:
        count = plural(session.message_count, "message")
        out.line(f"Session {session.id} is in the cache {place.words}: {count}, from {local_time(session.started_at)}.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time such as 2024-05-01T12:00:00+02:00.", param_hint="--start"
        ) from None


def _as_document(plan: "ImportPlan") -> dict[str, object]:
    return {
        "name": plan.name,
        "channels": [channel._asdict() for channel in plan.channels],
        "layout": "long" if plan.is_long else "wide",
        "times": plan.times,
        "first": None if plan.first is None else plan.first.isoformat(),
        "left_out": list(plan.left_out),
    }


def _show_plan(out: Output, plan: "ImportPlan") -> None:
    rows = [(channel.name, channel.unit, channel.source) for channel in plan.channels]
    out.table(("channel", "unit", "source"), rows)
    first = "" if plan.first is None else f", from {local_time(plan.first)}"
    out.line(f"Times: {plan.times}{first}")
    _show_left_out(out, plan)


def _show_left_out(out: Output, plan: "ImportPlan") -> None:
    if plan.left_out:
        out.line(f"Left out: {', '.join(plan.left_out)}")
    if plan.is_dateless:
        out.line("The times count from the beginning, taken for 1970: say with --start when that was.")
