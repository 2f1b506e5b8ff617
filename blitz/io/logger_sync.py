"""One synchronisation of a logger: what waits in its file goes to the server, each point once.

Whatever breaks, a batch goes again under the number that it has in the file, and the server takes each number once. So
a batch is removed from the file when the server has answered for it; and only when the server has said that it has not
stored it is its number given up, to send its points otherwise or to put those aside that are refused.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import anyio

from blitz.data.logger_batches import BATCH_POINTS, Batch, LoggerBatches, Refusal
from blitz.data.logger_file import LoggerFile
from blitz.data.points import Point
from blitz.data.stream_records import InsertResult
from blitz.data.stream_schema import compile_schema, encode_schema
from blitz.errors import BlitzError, PointsRefused, ServerError, StreamError
from blitz.io.blocking import Client
from blitz.io.exchange import closed_error

_T = TypeVar("_T")

log = logging.getLogger(__name__)

_TOO_LARGE = 413
_MOST_NAMED = 3


@dataclass(frozen=True)
class SyncResult:
    """What became of the points of a logger."""

    sent: int = 0
    """So many the server has."""
    refused: tuple[Refusal, ...] = ()
    """Those that it did not take; they are kept in the file, see :meth:`blitz.Logger.refused`."""
    is_complete: bool = True
    """False where the synchronisation was stopped, or failed."""
    error: BlitzError | None = None
    """Why it failed, or a :class:`~blitz.errors.PointsRefused` that names what was refused."""


class SyncClient(Client):
    """A client for one thread, whose calls another thread can end."""

    _scope: anyio.CancelScope | None = None
    _is_ended = False

    def end(self) -> None:
        """End the call that is under way, and all that come, with RemoteError; may come from any thread."""
        self._is_ended = True
        portal = self._portal
        if portal is not None:
            with suppress(RuntimeError):  # it is closed
                portal.start_task_soon(self._cancel)

    def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        async def run() -> _T:
            with anyio.CancelScope() as self._scope:
                if not self._is_ended:
                    return await function()
            raise closed_error(self.address)

        return super()._call(run)


class LoggerSync:
    """Sends what is there, stream by stream.

    :param client: for this synchronisation alone; it is closed at the end.
    :param is_over: asked before each batch: whether to stop.
    """

    def __init__(self, file: LoggerFile, client: SyncClient, is_over: Callable[[], bool]) -> None:
        self._streams = list(file.streams())
        self._batches = LoggerBatches(file)
        self._client = client
        self._is_over = is_over
        self._is_stopped = False
        self._sent = 0
        self._last_refusal = self._batches.last_refusal()

    def stop(self) -> None:
        """End it, whatever it waits for; may come from any thread."""
        self._is_stopped = True
        self._client.end()

    def run(self) -> SyncResult:
        """Send all that waits; a stream that fails does not keep the others back, a server that is away does."""
        error: BlitzError | None = None
        try:
            self._client.connect()
            for name in self._streams:
                try:
                    self._send_stream(name)
                except (StreamError, ServerError) as failure:
                    error = error or failure
        except BlitzError as failure:
            error = error or failure
        finally:
            self._client.close()
        refused = tuple(self._batches.refused(after=self._last_refusal))
        if self._ends:
            return SyncResult(self._sent, refused, is_complete=False)
        return SyncResult(self._sent, refused, error is None, error or _refused_error(refused))

    @property
    def _ends(self) -> bool:
        return self._is_stopped or self._is_over()

    def _send_stream(self, name: str) -> None:
        most_points = BATCH_POINTS
        end = self._batches.end(name)  # a script may insert all the time, and other streams wait
        while not self._ends and self._batches.waits(name, end):
            batch = self._batches.next(name, most_points)
            if batch is None:  # another program was faster
                return
            try:
                result = self._insert(batch, batch.points)
            except PointsRefused as error:
                most_points = self._put_aside(batch, str(error))
                continue
            except ServerError as error:
                if error.status != _TOO_LARGE:
                    raise
                if batch.is_repeated:  # it may have been stored when the limit was another
                    result = self._insert(batch, [])  # if not, its number is used up by that
                if not batch.is_repeated or not result.repeated:
                    most_points = self._split(batch, str(error))
                    continue
            if not result.repeated or self._is_stored(batch, result):
                self._batches.acknowledge(batch)
                self._sent += len(batch.points)
                most_points = min(2 * most_points, BATCH_POINTS)
            elif self._batches.release(batch, new_writer=True):
                log.warning("A copy of the logger's file has used its numbers: going on under another name.")

    def _insert(self, batch: Batch, points: list[Point]) -> InsertResult:
        return self._client.insert_points(
            batch.stream, points, writer=batch.writer, batch=batch.number, restamp=batch.restamp
        )

    def _put_aside(self, batch: Batch, reason: str) -> int:
        """Keep what the server refuses out of its way, and return how many points to send next.

        It has refused all of the batch, for points that are too old, or are not what its schema says.
        """
        record = self._client[batch.stream].record()
        reasons: dict[int, str] = {}
        check = compile_schema(encode_schema(record.schema_))
        for index, point in enumerate(batch.points):
            fault = check(point["d"])
            if fault is not None:
                reasons[index] = fault
            elif not batch.restamp and record.newest_t is not None and point["t"] < record.newest_t:
                reasons[index] = f"It is older than the newest point of the stream, of {record.newest_t!r}."
        if not reasons:
            return self._split(batch, reason)
        self._batches.refuse(batch, reasons)
        return BATCH_POINTS

    def _split(self, batch: Batch, reason: str) -> int:
        """Try fewer points; one alone is what is refused."""
        if len(batch.points) == 1:
            self._batches.refuse(batch, {0: reason})
            return BATCH_POINTS
        self._batches.release(batch)
        return len(batch.points) // 2

    def _is_stored(self, batch: Batch, result: InsertResult) -> bool:
        """Whether it is this batch that the server has under its number.

        A copy of the file that was not known for one may have used the same numbers for other points.
        """
        if result.count != len(batch.points):
            return False
        stored = self._client[batch.stream](i1=result.first, i2=result.first + result.count)
        if batch.restamp:
            return stored.d() == [point["d"] for point in batch.points]
        return stored.t() == [point["t"] for point in batch.points]


def _refused_error(refused: tuple[Refusal, ...]) -> PointsRefused | None:
    if not refused:
        return None
    names = sorted({refusal.stream for refusal in refused})
    shown = ", ".join(names[:_MOST_NAMED]) + (" …" if len(names) > _MOST_NAMED else "")
    count = f"{len(refused)} points" if len(refused) > 1 else "A point"
    return PointsRefused(
        f"{count} of {shown}: refused by the server, such as {refused[0].d!r:.60}: {refused[0].reason} Nothing is "
        "lost: refused() returns them, restamp_refused() sends them with another time, drop_refused() forgets them."
    )
