"""Commands about calibration: comparing a channel with known values, and listing what was calibrated."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blitz.cli.asking import ask, client_settings, confirm
from blitz.cli.calibration_applying import register as register_applying
from blitz.cli.calibration_points import read_points, take_points
from blitz.cli.options import (
    EPILOG,
    BoardArgument,
    ConfigOption,
    JsonOption,
    Panel,
    ServerOption,
    TokenOption,
    YesOption,
    list_by_default,
)
from blitz.cli.output import Output, local_time, plural

if TYPE_CHECKING:
    from blitz.data.board_definition import BoardDefinition
    from blitz.data.calibration_draft import CalibrationDraft

calibration = typer.Typer(
    name="calibration",
    help="Show which channels were calibrated, and until when that is good; read old sessions by it.",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.DEVICES)(calibrate)
    register_applying(calibration)
    app.add_typer(calibration, epilog=EPILOG, rich_help_panel=Panel.WATCH)


def calibrate(
    board: BoardArgument,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.", show_default=False)],
    point: Annotated[
        list[float] | None,
        typer.Option(metavar="VALUE", help="A known value to be read; repeatable. [default: they are asked for]"),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read nothing: a CSV file has the columns raw, reference, in this order."),
    ] = None,
    degree: Annotated[int, typer.Option(min=1, max=5, help="1: a line; 2 to 5: a polynomial.")] = 1,
    table: Annotated[bool, typer.Option("--table", help="Join the points by lines, in place of a curve.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, max=600, help="How long each point is averaged.")] = 2.0,
    readings: Annotated[int | None, typer.Option(min=1, help="Average so many readings instead.")] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Of the known values. [default: the channel's]")
    ] = None,
    against: Annotated[
        str, typer.Option(metavar="TEXT", help="What told the known values: instrument, certificate.")
    ] = "",
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who calibrates. [default: user@machine]")] = None,
    expires: Annotated[
        str, typer.Option(metavar="DATE", help="Its last day, as 2027-11-23, in days, as 90d, or never.")
    ] = "365d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would come of it, and change nothing.")] = False,
    yes: YesOption = False,
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate a channel: let it see known values, and fit a curve to what it sends.

    Each value is asked for, or said with --point; then readings are averaged. What comes of it is shown, and put in
    force as a new version of the board's definition if you agree:

    \b
        blitz calibrate ttyUSB0 pressure --point 0 --point 10 --against "Fluke 754"
        blitz calibrate ttyUSB0 pressure --points points.csv --degree 2 --yes
    """
    from blitz.data.calibration_draft import TABLE, CalibrationDraft, CalibrationFacts
    from blitz.io.calls import default_owner

    if point and points is not None:
        raise typer.BadParameter("give only one of --point and --points.")
    last_day = _last_day(expires, datetime.now(UTC).astimezone().date())
    settings, out = client_settings(server, token, config_file), Output(as_json)
    definition = ask(settings, lambda client: client.definition(board))
    draft = CalibrationDraft(definition, find_column(definition, channel))
    draft.curve = TABLE if table else degree
    draft.unit = draft.unit if unit is None else unit.strip()
    if points is not None:
        draft.steps = read_points(points)
    else:
        draft.steps = take_points(out, settings, board, draft, point, seconds=seconds, readings=readings)
    facts = CalibrationFacts(default_owner() if by is None else by, against, last_day)
    calibrated = draft.calibrated(facts, datetime.now(UTC))
    _show(out, draft)
    is_done = not dry_run
    if is_done:
        confirm(f"Put it in force for {draft.before.display_name} of {board}?", yes=yes)
        newest = ask(settings, lambda client: client.definition(board))
        wanted = draft.applied_to(newest, facts, datetime.now(UTC))
        ask(settings, lambda client: client.set_definition(board, wanted))
        until = f", good through {last_day}" if last_day else ""
        out.line(f"{draft.before.display_name} of {board} is calibrated{until}.")
    out.document(source=board, channel=calibrated, is_in_force=is_done, doubts=draft.fit().doubts)


@calibration.command("list", epilog=EPILOG)
def list_calibrated(
    server: ServerOption = None,
    token: TokenOption = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List channels that were calibrated: what expires first at the top."""
    from blitz.data.calibration_due import list_calibrations

    status = ask(client_settings(server, token, config_file), lambda client: client.status())
    today = datetime.now(UTC).astimezone().date()
    warned = {(due.source, due.channel): due for due in status.calibrations}  # by the server's setting and day
    known = list_calibrations(((board.name, board.definition) for board in status.boards), today, warn_days=0)
    known = [(warned.get((due.source, due.channel), due), facts) for due, facts in known]
    out = Output(as_json)
    out.document(calibrations=[{**_fields(due), "calibration": facts} for due, facts in known])
    if not known:
        out.line("No channel was calibrated. 'blitz calibrate BOARD CHANNEL' does it, and so does the window.")
        return
    headers = ("Source", "Channel", "State", "Good through", "Left", "Made", "By", "Against", "Points")
    rows = [
        (
            due.source,
            due.channel,
            str(due.state),
            str(due.expires or "–"),
            "–" if due.expires is None else plural((due.expires - today).days, "day"),
            local_time(facts.at),
            facts.who,
            facts.against,
            str(len(facts.points)),
        )
        for due, facts in known
    ]
    out.table(headers, rows)


list_by_default(calibration, list_calibrated)


def _fields(due: Any) -> dict[str, Any]:
    fields: dict[str, Any] = due.model_dump(mode="json", exclude_none=True)
    return fields


def find_column(definition: "BoardDefinition", name: str) -> int:
    """Return a channel's place by its name.

    :raises CalibrationError: if there is none of that name; names what there is.
    """
    from blitz.errors import CalibrationError

    names = [(channel.name, channel.label) for channel in definition.channels]
    for place, known in enumerate(names):
        if name in known:
            return place
    there = ", ".join(known for known, _ in names) or "none"
    raise CalibrationError(f"There is no channel {name!r}. There are: {there}.")


def _last_day(text: str, today: date) -> date | None:
    """Read until when a calibration is good.

    >>> _last_day("90d", date(2026, 11, 23)), _last_day("never", date(2026, 11, 23))
    (datetime.date(2027, 2, 21), None)
    """
    if text == "never":
        return None
    try:
        days = int(text.removesuffix("d")) if text.endswith("d") else None
        last = date.fromisoformat(text) if days is None else today + timedelta(days=days)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"--expires {text!r}: say a day, as 2027-11-23, days, as 90d, or never.") from None
    if last < today:
        raise typer.BadParameter(f"--expires {text!r}: that is over.")
    return last


def _show(out: Output, draft: "CalibrationDraft") -> None:
    from blitz.data.calibration_draft import curve_words, error_words, short, step_views

    fit, unit = draft.fit(), draft.unit
    rows = [
        (
            f"{view.step.reference:.9g}",
            f"{view.step.raw:.7g}",
            short(view.step.deviation),
            str(view.step.count),
            f"{view.before:.6g}",
            f"{view.value:.6g}",
            f"{view.residual:.3g}",
        )
        for view in step_views(draft)
    ]
    out.table(("Known", "Sent", "±", "n", "Before", "Now", "Residual"), rows)
    for words in (curve_words(fit, unit), error_words(fit, unit), *fit.doubts):
        out.line(words)
