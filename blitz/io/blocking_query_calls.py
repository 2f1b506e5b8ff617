"""The calls of :class:`~blitz.io.query_calls.QueryCalls` for plain scripts, each waiting for its answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from blitz.data.time_precision import TimePrecision
from blitz.io.query_calls import QueryCalls, Series

_T = TypeVar("_T")


class BlockingQueryCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> QueryCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def insert(self, data: Series, timeout: float = 300) -> None:
        """Put points ``{name: [[time, value], ...]}`` into streams, which are made where they do not exist."""
        self._call(partial(self._calls.insert, data, timeout))

    def query(
        self, sql: str, time_precision: TimePrecision | str | None = None, timeout: float = 60
    ) -> dict[str, list[list[Any]]]:
        """Run SQL over streams on the server, and return ``{name: [[time, value], ...]}``."""
        return self._call(partial(self._calls.query, sql, time_precision, timeout))
