"""How much memory an encoded block takes, told before it is read: a small file can say that it holds a great deal.

Pure. Reads as much of an Arrow IPC stream as is needed: messages of the format's own framing, whose heads are
flatbuffers (https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc).
"""

import struct
from typing import NamedTuple

from blitz.errors import BlockError

_CONTINUES = b"\xff\xff\xff\xff"
_RECORD_BATCH = 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3
"""Places of fields in the table Message."""
_BUFFERS, _COMPRESSION = 2, 3
"""Places of fields in the table RecordBatch."""


def unpacked_bytes(encoded: bytes) -> int:
    """Return how many bytes the columns of an Arrow IPC stream have when they are unpacked, as the stream says.

    :raises BlockError: if it is no such stream.
    """
    try:
        return sum(_body_bytes(encoded, head, body) for head, body in _messages(encoded))
    except (struct.error, IndexError, OverflowError) as error:
        raise BlockError("This is not a whole block of messages: its parts are not where they should be.") from error


def _messages(encoded: bytes) -> list[tuple["_Table", int]]:
    """Return the head of each message, and where its body begins."""
    found = []
    place = 0
    while place < len(encoded):
        if encoded[place : place + 4] != _CONTINUES:
            raise struct.error
        (size,) = struct.unpack_from("<i", encoded, place + 4)
        if size == 0:
            break
        if size < 0:
            raise struct.error
        place += 8
        head = _Table.root(encoded, place)
        body = place + size
        found.append((head, body))
        length = head.number(_BODY_LENGTH, "<q")
        if length < 0 or body + length > len(encoded):
            raise struct.error
        place = body + length
    return found


def _body_bytes(encoded: bytes, head: "_Table", body: int) -> int:
    if head.number(_HEADER_TYPE, "<B") != _RECORD_BATCH:
        return head.number(_BODY_LENGTH, "<q")
    batch = head.table(_HEADER)
    if batch.field(_COMPRESSION) is None:
        return head.number(_BODY_LENGTH, "<q")
    total = 0
    for offset, length in batch.structs(_BUFFERS, "<qq"):
        if length < 0 or offset < 0 or body + offset + length > len(encoded):
            raise struct.error
        if length >= 8:
            (unpacked,) = struct.unpack_from("<q", encoded, body + offset)
            # -1 says that this buffer is not packed.
            total += length if unpacked < 0 else unpacked
    return total


class _Table(NamedTuple):
    """A table of a flatbuffer: where it stands in the bytes."""

    encoded: bytes
    place: int

    @classmethod
    def root(cls, encoded: bytes, start: int) -> "_Table":
        return cls(encoded, start + _number(encoded, start, "<I"))

    def field(self, number: int) -> int | None:
        """Return where a field stands, None where the table has it not."""
        fields = self.place - _number(self.encoded, self.place, "<i")
        entry = 4 + 2 * number
        if entry >= _number(self.encoded, fields, "<H"):
            return None
        offset = _number(self.encoded, fields + entry, "<H")
        return self.place + offset if offset else None

    def number(self, number: int, kind: str) -> int:
        place = self.field(number)
        return 0 if place is None else _number(self.encoded, place, kind)

    def table(self, number: int) -> "_Table":
        place = self.field(number)
        if place is None:
            raise struct.error
        return _Table(self.encoded, place + _number(self.encoded, place, "<I"))

    def structs(self, number: int, kind: str) -> list[tuple[int, ...]]:
        place = self.field(number)
        if place is None:
            return []
        start = place + _number(self.encoded, place, "<I")
        count = _number(self.encoded, start, "<I")
        size = struct.calcsize(kind)
        if count > len(self.encoded) // size:
            raise struct.error
        return [struct.unpack_from(kind, self.encoded, start + 4 + size * each) for each in range(count)]


def _number(encoded: bytes, place: int, kind: str) -> int:
    if place < 0:
        raise struct.error
    (number,) = struct.unpack_from(kind, encoded, place)
    return int(number)
