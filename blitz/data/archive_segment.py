"""A segment of the archive as bytes: an Arrow IPC file of blocks, and an index by which one block is read alone.

Each block is a record batch, compressed with zstd. Behind them stands a batch without rows, whose metadata is the
index: where each block begins, how many bytes it has, and their checksum. Any program that reads Arrow files reads
segments. Pure: bytes come and go through the caller.
"""

import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.errors import ArchiveError

_VERSION = 1
_SCHEMA = pa.schema([("arrived_ns", pa.int64()), ("source", pa.uint16()), ("raw", pa.binary())])
_INDEX, _INDEX_CHECKSUM = b"blitz_index", b"blitz_index_checksum"
_ZSTD_LEVEL = 1
_BUFFER_BYTES = 256 << 10

ReadBytes = Callable[[int, int], bytes]
"""Gives `size` bytes at `offset` of a segment's file; fewer where it ends before."""


@dataclass(frozen=True)
class BlockPlace:
    """Where one block is in its segment."""

    first: int
    stop: int
    offset: int
    size: int
    checksum: str


@dataclass(frozen=True)
class SegmentIndex:
    """What a segment holds, and where."""

    store_id: str
    session_id: int
    raw_bytes: int
    """Of all messages, with four more each."""
    places: tuple[BlockPlace, ...]

    @property
    def first(self) -> int:
        """The sequence number of the first message."""
        return self.places[0].first

    @property
    def stop(self) -> int:
        """The sequence number behind the last message."""
        return self.places[-1].stop


class SegmentEncoder:
    """Turns blocks that follow each other into a segment's bytes, piece by piece."""

    def __init__(self, store_id: str, session_id: int) -> None:
        self._store_id = store_id
        self._session_id = session_id
        self._sink = _Sink()
        # Arrow writes a block in a dozen parts, and would call Python, and wait for its lock, for each of them.
        self._buffered = pa.BufferedOutputStream(pa.PythonFile(self._sink, "w"), _BUFFER_BYTES)
        header = json.dumps({"version": _VERSION, "store_id": store_id, "session_id": session_id})
        self._schema = _SCHEMA.with_metadata({"blitz": header})
        # Threads for the columns of one block cost more than they save, while Redis uses another core.
        options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", _ZSTD_LEVEL), use_threads=False)
        self._writer = pa.ipc.new_file(self._buffered, self._schema, options=options)
        self._offset = 0
        self._places: list[BlockPlace] = []
        self.raw_bytes = 0

    def add(self, block: MessageBlock) -> bytes:
        """Return what is to be written next: the block, and the beginning of the file before the first one.

        :raises ArchiveError: if the block does not follow the one before it.
        """
        if self._places and block.first_seq != self._places[-1].stop:
            raise ArchiveError(
                f"Cannot archive session {self._session_id}: behind seq {self._places[-1].stop} the store gave "
                f"messages from seq {block.first_seq} on."
            )
        arrived_ns, source = _as_array(block.arrived_ns, pa.int64()), _as_array(block.source, pa.uint16())
        batch = pa.record_batch([arrived_ns, source, block.raw], schema=self._schema)
        self._writer.write_batch(batch)
        encoded = self._take()
        begin = 0 if self._places else _first_batch_offset(encoded)
        checksum = _checksum(memoryview(encoded)[begin:])
        place = BlockPlace(block.first_seq, block.next_seq, self._offset + begin, len(encoded) - begin, checksum)
        self._places.append(place)
        self._offset += len(encoded)
        self.raw_bytes += int(block.raw.nbytes)
        return encoded

    def finish(self) -> bytes:
        """Return the end of the file, with the index."""
        places = [[place.first, place.stop, place.offset, place.size, place.checksum] for place in self._places]
        content = {
            "version": _VERSION,
            "store_id": self._store_id,
            "session_id": self._session_id,
            "raw_bytes": self.raw_bytes,
            "blocks": places,
        }
        index = json.dumps(content).encode()
        metadata = {_INDEX: index, _INDEX_CHECKSUM: _checksum(index).encode()}
        no_rows = pa.record_batch([pa.array([], field.type) for field in _SCHEMA], schema=self._schema)
        self._writer.write_batch(no_rows, custom_metadata=metadata)
        self._writer.close()
        return self._take()

    def _take(self) -> bytes:
        self._buffered.flush()
        return self._sink.take()


def read_index(read: ReadBytes, size: int) -> SegmentIndex:
    """Read the index of a segment.

    :param size: of the file, in bytes.
    :raises ValueError: if it is no segment, cut short, or damaged.
    """
    try:
        with pa.ipc.open_file(pa.PythonFile(_Source(read, size), mode="r")) as file:
            _, metadata = file.get_batch_with_custom_metadata(file.num_record_batches - 1)
        index = metadata[_INDEX]
        if _checksum(index).encode() != metadata[_INDEX_CHECKSUM]:
            raise ValueError("its index is damaged")
        content: dict[str, Any] = json.loads(index)
        if content["version"] > _VERSION:
            raise ValueError(f"it has format version {content['version']}; install a newer Blitz")
        places = tuple(BlockPlace(*place) for place in content["blocks"])
        return SegmentIndex(content["store_id"], content["session_id"], content["raw_bytes"], places)
    except (pa.ArrowException, KeyError, TypeError) as error:
        raise ValueError(f"it is no whole segment: {str(error).rstrip('.')}") from error


def read_block(read: ReadBytes, index: SegmentIndex, place: BlockPlace) -> MessageBlock:
    """Read one block.

    :raises ValueError: if it is damaged or cut short.
    """
    encoded = read(place.offset, place.size)
    if _checksum(encoded) != place.checksum:
        raise ValueError(f"its messages from seq {place.first} to {place.stop - 1} are not what was written")
    batch = pa.ipc.read_record_batch(pa.ipc.read_message(pa.py_buffer(encoded)), _SCHEMA)
    arrived_ns, source = batch.column(0).to_numpy(), batch.column(1).to_numpy()
    return MessageBlock(index.session_id, place.first, arrived_ns, source, batch.column(2), index.store_id)


def _as_array(numbers: NDArray[Any], kind: Any) -> Any:
    """Return numbers as Arrow has them; :func:`pyarrow.array` would bring in pandas, to see whether they are its."""
    return pa.Array.from_buffers(kind, len(numbers), [None, pa.py_buffer(np.ascontiguousarray(numbers))])


def _checksum(content: "bytes | memoryview") -> str:
    """Return the CRC-32: it is there for what disks do, and costs a fifth of a cryptographic one."""
    return f"{zlib.crc32(content):08x}"


def _first_batch_offset(begin: bytes) -> int:
    """Return where the first batch stands: behind the magic bytes and the schema, as Arrow's format says.

    Both are padded to 8 bytes; a message is a mark, its metadata's length as int32, and the metadata.
    """
    return 16 + int.from_bytes(begin[12:16], "little")


class _Sink(io.RawIOBase):
    """Collects what Arrow writes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        self._parts.append(bytes(chunk))
        return len(self._parts[-1])

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class _Source(io.RawIOBase):
    """Gives Arrow the parts of a file that it asks for."""

    def __init__(self, read: ReadBytes, size: int) -> None:
        self._read = read
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        wanted = self._size - self._position if size < 0 else min(size, self._size - self._position)
        chunk = self._read(self._position, wanted) if wanted > 0 else b""
        self._position += len(chunk)
        return chunk
