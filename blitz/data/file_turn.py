"""Taking turns between programs: a lock on a file, which dies with the program that holds it."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

_LOOK_S = 0.05


class FileTurn:
    """Only one program at a time is in the block; the others wait. The file goes with the last of them.

    :param path: of a file that is for nothing else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> None:
        """Wait for the turn.

        :raises OSError: if the file cannot be made, or that file system has no locks.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _lock(descriptor)
                if _is_same(descriptor, self._path):  # who had the turn before has removed it otherwise
                    self._descriptor = descriptor
                    return
            finally:
                if self._descriptor != descriptor:
                    os.close(descriptor)

    def __exit__(self, *exception: object) -> None:
        if sys.platform != "win32":
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1
        if sys.platform == "win32":  # an open file cannot be removed there, and one that others wait for is open
            with suppress(OSError):
                self._path.unlink()


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return
            except PermissionError:
                time.sleep(_LOOK_S)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
