"""Which rows of a file that was written anew are known: a multiset of hashes, on disk where it is large.

And whether it is the file that is known, or another one.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.csv_rows import HASH_BYTES
from blitz.io.csv_log import RowLog

RUN_ROWS = 16
"""So many known rows, one behind the other, are no chance."""
_AT_ONCE = 1 << 16
_IN_MEMORY = 1 << 20
_SEARCHED_ROWS = 1 << 17


class Known:
    """The known rows that the file was not seen to have yet. For one thread.

    :param log: all known rows.
    :param first: from which one on they are wanted.
    """

    def __init__(self, log: RowLog, first: int) -> None:
        self.left = len(log) - first
        """How many there are."""
        self._hashes = _array(self.left, np.uint64, log.folder)
        """They, sorted."""
        self._taken = _array(self.left, np.uint32, log.folder)
        """How many of those that are equal are taken, where the first of them stands."""
        for begin in range(0, self.left, _AT_ONCE):
            some = np.frombuffer(log.read(first + begin, _AT_ONCE), np.uint64)
            self._hashes[begin : begin + len(some)] = some
        self._hashes.sort()
        self._taken[:] = 0

    def take(self, hashes: bytes) -> list[bool]:
        """Say of rows of the file which are known; each known one is there once."""
        wanted = np.frombuffer(hashes, np.uint64)
        order = np.argsort(wanted, kind="stable")
        wanted = wanted[order]  # looking for rising numbers is several times as fast
        begins = np.searchsorted(self._hashes, wanted, "left")
        counts = np.searchsorted(self._hashes, wanted, "right") - begins
        # Equal rows: the second of them finds one less.
        starts = np.flatnonzero(np.append(True, wanted[1:] != wanted[:-1])[: len(wanted)])
        lengths = np.diff(starts, append=len(wanted))
        ranks = np.arange(len(wanted)) - np.repeat(starts, lengths)
        is_known = ranks + self._taken[np.minimum(begins, len(self._hashes) - 1)] < counts
        np.add.at(self._taken, begins[is_known], 1)
        self.left -= int(is_known.sum())
        found: NDArray[np.bool_] = np.empty_like(is_known)
        found[order] = is_known
        taken: list[bool] = found.tolist()
        return taken


def _array(count: int, kind: type[np.generic], folder: Path) -> NDArray[Any]:
    """Return room for numbers: in memory, or, where they are many, in a file that goes with them."""
    if count <= _IN_MEMORY:
        return np.empty(count, kind)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.asarray(np.memmap(file, kind, "w+", shape=(count,)))


def resembles(log: RowLog, hashes: bytes) -> bool | None:
    """Say whether a file is the known one, written anew; None if that cannot be told yet.

    It is if it begins with the first row that is known, or with a run of known rows: sixteen, or up to the newest.

    :param log: all known rows.
    :param hashes: of the file's first rows.
    """
    if not len(log) or hashes[:HASH_BYTES] == log.read(0, 1):
        return True
    if not hashes:
        return None
    wanted = np.frombuffer(hashes[: RUN_ROWS * HASH_BYTES], np.uint64)
    is_within = False
    for first in range(0, len(log), _SEARCHED_ROWS):
        found = np.frombuffer(log.read(first, _SEARCHED_ROWS), np.uint64)
        for place in (np.flatnonzero(found == wanted[0]) + first).tolist():
            run = np.frombuffer(log.read(place, len(wanted)), np.uint64)
            if np.array_equal(run, wanted[: len(run)]):
                if len(run) == RUN_ROWS or place + len(run) == len(log):
                    return True
                is_within = True
    return None if is_within else False


def count_same(one: bytes, other: bytes) -> int:
    """Return how many hashes at the beginning are the same."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length // HASH_BYTES
    low, high = 0, length // HASH_BYTES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if one[: middle * HASH_BYTES] == other[: middle * HASH_BYTES] else (low, middle)
    return low
