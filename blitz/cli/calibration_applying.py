"""The command that reads old sessions by a calibration that was made later."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.caches import CacheOption, existing_cache, usual_cache
from blitz.cli.ending import end_if_told
from blitz.cli.options import (
    EPILOG,
    BoardArgument,
    ConfigOption,
    JsonOption,
    ServerOption,
    TokenOption,
    YesOption,
)
from blitz.cli.output import Output, local_time, plural

if TYPE_CHECKING:
    from blitz.config import ClientSettings
    from blitz.data.board_definition import BoardDefinition
    from blitz.data.cache_places import CachePlace
    from blitz.data.old_sessions import ChannelCalibration, OldSession


def register(group: typer.Typer) -> None:
    """Add the command to the group ``calibration``."""
    group.command(epilog=EPILOG)(apply)


def apply(
    board: BoardArgument,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.", show_default=False)],
    sessions: Annotated[
        list[int] | None,
        typer.Argument(metavar="SESSION...", help="Sessions in the cache. [default: they are listed]"),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All sessions in the cache that have the channel.")] = False,
    definition: Annotated[
        Path | None,
        typer.Option("--definition", "-d", metavar="FILE", help="Take the calibration from this board definition."),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for those who read it later.")] = "",
    yes: YesOption = False,
    cache: CacheOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read old sessions by the calibration that a channel has now.

    What the devices sent stays as it is: each session gets a version of its definitions, which 'blitz reread SESSION
    --back' takes away again. All else in its definitions stays. Without sessions, those are listed that have the
    channel:

    \b
        blitz calibration apply ttyUSB0 pressure
        blitz calibration apply ttyUSB0 pressure 12 13 --reason "drift since May"
        blitz calibration apply ttyUSB0 pressure --all --yes
    """
    if every and sessions:
        raise typer.BadParameter("name sessions, or say --all.")
    from blitz.data.board_definition import read_definition
    from blitz.data.old_sessions import ChannelCalibration, apply_calibration, find_old_sessions
    from blitz.errors import SessionNotFound
    from blitz.io.calls import default_owner

    settings, out = client_settings(server, token, config_file), Output(as_json)
    known = (
        ask(settings, lambda client: client.definition(board)) if definition is None else read_definition(definition)
    )
    calibration = ChannelCalibration(board, known, _calibrated_column(known, channel))
    place = _place(settings, cache, is_server_known=definition is None)
    with place.open() as database:
        records = database.session_records()
    with out.progress(f"Looking for {calibration.words}") as progress:
        found = find_old_sessions(place.address, records, calibration, progress, end_if_told)
    if not sessions and not every:
        _list(out, found, calibration)
        return
    there = {old.record.id: old for old in found}
    unknown = [str(number) for number in sessions or () if number not in there]
    if unknown:
        raise SessionNotFound(
            f"There is no {calibration.words} in session {', '.join(unknown)} of {place.words}. Download it first; "
            f"'blitz calibration apply {board} {channel}' lists those that have it."
        )
    wanted = [
        number for number, old in there.items() if (every or number in (sessions or ())) and not old.is_calibrated
    ]
    if wanted:
        confirm(f"Read {plural(len(wanted), 'session')} by the calibration of {calibration.words}?", yes=yes)
    facts = known.channels[calibration.column].calibration
    assert facts is not None
    words = reason or f"Calibration of {calibration.words}, {facts.at:%Y-%m-%d}"
    with out.progress(f"Reading {calibration.words} anew") as progress:
        applied = apply_calibration(place.address, wanted, calibration, words, default_owner(), progress, end_if_told)
    out.document(sessions=applied.done, faults=applied.faults, source=board, channel=channel, reason=words)
    ids = f": {', '.join(map(str, applied.done))}" if applied.done else ""
    whose = f"{plural(len(applied.done), 'session')} {'is' if len(applied.done) == 1 else 'are'}"
    out.line(f"{whose} read by the calibration of {calibration.words} from now on{ids}.")
    for fault in applied.faults:
        out.line(fault)
    if applied.faults:
        raise typer.Exit(1)


def _calibrated_column(definition: "BoardDefinition", name: str) -> int:
    from blitz.cli.calibrating import find_column
    from blitz.errors import CalibrationError

    column = find_column(definition, name)
    if definition.channels[column].calibration is None:
        raise CalibrationError(
            f"The channel {name!r} was not calibrated. 'blitz calibrate BOARD CHANNEL' does it; where its definition "
            "was only corrected, 'blitz reread SESSION --definition FILE' reads a session by it."
        )
    return column


def _place(settings: "ClientSettings", cache: str | None, *, is_server_known: bool) -> "CachePlace":
    """Return the cache that is meant: the server's, where nobody says another one."""
    from blitz.data.cache_places import usual_places
    from blitz.errors import CacheError

    place = existing_cache(settings, cache)
    if place is not None:
        return place
    if is_server_known:
        status = ask(settings, lambda client: client.status())
        return usual_cache(settings, status.store_id)
    known = usual_places(settings.cache_dir)
    if len(known) != 1:
        names = ", ".join(map(str, known)) or "there is none"
        raise CacheError(f"Choose a cache with --cache: {names}.")
    return known[0]


def _list(out: Output, found: "list[OldSession]", calibration: "ChannelCalibration") -> None:
    out.document(sessions=[{"id": old.record.id, "is_calibrated": old.is_calibrated} for old in found])
    if not found:
        out.line(f"No session in the cache has {calibration.words}. Download some first.")
        return
    rows = [
        (
            str(old.record.id),
            old.record.name,
            local_time(old.record.started_at),
            "by it" if old.is_calibrated else "as before",
        )
        for old in found
    ]
    out.table(("Session", "Name", "Started", "Read"), rows)
