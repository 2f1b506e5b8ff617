"""The client library's calls for decoded readings, which the server decodes: nothing needs to be downloaded before."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from blitz.io.calls import Calls

if TYPE_CHECKING:
    from blitz.data.series import SeriesSet
    from blitz.data.series_request import Moment
    from blitz.data.spans import Spans


class ReadingsCalls(Calls):
    """Readings in physical units, spans of them, and what a picture of a session shows."""

    async def readings(
        self,
        session_id: int,
        channels: str | Iterable[str] | None = None,
        start: "Moment | None" = None,
        stop: "Moment | None" = None,
        *,
        first: int = 0,
        count: int | None = None,
    ) -> "SeriesSet":
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
        from blitz.io.reading_answers import series_of_pages, wanted_query

        wanted = wanted_query(channels, start, stop) | {"first": int(first)}
        if count is not None:
            wanted["count"] = int(count)
        return await asyncio.to_thread(
            series_of_pages, await self._pages(f"/sessions/{int(session_id)}/readings", wanted)
        )

    async def aggregated(
        self,
        session_id: int,
        step_s: float,
        channels: str | Iterable[str] | None = None,
        start: "Moment | None" = None,
        stop: "Moment | None" = None,
    ) -> "dict[str, Spans]":
        """Return count, mean, smallest and largest value of each so many seconds, by channel.

        :param step_s: the spans begin at whole multiples of it since 1970.
        """
        from blitz.io.reading_answers import spans_of_pages, wanted_query

        wanted = wanted_query(channels, start, stop) | {"step_s": float(step_s)}
        return await asyncio.to_thread(
            spans_of_pages, await self._pages(f"/sessions/{int(session_id)}/readings", wanted)
        )

    async def overview(
        self,
        session_id: int,
        columns: int = 1000,
        channels: str | Iterable[str] | None = None,
        start: "Moment | None" = None,
        stop: "Moment | None" = None,
    ) -> "dict[str, Spans]":
        """Return what a picture of so many columns shows of each channel: the smallest and largest value of each.

        :param start: where the picture begins; with the session when absent.
        :param stop: where it ends; with the session, or now, when absent.
        """
        from blitz.io.reading_answers import spans_of_pages, wanted_query

        wanted = wanted_query(channels, start, stop) | {"columns": int(columns)}
        return await asyncio.to_thread(
            spans_of_pages, await self._pages(f"/sessions/{int(session_id)}/overview", wanted)
        )

    async def _pages(self, path: str, wanted: dict[str, Any]) -> list[Any]:
        """Ask for page after page."""
        from blitz.io.reading_answers import read_page

        pages: list[Any] = []
        while True:
            encoded = await self._exchange.fetch_block(path, wanted)
            try:
                table, following, more = await asyncio.to_thread(read_page, encoded)
            except ValueError as error:
                raise self._exchange.not_understood(f"GET {path}", 200) from error
            if table.num_rows or following is None:  # others only followed the clocks
                pages.append(table)
            if following is None:
                return pages
            wanted = wanted | more | {"first": following}
