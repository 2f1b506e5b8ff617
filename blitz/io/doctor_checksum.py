"""Which checksum frames end with, found by trying those of the catalogue. Pure."""

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

from blitz.data.checksum_names import NMEA
from blitz.io.checksums import Checksum, checksum_names

_FRAMES_TRIED = 32
_FEWEST = {1: 10, 2: 6, 4: 4}
"""Frames that differ and fit, by the checksum's size: fewer may be chance."""
_SHARE_NEEDED = 0.85


class FoundChecksum(NamedTuple):
    """A checksum that fits."""

    name: str
    byte_order: Literal["big", "little"]
    size: int
    fitting: int
    tried: int

    @property
    def is_proof(self) -> bool:
        """Whether chance cannot have made it: a 16-bit checksum on eight frames, or one as good."""
        return self.size >= 2 and self.fitting >= 8

    def __str__(self) -> str:
        order = "" if self.size == 1 else ", low byte first" if self.byte_order == "little" else ", high byte first"
        return f"{self.name}{order}: fits {self.fitting} of {self.tried} frames that differ"


def find_checksum(frames: Sequence[bytes]) -> FoundChecksum | None:
    """Return the checksum that frames end with, the longest of those that fit; None where none does.

    :param frames: what a checksum covers, with the checksum behind it.
    """
    # Of two that end alike only one says something: a constant frame fits by chance, and always.
    distinct = [frame for frame in dict.fromkeys(frames) if len(frame) > 1][:_FRAMES_TRIED]
    best: FoundChecksum | None = None
    for checksum in _checksums():
        if len(distinct) < _FEWEST[checksum.size]:
            continue
        found = _fit(checksum, distinct)
        if found is not None and (best is None or (found.size, found.fitting) > (best.size, best.fitting)):
            best = found
    return best


def _fit(checksum: Checksum, frames: Sequence[bytes]) -> FoundChecksum | None:
    allowed = int(len(frames) * (1 - _SHARE_NEEDED))
    misses = 0
    endings = set()
    for frame in frames:
        if len(frame) > checksum.size and checksum.fits(frame):
            endings.add(frame[-checksum.size :])
            continue
        misses += 1
        if misses > allowed:
            return None
    fitting = len(frames) - misses
    # A checksum of frames that differ takes many values; a byte that happens to fit does not.
    if fitting < _FEWEST[checksum.size] or len(endings) < _FEWEST[checksum.size] // 2:
        return None
    return FoundChecksum(checksum.name, checksum.byte_order, checksum.size, fitting, len(frames))


@cache
def _checksums() -> tuple[Checksum, ...]:
    orders: tuple[Literal["big", "little"], ...] = ("little", "big")
    return tuple(
        checksum
        for name in checksum_names()
        if name != NMEA
        for order in orders
        if (checksum := Checksum(name, order)).size > 1 or order == "little"
    )
