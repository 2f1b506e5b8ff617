"""What is known of a file's rows, on disk: a hash for each, and the places in the file up to which it was read.

Records of one size, one behind the other, so that a file of a hundred million rows takes no memory. Written with one
call before anything is said of the rows; what a crash cuts off in mid-record is dropped when it is opened again.
"""

import hashlib
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blitz.data.csv_rows import HASH_BYTES

_PLACE = struct.Struct("<QQ16s")


class Records:
    """A file of records, for one thread.

    :param size: of a record in bytes.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._open_file: int | None = None
        self._count = os.fstat(self._file).st_size // size
        os.ftruncate(self._file, self._count * size)

    @property
    def _file(self) -> int:
        if self._open_file is None:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
            self._open_file = os.open(self._path, flags, 0o600)
        return self._open_file

    def __len__(self) -> int:
        return self._count

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._path.parent

    def append(self, records: bytes) -> None:
        """Put whole records behind the last one."""
        os.lseek(self._file, self._count * self._size, os.SEEK_SET)
        view = memoryview(records)
        while view:
            view = view[os.write(self._file, view) :]
        self._count += len(records) // self._size

    def read(self, first: int, count: int) -> bytes:
        """Return records; fewer where there are not as many."""
        os.lseek(self._file, first * self._size, os.SEEK_SET)
        wanted = max(min(count, self._count - first), 0) * self._size
        parts = []
        while wanted and (part := os.read(self._file, wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def cut(self, count: int) -> None:
        """Forget what lies behind so many records."""
        if count < self._count:
            os.ftruncate(self._file, count * self._size)
            self._count = count

    def sync(self) -> None:
        """Let them outlive a power failure."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        file, self._open_file = self._open_file, None
        if file is not None:
            with suppress(OSError):
                os.close(file)


class Place(NamedTuple):
    """How far a file was read."""

    row: int
    """So many of its rows are known."""
    offset: int
    """In bytes; a row ends there."""
    digest: bytes = bytes(16)
    """Of what stands between the place before and this one."""


class Places:
    """The places of one reading of a file, rising; the first is where its rows begin."""

    def __init__(self, path: Path) -> None:
        self._records = Records(path, _PLACE.size)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Place:
        return Place(*_PLACE.unpack(self._records.read(index, 1)))

    def fit(self, read_at: Callable[[int, int], bytes], index: int) -> bool:
        """Say whether what stands before a place is as it was; what is not there yet is.

        :param read_at: reads the file: from which byte on, how many.
        """
        if index >= len(self):
            return True
        place = self[index]
        begin = self[index - 1].offset if index else 0
        piece = read_at(begin, place.offset - begin)
        return len(piece) == place.offset - begin and digest_of(piece) == place.digest

    def append(self, place: Place) -> None:
        """Put one behind the last."""
        self._records.append(_PLACE.pack(*place))

    def cut(self, count: int) -> None:
        """Forget what lies behind so many places."""
        self._records.cut(count)

    def before(self, row: int) -> int:
        """Return the index of the last place at or before a row; -1 if there is none."""
        low, high = 0, len(self._records)
        while low < high:
            middle = (low + high) // 2
            if self[middle].row <= row:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def close(self) -> None:
        """Close the file."""
        self._records.close()


class RowLog(Records):
    """The hashes of a file's rows, in the order in which the rows became known."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, HASH_BYTES)


def new_digest() -> "hashlib.blake2b":
    """Return what makes the digest of a piece that is read bit by bit."""
    return hashlib.blake2b(digest_size=16)


def digest_of(piece: bytes) -> bytes:
    """Return the digest of a piece of the file."""
    return hashlib.blake2b(piece, digest_size=16).digest()
