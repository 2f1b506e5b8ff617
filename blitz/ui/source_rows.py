"""Which rows of a session's source table show the same device's same channels. Pure.

A changed definition gives a device a new row under the same name. Where the channels still stand at the same places,
the newer row goes on with the curves of the older one: renamed, and converted where zero or scale changed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import BoardDefinition, Channel
from blitz.data.records import Source

COMPUTED = "computed"
"""The link of a source that is a channel computed from others, in the window only."""

_NOT_PLACE = {
    *("name", "unit", "zero", "scale", "divisor", "valid_low", "valid_high", "limit_low", "limit_high"),
    *("label", "color", "decimals", "shown", "counts_messages", "calibration"),
}


@dataclass(frozen=True, eq=False)
class Conversion:
    """How readings by one definition become readings by another: ``values * factor + offset``, a number a channel."""

    factor: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def is_identity(self) -> bool:
        """Whether nothing is to be converted."""
        return bool((self.factor == 1).all() and (self.offset == 0).all())

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert values, shape (n, n_channels)."""
        return values if self.is_identity else values * self.factor + self.offset

    def then(self, other: "Conversion") -> "Conversion":
        """Return this conversion followed by another one."""
        return Conversion(self.factor * other.factor, self.offset * other.factor + other.offset)


@dataclass(frozen=True, eq=False)
class ShownAs:
    """The row under which a row's readings are shown, and how they are converted for it."""

    row: int
    conversion: Conversion


def latest_rows(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Return the last row of each name, in the order of names: what is live."""
    latest = {source.name: source for source in sorted(sources, key=lambda source: source.index)}
    return tuple(sorted(latest.values(), key=name_order))


def name_order(source: Source) -> tuple[tuple[tuple[str, int], ...], int]:
    """Return what to sort sources by: a device keeps its place and its colours, whatever row a session gave it.

    >>> names = ("ttyUSB10", "ttyUSB9", "cell", "ttyUSB")
    >>> sources = [Source(index=n, name=name, link="") for n, name in enumerate(names)]
    >>> [source.name for source in sorted(sources, key=name_order)]
    ['cell', 'ttyUSB', 'ttyUSB9', 'ttyUSB10']
    """
    parts = re.split("([0-9]+)", source.name.casefold())
    return tuple(("", int(part)) if n % 2 else (part, 0) for n, part in enumerate(parts)), source.index


def shown_rows(sources: Iterable[Source], *, converted: bool = True) -> dict[int, ShownAs]:
    """Tell for each row with a definition under which one its readings are shown.

    :param converted: False: a row with another zero or scale stays by itself.
    """
    by_name: dict[str, list[Source]] = {}
    for source in sorted(sources, key=lambda source: source.index, reverse=True):
        by_name.setdefault(source.name, []).append(source)
    shown = {}
    for rows in by_name.values():
        known = [(row.index, row.definition) for row in rows if row.definition is not None]
        if known:
            index, definition = known[0]
            shown[index] = ShownAs(index, _identity(len(definition.channels)))
        for (newer, definition), (older, before) in pairwise(known):
            conversion = find_conversion(before, definition)
            if conversion is None or not (converted or conversion.is_identity):
                shown[older] = ShownAs(older, _identity(len(before.channels)))
            else:
                shown[older] = ShownAs(shown[newer].row, conversion.then(shown[newer].conversion))
    return shown


def find_conversion(before: BoardDefinition, after: BoardDefinition) -> Conversion | None:
    """Return how readings by one definition become readings by another; None where only raw messages could tell."""
    if before.format is not after.format or len(before.channels) != len(after.channels):
        return None
    parts = [_convert(old, new) for old, new in zip(before.channels, after.channels, strict=True)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Conversion(np.array([factor for factor, _ in known]), np.array([offset for _, offset in known]))


def sent_number(channel: Channel, value: float) -> float | None:
    """Return the number that the device sent for a value; None where table or polynomial hide it.

    >>> sent_number(Channel(name="a", zero=100, scale=0.5), 6.0)
    112.0
    """
    if channel.table or channel.polynomial or channel.scale == 0:
        return None
    return value * channel.divisor / channel.scale + channel.zero


def _convert(old: Channel, new: Channel) -> tuple[float, float] | None:
    if old.model_dump(exclude=_NOT_PLACE) != new.model_dump(exclude=_NOT_PLACE):
        return None
    if old.table or old.polynomial or (old.zero, old.scale, old.divisor) == (new.zero, new.scale, new.divisor):
        return 1.0, 0.0
    if old.scale == 0:
        return None
    factor = new.scale / new.divisor
    return old.divisor / old.scale * factor, (old.zero - new.zero) * factor


def _identity(count: int) -> Conversion:
    return Conversion(np.ones(count), np.zeros(count))
