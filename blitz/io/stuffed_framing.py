"""Binary frames between delimiters, with the delimiter's value stuffed within: COBS and SLIP. Pure."""

from abc import abstractmethod

from cobs import cobs

from blitz.io.checksums import Checksum
from blitz.io.frame_account import CHECKSUMS, STUFFING
from blitz.io.line_framing import DelimitedFraming


class StuffingError(ValueError):
    """A frame breaks the rules of its stuffing."""


class StuffedFraming(DelimitedFraming):
    """What COBS and SLIP have in common. Bad frames are kept as they were received, stuffed.

    :param limit_bytes: of a frame as it is received, without its delimiter.
    :param checksum: what frames end with before they are stuffed.
    """

    @abstractmethod
    def _unstuffed(self, frames: list[bytes]) -> list[bytes]:
        """Return what the frames are without their stuffing.

        :raises StuffingError: if one of them breaks the rules.
        """

    def _contents(self, frames: list[bytes], frames_bytes: int) -> list[bytes]:
        try:
            contents: list[bytes] | None = self._unstuffed(frames)
        except StuffingError:
            contents = None
        if contents is not None and self._checksum is not None:
            contents = self._checksum.contents(contents)
        if contents is None:
            return self._contents_one_by_one(frames)
        self._discard_overhead(frames_bytes, contents)
        return contents

    def _contents_one_by_one(self, frames: list[bytes]) -> list[bytes]:
        contents, frames_bytes = [], 0
        for frame in frames:
            try:
                content = self._unstuffed([frame])[0]
            except StuffingError as error:
                self.keep_bad(frame, str(error))
                continue
            fault = self._checksum.fault(content) if self._checksum else None
            if fault:
                self.keep_bad(frame, fault)
                continue
            contents.append(content[: -self._checksum.size] if self._checksum else content)
            frames_bytes += len(frame)
        self._discard_overhead(frames_bytes, contents)
        return contents

    def _discard_overhead(self, frames_bytes: int, contents: list[bytes]) -> None:
        checksums_bytes = self._checksum.size * len(contents) if self._checksum else 0
        self.discarded[CHECKSUMS] += checksums_bytes
        self.discarded[STUFFING] += frames_bytes - checksums_bytes - len(b"".join(contents))


class CobsFraming(StuffedFraming):
    r"""Consistent overhead byte stuffing: frames that end with a zero byte.

    >>> CobsFraming().feed(b"\x03\x11\x22\x02\x33\x00")
    [b'\x11"\x003']
    """

    def __init__(self, limit_bytes: int = 4096, checksum: Checksum | None = None) -> None:
        super().__init__(b"\x00", limit_bytes, checksum)

    def _unstuffed(self, frames: list[bytes]) -> list[bytes]:
        try:
            return list(map(cobs.decode, frames))
        except cobs.DecodeError as error:
            raise StuffingError(f"not COBS: {error}") from None


class SlipFraming(StuffedFraming):
    r"""RFC 1055: frames that end with c0, mostly begin with it too; db dc stands for c0 within, db dd for db.

    >>> SlipFraming().feed(b"\xc0\x01\xdb\xdc\x02\xc0")
    [b'\x01\xc0\x02']
    """

    def __init__(self, limit_bytes: int = 4096, checksum: Checksum | None = None) -> None:
        super().__init__(b"\xc0", limit_bytes, checksum)

    def _unstuffed(self, frames: list[bytes]) -> list[bytes]:
        stuffed = b"".join(frames)
        escapes = stuffed.count(b"\xdb")
        if not escapes:
            return frames
        # In this order: a db that comes out of db dd is no escape, whatever follows.
        contents = [
            frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb") if b"\xdb" in frame else frame
            for frame in frames
        ]
        # Each right escape makes its frame a byte shorter.
        if len(stuffed) - len(b"".join(contents)) != escapes:
            raise StuffingError("not SLIP: db is followed by neither dc nor dd")
        return contents
