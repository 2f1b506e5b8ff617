"""The formats that a session is written in, and what writes each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from blitz.data.export_csv import CsvFile
from blitz.data.export_parts import Contents, Part
from blitz.data.export_spelling import Spelling
from blitz.errors import ExportError

Layout = Literal["wide", "long"]
Preset = Literal["analysis", "spreadsheet"]


class FileFormat(StrEnum):
    """What a session is written as."""

    CSV = "csv"
    PARQUET = "parquet"
    FEATHER = "feather"
    HDF5 = "hdf5"
    XLSX = "xlsx"

    @property
    def suffix(self) -> str:
        """How the names of such files end."""
        return ".h5" if self is FileFormat.HDF5 else f".{self.value}"


_SUFFIXES = {each.suffix: each for each in FileFormat} | {
    ".hdf5": FileFormat.HDF5,
    ".hdf": FileFormat.HDF5,
    ".arrow": FileFormat.FEATHER,
    ".pq": FileFormat.PARQUET,
}


def format_of(path: Path) -> FileFormat:
    """Return the format that a file's name stands for.

    :raises ExportError: if it stands for none.

    >>> format_of(Path("run.h5")).value
    'hdf5'
    """
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise ExportError(
            f"The name {path.name} does not say a format: let it end with {', '.join(_SUFFIXES)}, or name the format."
        ) from None


@dataclass(frozen=True)
class Order:
    """How a file is to be."""

    format: FileFormat
    layout: Layout
    preset: Preset
    step_ns: int | None
    spelling: Spelling
    warn: Callable[[str], None]


class OutputFile(Protocol):
    """A file of some format that is being written."""

    @property
    def sha256(self) -> str:
        """Of the file, when it is closed."""

    def prepare(self, part: Part) -> Any:
        """Return what :meth:`write` takes; in any thread, several at once."""

    def write(self, prepared: Any) -> None:
        """Add it to the file."""

    def close(self) -> None:
        """Finish the file."""

    def abandon(self) -> None:
        """Give up a file that is going to be deleted."""


def open_file(path: Path, contents: Contents, order: Order) -> OutputFile:
    """Begin a file.

    :raises ExportError: if the format cannot hold what is wanted.
    :raises PackageMissing: if it needs a package that is not installed.
    """
    # The packages that some formats need take a while to import, or are not there.
    if order.format is FileFormat.CSV:
        return CsvFile(path, contents, order.layout, order.spelling)
    if order.format is FileFormat.HDF5:
        from blitz.data.export_hdf5 import Hdf5File

        return Hdf5File(path, contents, order.layout)
    if order.format is FileFormat.XLSX:
        from blitz.data.export_xlsx import XlsxFile

        return XlsxFile(path, contents, order.layout, order.spelling, order.warn)
    from blitz.data.export_arrow import ArrowFile

    return ArrowFile(path, contents, order.layout, is_parquet=order.format is FileFormat.PARQUET)
