"""A file that keeps its first error for its owner, instead of raising it where it happens."""

import io
from pathlib import Path
from typing import Any


class PatientFile(io.FileIO):
    """A new file for a library that cannot bear a disk that is full.

    The HDF5 library ends the whole program (a segmentation fault) when what it has in memory cannot be written while
    it closes a file. This file takes everything; what did not go well must be asked for.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise what went wrong.

        :raises OSError: as the system told it.
        """
        if self._error is not None:
            raise self._error

    def write(self, content: Any) -> int:
        """Write all of it, or take note of why that is impossible."""
        rest = memoryview(content).cast("B")
        size = len(rest)
        try:
            while rest and self._error is None:
                rest = rest[super().write(rest) or 0 :]
        except OSError as error:
            self._error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Cut or lengthen the file, or take note of why that is impossible."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0
