"""How binary bytes are cut into frames, proposed from a sample: stuffing, start patterns, lengths, sizes. Pure.

What is proposed is always tried: a rule counts only if the product's own framing cuts most of the sample by it.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.io.doctor_checksum import find_checksum
from blitz.io.doctor_cut import FEWEST_FRAMES, NO_CHECKSUM, ByteOrder, Cut, Length, length_cut, try_rule, with_checksum
from blitz.io.doctor_periods import MARKS, find_periodic
from blitz.io.framing import make_framing

SAMPLE_BYTES = 16384
"""So much of a sample is looked at; more says nothing new."""

_PATTERNS_TRIED = 12


def find_cuts(sample: bytes) -> list[Cut]:
    """Return the ways in which a sample may be cut, the best first."""
    sample = sample[:SAMPLE_BYTES]
    periodic = list(find_periodic(sample))
    shortest = min((_mean_size(cut) for cut in periodic), default=0.0)
    # A number that counts up passes the mark of a stuffed frame at regular times, too, but not once a message.
    stuffed = [cut for cut in _stuffed(sample) if cut.checksum or not 0 < 1.5 * shortest < _mean_size(cut)]
    return sorted([*stuffed, *_with_lengths(sample), *periodic], key=lambda cut: -cut.evidence)


def _mean_size(cut: Cut) -> float:
    return sum(map(len, cut.frames)) / max(1, len(cut.frames))


def _stuffed(sample: bytes) -> Iterator[Cut]:
    for kind, mark, title in ((FramingKind.COBS, b"\0", "COBS"), (FramingKind.SLIP, b"\xc0", "SLIP")):
        rule = FramingRule(kind=kind)
        # A frame that is never empty has no two marks in a row; zeros in plain numbers do.
        if kind is FramingKind.COBS and sample.count(mark + mark) * 5 > sample.count(mark):
            continue
        frames = try_rule(rule, sample)
        if frames is None:
            continue
        frames = frames[1:]  # the first may lack its beginning
        checksum = find_checksum(frames)
        lengths = Counter(map(len, frames)).most_common(2)
        regular = lengths[0][1] / len(frames)
        reasons = [f"frames end with {mark.hex()}, and {len(frames)} are right as {title}"]
        if checksum is not None:
            rule = with_checksum(rule, checksum)
            reasons.append(str(checksum))
            yield Cut(rule, make_framing(rule).feed(sample), 1.0 if checksum.is_proof else 0.9, (*reasons,), checksum)
            continue
        mean = sum(map(len, frames)) / len(frames)
        if mean < 3 or (kind is FramingKind.SLIP and regular < 0.8):
            continue
        reasons.append(NO_CHECKSUM)
        if regular > 0.8:
            reasons.append(f"they hold {lengths[0][0]} bytes each")
        yield Cut(rule, frames, 0.8 if kind is FramingKind.COBS else 0.76, tuple(reasons))


_ORDERS: tuple[ByteOrder, ...] = ("little", "big")
_LENGTHS = (
    # The longer first: where the upper byte is always zero both fit.
    *(Length(offset, 2, order) for offset in range(3) for order in _ORDERS),
    *(Length(offset, 1, "little") for offset in range(4)),
)


def _with_lengths(sample: bytes) -> Iterator[Cut]:
    """Look for a start pattern behind which a length tells where the next one is."""
    sizes = np.frombuffer(sample, np.uint8).astype(np.int64)
    for start in _frequent(sample):
        places = _places(sample, start)
        best: tuple[int, Length, int] | None = None
        for length in _LENGTHS:
            told = _told(sizes, places + len(start) + length.offset, length)
            between = np.diff(places)
            told = told[: len(between)]
            added = between[: len(told)] - len(start) - length.offset - length.size - told
            adds, count = _usual(added)
            # A byte that is nearly always the same tells nothing.
            others = count - _usual(told[added == adds])[1]
            is_varied = others > max(2, 0.05 * len(places))
            if is_varied and abs(adds) <= 32 and count > 0.6 * len(places) and (best is None or count > best[0]):
                best = count, length, adds
        if best is not None:
            cut = length_cut(sample, start, best[1], best[2])
            if cut is not None:
                yield cut


def _frequent(sample: bytes) -> list[bytes]:
    """Return byte pairs, and bytes that protocols begin with, that come often."""
    pairs = Counter(sample[place : place + 2] for place in range(len(sample) - 1))
    singles = Counter(sample)
    common = [
        pair
        for pair, count in pairs.most_common(_PATTERNS_TRIED)
        if count >= FEWEST_FRAMES and pair not in (b"\0\0", b"\xff\xff")
    ]
    marks = sorted((mark for mark in MARKS if singles[mark] >= FEWEST_FRAMES), key=lambda mark: -singles[mark])
    return [*common, *(bytes([mark]) for mark in marks[:_PATTERNS_TRIED])]


def _places(sample: bytes, start: bytes) -> NDArray[np.int64]:
    places = []
    place = sample.find(start)
    while place >= 0:
        places.append(place)
        place = sample.find(start, place + len(start))
    return np.array(places, np.int64)


def _told(sizes: NDArray[np.int64], places: NDArray[np.int64], length: Length) -> NDArray[np.int64]:
    """Return what the length fields at these places say."""
    places = places[places + length.size <= len(sizes)]
    if length.size == 1:
        return sizes[places]
    first, second = sizes[places], sizes[places + 1]
    return first + 256 * second if length.order == "little" else 256 * first + second


def _usual(numbers: NDArray[np.int64]) -> tuple[int, int]:
    """Return the most frequent number, and how often it comes."""
    if not len(numbers):
        return 0, 0
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[counts.argmax()]), int(counts.max())
