"""The client library's calls for decoded readings, which the server decodes: nothing needs to be downloaded before."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blitz.data.series import Series, SeriesSet
from blitz.data.series_request import Moment, nanoseconds
from blitz.data.spans import Spans, merged_spans
from blitz.io.calls import Calls
from blitz.io.reading_pages import page_header, seconds_text


class ReadingsCalls(Calls):
    """Readings in physical units, spans of them, and what a picture of a session shows."""

    async def readings(
        self,
        session_id: int,
        channels: str | Iterable[str] | None = None,
        start: Moment | None = None,
        stop: Moment | None = None,
        *,
        first: int = 0,
        count: int | None = None,
    ) -> SeriesSet:
        """Return channels of a session as arrays of times and values, decoded by the server.

        For the whole of a long session, download it and ask the cache's ``series()``: it gives the same numbers.

        :param channels: labels, or plain names where only one channel bears the name; all channels when absent.
        :param start: the first moment: an aware datetime, a numpy datetime64 in UTC, or seconds since the Unix epoch.
        :param stop: the end of the time, itself not included.
        :param first: sequence number of the first message.
        :param count: so many messages from it on; all when absent.
        :raises SessionNotFound: if there is none with that id.
        :raises SeriesError: if there is no such channel, or the arguments have no meaning.
        """
        wanted = _wanted(channels, start, stop) | {"first": int(first)}
        if count is not None:
            wanted["count"] = int(count)
        return _series(await self._pages(f"/sessions/{int(session_id)}/readings", wanted))

    async def aggregated(
        self,
        session_id: int,
        step_s: float,
        channels: str | Iterable[str] | None = None,
        start: Moment | None = None,
        stop: Moment | None = None,
    ) -> dict[str, Spans]:
        """Return count, mean, smallest and largest value of each so many seconds, by channel.

        :param step_s: the spans begin at whole multiples of it since 1970.
        """
        wanted = _wanted(channels, start, stop) | {"step_s": float(step_s)}
        return _spans(await self._pages(f"/sessions/{int(session_id)}/readings", wanted))

    async def overview(
        self,
        session_id: int,
        columns: int = 1000,
        channels: str | Iterable[str] | None = None,
        start: Moment | None = None,
        stop: Moment | None = None,
    ) -> dict[str, Spans]:
        """Return what a picture of so many columns shows of each channel: the smallest and largest value of each.

        :param start: where the picture begins; with the session when absent.
        :param stop: where it ends; with the session, or now, when absent.
        """
        wanted = _wanted(channels, start, stop) | {"columns": int(columns)}
        return _spans(await self._pages(f"/sessions/{int(session_id)}/overview", wanted))

    async def _pages(self, path: str, wanted: dict[str, Any]) -> list[Any]:
        """Ask for page after page."""
        pages: list[Any] = []
        while True:
            encoded = await self._exchange.fetch_block(path, wanted)
            try:
                table = pa.ipc.open_stream(encoded).read_all()
                header = page_header(table)
                following, more = header["next"], dict(header["more"])
            except (pa.ArrowException, KeyError, TypeError, ValueError, OSError) as error:
                raise self._exchange.not_understood(f"GET {path}", 200) from error
            if table.num_rows or following is None:  # others only followed the clocks
                pages.append(table)
            if following is None:
                return pages
            wanted = wanted | more | {"first": int(following)}


def _wanted(channels: str | Iterable[str] | None, start: Moment | None, stop: Moment | None) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if channels is not None:
        wanted["channels"] = [channels] if isinstance(channels, str) else list(channels)
    for name, moment in (("start", start), ("stop", stop)):
        if moment is not None:
            wanted[name] = seconds_text(nanoseconds(name, moment))
    return wanted


def _series(pages: Sequence[Any]) -> SeriesSet:
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


def _spans(pages: Sequence[Any]) -> dict[str, Spans]:
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
