"""What stands in the spool: batches of messages and changes of sessions, as bytes that tell if they are whole. Pure.

A record is ``BzR1``, the payload's length and its CRC-32, the kind, and the payload. Where one is torn or damaged the
next is found again by its first four bytes and its checksum.
"""

import struct
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from blitz.data.blocks import Read

_MAGIC = b"BzR1"
_HEAD = struct.Struct("<4sIIB")
_BATCH = struct.Struct("<QQQ16sI")
_READ = struct.Struct("<qHI")
_KINDS = _KIND_BATCH, _KIND_CHANGE = 1, 2
_LONGEST_PAYLOAD = 1 << 30


@dataclass(frozen=True)
class Batch:
    """Messages on their way into a session's list, where they have their place already.

    :param writer: 32 hex digits, whose batch it is: with ``number`` the store knows whether it has it already.
    """

    session_id: int
    first_seq: int
    writer: str
    number: int
    reads: Sequence[Read]

    @property
    def count(self) -> int:
        """How many messages it has."""
        return sum(len(read.messages) for read in self.reads)

    @property
    def next_seq(self) -> int:
        """The sequence number behind its last message."""
        return self.first_seq + self.count


class ChangeKind(StrEnum):
    """What a change is of; ``body`` is JSON."""

    SOURCE = "source"
    """A row of the source table: a Source."""
    GAP = "gap"
    """A Gap; the same source and ``from_ns`` again replaces it."""
    ENTRY = "entry"
    """A TimelineEntry."""
    FIELDS = "fields"
    """Fields of the session's meta hash: an object of texts."""
    CLOSE = "close"
    """The session's end: ``stopped_ms``, ``stop_reason``, ``followed_by``: the session that runs from then on."""
    PREPARE = "prepare"
    """The session that follows it takes messages from now on: a SessionRecord."""


@dataclass(frozen=True)
class Change:
    """Something else that is to be written down of a session; doing it twice is as good as once."""

    session_id: int
    kind: ChangeKind
    body: str


SpoolRecord = Batch | Change


def encode(record: SpoolRecord) -> bytes:
    """Return a record as bytes.

    >>> next(scan(encode(Change(7, ChangeKind.FIELDS, "{}")))).record
    Change(session_id=7, kind=<ChangeKind.FIELDS: 'fields'>, body='{}')
    """
    if isinstance(record, Batch):
        kind, payload = _KIND_BATCH, _encode_batch(record)
    else:
        kind, payload = _KIND_CHANGE, f"{record.session_id}\n{record.kind}\n{record.body}".encode()
    return _HEAD.pack(_MAGIC, len(payload), zlib.crc32(payload, kind), kind) + payload


@dataclass(frozen=True)
class Found:
    """A record and where it stands.

    :param damaged_bytes: bytes before it that are no whole record.
    """

    record: SpoolRecord
    start: int
    stop: int
    damaged_bytes: int = 0


def scan(content: bytes, start: int = 0, *, with_messages: bool = True) -> Iterator[Found]:
    """Yield the whole records from an offset on; what is damaged is passed over.

    :param with_messages: without, which is many times faster, all messages of a batch are empty.
    """
    position = begin = start
    while position < len(content):
        found = _decode_at(content, position, with_messages)
        if found is None:
            position = content.find(_MAGIC, position + 1)
            if position < 0:
                return
            continue
        record, stop = found
        yield Found(record, position, stop, position - begin)
        position = begin = stop


def _decode_at(content: bytes, start: int, with_messages: bool) -> tuple[SpoolRecord, int] | None:
    if len(content) - start < _HEAD.size:
        return None
    magic, length, checksum, kind = _HEAD.unpack_from(content, start)
    stop = start + _HEAD.size + length
    if magic != _MAGIC or not 0 < length <= _LONGEST_PAYLOAD or kind not in _KINDS or stop > len(content):
        return None  # four bytes of a head and zeros behind them, as a power failure leaves them, have a good checksum
    payload = content[start + _HEAD.size : stop]
    if zlib.crc32(payload, kind) != checksum:
        return None
    if kind == _KIND_BATCH:
        return _decode_batch(payload, with_messages), stop
    session_id, change_kind, body = payload.decode().split("\n", 2)
    return Change(int(session_id), ChangeKind(change_kind), body), stop


def _encode_batch(batch: Batch) -> bytes:
    messages = [message for read in batch.reads for message in read.messages]
    lengths = np.fromiter(map(len, messages), "<u4", len(messages))
    writer = uuid.UUID(batch.writer).bytes
    parts = [_BATCH.pack(batch.session_id, batch.first_seq, batch.number, writer, len(batch.reads))]
    parts += [_READ.pack(read.arrived_ns, read.source, len(read.messages)) for read in batch.reads]
    return b"".join([*parts, lengths.tobytes(), *messages])


def _decode_batch(payload: bytes, with_messages: bool) -> Batch:
    session_id, first_seq, number, writer, read_count = _BATCH.unpack_from(payload)
    position = _BATCH.size
    heads = [_READ.unpack_from(payload, position + i * _READ.size) for i in range(read_count)]
    if not with_messages:
        empty = [Read(arrived_ns, source, [b""] * count) for arrived_ns, source, count in heads]
        return Batch(session_id, first_seq, uuid.UUID(bytes=writer).hex, number, empty)
    position += read_count * _READ.size
    total = sum(head[2] for head in heads)
    lengths = np.frombuffer(payload, "<u4", total, position).tolist()
    position += 4 * total
    reads, taken = [], 0
    for arrived_ns, source, count in heads:
        messages = []
        for length in lengths[taken : taken + count]:
            messages.append(payload[position : position + length])
            position += length
        taken += count
        reads.append(Read(arrived_ns, source, messages))
    return Batch(session_id, first_seq, uuid.UUID(bytes=writer).hex, number, reads)
