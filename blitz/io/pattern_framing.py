"""Binary frames without a delimiter: found by a start pattern, or only by their size. Pure."""

from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.io.checksums import Checksum
from blitz.io.frame_account import BETWEEN_FRAMES, CHECKSUMS, START_AND_LENGTH, FrameAccount


class StartFraming(FrameAccount):
    r"""Frames that begin with a start pattern and have a fixed size or a length field.

    What lies between start pattern and length field (an address, a type) is part of the message. After a bad frame the
    search goes on at the next start pattern within it, so that a start pattern by chance costs no good frame that has
    a checksum.

    >>> rule = FramingRule(kind="start_length", start="7e", checksum="SUM-8", length_adds=1)
    >>> StartFraming(rule, Checksum("SUM-8")).feed(b"?\x7e\x02\x10\x20\x30")
    [b'\x10 ']

    :param rule: of kind ``start_fixed`` or ``start_length``.
    """

    def __init__(self, rule: FramingRule, checksum: Checksum | None = None) -> None:
        has_length = rule.kind is FramingKind.START_LENGTH
        self._start = bytes.fromhex(rule.start)
        self._size = 0 if has_length else rule.size or 0
        super().__init__(max(rule.limit_bytes, len(self._start) + self._size))
        self._rule = rule
        self._checksum = checksum
        self._checksum_bytes = checksum.size if checksum else 0
        # Of a frame's first bytes, how many the checksum leaves out; None: all but the content.
        self._skips = 0 if rule.checksum_covers_start else len(self._start) if rule.checksum_covers_length else None
        self._offset_bytes = rule.length_offset if has_length else 0
        self._length_bytes = rule.length_bytes if has_length else 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read brought; return the frames that it completed, in order."""
        received = self.pending + chunk
        # Attributes are copied to local names: this loop runs once a frame.
        start_bytes, offset_bytes, length_bytes = len(self._start), self._offset_bytes, self._length_bytes
        head_bytes = start_bytes + offset_bytes + length_bytes
        size, adds, byte_order = self._size, self._rule.length_adds, self._rule.byte_order
        least, most = self._checksum_bytes, self._rule.limit_bytes - offset_bytes
        start, find, skips, checksum = self._start, received.find, self._skips, self._checksum
        residue = checksum.residue if checksum else None
        cut = -self._checksum_bytes or None
        frames: list[bytes] = []
        place, total = 0, len(received)
        while True:
            if find(start, place) != place:
                begin, place = place, self._next_start(received, place, total)
                self.discarded[BETWEEN_FRAMES] += place - begin
            body = place + head_bytes
            if body > total:
                break
            if length_bytes:
                field = received[body - length_bytes : body]
                size = adds + (field[0] if length_bytes == 1 else int.from_bytes(field, byte_order))
                if not least <= size <= most:
                    place = self._drop(received, place, body, f"{size} bytes behind its length is impossible")
                    continue
            end = body + size
            if end > total:
                break
            frame = received[body:end]
            if offset_bytes:
                frame = received[place + start_bytes : body - length_bytes] + frame
            if checksum is not None:
                covered = frame if skips is None else received[place + skips : end]
                # These frames have room for their checksum: the residue says all.
                if checksum.value(covered) != residue if residue is not None else not checksum.fits(covered):
                    place = self._drop(received, place, end, checksum.fault(covered) or "")
                    continue
            frames.append(frame[:cut])
            place = end
        self.pending = received[place:]
        self.discarded[START_AND_LENGTH] += len(frames) * (start_bytes + length_bytes)
        self.discarded[CHECKSUMS] += len(frames) * self._checksum_bytes
        return frames

    def _drop(self, received: bytes, begin: int, end: int, reason: str) -> int:
        """Keep a bad frame up to the next place within it where one may begin; return that place."""
        place = self._next_start(received, begin + 1, end)
        self.keep_bad(received[begin:place], reason)
        return place

    def _next_start(self, received: bytes, begin: int, end: int) -> int:
        """Return where the next start pattern begins, even if only its beginning lies before ``end``; else ``end``.

        What lies beyond ``end`` does not count, so that the answer is the same however the stream was cut.
        """
        place = received.find(self._start, begin, end)
        if place >= 0:
            return place
        for place in range(max(begin, end - len(self._start) + 1), end):
            if self._start.startswith(received[place:end]):
                return place
        return end


class FixedFraming(FrameAccount):
    r"""Frames of one size, one behind the other, without a mark.

    Without a checksum the first byte begins a frame, and so does the first one after a silence (``flush``). With one,
    the place where checksums fit is looked for byte by byte. A single frame whose checksum is wrong is a bad frame if
    the next one is right; otherwise bytes were lost or came in, and the search begins again. As one byte fits by chance
    too often, a frame with a checksum of that size is believed only with the next one.

    >>> FixedFraming(FramingRule(kind="fixed", size=2)).feed(b"\x01\x02\x03\x04\x05")
    [b'\x01\x02', b'\x03\x04']

    :param rule: of kind ``fixed``.
    """

    def __init__(self, rule: FramingRule, checksum: Checksum | None = None) -> None:
        self._size = rule.size or 1
        super().__init__(max(rule.limit_bytes, self._size))
        self._checksum = checksum
        self._is_in_phase = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what one read brought; return the frames that it completed, in order."""
        received = self.pending + chunk
        if self._checksum is not None:
            return self._checked(received, self._checksum)
        frames = self._cut(received)
        self.pending = received[len(frames) * self._size :]
        return frames

    def flush(self) -> list[bytes]:
        """Begin a frame with the next byte: what came of an unfinished one is a bad frame. Not with a checksum."""
        if self._checksum is None and self.pending:
            self.keep_bad(self.pending, f"{len(self.pending)} of {self._size} bytes before a silence on the line")
            self.pending = b""
        return []

    def reset(self) -> None:
        """Begin anew after the link was lost: what came of an unfinished frame is a bad frame."""
        super().reset()
        self._is_in_phase = False

    def _cut(self, received: bytes) -> list[bytes]:
        size = self._size
        return [received[place : place + size] for place in range(0, len(received) - size + 1, size)]

    def _checked(self, received: bytes, checksum: Checksum) -> list[bytes]:
        contents = None
        if self._is_in_phase:
            frames = self._cut(received)
            contents = checksum.contents(frames)
        if contents is None:
            contents = self._search(received, checksum)
        else:
            self.pending = received[len(frames) * self._size :]
        self.discarded[CHECKSUMS] += checksum.size * len(contents)
        return contents

    def _search(self, received: bytes, checksum: Checksum) -> list[bytes]:
        size, total = self._size, len(received)
        contents = []
        place = 0
        while place + size <= total:
            frame = received[place : place + size]
            fits = checksum.fits(frame)
            is_sure = fits and (self._is_in_phase or checksum.size > 1)
            if not is_sure and (fits or self._is_in_phase):
                if place + 2 * size > total:
                    break
                is_sure = checksum.fits(received[place + size : place + 2 * size])
            self._is_in_phase = is_sure
            if not is_sure:
                place += 1
                self.discarded[BETWEEN_FRAMES] += 1
                continue
            place += size
            if fits:
                contents.append(frame[: -checksum.size])
            else:
                self.keep_bad(frame, checksum.fault(frame) or "")
        self.pending = received[place:]
        return contents
