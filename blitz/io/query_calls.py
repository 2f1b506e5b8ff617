"""The client library's calls about series: points of several streams in one call, and SQL over streams."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from blitz.data.plain_points import cut_points, plain_points
from blitz.data.points import Point
from blitz.data.stream_records import InsertResult, check_stream_name
from blitz.data.time_precision import TimePrecision
from blitz.errors import (
    BlitzError,
    InsertError,
    InsertOverflow,
    PointsRefused,
    PoolError,
    QueryError,
    RequestTimeout,
    ServerError,
    ServerUnreachable,
    StreamExists,
    StreamNotFound,
)
from blitz.io.address import ServerAddress
from blitz.io.calls import Exchange, quoted
from blitz.io.exchange import HttpExchange
from blitz.io.stream_calls import StreamCalls

Series = Mapping[str, Iterable[Sequence[Any]]]

_ANSWER = TypeAdapter(dict[str, list[list[Any]]])
_INSERTED = TypeAdapter(InsertResult)
_LARGEST = 2**63
_REPLY_S = 5.0
_REFUSED = 422
_ATTEMPTS = 4
_AGAIN_S = 0.5


class QueryCalls(StreamCalls):
    """Series in, series out."""

    def __init__(self, address: ServerAddress, timeout_s: float, owner: str, exchange: Exchange) -> None:
        super().__init__(address, timeout_s, owner, exchange)
        self._writer = f"client {uuid.uuid4().hex}"
        self._batches: defaultdict[str, int] = defaultdict(int)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def insert(self, data: Series, timeout: float = 300) -> None:
        """Put points into streams, which are made where they do not exist.

        ::

            await client.insert({"some_measurement": [[1700000000, 0.5], [1700000001, 0.7]]})

        Each request has a number, so that what is sent again, to another host where a reply was lost, is stored once.
        Where no host is left and nobody knows whether points were stored, it goes on trying until the time is over.

        :param data: of each stream points ``[time, value]``, oldest first; times in seconds since the Unix epoch.
        :param timeout: seconds for all of it.
        :raises InsertError: if something is no series, a point is older than the newest of its stream, or not what the
            stream's schema says. Streams before that one have got their points.
        :raises InsertOverflow: if a whole number has more than 63 bits and a sign. Nothing is stored then.
        """
        series = _checked(data)
        try:
            async with asyncio.timeout(timeout):
                for name, points in series.items():
                    async with self._turns[name]:  # numbers must arrive in their order
                        for run in cut_points(points):
                            await self._insert_run(name, run, timeout)
        except TimeoutError as error:
            if isinstance(error, BlitzError):
                raise
            raise RequestTimeout(f"The points could not be stored within {timeout:g} s.") from error

    async def query(
        self, sql: str, time_precision: TimePrecision | str | None = None, timeout: float = 60
    ) -> dict[str, list[list[Any]]]:
        """Run SQL over streams on the server, and return ``{name: [[time, value], ...]}``.

        Each stream that the query names is a table ``(time, value)``: ``select * from "some_measurement" where time >=
        '2026-11-22'``, ``select time_bucket(interval '1 minute', time) as time, avg(value) as value from ... group by
        all``. One value column of one stream goes by the stream's name, others by the column's.

        :param time_precision: the unit of times in the answer: SECOND (as None), MILLISECOND, MICROSECOND, NANOSECOND.
        :param timeout: seconds after which the server gives the query up.
        :raises QueryError: if the SQL is wrong, does not only read, or wants more than it may have.
        :raises QueryTimeout: if it took longer.
        :raises PackageMissing: if the server has no engine for queries.
        """
        try:
            precision = TimePrecision.SECOND if time_precision is None else TimePrecision(time_precision)
        except ValueError as error:
            raise QueryError(f"{time_precision!r} is no precision: give SECOND, MILLISECOND or the like.") from error
        body = {"sql": sql, "time_precision": precision.value, "timeout_s": float(timeout)}
        return await self._ask(_ANSWER, "POST", "/query", body, timeout + _REPLY_S)

    async def _insert_run(self, name: str, points: list[Point], timeout_s: float) -> None:
        self._batches[name] += 1
        number = self._batches[name]
        try:
            attempts, was_sent = 0, False
            while True:
                try:
                    await self._insert_numbered(name, points, number)
                    return
                except StreamNotFound:
                    attempts += 1
                    if attempts == _ATTEMPTS:
                        raise
                    await self._create(name)
                except PoolError as error:
                    was_sent = was_sent or error.was_sent
                    if not was_sent:
                        raise
                    await asyncio.sleep(_AGAIN_S)  # only the store knows; by the number it will say
        except PointsRefused as error:
            raise InsertError(f"{name}: {error}") from error
        except ServerError as error:
            if error.status != _REFUSED:
                raise
            raise InsertError(f"{name}: {error}") from error

    async def _create(self, name: str) -> None:
        """Make a stream, if nobody else does: where a reply is lost, the next insert finds out."""
        try:
            with suppress(StreamExists):
                await self.create_stream(name)
        except (RequestTimeout, ServerUnreachable):
            if isinstance(self._exchange, HttpExchange):  # there is no other host
                raise

    async def _insert_numbered(self, name: str, points: list[Point], number: int) -> None:
        # Where another host can take it nobody waits long for this one.
        limit_s = self._slow_s() if isinstance(self._exchange, HttpExchange) else None
        body = {"points": points, "writer": self._writer, "batch": number}
        await self._ask(_INSERTED, "POST", f"/streams/{quoted(name)}/points", body, limit_s)


def _checked(data: Series) -> dict[str, list[Point]]:
    """:raises InsertError: if it is no dict of series."""
    if not isinstance(data, Mapping) or not data:
        raise InsertError('Give a dict with at least one series: {"some_measurement": [[time, value], ...]}.')
    return {_checked_name(name): _checked_series(name, points) for name, points in data.items()}


def _checked_name(name: object) -> str:
    try:
        if isinstance(name, str):
            return check_stream_name(name)
    except ValueError as error:
        raise InsertError(str(error)) from error
    raise InsertError(f"{name!r} is no name of a series.")


def _checked_series(name: str, points: Iterable[Sequence[Any]]) -> list[Point]:
    if isinstance(points, str | bytes | Mapping) or not isinstance(points, Iterable):
        raise InsertError(f"{name}: {points!r:.80} is no list of points [time, value].")
    pairs = []
    for index, point in enumerate(points):
        if isinstance(point, str | bytes | Mapping) or not isinstance(point, Sequence | np.ndarray) or len(point) != 2:
            raise InsertError(f"{name}, point {index}: {point!r:.80} is no [time, value].")
        for number in point:
            if isinstance(number, int) and not -_LARGEST <= number < _LARGEST:
                raise InsertOverflow(f"{name}, point {index}: {number} has more than 63 bits and a sign.")
        pairs.append({"t": point[0], "d": point[1]})
    if not pairs:
        raise InsertError(f"{name} has no points.")
    try:
        return plain_points(pairs)
    except PointsRefused as error:
        raise InsertError(f"{name}: {error}") from error
