"""Files that are being written: hidden beside what they become, and removed when the program that wrote them died.

Each is held by its writer as long as it writes. What nobody holds was left behind by a program that was killed, and
goes when the next file is begun in that folder.
"""

import os
import re
import shutil
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_NAME = re.compile(r"\.blitz-[0-9a-f]{8}\.part")


class UnfinishedFile:
    """An empty file with a name of its own, for others to write into; gone at the end of the block, unless it was used.

    :ivar path: where it is.
    :ivar scratch: a folder that may be made beside it, for what is needed meanwhile; it goes with the file.
    """

    def __init__(self, folder: Path) -> None:
        """Begin a file, and remove those that were left behind in the folder.

        :raises OSError: if it cannot be made.
        """
        remove_left_behind(folder)
        while True:
            self.path = folder / f".blitz-{uuid.uuid4().hex[:8]}.part"
            self._descriptor: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            # Another program may have found it before it was held, and removes it then.
            if _hold(self._descriptor) and self.path.exists():
                break
            self._release()
        self.scratch = scratch_folder(self.path)

    def become(self, path: Path) -> None:
        """Put the file in the place of another, when all of it is on the disk.

        :raises OSError: if that fails.
        """
        if self._descriptor is not None:
            os.fsync(self._descriptor)
        if sys.platform == "win32":  # where an open file cannot be moved
            self._release()
        self.path.replace(path)

    def close(self) -> None:
        """Remove the file, if it has become none, and its scratch folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        if sys.platform == "win32":
            self._release()
        self.path.unlink(missing_ok=True)
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def remove_left_behind(folder: Path) -> None:
    """Remove the unfinished files of programs that died; what another program is writing stays."""
    with suppress(OSError):
        for path in [entry for entry in folder.iterdir() if _NAME.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_unheld(path)


def _remove_unheld(path: Path) -> None:
    if sys.platform == "win32":
        path.unlink()  # which Windows refuses while it is open
        shutil.rmtree(scratch_folder(path), ignore_errors=True)
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        _lock(descriptor)
        shutil.rmtree(scratch_folder(path), ignore_errors=True)
        path.unlink()
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> bool:
    """Keep others from removing a file; False where one of them is about to."""
    if sys.platform == "win32":  # an open file cannot be removed
        return True
    try:
        _lock(descriptor)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: others cannot take one either, and leave the file alone
        return True
    return True


def _lock(descriptor: int) -> None:
    import fcntl  # which only Unix has

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def scratch_folder(path: Path) -> Path:
    """Return the folder beside an unfinished file that goes with it, once it was made."""
    return path.with_suffix(".files")
