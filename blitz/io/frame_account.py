"""The account of a framing: every byte is in a frame, in a bad frame, discarded for a stated reason, or pending."""

from collections import deque
from typing import NamedTuple

BAD_FRAMES_KEPT = 100

LINE_ENDINGS = "line endings"
DELIMITERS = "delimiters"
STUFFING = "stuffing"
START_AND_LENGTH = "start pattern and length"
CHECKSUMS = "checksums"
BETWEEN_FRAMES = "between frames"
OVER_LONG = "over-long"

DISCARD_REASONS = (LINE_ENDINGS, DELIMITERS, STUFFING, START_AND_LENGTH, CHECKSUMS, BETWEEN_FRAMES, OVER_LONG)
"""Why bytes are in no frame, good or bad: the keys of ``discarded``."""

UNFINISHED = "unfinished when the link was lost"


class BadFrame(NamedTuple):
    """A frame that was dropped, for the operator to look at."""

    raw: bytes
    """Its first ``limit_bytes``, as they were received."""
    reason: str
    """One phrase, such as "checksum is 1a2b, expected 1a2c"."""


class FrameAccount:
    """What a framing found besides frames. Its counters only grow.

    :param limit_bytes: so much of a bad frame is kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.pending = b""
        """The bytes of an unfinished frame."""
        self.bad_count = 0
        """Frames dropped since the beginning."""
        self.bad_bytes = 0
        """The bytes of them; those of an over-long frame beyond ``limit_bytes`` are ``discarded``."""
        self.bad_frames: deque[BadFrame] = deque(maxlen=BAD_FRAMES_KEPT)
        """The last of them."""
        self.discarded: dict[str, int] = dict.fromkeys(DISCARD_REASONS, 0)
        """Bytes that are in no frame, by reason."""

    @property
    def pending_bytes(self) -> int:
        """Bytes read that belong to an unfinished frame."""
        return len(self.pending)

    def keep_bad(self, frame: bytes, reason: str = "means nothing") -> None:
        """Count a frame that means nothing and keep its beginning; also for whoever finds that out later."""
        self.bad_count += 1
        self.bad_bytes += len(frame)
        self.bad_frames.append(BadFrame(frame[: self.limit_bytes], reason))

    def reset(self) -> None:
        """Begin anew after the link was lost: what came of an unfinished frame is a bad frame."""
        if self.pending:
            self.keep_bad(self.pending, UNFINISHED)
        self.pending = b""

    def flush(self) -> list[bytes]:
        """Take note of a silence on the line; return the frames that it completed."""
        return []

    def keep_overlong(self, frame: bytes) -> None:
        """Keep the beginning of a frame that is longer than ``limit_bytes``; the rest is discarded."""
        self.keep_bad(frame[: self.limit_bytes], f"longer than {self.limit_bytes} bytes")
        self.discarded[OVER_LONG] += len(frame) - self.limit_bytes
