"""The calls of :class:`~blitz.io.readings_calls.ReadingsCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from blitz.io.readings_calls import ReadingsCalls

if TYPE_CHECKING:
    from blitz.data.series import SeriesSet
    from blitz.data.series_request import Moment
    from blitz.data.spans import Spans

_T = TypeVar("_T")


class BlockingReadingsCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> ReadingsCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def readings(
        self,
        session_id: int,
        channels: str | Iterable[str] | None = None,
        start: "Moment | None" = None,
        stop: "Moment | None" = None,
        *,
        first: int = 0,
        count: int | None = None,
    ) -> "SeriesSet":
        """Return channels of a session as arrays of times and values, decoded by the server."""
        return self._call(partial(self._calls.readings, session_id, channels, start, stop, first=first, count=count))

    def aggregated(
        self,
        session_id: int,
        step_s: float,
        channels: str | Iterable[str] | None = None,
        start: "Moment | None" = None,
        stop: "Moment | None" = None,
    ) -> "dict[str, Spans]":
        """Return count, mean, smallest and largest value of each so many seconds, by channel."""
        return self._call(partial(self._calls.aggregated, session_id, step_s, channels, start, stop))

    def overview(
        self,
        session_id: int,
        columns: int = 1000,
        channels: str | Iterable[str] | None = None,
        start: "Moment | None" = None,
        stop: "Moment | None" = None,
    ) -> "dict[str, Spans]":
        """Return what a picture of so many columns shows of each channel: the smallest and largest value of each."""
        return self._call(partial(self._calls.overview, session_id, columns, channels, start, stop))
