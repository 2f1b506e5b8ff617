"""Files that change under those who read them: opened, told from each other, and found again where they were moved."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from blitz.errors import LinkError

_RACY_S = 0.05
"""A file that was changed so lately may be changed again and look the same."""
_NO_ROTATIONS = ("~", ".bak", ".tmp", ".swp", ".part", ".lock", ".gz", ".xz", ".zip", ".zst")


class Identity(NamedTuple):
    """What stays with a file when it is renamed."""

    device: int
    inode: int


class Stamp(NamedTuple):
    """What changes with a file's content."""

    size: int
    changed_ns: int

    @property
    def is_racy(self) -> bool:
        """Whether the file may be changed once more without another stamp."""
        return abs(time.time() - self.changed_ns / 1e9) < _RACY_S


class OpenFile:
    """A file that is open for reading, whatever becomes of its name.

    :raises LinkError: if it cannot be opened: a sentence with the remedy.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            flags = os.O_RDONLY | os.O_NONBLOCK if hasattr(os, "O_NONBLOCK") else os.O_RDONLY
            self._file = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise LinkError(_why_not(path, error)) from error
        try:
            found = os.fstat(self._file)
            if not os.path.isfile(path) and not os.path.samestat(found, os.stat(path)):
                raise LinkError(f"{path} was replaced while it was opened. It is tried again.")
            if not _is_regular(found):
                raise LinkError(_why_not(path, IsADirectoryError()))
        except BaseException as error:
            os.close(self._file)
            if isinstance(error, OSError):
                raise LinkError(_why_not(path, error)) from error
            raise
        self.identity = Identity(found.st_dev, found.st_ino)

    def stamp(self) -> Stamp:
        """Return what tells that its content has changed."""
        found = os.fstat(self._file)
        return Stamp(found.st_size, found.st_mtime_ns)

    @property
    def is_removed(self) -> bool:
        """Whether it has no name any more: it is gone with the last program that has it open."""
        return os.fstat(self._file).st_nlink == 0

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes; fewer at the end of the file.

        :raises LinkError: if it cannot be read.
        """
        parts = []
        try:
            os.lseek(self._file, offset, os.SEEK_SET)
            while size > 0 and (part := os.read(self._file, size)):
                parts.append(part)
                size -= len(part)
        except OSError as error:
            raise LinkError(f"{self.path} cannot be read: {error.strerror}. Check the disk it is on.") from error
        return b"".join(parts)

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


def identity_at(path: Path) -> tuple[Identity, int] | None:
    """Return which file has a name now, and how long it is; None if there is none.

    :raises LinkError: if nobody may look.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LinkError(_why_not(path, error)) from error
    return Identity(found.st_dev, found.st_ino), found.st_size


def find_moved(path: Path, identity: Identity) -> Path | None:
    """Return where a file is that had a name: the same file, under a name that programs give to what they put aside."""
    return next((found for found, inode in _rotated(path) if inode == identity.inode), None)


def find_copy(path: Path, fits: Callable[[OpenFile], bool]) -> OpenFile | None:
    """Return, open, the copy that was made of a file before it was emptied; None if there is none."""
    for found, _ in _rotated(path):
        try:
            copy = OpenFile(found)
        except LinkError:
            continue
        if fits(copy):
            return copy
        copy.close()
    return None


def _rotated(path: Path) -> Iterator[tuple[Path, int]]:
    """Yield the files beside one whose names say that they come from it: run.csv.1, run.csv-20260301, run-1.csv."""
    try:
        with os.scandir(path.parent) as entries:
            beside = [(entry.name, entry.inode()) for entry in entries if entry.is_file()]
    except OSError:
        return
    for name, inode in beside:
        if name != path.name and name.startswith(path.stem) and not name.endswith(_NO_ROTATIONS):
            yield path.with_name(name), inode


def _is_regular(found: os.stat_result) -> bool:
    import stat

    return stat.S_ISREG(found.st_mode)


def _why_not(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"There is no file {path}. It is read as soon as there is one."
    if isinstance(error, IsADirectoryError) or path.is_dir():
        return f"{path} is no file. Name a file of comma-separated values."
    if isinstance(error, PermissionError):
        return f"{path} cannot be read: permission denied. Let the account that the server runs under read it."
    return f"{path} cannot be read: {error.strerror or error}."
