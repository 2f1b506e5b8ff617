"""Streams for plain scripts: the calls of :class:`~blitz.io.stream_calls.StreamCalls`, each waiting for its answer.

The connection, and the thread in which it lives, belong to :class:`blitz.Client`.
"""

import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from blitz.data.stream_records import InsertResult, StreamRecord
from blitz.io.blocking_stream import Stream
from blitz.io.callback_thread import CallbackThread
from blitz.io.stream_calls import StreamCalls

_T = TypeVar("_T")


class BlockingStreamCalls:
    """Arguments, calls and errors are those of :class:`blitz.AsyncClient`."""

    @property
    def _calls(self) -> StreamCalls:
        raise NotImplementedError

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        raise NotImplementedError

    def __getitem__(self, name: str) -> Stream:
        """Return a stream by its name, whether or not it exists yet."""
        return Stream(self, self._call, self._calls[name])

    def streams(self) -> list[StreamRecord]:
        """Return the streams of the store, by name."""
        return self._call(self._calls.streams)

    def insert_points(
        self,
        name: str,
        points: Iterable[Mapping[str, Any]],
        *,
        writer: str = "",
        batch: int | None = None,
        restamp: bool = False,
        partial: bool = False,
    ) -> InsertResult:
        """Append points to a stream in one request; with `writer` and `batch`, a repeated one stores nothing."""
        insert = functools.partial(self._calls.insert_points, name, points, writer=writer, batch=batch)
        return self._call(functools.partial(insert, restamp=restamp, partial=partial))

    def _callback_threads(self) -> list[CallbackThread]:
        callers = [subscription.caller for subscription in list(self._calls.subscriptions)]
        return [caller for caller in callers if isinstance(caller, CallbackThread)]
