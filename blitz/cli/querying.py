"""The command that puts SQL to the cached sessions."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from blitz.cli.asking import client_settings
from blitz.cli.caches import CacheOption, existing_cache
from blitz.cli.ending import at_once, end_if_told
from blitz.cli.options import EPILOG, ConfigOption, JsonOption, Panel
from blitz.cli.output import Output, plural

if TYPE_CHECKING:
    from blitz.data.cache_places import CachePlace
    from blitz.data.query_engine import QueryBatches

_MOST_ROWS = 1000
"""A table is aligned by its widest cells: all of them have to be in memory."""


class ResultFormat(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG, rich_help_panel=Panel.ANALYSE)(query)


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from the standard input.")],
    cache: CacheOption = None,
    form: Annotated[
        ResultFormat | None,
        typer.Option("--format", "-f", help="How to write the result. [default: by --output's ending, else table]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write or replace.")
    ] = None,
    config_file: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the cached sessions something in SQL.

    Tables: readings (session, source, channel, unit, time, value), messages, sessions, channels, markers, gaps, and
    each channel by its label: blitz query 'select * from "adc_channel_one"'. Needs no server.
    """
    form = _format(form, output, as_json=as_json)
    if form is ResultFormat.TABLE and output is not None:
        raise typer.BadParameter("a table is for the screen: write csv, json or arrow.", param_hint="--format")
    if sql == "-":
        with at_once():
            sql = sys.stdin.read()
    from blitz.data.query_text import WRITERS

    out = Output(as_json)
    place = _find(cache, config_file)
    # A bar would stand in the middle of what is printed.
    shows_progress = Output(as_json=output is None and form is not ResultFormat.TABLE)
    with (
        place.open() as database,
        shows_progress.progress("Reading") as progress,
        database.query_batches(sql, progress=progress, is_cancelled=end_if_told) as batches,
    ):
        if form is ResultFormat.TABLE:
            columns, rows, is_cut = _first_rows(batches)
        else:
            with _target(output) as file:
                count = WRITERS[form](batches, file)
    if form is ResultFormat.TABLE:
        out.table(columns, rows)
        if is_cut:
            out.line(f"There are more than {plural(_MOST_ROWS, 'row')}: write them with --format csv or --output FILE.")
    elif output is not None:
        out.document(path=str(output.absolute()), rows=count)
        out.line(f"{output.absolute()}: {plural(count, 'row')}.")


def _format(form: ResultFormat | None, output: Path | None, *, as_json: bool) -> ResultFormat:
    if form is not None:
        return form
    if output is None:
        return ResultFormat.JSON if as_json else ResultFormat.TABLE
    by_ending = {".csv": ResultFormat.CSV, ".json": ResultFormat.JSON, ".arrow": ResultFormat.ARROW}
    try:
        return by_ending[output.suffix.lower()]
    except KeyError:
        raise typer.BadParameter(
            "the file ends in none of .csv, .json, .arrow: say it.", param_hint="--format"
        ) from None


def _find(cache: str | None, config_file: Path | None) -> "CachePlace":
    """Return the cache that is meant, or the only one there is."""
    from blitz.data.cache_places import usual_places
    from blitz.errors import CacheError

    settings = client_settings(None, None, config_file)
    place = existing_cache(settings, cache)
    if place is not None:
        return place
    there = usual_places(settings.cache_dir)
    if not there:
        raise CacheError(f"There is no cache in {settings.cache_dir} yet. Bring a session: 'blitz download SESSION'.")
    if len(there) > 1:
        raise CacheError(f"There are several caches; choose with --cache: {', '.join(map(str, there))}.")
    return there[0]


def _first_rows(batches: "QueryBatches") -> tuple[list[str], list[list[str]], bool]:
    """Return the columns, as many rows as are shown, and whether there are more."""
    from blitz.data.query_text import texts

    rows: list[list[str]] = []
    for batch in batches:
        columns = [texts(column).fill_null("").to_pylist() for column in batch.slice(0, _MOST_ROWS + 1).columns]
        rows += map(list, zip(*columns, strict=True))
        if len(rows) > _MOST_ROWS:
            break
    return batches.columns, rows[:_MOST_ROWS], len(rows) > _MOST_ROWS


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        return
    from blitz.data.export_file import replacing

    with replacing(output) as part, part.open("wb") as file:
        yield file
