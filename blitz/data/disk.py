"""The disk, as narrow as what must not lose anything needs it: append, synchronise, rename, list.

Spool and archive are written against :class:`Disk`, so that one seed can drive them through torn writes, writes that
were dropped behind the last synchronisation, and a full disk. :class:`LocalDisk` is the real one.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Protocol

_AHEAD_BYTES = 1 << 20
"""The system is told to begin with so much; synchronising later waits for the rest only."""
_SYNC_FILE_RANGE_WRITE = 2
"""Linux' flag: begin to write, and wait for nothing. An error is kept for the synchronisation."""


class DiskFile(Protocol):
    """A file that is appended to."""

    @property
    def size(self) -> int:
        """Bytes written so far, those that were there before included."""

    def write(self, chunk: bytes) -> None:
        """Append bytes; they may be lost until :meth:`sync` returned.

        :raises OSError: if not all could be written; a part may stand in the file.
        """

    def sync(self) -> None:
        """Wait until all that was written survives a power failure."""

    def truncate(self, size: int) -> None:
        """Cut off what stands behind; appending goes on from there."""

    def close(self) -> None:
        """Close the file, without synchronising it."""


class Disk(Protocol):
    """A folder tree. Every method raises OSError if the disk refuses."""

    def names(self, folder: Path) -> list[str]:
        """Return the names of the files and folders in a folder, sorted; none if it does not exist."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, for its owner alone; nothing happens if it is there."""

    def open(self, path: Path) -> DiskFile:
        """Open a file for appending, making it if it is not there."""

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """Return bytes of a file: fewer where it ends before, all the rest with -1."""

    def size(self, path: Path) -> int:
        """Return how many bytes a file has.

        :raises FileNotFoundError: if there is none.
        """

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file; one at the target is replaced in the same moment. Durable after :meth:`sync_folder`."""

    def remove(self, path: Path) -> None:
        """Delete a file; nothing happens if it is not there."""

    def remove_folder(self, folder: Path) -> None:
        """Delete a folder and all that is in it; nothing happens if it is not there."""

    def sync_folder(self, folder: Path) -> None:
        """Wait until the names in a folder survive a power failure."""

    def free_bytes(self, folder: Path) -> int:
        """Return how much more the disk takes."""


class LocalDisk:
    """The disk of this machine. See :class:`Disk`. May be used from several threads."""

    def __init__(self) -> None:
        self._lasting: set[Path] = set()

    def names(self, folder: Path) -> list[str]:
        """Return what is in a folder."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def make_folder(self, folder: Path) -> None:
        """Make a folder, and make it last; also one that a program made that was killed before it could do so."""
        if not folder.is_dir():
            self.make_folder(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(folder.parent)
        elif folder not in self._lasting:
            with contextlib.suppress(PermissionError):  # not ours, so not made by us
                self.sync_folder(folder.parent)
        self._lasting.add(folder)

    def open(self, path: Path) -> DiskFile:
        """Open a file for appending."""
        return _LocalFile(path)

    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        """Return bytes of a file."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def size(self, path: Path) -> int:
        """Return how many bytes a file has."""
        return path.stat().st_size

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Delete a file."""
        path.unlink(missing_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Delete a folder and all that is in it."""
        self._lasting.discard(folder)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def sync_folder(self, folder: Path) -> None:
        """Synchronise a folder; on Windows that cannot be done, and need not."""
        if sys.platform == "win32":
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, folder: Path) -> int:
        """Return how much more this user may write; asked of the nearest folder that exists."""
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free


class _LocalFile:
    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self.size = os.fstat(self._descriptor).st_size
        self._begun = self.size

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            written = os.write(self._descriptor, view)
            self.size += written
            view = view[written:]
        if self.size - self._begun >= _AHEAD_BYTES and _sync_file_range is not None:
            _sync_file_range(self._descriptor, self._begun, self.size - self._begun, _SYNC_FILE_RANGE_WRITE)
            self._begun = self.size

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        self.size = size
        self._begun = min(self._begun, size)

    def close(self) -> None:
        os.close(self._descriptor)


def _find_sync_file_range() -> Any:
    """Return Linux' call, which Python does not have; None elsewhere."""
    if sys.platform != "linux":
        return None
    found: Any = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if found is not None:
        found.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return found


_sync_file_range = _find_sync_file_range()
