"""What board definitions make of raw messages: readings in physical units.

Pure: definitions and arrays in, arrays out.
Bit positions follow the serial protocol: most significant first, the payload beginning at bit 48 of the line.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blitz.data.bits import HEAD_DIGITS, NO_DIGIT, hex_digits, number, timestamps
from blitz.data.board_definition import LINE_DIGITS, BoardDefinition, Channel, load_definitions
from blitz.data.device_clock import DeviceClock
from blitz.errors import BoardMismatch

if TYPE_CHECKING:
    from blitz.data.blocks import MessageBlock
    from blitz.data.records import Source

__all__ = [
    "BoardDefinition",
    "Channel",
    "DeviceClock",
    "Readings",
    "SessionDecoder",
    "channel_labels",
    "decode_values",
    "device_ms",
    "load_definitions",
]


def decode_values(definition: BoardDefinition, raw: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert messages of equal length to readings in each channel's unit.

    :param raw: hex digits in upper or lower case, shape (n, width).
    :returns: shape (n, n_channels), NaN where the message is not this board's or a digit is none.
    :raises BoardMismatch: if a message is shorter than the board's layout needs.

    >>> line = np.frombuffer(b"057500005555cccccccc00000000", np.uint8).reshape(1, -1)
    >>> decode_values(load_definitions()["08"].model_copy(update={"id": "05"}), line)[0, :5].tolist()
    [3276.0, 3276.0, 3264.0, 0.0, 0.0]
    """
    width = raw.shape[1]
    if width < definition.needed_digits:
        raise BoardMismatch(
            f"A message of {width} digits is too short for board {definition.id}, {definition.name}: "
            f"its layout needs {definition.needed_digits}."
        )
    digits = hex_digits(raw)
    values = np.empty((len(raw), len(definition.channels)))
    for column, channel in enumerate(definition.channels):
        numbers = number(digits, channel.first_bit, channel.bits or 0, channel.signed)
        if channel.zero == 0 and channel.scale == 1 and channel.divisor == 1:
            values[:, column] = numbers
        else:
            values[:, column] = (numbers - channel.zero) * channel.scale / channel.divisor
    is_foreign = ~_are_of_board(definition, digits)
    if is_foreign.any():
        values[is_foreign] = np.nan
    return values


def device_ms(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the timestamps of messages of equal length.

    :param raw: hex digits, shape (n, width).
    :returns: shape (n,), milliseconds of the device's clock, 0 to 2**32 - 1; -1 where unreadable.
    """
    if raw.shape[1] < HEAD_DIGITS:
        return np.full(len(raw), -1, np.int64)
    return timestamps(hex_digits(raw[:, :HEAD_DIGITS]))


@dataclass(frozen=True, eq=False)
class Readings:
    """What the messages of one source in one block mean.

    :param seq: int64, shape (n,), rising: which messages of the session they are.
    :param time_ns: int64, shape (n,), nanoseconds since the Unix epoch, never falling.
    :param values: float64, shape (n, n_channels), NaN in messages that are none of this board's.
    """

    session_id: int
    source: "Source"
    seq: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    values: NDArray[np.float64] = field(repr=False)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The columns of ``values``."""
        return self.source.definition.channels if self.source.definition else ()

    def __len__(self) -> int:
        return len(self.seq)


class SessionDecoder:
    """Decodes the blocks of one session, in their order, since the sources' clocks are followed.

    :param sources: the session's source table; sources without a definition are left out of what is decoded.
    """

    def __init__(self, sources: Iterable["Source"] = ()) -> None:
        self._sources: dict[int, Source] = {}
        self._clocks: dict[int, DeviceClock] = {}
        self.update(sources)

    @property
    def sources(self) -> tuple["Source", ...]:
        """The source table, by index."""
        return tuple(self._sources[index] for index in sorted(self._sources))

    def update(self, sources: Iterable["Source"]) -> None:
        """Add sources, or replace those with the same index; their clocks go on."""
        for source in sources:
            self._sources[source.index] = source

    def decode(self, block: "MessageBlock") -> list[Readings]:
        """Decode a block; whatever a device sent, nothing is raised.

        :returns: one entry a source that has a definition and messages in the block, by the source's index.
        """
        rows = _Rows(block)
        decoded = []
        for index in np.flatnonzero(np.bincount(block.source)).tolist():
            source = self._sources.get(index)
            if source is not None and source.definition is not None:
                decoded.append(self._decode_source(block, rows, source, source.definition))
        return decoded

    def _decode_source(
        self, block: "MessageBlock", rows: "_Rows", source: "Source", definition: BoardDefinition
    ) -> Readings:
        of_source = np.flatnonzero(block.source == source.index)
        values = np.full((len(of_source), len(definition.channels)), np.nan)
        clock_ms = np.full(len(of_source), -1, np.int64)
        lengths = rows.lengths[of_source]
        for length in np.unique(lengths).tolist():
            if length < LINE_DIGITS:
                continue
            places = np.flatnonzero(lengths == length)
            raw = rows.gather(of_source[places], length)
            if length >= definition.needed_digits:
                values[places] = decode_values(definition, raw)
            digits = hex_digits(raw[:, :HEAD_DIGITS])
            clock_ms[places] = np.where(_are_of_board(definition, digits), timestamps(digits), -1)
        arrived_ns = block.arrived_ns[of_source]
        if definition.has_clock:
            time_ns = self._clocks.setdefault(source.index, DeviceClock()).times_ns(clock_ms, arrived_ns)
        else:
            time_ns = arrived_ns
        return Readings(block.session_id, source, block.first_seq + of_source, time_ns, values)


def channel_labels(sources: Iterable["Source"]) -> dict[tuple[int, str], str]:
    """Name every channel of a session for people.

    :returns: by source index and channel name: the channel's name, behind the source's where two sources share it.
    """
    pairs = [
        (source, channel.name) for source in sources if source.definition for channel in source.definition.channels
    ]
    counts = Counter(name for _, name in pairs)
    return {(source.index, name): name if counts[name] == 1 else f"{source.name} {name}" for source, name in pairs}


class _Rows:
    """The messages of a block as rows of equal length."""

    def __init__(self, block: "MessageBlock") -> None:
        self._bytes, self._offsets = block.bytes_and_offsets()
        self.lengths = np.diff(self._offsets)
        self._is_even = len(self.lengths) > 0 and bool((self.lengths == self.lengths[0]).all())

    def gather(self, rows: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
        """Return messages of that length, shape (len(rows), length)."""
        if self._is_even:
            every = self._bytes.reshape(-1, length)
            return every if len(rows) == len(every) else every[rows]
        scattered: NDArray[np.uint8] = self._bytes[self._offsets[rows][:, np.newaxis] + np.arange(length)]
        return scattered


def _are_of_board(definition: BoardDefinition, digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which messages, columns of ``digits``, bear the board's id and consist of hex digits."""
    high, low = (int(digit, 16) for digit in definition.id)
    are_ours: NDArray[np.bool_] = (digits[0] == high) & (digits[1] == low)
    if digits.size and digits.max() == NO_DIGIT:
        are_ours &= (digits != NO_DIGIT).all(axis=0)
    return are_ours
