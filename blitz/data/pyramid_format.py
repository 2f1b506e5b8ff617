"""The file of a session's overview: levels of runs, and where its devices' clocks stood.

Owns the layout of the file, which is mapped into memory for reading. It is derived and bound to this computer's byte
order: whatever looks wrong about it is a reason to build it anew, never to trust it.
"""

import json
import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.pyramid_runs import FACTOR, Runs

_MAGIC = b"BLITZOV2"
_HEAD = struct.Struct("<8sQII")
"""Magic, length of the header, its CRC-32, and that of all that follows it."""
_AT_ONCE = 1 << 20
_ALIGNMENT = 64
_FEWEST_RUNS = 64
"""No level above one with fewer runs."""


@dataclass(frozen=True)
class PyramidKey:
    """What an overview was made of; any difference means another one."""

    session_id: int
    started_ms: int
    message_count: int
    definitions: str
    """A hash of the source table with its definitions."""


@dataclass(frozen=True)
class SourceSize:
    """How much one source of the session has."""

    index: int
    channels: int
    readings: int
    runs: int
    """Of the lowest level."""
    is_narrow: bool
    """Whether float32 holds every extreme exactly."""

    @property
    def level_sizes(self) -> list[int]:
        """How many runs each level has, the lowest first."""
        sizes = [self.runs]
        while sizes[-1] > _FEWEST_RUNS:
            sizes.append(-(-sizes[-1] // FACTOR))
        return sizes


@dataclass(frozen=True)
class Checkpoints:
    """States of a session's clocks.

    :param stride: before each so-many-th block of the grid.
    :param states: compressed JSON, one each.
    """

    stride: int
    states: Sequence[bytes]


class DamagedPyramid(ValueError):  # noqa: N818 - reads as what was found
    """The file is not the whole overview that is wanted."""


@dataclass(frozen=True, eq=False)
class SourcePyramid:
    """The overview of one source: levels, the lowest first."""

    size: SourceSize
    levels: tuple[Runs, ...]


class Pyramid:
    """An open overview; its arrays lie in the file."""

    def __init__(self, path: Path, key: PyramidKey) -> None:
        """Open a file.

        :raises DamagedPyramid: if it is not the whole overview of ``key``.
        :raises OSError: if it cannot be read.
        """
        self.path = path
        self.message_count = key.message_count
        with path.open("rb") as file:
            header, begin, self._checksum = _read_header(file)
            self._begin = begin
            self._file_number = os.fstat(file.fileno()).st_ino
            try:
                self._lay_out(file, header, begin, key)
            except (KeyError, TypeError, ValueError) as error:
                raise DamagedPyramid(f"{path} is no whole overview: {error}.") from error

    def _lay_out(self, file: BinaryIO, header: Mapping[str, Any], begin: int, key: PyramidKey) -> None:
        if PyramidKey(**header["key"]) != key:
            raise DamagedPyramid("it was made of something else")
        sizes = [SourceSize(**size) for size in header["sources"]]
        self.stride, blobs = int(header["stride"]), header["states"]
        length = os.fstat(file.fileno()).st_size
        sections = _Sections(begin)
        places = [list(_level_sections(sections, size)) for size in sizes]
        counts_at, bounds_at = sections.add(8 * header["blocks"]), sections.add(8 * (len(blobs) + 1))
        states_at = sections.add(sum(blobs))
        if length != sections.end:
            raise DamagedPyramid(f"it has {length} bytes instead of {sections.end}")
        self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        buffer = memoryview(self._map)
        self._bounds = np.frombuffer(buffer, np.int64, len(blobs) + 1, bounds_at)
        self._states = buffer[states_at : states_at + sum(blobs)]
        self.block_readings: NDArray[np.int64] = np.frombuffer(buffer, np.int64, header["blocks"], counts_at)
        """How many readings, NaN not counted, each block of the grid has."""
        self.sources = {
            size.index: SourcePyramid(size, tuple(_level(buffer, size, n, at) for n, at in levels))
            for size, levels in zip(sizes, places, strict=True)
        }

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return len(self._map)

    def check(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Read the whole file and compare its checksum; in any thread.

        :param is_over: asked now and then, whether to stop.
        :raises DamagedPyramid: if it differs.
        :raises OSError: if it cannot be read.
        """
        # Not through the map: the whole of it would count as this program's memory.
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_ino != self._file_number:  # another one has taken its place
                return
            file.seek(self._begin)
            checksum = 0
            while content := file.read(_AT_ONCE):
                if is_over():
                    return
                checksum = zlib.crc32(content, checksum)
        if checksum != self._checksum:
            raise DamagedPyramid(f"{self.path} is damaged: the checksum of its contents differs.")

    def clocks_before(self, seq: int) -> tuple[int, Mapping[str, Any]]:
        """Return the last sequence number up to ``seq`` before which the clocks are known, and where they stood there.

        :raises DamagedPyramid: if what stands in the file cannot be read.
        """
        number = min(seq // (GRID_MESSAGES * self.stride), len(self._bounds) - 2)
        if number <= 0:
            return 0, {}
        low, high = self._bounds[number : number + 2].tolist()
        try:
            states: Mapping[str, Any] = json.loads(zlib.decompress(self._states[low:high]))
        except (ValueError, zlib.error) as error:
            raise DamagedPyramid(f"{self.path} is damaged: {error}.") from error
        return number * GRID_MESSAGES * self.stride, states


def write_pyramid(
    file: BinaryIO,
    key: PyramidKey,
    sizes: Sequence[SourceSize],
    lowest: Mapping[int, Iterator[Runs]],
    block_readings: Sequence[int],
    checkpoints: Checkpoints,
) -> None:
    """Write an overview.

    :param lowest: by source index: its lowest level in parts, each but the last a multiple of :data:`FACTOR` runs.
    """
    header: dict[str, Any] = {
        "key": vars(key),
        "sources": [vars(size) for size in sizes],
        "stride": checkpoints.stride,
        "states": [len(state) for state in checkpoints.states],
        "blocks": len(block_readings),
    }
    encoded = json.dumps(header).encode()
    file.write(_HEAD.pack(_MAGIC, len(encoded), zlib.crc32(encoded), 0) + encoded)
    begin = file.tell()
    sections = _Sections(begin)
    for size in sizes:
        levels = list(_level_sections(sections, size))
        _write_levels(file, size, [at for _, at in levels], lowest[size.index])
    bounds = np.cumsum([0, *header["states"]])
    for numbers in (np.array(block_readings, np.int64), bounds.astype(np.int64)):
        file.seek(sections.add(numbers.nbytes))
        file.write(numbers.tobytes())
    file.seek(sections.add(int(bounds[-1])))
    for state in checkpoints.states:
        file.write(state)
    file.truncate(sections.end)
    file.seek(begin)
    checksum = 0
    while content := file.read(_AT_ONCE):
        checksum = zlib.crc32(content, checksum)
    file.seek(0)
    file.write(_HEAD.pack(_MAGIC, len(encoded), zlib.crc32(encoded), checksum))


class _Sections:
    """Gives out places in the file, one behind the other."""

    def __init__(self, begin: int) -> None:
        self.end = begin

    def add(self, length: int) -> int:
        at = -(-self.end // _ALIGNMENT) * _ALIGNMENT
        self.end = at + length
        return at


def _columns(size: SourceSize) -> list[tuple[np.dtype[Any], int]]:
    """Return type and rows of each column of a level, in the order of :class:`Runs`."""
    value = np.dtype(np.float32 if size.is_narrow else np.float64)
    integers = [(np.dtype(np.int64), 1)] * 4
    return [
        *integers,
        (np.dtype(np.float32), 1),
        (value, size.channels),
        (value, size.channels),
        (np.dtype(bool), size.channels),
    ]


def _level_sections(sections: _Sections, size: SourceSize) -> Iterator[tuple[int, list[int]]]:
    for runs in size.level_sizes:
        yield runs, [sections.add(dtype.itemsize * rows * runs) for dtype, rows in _columns(size)]


def _level(buffer: memoryview, size: SourceSize, runs: int, places: list[int]) -> Runs:
    columns: list[NDArray[Any]] = []
    for (dtype, rows), at in zip(_columns(size), places, strict=True):
        column = np.frombuffer(buffer, dtype, runs * rows, at)
        columns.append(column if len(columns) < 5 else column.reshape(rows, runs))
    return Runs(*columns)


def _write_levels(file: BinaryIO, size: SourceSize, places: list[list[int]], lowest: Iterator[Runs]) -> None:
    above: list[Runs] = []
    done = 0
    for part in lowest:
        _write_part(file, size, size.runs, places[0], done, part)
        done += len(part)
        if len(places) > 1:
            above.append(part.grouped(np.arange(0, len(part), FACTOR)))
    if done != size.runs:
        raise ValueError(f"{done} runs instead of {size.runs}")
    for runs, level_places in zip(size.level_sizes[1:], places[1:], strict=True):
        level = Runs.joined(above)
        _write_part(file, size, runs, level_places, 0, level)
        above = [level.grouped(np.arange(0, len(level), FACTOR))]


def _write_part(file: BinaryIO, size: SourceSize, runs: int, places: list[int], done: int, part: Runs) -> None:
    columns = (*part.along_runs, part.low, part.high, part.has_nan)
    for (dtype, _), at, column in zip(_columns(size), places, columns, strict=True):
        for row, content in enumerate(np.atleast_2d(column)):
            file.seek(at + (row * runs + done) * dtype.itemsize)
            file.write(np.ascontiguousarray(content, dtype).data)


def _read_header(file: BinaryIO) -> tuple[Mapping[str, Any], int, int]:
    """Return the header, where it ends, and the checksum of what follows."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise DamagedPyramid(f"{file.name} ends in its head")
    magic, length, checksum, rest_checksum = _HEAD.unpack(head)
    if magic != _MAGIC or length > 1 << 28:
        raise DamagedPyramid(f"{file.name} is no overview of this version")
    encoded = file.read(length)
    if zlib.crc32(encoded) != checksum:
        raise DamagedPyramid(f"{file.name}: the checksum of its header differs")
    header: Mapping[str, Any] = json.loads(encoded)
    return header, _HEAD.size + length, rest_checksum
