"""Frames that end with a delimiter: lines of text above all. Pure."""

import re

from blitz.data.checksum_names import NMEA
from blitz.io.checksums import Checksum
from blitz.io.frame_account import (
    CHECKSUMS,
    DELIMITERS,
    LINE_ENDINGS,
    OVER_LONG,
    START_AND_LENGTH,
    FrameAccount,
)

_LINE_END = re.compile(rb"[\r\n]")


class LineFraming(FrameAccount):
    """Lines that end with CR, LF or both. One framing serves one link, in one thread.

    >>> framing = LineFraming()
    >>> framing.feed(b"0840\\r\\n08ff00")
    [b'0840']
    >>> framing.pending
    b'08ff00'

    :param limit_bytes: a longer line is a bad frame.
    :param checksum: what lines end with, before CR and LF. A message of NMEA lies between its ``$``
        (or ``!``) and ``*``.
    """

    def __init__(self, limit_bytes: int = 4096, checksum: Checksum | None = None) -> None:
        super().__init__(limit_bytes)
        self._checksum = checksum
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
        # Of all ways to add up the lengths of thousands of short lines, joining them is the fastest.
        self.discarded[LINE_ENDINGS] += len(received) - len(self.pending) - len(b"".join(lines))
        if not all(lines):
            lines = [line for line in lines if line]
        if len(received) > self.limit_bytes:
            lines = self._bounded(lines, received)
        return lines if self._checksum is None else checked_contents(lines, self._checksum, self)

    def reset(self) -> None:
        """Begin anew after the link was lost: what came of an unfinished line is a bad frame."""
        super().reset()
        self._is_skipping = False

    def _skip(self, chunk: bytes) -> bytes:
        """Drop the rest of an over-long line, up to its end."""
        end = _LINE_END.search(chunk)
        if end is None:
            self.discarded[OVER_LONG] += len(chunk)
            return b""
        self._is_skipping = False
        self.discarded[OVER_LONG] += end.start()
        self.discarded[LINE_ENDINGS] += 1
        return chunk[end.end() :]

    def _bounded(self, lines: list[bytes], received: bytes) -> list[bytes]:
        """Drop over-long lines, the unfinished one as well."""
        lines = without_overlong(lines, received, b"\n", self)
        if len(self.pending) > self.limit_bytes:
            self.keep_overlong(self.pending)
            self.pending = b""
            self._is_skipping = True
        return lines


class DelimitedFraming(FrameAccount):
    r"""Frames that end with a named delimiter.

    >>> DelimitedFraming(b";").feed(b"12;13;1")
    [b'12', b'13']

    :param limit_bytes: a longer frame is a bad frame; what counts are the bytes received between delimiters.
    :param checksum: what frames end with, before the delimiter.
    """

    def __init__(self, delimiter: bytes, limit_bytes: int = 4096, checksum: Checksum | None = None) -> None:
        super().__init__(limit_bytes)
        self._delimiter = delimiter
        self._checksum = checksum
        self._is_skipping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read brought; return the frames that it completed, in order. Empty ones are dropped."""
        received = self.pending + chunk
        if self._is_skipping:
            received = self._skip(received)
            if self._is_skipping:
                return []
        frames = received.split(self._delimiter)
        self.pending = frames.pop()
        delimiters_bytes = len(frames) * len(self._delimiter)
        self.discarded[DELIMITERS] += delimiters_bytes
        frames_bytes = len(received) - len(self.pending) - delimiters_bytes
        if not all(frames):
            frames = [frame for frame in frames if frame]
        if len(received) > self.limit_bytes:
            bounded = without_overlong(frames, received, self._delimiter, self)
            if bounded is not frames:
                frames, frames_bytes = bounded, sum(map(len, bounded))
            self._bound_pending()
        return self._contents(frames, frames_bytes) if frames else frames

    def reset(self) -> None:
        """Begin anew after the link was lost: what came of an unfinished frame is a bad frame."""
        if self._is_skipping:
            self.discarded[OVER_LONG] += len(self.pending)
            self.pending = b""
            self._is_skipping = False
        elif len(self.pending) > self.limit_bytes:
            self.keep_overlong(self.pending)
            self.pending = b""
        super().reset()

    def _contents(self, frames: list[bytes], frames_bytes: int) -> list[bytes]:
        """Return what the frames hold, ``frames_bytes`` together; keep those that are bad."""
        return frames if self._checksum is None else checked_contents(frames, self._checksum, self)

    def _skip(self, received: bytes) -> bytes:
        """Drop the rest of an over-long frame, up to its delimiter, of which the beginning may have come already."""
        end = received.find(self._delimiter)
        self._is_skipping = end < 0
        if end < 0:
            end = max(0, len(received) - len(self._delimiter) + 1)
            self.pending = received[end:]
        else:
            self.discarded[DELIMITERS] += len(self._delimiter)
        self.discarded[OVER_LONG] += end
        return b"" if self._is_skipping else received[end + len(self._delimiter) :]

    def _bound_pending(self) -> None:
        # The last bytes may be the delimiter's beginning: only beyond them is the frame known to be over-long.
        begun_bytes = len(self._delimiter) - 1
        end = len(self.pending) - begun_bytes
        if end > self.limit_bytes:
            self.keep_overlong(self.pending[:end])
            self.pending = self.pending[end:]
            self._is_skipping = True


def without_overlong(frames: list[bytes], received: bytes, delimiter: bytes, account: FrameAccount) -> list[bytes]:
    """Return the frames that keep the account's limit; keep the beginning of the others as bad frames.

    :param received: what the frames were cut from.
    :param delimiter: what most of them end with.
    :returns: ``frames`` itself if none is over-long.
    """
    # A delimiter in each half of the limit proves that no frame is over-long, in a tenth of the time that the lengths
    # of thousands of short frames take.
    half = account.limit_bytes // 2
    find = received.find
    if all(find(delimiter, place, place + half) >= 0 for place in range(0, len(received) - half + 1, half)):
        return frames
    if not frames or max(map(len, frames)) <= account.limit_bytes:
        return frames
    good = []
    for frame in frames:
        if len(frame) > account.limit_bytes:
            account.keep_overlong(frame)
        else:
            good.append(frame)
    return good


def checked_contents(frames: list[bytes], checksum: Checksum, account: FrameAccount) -> list[bytes]:
    """Return the frames whose checksum is right, without it; keep the others as bad frames."""
    if checksum.name == NMEA:
        return _sentences(frames, checksum, account)
    contents = checksum.contents(frames)
    if contents is None:
        contents = []
        for frame in frames:
            fault = checksum.fault(frame)
            if fault is None:
                contents.append(frame[: -checksum.size])
            else:
                account.keep_bad(frame, fault)
    account.discarded[CHECKSUMS] += checksum.size * len(contents)
    return contents


def _sentences(lines: list[bytes], checksum: Checksum, account: FrameAccount) -> list[bytes]:
    """Return what stands between ``$`` (``!`` in AIS) and ``*``. Both are reserved: the last one begins a sentence."""
    contents = []
    for line in lines:
        begin = max(line.rfind(b"$"), line.rfind(b"!"))
        if begin < 0:
            account.keep_bad(line, "not a sentence of NMEA: it has no $")
            continue
        if begin > 0:
            account.keep_bad(line[:begin], "before the $ of a sentence of NMEA")
        fault = checksum.fault(line[begin + 1 :])
        if fault is None:
            contents.append(line[begin + 1 : -checksum.size])
        else:
            account.keep_bad(line[begin:], fault)
    account.discarded[START_AND_LENGTH] += len(contents)
    account.discarded[CHECKSUMS] += checksum.size * len(contents)
    return contents
