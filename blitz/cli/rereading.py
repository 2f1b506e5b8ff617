"""The command that reads a cached session by corrected definitions, lists them, and compares what comes out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import client_settings, confirm
from blitz.cli.caches import CacheCommand, CachedSessionArgument, CacheOption, holding_cache
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel, YesOption
from blitz.cli.output import Output, local_time, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blitz.data.board_definition import BoardDefinition
    from blitz.data.database_client import DatabaseClient
    from blitz.data.records import Source
    from blitz.data.version_comparison import ChannelComparison


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, cls=CacheCommand, rich_help_panel=Panel.ANALYSE)(reread)


def reread(
    session_id: CachedSessionArgument,
    definition: Annotated[
        Path | None,
        typer.Option("--definition", "-d", metavar="FILE", help="Read it by this board definition (TOML) from now on."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose definition it is. [default: the one source that it fits]"),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who read it later.")] = "",
    listed: Annotated[bool, typer.Option("--list", "-l", help="List the versions of its definitions.")] = False,
    compare: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="A B", help="Compare what two versions make of it; 0 is the recording."),
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="Delete the newest version.")] = False,
    yes: YesOption = False,
    cache: CacheOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a session anew, by a corrected definition.

    What the devices sent stays as it is: each correction is a version, and the recording's own definitions are
    version 0. Without an option, the versions are listed. Needs no server.
    """
    if sum((definition is not None, listed, compare is not None, back)) > 1:
        raise typer.BadParameter("say one of --definition, --list, --compare and --back.")
    out = Output(as_json)
    with holding_cache(client_settings(None, None, config_file), session_id, cache).open() as database:
        if definition is not None:
            _correct(out, database, session_id, definition, source, reason)
        elif compare is not None:
            _compare(out, database, session_id, *compare)
        elif back:
            _go_back(out, database, session_id, yes=yes)
        else:
            _list(out, database, session_id)


def _correct(
    out: Output, database: "DatabaseClient", session_id: int, file: Path, source: str | None, reason: str
) -> None:
    from blitz.data.board_definition import read_definition
    from blitz.io.calls import default_owner

    definition = read_definition(file)
    name = source or _fitting(database.session_sources(session_id), definition)
    number = database.add_definition_version(session_id, {name: definition}, reason, default_owner())
    out.document(version=number, source=name)
    out.line(
        f"Session {session_id} is read by version {number} of its definitions, with {definition.name!r} for {name}."
    )


def _fitting(sources: "Sequence[Source]", definition: "BoardDefinition") -> str:
    """Return the name of the one source that a definition is for."""
    from blitz.errors import UnknownSource

    known = [source for source in sources if source.definition is not None] or list(sources)
    ids = {definition.id}
    same = [each for each in known if each.board_id in ids or (each.definition and each.definition.id in ids)]
    names = list(dict.fromkeys(source.name for source in same or known))
    if len(names) != 1:
        there = ", ".join(dict.fromkeys(source.name for source in sources)) or "none"
        raise UnknownSource(f"Several sources could be meant: name one with --source. The session has: {there}.")
    return names[0]


def _list(out: Output, database: "DatabaseClient", session_id: int) -> None:
    versions = database.definition_versions(session_id)
    out.document(versions=versions)
    if not versions:
        out.line(f"Session {session_id} is read by the definitions of its recording.")
        return
    rows = [
        (str(each.number), local_time(each.created_at), each.who, ", ".join(each.sources), each.reason)
        for each in versions
    ]
    out.table(("Version", "Made", "By", "Sources", "Reason"), rows)


def _compare(out: Output, database: "DatabaseClient", session_id: int, before: int, after: int) -> None:
    with out.progress(f"Session {session_id}") as progress:
        comparison = database.compare_versions(session_id, before, after, progress)
    out.document(before=before, after=after, channels=comparison.channels, is_same=comparison.is_same)
    if comparison.is_same:
        out.line(f"Versions {before} and {after} say the same.")
        return
    headers = ("Source", "Channel", "Unit", "Readings", "Other value", "Up to", "Only before", "Only after")
    out.table(headers, [_row(channel) for channel in comparison.channels])
    moved = max((channel.moved for channel in comparison.channels), default=0)
    if moved:
        out.line(f"The times of {plural(moved, 'message')} differ, too.")


def _row(channel: "ChannelComparison") -> tuple[str, ...]:
    name = channel.before or f"+ {channel.after}"
    if channel.after is None:
        name = f"- {channel.before}"
    elif channel.is_renamed:
        name = f"{channel.before} → {channel.after}"
    units = dict.fromkeys((channel.unit_before, channel.unit_after))
    unit = " → ".join(unit or "none" for unit in units) if len(units) > 1 and channel.compared else "".join(units)
    largest = f"{channel.largest_difference:.6g}" if channel.differing else ""
    counts = (channel.only_before, channel.only_after)
    return (channel.source, name, unit, str(channel.compared), str(channel.differing), largest, *map(str, counts))


def _go_back(out: Output, database: "DatabaseClient", session_id: int, *, yes: bool) -> None:
    versions = database.definition_versions(session_id)
    if versions:
        newest = versions[-1]
        about = f" ({newest.reason})" if newest.reason else ""
        confirm(f"Delete version {newest.number}{about}, by {newest.who or 'somebody'}?", yes=yes)
    number = database.delete_definition_version(session_id, versions[-1].number if versions else None)
    left = database.definition_versions(session_id)
    reads = f"by version {left[-1].number}" if left else "by the definitions of its recording"
    out.document(deleted=number, version=left[-1].number if left else 0)
    out.line(f"Version {number} is deleted. Session {session_id} is read {reads}.")
