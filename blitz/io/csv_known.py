"""Which rows of a file that was written anew are known: a multiset of hashes, on disk where it is large.

And whether it is the file that is known, or another one.
"""

import sqlite3

import numpy as np

from blitz.data.csv_rows import HASH_BYTES
from blitz.io.csv_log import RowLog

RUN_ROWS = 16
"""So many known rows, one behind the other, are no chance."""
_AT_ONCE = 8192
_SEARCHED_ROWS = 1 << 17


class Known:
    """The known rows that the file was not seen to have yet. For one thread.

    :param log: all known rows.
    :param first: from which one on they are wanted.
    """

    def __init__(self, log: RowLog, first: int) -> None:
        self.left = 0
        """How many there are."""
        # A database without a name lies in memory, and on disk as far as it does not fit there.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE known (hash BLOB PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID")
        while hashes := log.read(first, _AT_ONCE):
            self._db.executemany(
                "INSERT INTO known VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1", _each(hashes)
            )
            first += _AT_ONCE
            self.left += len(hashes) // HASH_BYTES

    def take(self, hashes: bytes) -> list[bool]:
        """Say of rows of the file which are known; each known one is there once."""
        taken = []
        for row in _each(hashes):
            done = self._db.execute("UPDATE known SET count = count - 1 WHERE hash = ? AND count > 0", row)
            taken.append(done.rowcount == 1)
        self.left -= sum(taken)
        return taken

    def close(self) -> None:
        """Forget them."""
        self._db.close()


def _each(hashes: bytes) -> list[tuple[bytes]]:
    return [(hashes[place : place + HASH_BYTES],) for place in range(0, len(hashes), HASH_BYTES)]


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
