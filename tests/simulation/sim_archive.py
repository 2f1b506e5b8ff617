"""The archive's real code over the simulated disk and Redis; only the reading in bulk, past redis-py, is replaced."""

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from sim_disk import SimDisk

from blitz.data.archive import Archive
from blitz.data.archive_plan import Limits
from blitz.data.archive_store import ArchiveStore
from blitz.data.archiving import Archiving
from blitz.data.blocks import MessageBlock
from blitz.data.database_server import DatabaseServer
from blitz.data.store_keys import ARRIVAL

ARCHIVE = Path("/lab/archive")
GRID = 4
LIMITS = Limits(grid_messages=GRID, keep_messages=2 * GRID, segment_blocks=3, least_blocks=1, segment_bytes=1 << 20)


class SimArchiveStore(ArchiveStore):
    """Reads with ordinary commands, a block at a time, and one block ahead of what is asked for."""

    def __init__(self, server: DatabaseServer) -> None:
        super().__init__(server.client, server.keys, server.store_id)

    def blocks(self, session_id: int, first: int, stop: int) -> Generator[MessageBlock]:
        ahead: MessageBlock | None = None
        while first < stop and (block := self._block(session_id, first, min((first // GRID + 1) * GRID, stop))):
            if ahead is not None:
                yield ahead
            ahead, first = block, block.next_seq
        if ahead is not None:
            yield ahead

    def _block(self, session_id: int, first: int, end: int) -> MessageBlock | None:
        base = int(self._execute("GET", self._keys.first(session_id)) or 0)
        if first < base:
            return None
        raw = self._execute("LRANGE", self._keys.messages(session_id), first - base, end - base - 1)
        entries = self._execute("LRANGE", self._keys.arrivals(session_id), 0, -1)
        arrived_ns = np.zeros(len(raw), np.int64)
        source = np.zeros(len(raw), np.uint16)
        for entry_seq, entry_ns, entry_source, count in map(ARRIVAL.unpack, entries):
            run = slice(max(entry_seq - first, 0), max(entry_seq + count - first, 0))
            arrived_ns[run], source[run] = entry_ns, entry_source
        return MessageBlock(session_id, first, arrived_ns, source, pa.array(raw, pa.binary()), self._store_id)


def archiving(server: DatabaseServer, disk: SimDisk) -> Archiving:
    """Return the archiving of a server, in a process that has just begun."""
    return Archiving(SimArchiveStore(server), Archive(ARCHIVE, server.store_id, disk), LIMITS)


def read_archive(disk: SimDisk, store_id: str, session_id: int, first: int, stop: int) -> Sequence[bytes]:
    """Return archived messages, read from the files anew."""
    return Archive(ARCHIVE, store_id, disk).read(session_id, first, stop).messages()
