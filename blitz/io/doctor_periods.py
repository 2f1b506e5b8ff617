"""Frames of one size, found by what comes again after so many bytes. Pure."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.io.doctor_checksum import find_checksum
from blitz.io.doctor_cut import FEWEST_FRAMES, NO_CHECKSUM, Cut, Length, checked, length_cut, try_rule, with_checksum
from blitz.io.doctor_struct import find_layout
from blitz.io.framing import make_framing

_LONGEST_PERIOD = 512
_LONGEST_PHASED = 64
_CONSTANT = 0.97
_COUNTING = 0.9
_ALIKE_NEEDED = 0.12
_NEWS_ALLOWED = 3.6
"""Bits a byte: noise has 5.6."""

MARKS = frozenset(b"\x02\x10\x16\x24\x3a\x3c\x55\x5a\x5b\x68\x7b\x7e\xa5\xaa\xab\xb5\xc0\xeb\xfa\xfe\xff")
"""Bytes that protocols begin with; others that never change may as well be a number's upper half."""


def find_periodic(sample: bytes) -> Iterator[Cut]:
    """Look for frames of one size: the same bytes, or bytes that change slowly, come again after so many."""
    sizes = np.frombuffer(sample, np.uint8)
    for period in _periods(sizes):
        rows = sizes[: len(sizes) // period * period].reshape(-1, period)
        marked = _marked(sample, rows, period)
        if marked is not None:
            yield marked
        if marked is not None and marked.evidence > 0.6:
            return
        unmarked = _unmarked(sample, period)
        if unmarked is not None:
            yield unmarked
            return


def _periods(sizes: NDArray[np.uint8]) -> list[int]:
    """Return the sizes after which the bytes come again best, the smallest first."""
    longest = min(_LONGEST_PERIOD, len(sizes) // FEWEST_FRAMES)
    alike = np.array([float(np.mean(sizes[lag:] == sizes[:-lag])) for lag in range(1, longest + 1)])
    if not len(alike) or alike.max() < max(_ALIKE_NEEDED, 1 / 256 + 6 / 16 / len(sizes) ** 0.5):
        return []
    good = np.flatnonzero(alike >= 0.85 * alike.max()) + 1
    return [int(lag) for lag in dict.fromkeys([int(good[0]), int(alike.argmax()) + 1]) if lag > 1]


def _marked(sample: bytes, rows: NDArray[np.uint8], period: int) -> Cut | None:
    """Propose a start pattern: bytes that are the same in each frame; behind it may stand the frame's length."""
    usual = [Counter(column.tolist()).most_common(1)[0] for column in rows.T]
    constant = [value if count >= _CONSTANT * len(rows) else None for value, count in usual]
    counting = (np.diff(rows, axis=0) == 1).mean(axis=0) > _COUNTING  # bytes wrap by themselves
    behind_counter = {(int(column) + 1) % period for column in np.flatnonzero(counting)}
    cuts: list[Cut] = []
    for place in range(period):
        for width in (2, 1, 3, 4):
            values = [constant[(place + step) % period] for step in range(width + 1)]
            start = bytes(value for value in values[:width] if value is not None)
            if place in behind_counter:  # the upper bytes of that number, which stay as they are for a while
                continue
            if len(start) < width or width > period - 2 or not _can_be_start(start):
                continue
            size = period - width - 1
            if values[width] is not None:
                cuts += _constant_length(sample, start, size, values[width] or 0)
            cuts += _constant_size(sample, start, period)
    return max(cuts, key=lambda cut: cut.evidence, default=None)  # the first of equals


def _can_be_start(start: bytes) -> bool:
    return start[0] in MARKS if len(start) == 1 else 0 not in start and len(set(start) | {0xFF}) > 1


def _constant_length(sample: bytes, start: bytes, size: int, told: int) -> Iterator[Cut]:
    """Take the byte behind the start pattern for a length, where it is the number of bytes behind it, or nearly so.

    :param size: bytes behind that byte.
    """
    adds = size - told
    if told < 3 or adds not in (0, 1, 2, 4, -1 - len(start)):
        return
    cut = length_cut(sample, start, Length(0, 1, "little"), adds)
    # It counts the checksum or does not: another difference is chance.
    if cut is not None and adds in (0, -1 - len(start), cut.checksum.size if cut.checksum else 0):
        yield cut


def _constant_size(sample: bytes, start: bytes, period: int) -> Iterator[Cut]:
    rule = FramingRule(kind=FramingKind.START_FIXED, start=start.hex(), size=period - len(start))
    frames = try_rule(rule, sample)
    if frames is None:
        return
    reasons = [f"frames begin with {start.hex(' ')} and have {period} bytes with it"]
    found = checked(rule, frames, start, None)
    if found is not None:
        rule, checksum = found
        frames = make_framing(rule).feed(sample)
        yield Cut(rule, frames, 1.0 if checksum.is_proof else 0.9, (*reasons, str(checksum)), checksum)
        return
    is_pair = len(start) == 2 and (start[0] in MARKS or start[1] in MARKS)
    evidence = 0.7 if is_pair else 0.62 if len(start) == 2 else 0.55
    yield Cut(rule, frames, evidence, (*reasons, NO_CHECKSUM))


def _unmarked(sample: bytes, period: int) -> Cut | None:
    """Propose frames of one size without a mark, beginning where their numbers make the most sense."""
    rule = FramingRule(kind=FramingKind.FIXED, size=period)
    count = len(sample) // period - 1
    phases = range(period if period <= _LONGEST_PHASED else 1)
    cuts = [[sample[p + n * period : p + (n + 1) * period] for n in range(count)] for p in phases]
    for frames in cuts:
        checksum = find_checksum(frames)
        if checksum is not None and checksum.size > 1:
            rule = with_checksum(rule, checksum)
            frames = make_framing(rule).feed(sample)
            reasons = (f"frames have {period} bytes, without a mark", str(checksum))
            return Cut(rule, frames, 0.97, reasons, checksum)
    layouts = [(find_layout(frames[:200]), phase) for phase, frames in enumerate(cuts)]
    ways = [(layout, phase) for layout, phase in layouts if layout is not None]
    if not ways:
        return None
    least = min(layout.bits for layout, _ in ways)
    # Where the numbers say nothing, the sample begins with a frame: most devices are reset when the port is opened.
    good = [way for way in ways if way[0].bits <= least + 2]
    layout, phase = next((way for way in good if way[1] == 0 or way[0].fields[0].is_counter), good[0])
    if layout.bits_a_byte > _NEWS_ALLOWED:
        return None
    reasons = (
        f"bytes come again after {period}",
        "nothing marks where a frame begins: a silence on the line has to tell, and a checksum would be better",
    )
    return Cut(rule, cuts[phase], 0.45, reasons)
