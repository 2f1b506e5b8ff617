"""Board definitions, and what they make of raw messages: readings in physical units.

Pure: definitions and arrays in, arrays out. A definition is a template for a kind of board; those that were in force
are saved with each session, so that an old session stays readable, and a corrected definition reads it anew.
Bit positions follow the serial protocol: most significant first, the payload beginning at bit 48 of the line.
"""

import importlib.resources
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from blitz.data.bits import HEAD_DIGITS, NO_DIGIT, hex_digits, number, timestamps
from blitz.data.device_clock import DeviceClock
from blitz.errors import BoardMismatch, ConfigError

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

LINE_DIGITS = 28
"""Length of a data line; extended ones are longer."""

_FLAG_BIT = 11
_FLAG_COUNT = 5


class Channel(BaseModel):
    """One quantity of a board: where its bits stand in a message, and what they mean.

    value = (number - zero) * scale / divisor, in ``unit``; ``number`` is the integer that the bits make.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="unique within the board; the category's variable name")
    bit: int = Field(ge=0, description="first bit, counted from the start of the payload, or of the flags")
    bits: int = Field(ge=1, le=64)
    is_flag: bool = Field(False, description="the bits stand in flag1..flag5 of the head, not in the payload")
    signed: bool = False
    zero: float = 0.0
    scale: float = 1.0
    divisor: float = 1.0
    unit: str = ""
    shown: bool = Field(True, description="whether a plot shows it when nobody chose otherwise")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_flag and self.bit + self.bits > _FLAG_COUNT:
            raise ValueError(f"channel {self.name!r} reaches beyond the {_FLAG_COUNT} flags")
        if self.divisor == 0:
            raise ValueError(f"channel {self.name!r} has the divisor 0")
        return self

    @property
    def first_bit(self) -> int:
        """First bit, counted from the start of the line."""
        return self.bit + (_FLAG_BIT if self.is_flag else 4 * HEAD_DIGITS)


class BoardDefinition(BaseModel):
    """A kind of board: its id on the wire, its name and its channels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern="^[0-9a-f]{2}$", description="the first two hex digits of each line, lower case")
    name: str
    has_clock: bool = Field(True, description="bits 16-47 are milliseconds of the device's clock")
    channels: tuple[Channel, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, count in Counter(channel.name for channel in self.channels).items():
            if count > 1:
                raise ValueError(f"there are {count} channels {name!r}")
        return self

    @property
    def needed_digits(self) -> int:
        """Length of the shortest message that holds all channels."""
        ends = [-(-(channel.first_bit + channel.bits) // 4) for channel in self.channels]
        return max([LINE_DIGITS, *ends])


def load_definitions(folder: Path | None = None) -> dict[str, BoardDefinition]:
    """Read the built-in definitions, and those of a folder, which override them.

    :param folder: its ``*.toml`` files hold a definition each.
    :returns: definitions by id.
    :raises ConfigError: naming the file that cannot be read, and why.

    >>> load_definitions()["09"].name
    'Motor'
    """
    places: list[Traversable] = [importlib.resources.files("blitz.data") / "definitions"]
    if folder is not None:
        places.append(folder)
    definitions = {}
    for place in places:
        try:
            files = sorted(
                (file for file in place.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name
            )
        except OSError as error:
            raise ConfigError(f"Cannot read board definitions from {place}: {error.strerror}.") from error
        for file in files:
            definition = _read_definition(file)
            definitions[definition.id] = definition
    return definitions


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
        numbers = number(digits, channel.first_bit, channel.bits, channel.signed)
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


def _read_definition(file: Traversable) -> BoardDefinition:
    try:
        return BoardDefinition.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"Cannot read the board definition {file}: {error.strerror}.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        reason = str(problem["msg"]).removeprefix("Value error, ")
        raise ConfigError(
            f"The board definition {file} is wrong{f' at {place}' if place else ''}: {reason}."
        ) from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise ConfigError(f"The board definition {file} is not TOML: {error}.") from error
