"""What another version of the definitions makes of the same messages: channel by channel, how far they differ. Pure."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import Channel
from blitz.data.boards import Readings, SessionDecoder
from blitz.data.records import Record, Source

_PLACE = ("bit", "bits", "is_flag", "signed", "byte_order", "column", "offset", "type")


class ChannelComparison(Record):
    """One channel under two versions; a channel that only one of them has is counted, and not compared."""

    source: str
    before: str | None = Field(description="the channel's name in the first version; absent: it has none")
    after: str | None
    unit_before: str = ""
    unit_after: str = ""
    compared: int = Field(default=0, description="readings that both versions have")
    differing: int = Field(default=0, description="how many of those have another value")
    largest_difference: float = Field(default=0.0, description="of value and value, whatever their units")
    only_before: int = Field(default=0, description="messages of which only the first version makes a reading")
    only_after: int = 0
    moved: int = Field(default=0, description="messages that have another time")

    @property
    def is_renamed(self) -> bool:
        """Whether both versions have it, under different names."""
        return None not in (self.before, self.after) and self.before != self.after

    @property
    def is_same(self) -> bool:
        """Whether both versions say the same of it."""
        counts = (self.differing, self.only_before, self.only_after, self.moved)
        return self.before == self.after and self.unit_before == self.unit_after and not any(counts)


class VersionComparison(Record):
    """A session under two versions of its definitions."""

    channels: tuple[ChannelComparison, ...]

    @property
    def is_same(self) -> bool:
        """Whether both versions say the same."""
        return all(channel.is_same for channel in self.channels)


class _Pair:
    """A channel of a source, with its column in either version."""

    def __init__(self, source: str, before: Channel | None, after: Channel | None) -> None:
        self.source, self.before, self.after = source, before, after
        self.compared = self.differing = self.only_before = self.only_after = self.moved = 0
        self.largest = 0.0

    def add(self, before: NDArray[np.float64] | None, after: NDArray[np.float64] | None, moved: int) -> None:
        """Count a block's values; None where a version has no such channel."""
        if before is None or after is None:
            self.only_before += 0 if before is None else int(np.count_nonzero(~np.isnan(before)))
            self.only_after += 0 if after is None else int(np.count_nonzero(~np.isnan(after)))
            return
        is_before, is_after = ~np.isnan(before), ~np.isnan(after)
        both = is_before & is_after
        self.compared += int(np.count_nonzero(both))
        self.only_before += int(np.count_nonzero(is_before & ~is_after))
        self.only_after += int(np.count_nonzero(is_after & ~is_before))
        self.moved += moved
        differs = both & (before != after)
        self.differing += int(np.count_nonzero(differs))
        if differs.any():
            with np.errstate(invalid="ignore", over="ignore"):
                self.largest = max(self.largest, float(np.abs(after[differs] - before[differs]).max()))

    def result(self) -> ChannelComparison:
        """Return what was counted."""
        return ChannelComparison(
            source=self.source,
            before=_name(self.before),
            after=_name(self.after),
            unit_before=self.before.unit if self.before else "",
            unit_after=self.after.unit if self.after else "",
            compared=self.compared,
            differing=self.differing,
            largest_difference=self.largest,
            only_before=self.only_before,
            only_after=self.only_after,
            moved=self.moved,
        )


def compare_readings(
    blocks: Iterable[MessageBlock],
    before: Sequence[Source],
    after: Sequence[Source],
    progress: Callable[[int], None] | None = None,
) -> VersionComparison:
    """Decode a session's blocks, from its first, by two source tables, and compare what comes out.

    Rows of one device, under one name, are one. A channel that stands at the same place of the message under another
    name was renamed.

    :param progress: called with the messages done.
    """
    decoders = SessionDecoder(before), SessionDecoder(after)
    pairs: dict[tuple[str, str | None, str | None], _Pair] = {}
    plans: dict[int, list[_Pair]] = {}
    for old, new in zip(before, after, strict=True):
        plans[old.index] = [
            pairs.setdefault((old.name, _name(first), _name(second)), _Pair(old.name, first, second))
            for first, second in match_channels(_channels(old), _channels(new))
        ]
    for block in blocks:
        firsts, seconds = ({readings.source.index: readings for readings in each.decode(block)} for each in decoders)
        for index in sorted(firsts.keys() | seconds.keys()):
            _add(plans[index], firsts.get(index), seconds.get(index))
        if progress is not None:
            progress(block.next_seq)
    return VersionComparison(channels=tuple(pair.result() for pair in pairs.values()))


def _add(plan: list[_Pair], before: Readings | None, after: Readings | None) -> None:
    moved = 0
    if before is not None and after is not None:
        moved = int(np.count_nonzero(before.time_ns != after.time_ns))
    for pair in plan:
        pair.add(_column(before, pair.before), _column(after, pair.after), moved)


def _column(readings: Readings | None, channel: Channel | None) -> NDArray[np.float64] | None:
    if readings is None or channel is None:
        return None
    names = [each.name for each in readings.channels]
    return readings.values[:, names.index(channel.name)] if channel.name in names else None


def _name(channel: Channel | None) -> str | None:
    return None if channel is None else channel.name


def _channels(source: Source) -> tuple[Channel, ...]:
    return source.definition.channels if source.definition else ()


def match_channels(before: Sequence[Channel], after: Sequence[Channel]) -> list[tuple[Channel | None, Channel | None]]:
    """Pair channels by name, then by their place in the message; what is left was removed or added."""
    by_name = {channel.name: channel for channel in after}
    matched: dict[str, Channel] = {channel.name: by_name[channel.name] for channel in before if channel.name in by_name}
    free = [channel for channel in after if channel.name not in matched]
    for channel in before:
        same = [each for each in free if channel.name not in matched and _place(each) == _place(channel)]
        if same:
            matched[channel.name] = same[0]
            free.remove(same[0])
    return [(channel, matched.get(channel.name)) for channel in before] + [(None, channel) for channel in free]


def _place(channel: Channel) -> tuple[object, ...]:
    return tuple(getattr(channel, name) for name in _PLACE)
