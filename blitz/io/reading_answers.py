"""What the client library asks the server about decoded readings, and what it makes of the answers.

Apart from :mod:`blitz.io.readings_calls`, which every program with a client imports: this needs much more.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blitz.data.series import Series, SeriesSet
from blitz.data.series_request import Moment, nanoseconds
from blitz.data.spans import Spans, merged_spans
from blitz.io.reading_pages import page_header, seconds_text


def wanted_query(channels: str | Iterable[str] | None, start: Moment | None, stop: Moment | None) -> dict[str, Any]:
    """Return a request's parameters.

    :raises SeriesError: if a moment is none.
    """
    wanted: dict[str, Any] = {}
    if channels is not None:
        wanted["channels"] = [channels] if isinstance(channels, str) else list(channels)
    for name, moment in (("start", start), ("stop", stop)):
        if moment is not None:
            wanted[name] = seconds_text(nanoseconds(name, moment))
    return wanted


def read_page(encoded: bytes) -> tuple[Any, int | None, dict[str, str]]:
    """Return a page as a table, the message with which the next one begins, and what else to ask for there.

    :raises ValueError: if it is none.
    """
    try:
        table = pa.ipc.open_stream(encoded).read_all()
        header = page_header(table)
        following = header["next"]
        return table, None if following is None else int(following), dict(header["more"])
    except (pa.ArrowException, KeyError, TypeError, OSError) as error:
        raise ValueError("the answer is no page of readings") from error


def series_of_pages(pages: Sequence[Any]) -> SeriesSet:
    """Return what pages, one after another, say of each channel."""
    header = page_header(pages[-1])
    found = []
    for channel in header["channels"]:
        own = [_rows_of(page, channel["label"]) for page in pages]
        time_ns = np.concatenate([rows["time"].cast(pa.int64()).to_numpy() for rows in own])
        values = np.concatenate([rows["value"].to_numpy() for rows in own])
        # Two rows of one device have two clocks, which may differ by a little.
        time_ns = np.maximum.accumulate(time_ns)
        names = channel["source"], channel["name"], channel["label"], channel["unit"]
        found.append(Series(int(header["session"]), *names, time_ns, values))
    return SeriesSet(found)


def spans_of_pages(pages: Sequence[Any]) -> dict[str, Spans]:
    """Return what pages say of each channel's spans, by label; parts of one span are put together."""
    found: dict[str, Spans] = {}
    for channel in page_header(pages[-1])["channels"]:
        parts = []
        for page in pages:
            own = _rows_of(page, channel["label"])
            numbers = {name: own[name].to_numpy() for name in ("count", "mean", "minimum", "maximum")}
            time_ns = own["time"].cast(pa.int64()).to_numpy()
            parts.append(Spans(channel["label"], channel["source"], channel["unit"], time_ns, **numbers))
        found[channel["label"]] = merged_spans(parts)
    return found


def _rows_of(page: Any, label: str) -> Any:
    return page.filter(pc.equal(page["channel"].cast(pa.string()), label))
