"""What was promised to those who saw messages, and whether it still holds.

A message that was published is safe: it is there once, under the sequence number that it was shown with, in the order
in which its source sent it, whatever happened since; the archive, the store and the spool count together. A message
that was put and not published yet may be there, once, or not.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim_disk import SimDisk
from sim_redis import SimRedis

from blitz.data.spool_records import Batch, Change, SpoolRecord, scan
from blitz.data.store_keys import ARRIVAL, QUEUE_SOURCE, StoreKeys

SPOOL = Path("/lab/spool")
KEYS = StoreKeys("")


class Broken(AssertionError):  # noqa: N818 - reads as what happened
    """The promise does not hold."""


class Promise:
    """All messages of a world."""

    def __init__(self) -> None:
        self.sent: dict[bytes, tuple[int, int]] = {}
        """Of each message that a source sent: source and number."""
        self.queued: set[bytes] = set()
        """What other programs tried to queue."""
        self.queued_safely: dict[bytes, int] = {}
        """What the store acknowledged to them: message and session."""
        self.published: dict[int, dict[int, bytes]] = {}
        """By session and sequence number."""
        self.changes: list[tuple[int, str, str]] = []
        """Gaps, entries and ends that were said to be safe: session, kind, and a part of their text."""
        self.stored: dict[int, list[bytes]] = {}
        """Archived messages by session, as the world reads them."""
        self._checked: dict[int, tuple[Any, ...]] = {}

    def publish(self, session_id: int, first_seq: int, messages: Sequence[bytes]) -> None:
        shown = self.published.setdefault(session_id, {})
        for seq, message in enumerate(messages, first_seq):
            if seq in shown:
                raise Broken(f"seq {seq} of session {session_id} was {shown[seq]!r} and is {message!r} now")
            shown[seq] = message

    def check(
        self, redis: SimRedis, disk: SimDisk, read_archive: Callable[[int, int], Sequence[bytes]] | None = None
    ) -> None:
        """Check what can be checked at any moment.

        :param read_archive: gives a session's messages below a sequence number.
        :raises Broken: if the promise is broken.
        """
        spooled = self._spooled(disk)
        for session_id in sorted({*self.published, *spooled}):
            self.check_session(session_id, redis, spooled.get(session_id, ()), read_archive)

    def _spooled(self, disk: SimDisk) -> dict[int, list[Batch]]:
        batches: dict[int, list[Batch]] = {}
        for content in disk.contents(SPOOL):
            for record in _records(content):
                if isinstance(record, Batch):
                    batches.setdefault(record.session_id, []).append(record)
        return batches

    def check_session(
        self,
        session_id: int,
        redis: SimRedis,
        batches: Iterable[Batch],
        read_archive: Callable[[int, int], Sequence[bytes]] | None,
    ) -> None:
        keys = redis.keys
        if KEYS.start(session_id).encode() not in keys:
            return  # deleted
        first = int(keys.get(KEYS.first(session_id).encode(), b"0"))
        listed: list[bytes] = keys.get(KEYS.messages(session_id).encode(), [])
        meta: Mapping[bytes, bytes] = keys.get(KEYS.meta(session_id).encode(), {})
        archived = self.stored.get(session_id, [])
        if first > len(archived) and read_archive is not None:
            archived = self.stored[session_id] = [*archived, *read_archive(len(archived), first)]
        stored = [*archived[:first], *listed]
        self._check_content(session_id, stored)
        _check_arrivals(session_id, first, listed, keys.get(KEYS.arrivals(session_id).encode(), []))
        waiting: dict[int, bytes] = {}
        for batch in batches:
            landed = meta.get(b"batch:" + batch.writer.encode(), b"0").partition(b":")[0]
            if batch.number > int(landed):
                messages = [message for read in batch.reads for message in read.messages]
                waiting.update(enumerate(messages, batch.first_seq))
        count = len(stored)
        for seq, message in self.published.get(session_id, {}).items():
            there = waiting.get(seq) or (stored[seq] if seq < count else None)
            if there != message:
                raise Broken(f"seq {seq} of session {session_id} was shown as {message!r}; there is {there!r}")

    def _check_content(self, session_id: int, stored: Sequence[bytes]) -> None:
        if len(set(stored)) != len(stored):
            double = [message for message, count in Counter(stored).items() if count > 1]
            raise Broken(f"session {session_id} has {double[:3]!r} twice")
        last: dict[int, int] = {}
        for message in stored:
            sent = self.sent.get(message)
            if sent is None:
                if message not in self.queued:
                    raise Broken(f"session {session_id} has {message!r}, which nobody sent")
                continue
            source, number = sent
            if number <= last.get(source, -1):
                raise Broken(f"session {session_id} has {message!r} behind a later one of its source")
            last[source] = number

    def check_settled(self, redis: SimRedis) -> None:
        """Check the end, when all is repaired and the spool is empty."""
        stored = {
            session_id: [*self.stored.get(session_id, []), *redis.keys.get(KEYS.messages(session_id).encode(), [])]
            for session_id in {*self.published, *self.queued_safely.values()}
        }
        for message, session_id in self.queued_safely.items():
            if message not in stored[session_id]:
                raise Broken(f"{message!r}, which was queued, is not in session {session_id}")
        for session_id, kind, text in self.changes:
            meta = redis.keys.get(KEYS.meta(session_id).encode(), {})
            places = {
                "gap": [value for field, value in meta.items() if field.startswith(b"gap:")],
                "entry": redis.keys.get(KEYS.markers(session_id).encode(), []),
                "close": [b"closed"] if KEYS.end(session_id).encode() in redis.keys else [],
            }
            found = sum(text.encode() in value for value in places[kind])
            if found != 1:
                raise Broken(f"session {session_id} has the {kind} {text!r} {found} times")


def _check_arrivals(session_id: int, first: int, listed: Sequence[bytes], entries: Sequence[bytes]) -> None:
    seq, last_ns, end = first, 0, first + len(listed)
    for position, entry in enumerate(entries):
        entry_seq, arrived_ns, source, count = ARRIVAL.unpack(entry)
        if source == QUEUE_SOURCE:  # stamped by another program, while ours wait
            arrived_ns = last_ns
        if position == 0 and entry_seq <= first:
            seq = entry_seq  # a read that was archived in part
        if entry_seq != seq:
            raise Broken(f"session {session_id}: an arrival begins at {entry_seq}, the one before ended at {seq}")
        if arrived_ns < last_ns:
            raise Broken(f"session {session_id}: the arrival at seq {entry_seq} lies before the one before it")
        seq, last_ns = seq + count, arrived_ns
    if seq != end and listed:
        raise Broken(f"session {session_id}: arrivals end at {seq}, messages at {end}")


@functools.lru_cache(256)
def _records(content: bytes) -> tuple[SpoolRecord, ...]:
    return tuple(found.record for found in scan(content))


def change_count(disk: SimDisk) -> int:
    """Return how many changes the spool's files hold."""
    return sum(isinstance(record, Change) for content in disk.contents(SPOOL) for record in _records(content))
