"""Taking sessions out of the store key by key, and putting them back: what backup and restore do with Redis.

A snapshot of a session is what its keys were at one moment; its messages are read afterwards, up to the count of that
moment, which is consistent because messages are only ever appended. They are read through
:meth:`~blitz.data.database_server.DatabaseServer.messages`, so that it does not matter whether Redis or the archive
has them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from blitz.data.backup_format import SavedBlock, SessionDigest, SessionSnapshot, StoreSnapshot
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.store_faults import translated
from blitz.data.store_keys import ARRIVAL, MILLISECOND_NS, StoreKeys
from blitz.data.store_reader import not_found

if TYPE_CHECKING:
    import redis

    from blitz.data.database_server import DatabaseServer

_VALUES_A_COMMAND = 2000
_ENTRIES_A_READ = 4096

Entry = tuple[int, int, int, int]
"""One read: first_seq, arrived_ns, source, count."""


def store_snapshot(store: "DatabaseServer", schema_version: int) -> StoreSnapshot:
    """Return the keys that belong to no session, as they are at this moment."""
    keys = store.keys
    store_id = store.store_id
    pipeline = store.client.pipeline(transaction=True)
    pipeline.get(keys.session_last)
    pipeline.lrange(keys.sessions, 0, -1)
    pipeline.zrange(keys.trash, 0, -1, withscores=True)
    pipeline.hgetall(keys.streams)
    with translated():
        last, sessions, trash, streams = pipeline.execute()
    return StoreSnapshot(
        store_id=store_id,
        schema_version=schema_version,
        session_last=int(last or 0),
        sessions=tuple(map(int, sessions)),
        trash={int(session_id): since for session_id, since in trash},
        streams={_text(name): int(session_id) for name, session_id in streams.items()},
    )


def session_snapshot(store: "DatabaseServer", session_id: int) -> SessionSnapshot:
    """Return a session's keys as they are at this moment.

    :raises SessionNotFound: if there is no such session.
    """
    keys = store.keys
    pipeline = store.client.pipeline(transaction=True)
    pipeline.get(keys.session)
    pipeline.get(keys.start(session_id))
    pipeline.get(keys.end(session_id))
    pipeline.get(keys.first(session_id))
    pipeline.llen(keys.messages(session_id))
    pipeline.hgetall(keys.meta(session_id))
    pipeline.lrange(keys.markers(session_id), 0, -1)
    with translated():
        running, start, end, first, length, meta, markers = pipeline.execute()
    if start is None:
        raise not_found(session_id)
    return SessionSnapshot(
        id=session_id,
        message_count=int(first or 0) + int(length),
        is_running=running is not None and int(running) == session_id,
        start=_text(start),
        end=None if end is None else _text(end),
        meta={_text(field): _text(value) for field, value in meta.items()},
        markers=tuple(map(_text, markers)),
    )


def saved_blocks(store: "DatabaseServer", keys: SessionSnapshot) -> Iterator[SavedBlock]:
    """Return a session's messages in blocks on the grid, up to the snapshot's count.

    :raises SessionNotFound: if the session was deleted meanwhile.
    """
    cursor = _ReadsCursor(store.client, store.keys, keys.id)
    for start in range(0, keys.message_count, GRID_MESSAGES):
        count = min(GRID_MESSAGES, keys.message_count - start)
        block = store.messages(keys.id, start, count, even_in_trash=True)
        yield SavedBlock(block, cursor.reads_of(block))


def digest_of(store: "DatabaseServer", keys: SessionSnapshot) -> SessionDigest:
    """Return the checksum of a session as it stands in the store.

    :raises BackupError: if messages are missing.
    """
    whole = SessionDigest()
    for start in range(0, keys.message_count, GRID_MESSAGES):
        count = min(GRID_MESSAGES, keys.message_count - start)
        whole.take(store.messages(keys.id, start, count, even_in_trash=True))
    return whole


def put_session(store: "DatabaseServer", keys: SessionSnapshot) -> None:
    """Write a session's keys, without messages; what stood there is replaced. It is not listed by that."""
    names, number = store.keys, keys.id
    pipeline = store.client.pipeline(transaction=True)
    pipeline.unlink(names.messages(number), names.arrivals(number), names.first(number), names.end(number))
    pipeline.unlink(names.meta(number), names.markers(number))
    pipeline.set(names.start(number), _bytes(keys.start))
    if keys.end is not None:
        pipeline.set(names.end(number), _bytes(keys.end))
    if keys.meta:
        pipeline.hset(names.meta(number), mapping={_bytes(field): _bytes(text) for field, text in keys.meta.items()})
    for markers in _cut(keys.markers):
        pipeline.rpush(names.markers(number), *map(_bytes, markers))
    with translated():
        pipeline.execute()


def put_block(store: "DatabaseServer", saved: SavedBlock) -> None:
    """Append a block to a session's lists. The blocks of a session come in order."""
    block, keys = saved.block, store.keys
    reads = saved.reads if saved.reads is not None else pack(entries_of(block))
    entries = [reads[at : at + ARRIVAL.size] for at in range(0, len(reads), ARRIVAL.size)]
    pipeline = store.client.pipeline(transaction=True)
    for messages in _cut(block.messages()):
        pipeline.rpush(keys.messages(block.session_id), *messages)
    for part in _cut(entries):
        pipeline.rpush(keys.arrivals(block.session_id), *part)
    with translated():
        pipeline.execute()


def put_end(store: "DatabaseServer", keys: SessionSnapshot) -> None:
    """Write down how a session ended."""
    if keys.end is None:
        return
    pipeline = store.client.pipeline(transaction=True)
    pipeline.set(store.keys.end(keys.id), _bytes(keys.end))
    if "interrupted" in keys.meta:
        pipeline.hset(store.keys.meta(keys.id), "interrupted", _bytes(keys.meta["interrupted"]))
    with translated():
        pipeline.execute()


def put_store(store: "DatabaseServer", snapshot: StoreSnapshot) -> None:
    """Write the keys that belong to no session, all in one moment: with that the sessions are there."""
    keys = store.keys
    pipeline = store.client.pipeline(transaction=True)
    pipeline.delete(keys.sessions, keys.trash, keys.streams)
    pipeline.set(keys.store_id, snapshot.store_id)
    pipeline.set(keys.session_last, snapshot.session_last)
    if snapshot.schema_version > 1:
        pipeline.set(keys.schema, snapshot.schema_version)
    for part in _cut(snapshot.sessions):
        pipeline.rpush(keys.sessions, *part)
    if snapshot.trash:
        pipeline.zadd(keys.trash, {str(session_id): since for session_id, since in snapshot.trash.items()})
    if snapshot.streams:
        pipeline.hset(keys.streams, mapping={_bytes(name): str(number) for name, number in snapshot.streams.items()})
    with translated():
        pipeline.execute()


def closed(keys: SessionSnapshot, last_arrived_ns: int | None) -> SessionSnapshot:
    """Return a session that ran when it was saved as it is restored: closed, interrupted at its last message."""
    if not keys.is_running:
        return keys
    end_ms = max(int(keys.start), 0 if last_arrived_ns is None else last_arrived_ns // MILLISECOND_NS)
    meta = keys.meta | {"interrupted": "1"}
    return keys.model_copy(update={"is_running": False, "end": str(end_ms), "meta": meta})


def entries_of(block: MessageBlock) -> list[Entry]:
    """Return reads that give the block's arrivals and sources: a new one where either changes."""
    if not len(block):
        return []
    changes = (np.diff(block.arrived_ns) != 0) | (np.diff(block.source.astype(np.int32)) != 0)
    begins = np.concatenate(([0], np.flatnonzero(changes) + 1))
    counts = np.diff(np.append(begins, len(block)))
    return [
        (block.first_seq + int(begin), int(block.arrived_ns[begin]), int(block.source[begin]), int(count))
        for begin, count in zip(begins, counts, strict=True)
    ]


def pack(entries: list[Entry]) -> bytes:
    """Return reads as they lie in the store, end to end."""
    return b"".join(ARRIVAL.pack(*entry) for entry in entries)


class _ReadsCursor:
    """Finds the reads of a session's blocks, in order, while others append and the archive trims the list."""

    def __init__(self, client: "redis.Redis", keys: StoreKeys, session_id: int) -> None:
        self._client = client
        self._key = keys.arrivals(session_id)
        self._index = 0
        self._covered = 0
        """The message behind the last read that was given out."""

    def reads_of(self, block: MessageBlock) -> bytes | None:
        """Return the reads that begin in the block, packed; None where the block itself tells them."""
        entries = self._entries(self._covered, block.next_seq)
        derived = entries_of(block.between(self._covered, block.next_seq))
        if not self._is_whole(entries, block.next_seq):
            # The archive, which does not keep where reads began, has them; or they were put in by another program.
            entries = derived
        self._covered = max(self._covered, entries[-1][0] + entries[-1][3] if entries else block.next_seq)
        return None if entries == entries_of(block) else pack(entries)

    def _is_whole(self, entries: list[Entry], stop: int) -> bool:
        expected = self._covered
        for entry in entries:
            if entry[0] != expected or not entry[3]:
                return False
            expected += entry[3]
        return expected >= stop

    def _entries(self, first: int, stop: int) -> list[Entry]:
        """Return the reads with first <= first_seq < stop that the list has now."""
        found: list[Entry] = []
        if self._seq_at(self._index) != first:
            self._index = self._find(first)
        while True:
            end = self._index + _ENTRIES_A_READ - 1
            with translated():
                packed: Any = self._client.lrange(self._key, self._index, end)
            for entry in map(ARRIVAL.unpack, packed):
                if entry[0] >= stop:
                    return found
                found.append(entry)
                self._index += 1
            if not packed:
                return found

    def _find(self, seq: int) -> int:
        """Return the index of the first read with first_seq >= seq, by bisection."""
        with translated():
            low, high = 0, int(self._client.llen(self._key))
        while low < high:
            middle = (low + high) // 2
            there = self._seq_at(middle)
            if there is not None and there < seq:
                low = middle + 1
            else:
                high = middle
        return low

    def _seq_at(self, index: int) -> int | None:
        with translated():
            entry: Any = self._client.lindex(self._key, index)
        return None if entry is None else int(ARRIVAL.unpack(entry)[0])


def _cut(values: Any) -> Iterator[Any]:
    """Cut what goes into one list into commands of bounded size."""
    for start in range(0, len(values), _VALUES_A_COMMAND):
        yield values[start : start + _VALUES_A_COMMAND]


def _text(value: bytes) -> str:
    return str(value, "latin-1")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")
