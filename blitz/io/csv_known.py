"""Which rows of a file that was written anew are known: a multiset of hashes, on disk where it is large."""

import sqlite3

from blitz.data.csv_rows import HASH_BYTES
from blitz.io.csv_log import RowLog

_AT_ONCE = 8192


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
