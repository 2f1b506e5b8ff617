"""Cut the bytes of a link into frames.

Pure: bytes in, frames out, whatever the reads' borders. Every framing is bounded, so that a device that never ends a
frame takes no memory; a bad frame is counted and kept for whoever wants to look, and is never fatal. Always, exactly::

    bytes fed == bytes of the frames returned + bad_bytes + sum(discarded.values()) + pending_bytes

where ``bad_bytes`` counts what the framing itself found bad, not what ``keep_bad`` was told of returned frames.

What noise costs: with a delimiter (lines, COBS, SLIP), the frame that it touches, and the next one if the delimiter
between them was hit. With a start pattern and a checksum, only the frames that it touches: the search goes on within
the bad frame. Without a checksum a start pattern or a length that noise made up takes the good frames that it spans.
Frames without a mark are found again by their checksum, or by a silence on the line.
"""

from collections import deque
from typing import Protocol

from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.io.checksums import Checksum
from blitz.io.frame_account import BAD_FRAMES_KEPT, DISCARD_REASONS, BadFrame
from blitz.io.line_framing import DelimitedFraming, LineFraming
from blitz.io.pattern_framing import FixedFraming, StartFraming
from blitz.io.stuffed_framing import CobsFraming, SlipFraming

__all__ = [
    "BAD_FRAMES_KEPT",
    "DISCARD_REASONS",
    "BadFrame",
    "Framing",
    "LineFraming",
    "make_framing",
]


class Framing(Protocol):
    """Cuts the bytes of one link into frames, in one thread."""

    bad_count: int
    """Frames dropped since the beginning."""
    bad_bytes: int
    """The bytes of them; those of an over-long frame beyond the limit are ``discarded``."""
    bad_frames: deque[BadFrame]
    """The last hundred of them."""
    discarded: dict[str, int]
    """Bytes that are in no frame, by reason: one of ``DISCARD_REASONS``."""

    @property
    def pending_bytes(self) -> int:
        """Bytes read that belong to an unfinished frame."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read brought; return the frames that it completed, in order: only what they hold."""

    def reset(self) -> None:
        """Begin anew after the link was lost: what came of an unfinished frame is a bad frame."""

    def keep_bad(self, frame: bytes, reason: str = ...) -> None:
        """Count a returned frame that turned out to mean nothing, and keep it."""

    def flush(self) -> list[bytes]:
        """Take note of a silence on the line; return the frames that it completed.

        Only frames of a fixed size without mark and checksum begin anew then.
        """


def make_framing(rule: FramingRule) -> Framing:
    r"""Return the framing that a rule describes.

    >>> rule = FramingRule(kind="start_fixed", start="aa55", size=3, checksum="XOR-8")
    >>> make_framing(rule).feed(b"?\xaa\x55\x01\x02\x03")
    [b'\x01\x02']
    """
    checksum = Checksum(rule.checksum, rule.byte_order) if rule.checksum else None
    match rule.kind:
        case FramingKind.LINES if rule.delimiter:
            return DelimitedFraming(bytes.fromhex(rule.delimiter), rule.limit_bytes, checksum)
        case FramingKind.LINES:
            return LineFraming(rule.limit_bytes, checksum)
        case FramingKind.COBS:
            return CobsFraming(rule.limit_bytes, checksum)
        case FramingKind.SLIP:
            return SlipFraming(rule.limit_bytes, checksum)
        case FramingKind.FIXED:
            return FixedFraming(rule, checksum)
        case FramingKind.START_FIXED | FramingKind.START_LENGTH:
            return StartFraming(rule, checksum)
