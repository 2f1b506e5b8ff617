"""Makes a session's overview: decodes it once, several blocks at a time, in the memory of a few of them."""

import itertools
import json
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import SessionDecoder, UntimedReadings
from blitz.data.pyramid_format import Checkpoints, PyramidKey, SourceSize, write_pyramid
from blitz.data.pyramid_runs import FACTOR, Extremes, Runs, run_extremes, timed_runs
from blitz.data.records import Source
from blitz.data.unfinished_file import UnfinishedFile
from blitz.errors import DownloadCancelled

Progress = Callable[[int, int], None]

_THREADS = 2
_BLOCKS_AT_ONCE = 4
"""So many are a thread's task: to hand over each by itself costs as much as it brings."""
_CLOCKS_A_CHECKPOINT = 4
"""With more clocks, there are fewer checkpoints: to decode a block is cheaper than to store the states of many."""
_RUNS_A_PART = 1 << 14


def build_pyramid(
    path: Path,
    key: PyramidKey,
    sources: Iterable[Source],
    blocks: Iterator[MessageBlock],
    progress: Progress = lambda done, total: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write the overview of a session; the file appears when it is whole.

    :param blocks: the whole session, on the grid.
    :param progress: called with messages done and messages in all.
    :raises DownloadCancelled: if ``is_cancelled`` said so.
    :raises OSError: if it cannot be written.
    """
    decoder = SessionDecoder(sources)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        builder = _Builder(decoder, spool)
        for number, parts in enumerate(_read_ahead(decoder, blocks)):
            if is_cancelled():
                raise DownloadCancelled(f"Making the overview of session {key.session_id} was cancelled.")
            builder.add(parts)
            progress(min((number + 1) * GRID_MESSAGES, key.message_count), key.message_count)
        with UnfinishedFile(path.parent) as unfinished:
            with unfinished.path.open("w+b") as file:
                builder.write(file, key)
            unfinished.become(path)


_Parts = Sequence[tuple[UntimedReadings, Extremes]]


def _read_ahead(decoder: SessionDecoder, blocks: Iterator[MessageBlock]) -> Iterator[_Parts]:
    """Do what needs no order in threads: numpy and Arrow let other threads run meanwhile."""

    def read(together: Sequence[MessageBlock]) -> list[_Parts]:
        return [[(untimed, run_extremes(untimed.values)) for untimed in decoder.read(block)] for block in together]

    waiting: deque[Future[list[_Parts]]] = deque()
    with ThreadPoolExecutor(_THREADS, "overview") as pool:
        while together := list(itertools.islice(blocks, _BLOCKS_AT_ONCE)):
            waiting.append(pool.submit(read, together))
            if len(waiting) >= _THREADS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


@dataclass
class _SourceState:
    """What is known so far of one source."""

    channels: int
    readings: int = 0
    runs: int = 0
    last_ns: int | None = None
    is_narrow: bool = True


class _Builder:
    """Takes blocks in order, and keeps the lowest level on disk until the sizes of all sources are known."""

    def __init__(self, decoder: SessionDecoder, spool: BinaryIO) -> None:
        self._decoder = decoder
        self._spool = spool
        self._sources: dict[int, _SourceState] = {}
        self._spooled: dict[int, list[tuple[int, int]]] = {}
        self._block_readings: list[int] = []
        self._states: list[bytes] = []
        clocks = sum(source.definition is not None for source in decoder.sources)
        self._stride = max(1, clocks // _CLOCKS_A_CHECKPOINT)

    def add(self, parts: _Parts) -> None:
        """Take what one block of the grid holds."""
        if not len(self._block_readings) % self._stride:
            states = json.dumps(self._decoder.clock_states(), default=lambda number: number.item())
            self._states.append(zlib.compress(states.encode(), 1))
        readings = 0
        for untimed, extremes in parts:
            values = untimed.values
            readings += values.size - int(np.count_nonzero(np.isnan(values))) if extremes.has_nan.any() else values.size
            if values.size:
                self._add_source(untimed, extremes)
        self._block_readings.append(readings)

    def _add_source(self, untimed: UntimedReadings, extremes: Extremes) -> None:
        index = untimed.source.index
        state = self._sources.setdefault(index, _SourceState(untimed.values.shape[1]))
        readings = self._decoder.follow(untimed)
        runs = timed_runs(extremes, readings.time_ns, readings.seq, state.readings, state.last_ns)
        state.readings += len(readings)
        state.runs += len(runs)
        state.last_ns = int(readings.time_ns[-1])
        state.is_narrow = state.is_narrow and _is_narrow(extremes.low) and _is_narrow(extremes.high)
        self._spooled.setdefault(index, []).append((self._spool.tell(), len(runs)))
        for column in (*runs.along_runs, runs.low, runs.high, runs.has_nan):
            self._spool.write(np.ascontiguousarray(column).data)

    def write(self, file: BinaryIO, key: PyramidKey) -> None:
        """Write the whole overview."""
        sizes = [
            SourceSize(index, state.channels, state.readings, state.runs, state.is_narrow)
            for index, state in sorted(self._sources.items())
        ]
        lowest = {size.index: self._lowest(size) for size in sizes}
        write_pyramid(file, key, sizes, lowest, self._block_readings, Checkpoints(self._stride, self._states))

    def _lowest(self, size: SourceSize) -> Iterator[Runs]:
        """Read a source's lowest level back, in parts of whole runs of the next level."""
        held: list[Runs] = []
        for at, count in self._spooled[size.index]:
            held.append(self._read_back(at, count, size.channels))
            if sum(map(len, held)) >= _RUNS_A_PART:
                together = Runs.joined(held)
                whole = len(together) // FACTOR * FACTOR
                yield together.part(0, whole)
                held = [together.part(whole, len(together))]
        if held:
            yield Runs.joined(held)

    def _read_back(self, at: int, count: int, channels: int) -> Runs:
        self._spool.seek(at)
        along: list[NDArray[Any]] = [
            np.frombuffer(self._spool.read(8 * count), kind) for kind in (*[np.int64] * 4, np.float64)
        ]
        across: list[NDArray[Any]] = [
            np.frombuffer(self._spool.read(np.dtype(kind).itemsize * count * channels), kind).reshape(channels, count)
            for kind in (np.float64, np.float64, np.bool_)
        ]
        return Runs(*along, *across)


def _is_narrow(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    """Whether float32 holds these values exactly."""
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float32), values, equal_nan=True))
