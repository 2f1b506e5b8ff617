"""Cut the bytes of a link into lines.

Pure: bytes in, lines out. The buffer is bounded, so that a device that never ends a line takes no memory. A bad frame,
over-long or unfinished when the link went, is counted and kept for whoever wants to look, and is never fatal.
"""

import re
from collections import deque

BAD_FRAMES_KEPT = 100

_LINE_END = re.compile(rb"[\r\n]")


class LineFraming:
    """Lines that end with CR, LF or both. One framing serves one link, in one thread.

    >>> framing = LineFraming()
    >>> framing.feed(b"0840\\r\\n08ff00")
    [b'0840']
    >>> framing.pending
    b'08ff00'

    :param limit_bytes: a longer line is a bad frame.
    """

    def __init__(self, limit_bytes: int = 4096) -> None:
        self.limit_bytes = limit_bytes
        self.pending = b""
        """The unfinished line, at most ``limit_bytes`` long."""
        self.bad_count = 0
        """Frames dropped since the beginning."""
        self.bad_frames: deque[bytes] = deque(maxlen=BAD_FRAMES_KEPT)
        """The first ``limit_bytes`` of each of the last bad frames."""
        self._is_skipping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read brought; return the lines that it completed, in order, without their endings.

        Empty lines are dropped: a board's ``\\r\\n`` may come in two reads, and means nothing twice.
        """
        if self._is_skipping:
            chunk = self._skip(chunk)
        received = self.pending + chunk
        lines = received.splitlines()
        # splitlines knows CR, LF and CR LF as endings; a last line without one goes on with the next chunk.
        self.pending = lines.pop() if lines and received[-1] not in b"\r\n" else b""
        if b"" in lines:
            lines = [line for line in lines if line]
        if lines and max(map(len, lines)) > self.limit_bytes:
            lines = self._without_overlong(lines)
        if len(self.pending) > self.limit_bytes:
            self.keep_bad(self.pending)
            self.pending = b""
            self._is_skipping = True
        return lines

    def reset(self) -> None:
        """Begin anew after the link was lost: what came of an unfinished line is a bad frame."""
        if self.pending:
            self.keep_bad(self.pending)
        self.pending = b""
        self._is_skipping = False

    def _skip(self, chunk: bytes) -> bytes:
        """Drop the rest of an over-long line, up to its end."""
        end = _LINE_END.search(chunk)
        if end is None:
            return b""
        self._is_skipping = False
        return chunk[end.end() :]

    def _without_overlong(self, lines: list[bytes]) -> list[bytes]:
        good = []
        for line in lines:
            if len(line) > self.limit_bytes:
                self.keep_bad(line)
            else:
                good.append(line)
        return good

    def keep_bad(self, frame: bytes) -> None:
        """Count a frame that means nothing and keep its beginning; also for whoever finds that out later."""
        self.bad_count += 1
        self.bad_frames.append(frame[: self.limit_bytes])
