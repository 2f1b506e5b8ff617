"""What board definitions make of raw messages: readings in physical units.

Pure: definitions and arrays in, arrays out. How each format is read stands in the modules named after the formats.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.blitz_format import BlitzLayout, decode_values, device_ms
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format, load_definitions
from blitz.data.calibration import calibrate
from blitz.data.device_clock import DeviceClock
from blitz.data.json_format import JsonLayout
from blitz.data.layout import Layout, Rows
from blitz.data.struct_format import StructLayout
from blitz.data.text_formats import ColumnsLayout, PairsLayout

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

_LATEST_NS = 1 << 62
"""About 146 years: device times beyond it are none."""

_TICKS = {"s": (1_000_000, 1000), "ms": (1000, 1000), "us": (1000, 1)}
"""By unit: ticks in it, fine enough for fractions, and nanoseconds of a tick."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What the messages of one source in one block mean.

    :param seq: int64, shape (n,), rising: which messages of the session they are.
    :param time_ns: int64, shape (n,), nanoseconds since the Unix epoch, never falling.
    :param values: float64, shape (n, n_channels), NaN in messages that are none of this board's.
    :param uncertainty_ns: int64, shape (n,): how far the time may be off; 0 where it is that of the arrival.
    """

    session_id: int
    source: "Source"
    seq: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    values: NDArray[np.float64] = field(repr=False)
    uncertainty_ns: NDArray[np.int64] = field(repr=False)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The columns of ``values``."""
        return self.source.definition.channels if self.source.definition else ()

    def __len__(self) -> int:
        return len(self.seq)


@dataclass(frozen=True, eq=False)
class UntimedReadings:
    """What the messages of one source in one block mean, before its clock was followed.

    :param seq: as :class:`Readings` has it.
    :param values: as :class:`Readings` has it.
    :param arrived_ns: int64, shape (n,).
    :param ticks: int64, shape (n,), the device's clock; None where it has none.
    """

    session_id: int
    source: "Source"
    seq: NDArray[np.int64]
    values: NDArray[np.float64] = field(repr=False)
    arrived_ns: NDArray[np.int64] = field(repr=False)
    ticks: NDArray[np.int64] | None = field(repr=False)


class SessionDecoder:
    """Decodes the blocks of one session, in their order, since the sources' clocks are followed.

    :param sources: the session's source table; sources without a definition are left out of what is decoded.
    """

    def __init__(self, sources: Iterable["Source"] = ()) -> None:
        self._sources: dict[int, Source] = {}
        self._clocks: dict[int, DeviceClock] = {}
        self._layouts: dict[int, tuple[BoardDefinition, Layout]] = {}
        self.update(sources)

    @property
    def sources(self) -> tuple["Source", ...]:
        """The source table, by index."""
        return tuple(self._sources[index] for index in sorted(self._sources))

    def update(self, sources: Iterable["Source"]) -> None:
        """Add sources, or replace those with the same index; their clocks go on."""
        for source in sources:
            self._sources[source.index] = source

    def fork(self) -> "SessionDecoder":
        """Return a copy whose clocks go on from here by themselves."""
        twin = SessionDecoder(self.sources)
        twin._clocks = copy.deepcopy(self._clocks)
        twin._layouts = dict(self._layouts)
        return twin

    def decode(self, block: "MessageBlock") -> list[Readings]:
        """Decode a block; whatever a device sent, nothing is raised.

        :returns: one entry a source that has a definition and messages in the block, by the source's index.
        """
        return [self.follow(untimed) for untimed in self.read(block)]

    def read(self, block: "MessageBlock") -> list[UntimedReadings]:
        """Do the part of decoding that no order matters to: usable from several threads, for several blocks at once."""
        found = []
        for index in np.flatnonzero(np.bincount(block.source)).tolist():
            source = self._sources.get(index)
            if source is not None and source.definition is not None:
                found.append(self._read_source(block, source, source.definition))
        return found

    def follow(self, untimed: UntimedReadings) -> Readings:
        """Do the rest, in the order of the blocks: follow the source's clock."""
        source, time_ns = untimed.source, untimed.arrived_ns
        uncertainty_ns = np.zeros(len(time_ns), np.int64)
        if untimed.ticks is not None and source.definition is not None:
            if source.index not in self._clocks:
                self._clocks[source.index] = clock_of(source.definition)
            time_ns, uncertainty_ns = self._clocks[source.index].follow(untimed.ticks, untimed.arrived_ns)
        return Readings(untimed.session_id, source, untimed.seq, time_ns, untimed.values, uncertainty_ns)

    def clock_states(self) -> dict[str, Any]:
        """Return where the sources' clocks stand, fit for JSON."""
        return {str(index): clock.state() for index, clock in self._clocks.items()}

    def restore_clocks(self, states: Mapping[str, Any]) -> None:
        """Go on from what :meth:`clock_states` of a decoder of the same sources returned."""
        self._clocks = {}
        for index, state in states.items():
            source = self._sources.get(int(index))
            if source is not None and source.definition is not None:
                self._clocks[source.index] = clock_of(source.definition)
                self._clocks[source.index].restore(state)

    def _read_source(self, block: "MessageBlock", source: "Source", definition: BoardDefinition) -> UntimedReadings:
        of_source = np.flatnonzero(block.source == source.index)
        numbers, clock = self._layout(source.index, definition).decode(Rows.of_block(block, of_source))
        values = calibrate(definition.channels, numbers)
        ticks = None if clock is None else ticks_of(definition, clock)
        arrived_ns = block.arrived_ns if len(of_source) == len(block) else block.arrived_ns[of_source]
        return UntimedReadings(block.session_id, source, block.first_seq + of_source, values, arrived_ns, ticks)

    def _layout(self, index: int, definition: BoardDefinition) -> Layout:
        known = self._layouts.get(index)
        if known is None or known[0] != definition:
            known = self._layouts[index] = definition, layout_of(definition)
        return known[1]


def layout_of(definition: BoardDefinition) -> Layout:
    """Return what decodes the messages of a definition."""
    return _LAYOUTS[definition.format](definition)


def clock_of(definition: BoardDefinition) -> DeviceClock:
    """Return a clock that follows a device of this definition, from its first message on."""
    if definition.format is Format.BLITZ:
        return DeviceClock()
    rule = definition.clock or Clock(wraps_at=None)
    per_unit, tick_ns = _TICKS[rule.unit]
    wrap_ticks = (rule.wraps_at or 0) * per_unit
    return DeviceClock(tick_ns, wrap_ticks if 0 < wrap_ticks < _LATEST_NS // tick_ns else None)


def ticks_of(definition: BoardDefinition, clock: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return device times, as a layout gives them, in ticks of :func:`clock_of`; -1 where there is none."""
    if definition.format is Format.BLITZ:
        return clock.astype(np.int64, copy=False)
    per_unit, tick_ns = _TICKS[(definition.clock or Clock()).unit]
    return _ticks(clock, per_unit, _LATEST_NS // tick_ns)


def channel_labels(sources: Iterable["Source"]) -> dict[tuple[int, str], str]:
    """Name every channel of a session for people.

    Rows of the table with one source name are one device whose definition was changed: their channels go on under one
    label.

    :returns: by source index and channel name: the channel's name, behind the source's where two sources share it.
    """
    pairs = [
        (source, channel.name) for source in sources if source.definition for channel in source.definition.channels
    ]
    owners: dict[str, set[str]] = {}
    for source, name in pairs:
        owners.setdefault(name, set()).add(source.name)
    return {(source.index, name): name if len(owners[name]) == 1 else f"{source.name} {name}" for source, name in pairs}


def _ticks(clock: NDArray[np.float64] | NDArray[np.int64], per_unit: int, latest: int) -> NDArray[np.int64]:
    """Return times of a device as whole ticks, -1 where there is none."""
    numbers = np.asarray(clock, np.float64)
    is_time = (numbers >= 0) & (numbers < latest / per_unit)
    usable = np.where(is_time, numbers, 0)
    # In two parts: a product of large floats would lose the last ticks.
    whole = usable.astype(np.int64)
    ticks = whole * per_unit + np.rint((usable - whole) * per_unit).astype(np.int64)
    return np.where(is_time, ticks, -1)


def _plugin_layout(definition: BoardDefinition) -> Layout:
    from blitz.data.board_plugins import PluginLayout  # the one format whose modules are looked for on disk

    return PluginLayout(definition)


_LAYOUTS: dict[Format, Callable[[BoardDefinition], Layout]] = {
    Format.BLITZ: BlitzLayout,
    Format.COLUMNS: ColumnsLayout,
    Format.PAIRS: PairsLayout,
    Format.JSON: JsonLayout,
    Format.STRUCT: StructLayout,
    Format.PLUGIN: _plugin_layout,
}
