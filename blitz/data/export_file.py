"""A file that appears under its name only when it is whole, and is known by its SHA-256."""

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blitz.data.unfinished_file import UnfinishedFile
from blitz.errors import ExportError

_AT_ONCE = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give an empty file beside ``path``, which takes its place at the end, or goes when an error leaves the block.

    A link is followed, so that the file it names is replaced and not the link.

    :raises ExportError: in place of every ``OSError`` within.
    """
    with faults_as_sentences(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            # Root could replace /dev/null by a file of that name.
            raise ExportError(f"Cannot write {path}: it is a device or a pipe. Name a file.")
        if path.is_symlink():
            path = path.resolve()
        with UnfinishedFile(path.parent) as unfinished:
            yield unfinished.path
            unfinished.become(path)


@contextmanager
def faults_as_sentences(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an :class:`ExportError`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, ExportError):
            raise
        # What libraries raise has the system's reason in its number, and their own words for it.
        if error.errno == errno.EISDIR or (error.errno in (errno.EACCES, errno.EPERM) and path.is_dir()):
            raise ExportError(f"Cannot write {path}: it is a folder. Name a file in it.") from error
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise ExportError(
            f"Cannot write {path}: {reason}. Check the folder and its free space, and close programs that use the file."
        ) from error


class HashedFile(io.RawIOBase):
    """A file that is written from front to back, and hashed on the way."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("wb", buffering=0)
        self._hash = hashlib.sha256()
        self._size = 0

    @property
    def sha256(self) -> str:
        """Hex digits of what was written."""
        return self._hash.hexdigest()

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def write(self, content: Any) -> int:
        """Write all of it."""
        rest = memoryview(content).cast("B")
        written = len(rest)
        self._hash.update(rest)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._size += written
        return written

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()


def file_sha256(path: Path) -> str:
    """Return the hex digits of a file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while content := file.read(_AT_ONCE):
            digest.update(content)
    return digest.hexdigest()
