"""The one thing that travels: a run of consecutive messages of one session.

Owns the block's columns, its encoding (an Arrow IPC stream), its checksum and the grid on which blocks lie at rest.
Knows nothing of what the messages mean, and does no input or output.
"""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.errors import BlockError

PREVIEW_ID = 0
"""The session id of the preview, what boards send while nothing is recorded. Real ids begin with 1."""

GRID_MESSAGES = 16384
"""At rest, block n holds the messages with n * GRID_MESSAGES <= seq < (n + 1) * GRID_MESSAGES."""

_FORMAT_VERSION = 1
_ONE_THREAD = pa.ipc.IpcReadOptions(use_threads=False)
"""To share three columns out among threads takes longer than to read them."""

_SCHEMA = pa.schema([("arrived_ns", pa.int64()), ("source", pa.uint16()), ("raw", pa.binary())])


class Read(NamedTuple):
    """The messages that one read of a link completed, in order."""

    arrived_ns: int
    source: int
    messages: Sequence[bytes]


@dataclass(frozen=True, eq=False)
class MessageBlock:
    """Consecutive messages of one session: three columns of equal length.

    :param session_id: the server's id, or :data:`PREVIEW_ID`.
    :param first_seq: sequence number of the first message.
    :param arrived_ns: int64, shape (n,), nanoseconds since the Unix epoch, never falling within a session.
    :param source: uint16, shape (n,), rows of the session's source table.
    :param raw: Arrow binary array, length n: what the device sent, without line ending.
    :param store_id: the UUID of the store that the session belongs to.
    """

    session_id: int
    first_seq: int
    arrived_ns: NDArray[np.int64]
    source: NDArray[np.uint16]
    raw: Any = field(repr=False)
    store_id: str = ""

    def __len__(self) -> int:
        return len(self.arrived_ns)

    @property
    def next_seq(self) -> int:
        """The sequence number behind the last message: where a cursor goes on."""
        return self.first_seq + len(self)

    @classmethod
    def from_reads(cls, session_id: int, first_seq: int, reads: Iterable[Read], store_id: str = "") -> "MessageBlock":
        """Build a block from what links delivered, in order."""
        reads = list(reads)
        counts = np.fromiter((len(read.messages) for read in reads), np.int64, len(reads))
        arrived = np.fromiter((read.arrived_ns for read in reads), np.int64, len(reads))
        source = np.fromiter((read.source for read in reads), np.uint16, len(reads))
        messages = [message for read in reads for message in read.messages]
        return cls(
            session_id,
            first_seq,
            np.repeat(arrived, counts),
            np.repeat(source, counts),
            pa.array(messages, pa.binary()),
            store_id,
        )

    @classmethod
    def concatenate(cls, blocks: Sequence["MessageBlock"]) -> "MessageBlock":
        """Join blocks that follow each other.

        :raises BlockError: if there is none, or if they do not follow each other.
        """
        if not blocks:
            raise BlockError("Cannot join an empty list of blocks.")
        for before, after in itertools.pairwise(blocks):
            if (before.session_id, before.next_seq) != (after.session_id, after.first_seq):
                raise BlockError(
                    f"Block at seq {after.first_seq} of session {after.session_id} does not follow "
                    f"seq {before.next_seq} of session {before.session_id}."
                )
        first = blocks[0]
        return cls(
            first.session_id,
            first.first_seq,
            np.concatenate([block.arrived_ns for block in blocks]),
            np.concatenate([block.source for block in blocks]),
            pa.concat_arrays([block.raw for block in blocks]),
            first.store_id,
        )

    def between(self, start_seq: int, stop_seq: int) -> "MessageBlock":
        """Return the part with start_seq <= seq < stop_seq, without copying; it may be empty."""
        start = min(max(start_seq - self.first_seq, 0), len(self))
        stop = min(max(stop_seq - self.first_seq, start), len(self))
        if stop - start == len(self):
            return self
        return MessageBlock(
            self.session_id,
            self.first_seq + start,
            self.arrived_ns[start:stop],
            self.source[start:stop],
            self.raw.slice(start, stop - start),
            self.store_id,
        )

    def on_grid(self) -> Iterator["MessageBlock"]:
        """Cut at the multiples of :data:`GRID_MESSAGES`."""
        start = self.first_seq
        while start < self.next_seq:
            stop = (start // GRID_MESSAGES + 1) * GRID_MESSAGES
            yield self.between(start, stop)
            start = stop

    def bytes_and_offsets(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return all messages' bytes end to end, and where each begins.

        :returns: uint8, shape (n_bytes,), and int64, shape (n + 1,): message i is ``data[offsets[i]:offsets[i + 1]]``.
        """
        if not len(self):
            return np.empty(0, np.uint8), np.zeros(1, np.int64)
        _, offset_buffer, data_buffer = self.raw.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[self.raw.offset : self.raw.offset + len(self) + 1]
        offsets = offsets.astype(np.int64)
        if data_buffer is None:
            return np.empty(0, np.uint8), np.zeros(len(self) + 1, np.int64)
        data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
        return data, offsets - offsets[0]

    def messages(self) -> list[bytes]:
        """Return the messages as Python bytes."""
        messages: list[bytes] = self.raw.to_pylist()
        return messages

    @cached_property
    def checksum(self) -> str:
        """BLAKE2b (16 bytes, hex) over the content: seq, arrivals, sources, lengths and bytes, little-endian.

        It does not depend on the encoding: the same run of messages has the same checksum, however it was cut before.
        """
        data, offsets = self.bytes_and_offsets()
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.session_id}:{self.first_seq}:{len(self)}:".encode())
        digest.update(np.ascontiguousarray(self.arrived_ns, "<i8").data)
        digest.update(np.ascontiguousarray(self.source, "<u2").data)
        digest.update(np.diff(offsets).astype("<i8").data)
        digest.update(np.ascontiguousarray(data).data)
        return digest.hexdigest()

    @cached_property
    def at_rest(self) -> bytes:
        """The block as it is stored: encoded and compressed. Of one that came so, the bytes that it came as."""
        return self.encode(compressed=True)

    def encode(self, *, compressed: bool = False) -> bytes:
        """Return the block as an Arrow IPC stream.

        :param compressed: zstd, for blocks at rest; on the wire blocks go uncompressed.
        """
        header = {
            "version": _FORMAT_VERSION,
            "store_id": self.store_id,
            "session_id": self.session_id,
            "first_seq": self.first_seq,
            "checksum": self.checksum,
        }
        schema = _SCHEMA.with_metadata({"blitz": json.dumps(header)})
        batch = pa.record_batch([pa.array(self.arrived_ns), pa.array(self.source), self.raw], schema=schema)
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd" if compressed else None)
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            writer.write_batch(batch)
        encoded: bytes = sink.getvalue().to_pybytes()
        return encoded

    @classmethod
    def decode(cls, encoded: bytes, *, is_kept: bool = False) -> "MessageBlock":
        """Read what :meth:`encode` wrote and verify its checksum.

        :param is_kept: the bytes, which are compressed, stay with the block as :attr:`at_rest`.
        :raises BlockError: if the bytes are damaged, cut short, or from a newer version.
        """
        try:
            table = pa.ipc.open_stream(encoded, options=_ONE_THREAD).read_all()
            # Arrow believes what is said of lengths, and would read beyond the end of the bytes.
            table.validate(full=True)
            table = table.combine_chunks()
            header = json.loads((table.schema.metadata or {})[b"blitz"])
            if header["version"] > _FORMAT_VERSION:
                raise BlockError(
                    f"This block has format version {header['version']}, this program reads up to {_FORMAT_VERSION}. "
                    "Install a newer Blitz."
                )
            raw = table["raw"]
            block = cls(
                int(header["session_id"]),
                int(header["first_seq"]),
                table["arrived_ns"].to_numpy(),
                table["source"].to_numpy(),
                raw.chunk(0) if raw.num_chunks else pa.array([], pa.binary()),
                str(header["store_id"]),
            )
            is_whole = block.checksum == header["checksum"]
        except (pa.ArrowException, KeyError, TypeError, ValueError, OSError) as error:
            if isinstance(error, BlockError):
                raise
            raise BlockError(f"This is not a whole block of messages: {error}.") from error
        if not is_whole:
            raise BlockError(
                f"The block at seq {block.first_seq} of session {block.session_id} is damaged: its checksum differs."
            )
        if is_kept:
            block.__dict__["at_rest"] = encoded
        return block
