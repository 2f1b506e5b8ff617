"""Computed channels among the rows of a file: each value in the row of the message whose reading it belongs to.

What has times of its own, since a step moves or resamples it, has rows of its own, between the others by time.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.session_computed import Piece, SessionChannel

ReadPieces = Callable[[SessionChannel], Generator[Piece, None, None]]


class Rows(NamedTuple):
    """Times, and values of shape (n_columns, n)."""

    time_ns: NDArray[np.int64]
    values: NDArray[np.float64]


class ComputedColumns:
    """Fills columns while a session is gone through, in order.

    :param channels: by the number of the column.
    :param read: gives a channel's values.
    :param limits_ns: the times of rows that are wanted; the last one itself is not.
    """

    def __init__(
        self, channels: Mapping[int, SessionChannel], read: ReadPieces, limits_ns: tuple[int, int], columns: int
    ) -> None:
        self._by_message: dict[int, _Queue] = {}
        self._by_time: dict[int, _Queue] = {}
        for column, channel in channels.items():
            queues = self._by_time if channel.computed.has_own_times else self._by_message
            queues[column] = _Queue(read(channel))
        self._limits_ns = limits_ns
        self._columns = columns

    def fill(self, block: MessageBlock, values: NDArray[np.float64]) -> None:
        """Put values in the rows of a block's messages.

        :param values: shape (n_columns, n_messages); is written to.
        """
        for column, queue in self._by_message.items():
            seq, found = queue.take_before(block.next_seq)
            is_here = seq >= block.first_seq
            values[column, seq[is_here] - block.first_seq] = found[is_here]

    def rows_before(self, time_ns: int) -> Rows:
        """Take the rows that have times of their own, as far as they are earlier."""
        begin_ns, end_ns = self._limits_ns
        rows: list[Rows] = []
        for column, queue in self._by_time.items():
            times, found = queue.take_before(min(time_ns, end_ns))
            is_wanted = (times >= begin_ns) & ~np.isnan(found)  # a row of nothing says nothing
            cells = np.full((self._columns, int(is_wanted.sum())), np.nan)
            cells[column] = found[is_wanted]
            rows.append(Rows(times[is_wanted], cells))
        return _together(rows, self._columns)

    def close(self) -> None:
        """Read no further."""
        for queue in (*self._by_message.values(), *self._by_time.values()):
            queue.close()


def inserted(rows: Rows, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> Rows:
    """Put rows between others by time; the others keep their order, whatever their times.

    >>> rows = Rows(np.array([15]), np.array([[7.0]]))
    >>> inserted(rows, np.array([10, 20]), np.array([[1.0, 2.0]]))
    Rows(time_ns=array([10, 15, 20]), values=array([[1., 7., 2.]]))
    """
    if not len(rows.time_ns):
        return Rows(time_ns, values)
    places = np.searchsorted(np.maximum.accumulate(time_ns), rows.time_ns)
    return Rows(np.insert(time_ns, places, rows.time_ns), np.insert(values, places, rows.values, axis=1))


def _together(rows: Sequence[Rows], columns: int) -> Rows:
    """Return rows of several channels by time; rows of one time are one where no channel has two values at a time."""
    if not rows:
        return Rows(np.empty(0, np.int64), np.empty((columns, 0)))
    time_ns, cells = np.concatenate([row.time_ns for row in rows]), np.concatenate([row.values for row in rows], axis=1)
    if len(rows) > 1 and all((np.diff(times) > 0).all() for times, _ in rows):
        times, places = np.unique(time_ns, return_inverse=True)
        joined = np.full((columns, len(times)), np.nan)
        column, row = np.nonzero(~np.isnan(cells))
        joined[column, places[row]] = cells[column, row]
        return Rows(times, joined)
    order = np.argsort(time_ns, kind="stable")
    return Rows(time_ns[order], cells[:, order])


class _Waiting(NamedTuple):
    at: NDArray[np.int64]
    values: NDArray[np.float64]


class _Queue:
    """Values with their seq, or their time, which never falls; taken from the front."""

    def __init__(self, pieces: Generator[Piece, None, None]) -> None:
        self._pieces = pieces
        self._waiting = _Waiting(np.empty(0, np.int64), np.empty(0))
        self._is_over = False

    def take_before(self, stop: int) -> _Waiting:
        while not self._is_over and not (len(self._waiting.at) and self._waiting.at[-1] >= stop):
            self._fetch()
        count = int(self._waiting.at.searchsorted(stop))
        taken = _Waiting(self._waiting.at[:count], self._waiting.values[:count])
        self._waiting = _Waiting(self._waiting.at[count:], self._waiting.values[count:])
        return taken

    def close(self) -> None:
        self._pieces.close()

    def _fetch(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._is_over = True
            return
        at = piece.time_ns if piece.seq is None else piece.seq
        self._waiting = _Waiting(
            np.concatenate([self._waiting.at, at]), np.concatenate([self._waiting.values, piece.values])
        )
