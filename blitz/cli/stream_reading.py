"""Points of a stream on their way out: as lines, CSV or JSON, a page of them in memory at a time."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from blitz.cli.output import local_time, printable
from blitz.cli.stream_values import csv_cell, iso_time
from blitz.cli.tail_lines import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blitz.data.stream_records import StreamRecord
    from blitz.io.connection import AsyncClient

_PAGE = 16_384


async def write_points(
    client: "AsyncClient", record: "StreamRecord", first: int, stop: int, *, as_csv: bool, as_json: bool
) -> None:
    """Write the points from a place up to another."""
    form = _csv if as_csv else _json if as_json else _lines
    if as_csv:
        write_text("time_utc,t,value\n")
    elif as_json:
        head = json.dumps(record.model_dump(mode="json", by_alias=True, exclude_none=True), ensure_ascii=False)
        write_text(f'{{"stream": {head}, "first": {first}, "points": [')
    for begin in range(first, stop, _PAGE):
        points = await client.stream_points(record.id, begin, min(begin + _PAGE, stop))
        text = form(record, begin, points)
        write_text(f", {text}" if as_json and begin > first else text)
    if as_json:
        write_text("]}\n")


def _csv(_: "StreamRecord", _first: int, points: "Iterable[dict[str, Any]]") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([iso_time(point["t"]), repr(point["t"]), csv_cell(point["d"])] for point in points)
    return text.getvalue()


def _json(_: "StreamRecord", _first: int, points: "Iterable[dict[str, Any]]") -> str:
    return ", ".join(json.dumps(point, ensure_ascii=False) for point in points)


def _lines(record: "StreamRecord", first: int, points: "Iterable[dict[str, Any]]") -> str:
    width = len(str(record.point_count))
    unit = f" {printable(record.unit)}" if record.unit else ""
    return "".join(
        f"{place:>{width}}  {point_time(point['t'])}  {printable(json.dumps(point['d'], ensure_ascii=False))}{unit}\n"
        for place, point in enumerate(points, first)
    )


def point_time(seconds: float) -> str:
    """Write a time of a point as a clock on this machine shows it, to the millisecond.

    >>> point_time(1795323600.25)[-4:]
    '.250'
    """
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{local_time(moment)}.{moment.microsecond // 1000:03}"
