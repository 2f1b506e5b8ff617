"""What was promised to those who saw messages, and whether it still holds.

A message that was published is safe: it is there once, under the sequence number that it was shown with, in the order
in which its source sent it, whatever happened since; the archive, the store and the spool count together. A message
that was put and not published yet may be there, once, or not.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sim_disk import SimDisk
from sim_redis import SimRedis

from blitz.data.records import Gap
from blitz.data.spool_records import Batch, SpoolRecord, scan
from blitz.data.store_keys import ARRIVAL, QUEUE_SOURCE, StoreKeys

SPOOL = Path("/lab/spool")
KEYS = StoreKeys("")


ReadArchive = Callable[[int, int, int], Sequence[bytes]]
"""Gives archived messages of a session: first <= seq < stop."""


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
        """Entries and ends that were said to be safe: session, kind, and a part of their text."""
        self.gaps: dict[tuple[int, int], int] = {}
        """How much was known at least of each gap, by session and beginning."""
        self.renumbered: set[int] = set()
        """Sessions of which a disk that lies has lost some messages: what follows is elsewhere than it was shown."""
        self.archived: dict[int, list[bytes]] = {}
        """Archived messages by session, as they were last read from the files."""

    def publish(self, session_id: int, first_seq: int, messages: Sequence[bytes]) -> None:
        shown = self.published.setdefault(session_id, {})
        for seq, message in enumerate(messages, first_seq):
            if seq in shown and session_id not in self.renumbered:
                raise Broken(f"seq {seq} of session {session_id} was {shown[seq]!r} and is {message!r} now")
            shown[max(shown) + 1 if seq in shown else seq] = message

    def check(self, redis: SimRedis, disk: SimDisk, read_archive: ReadArchive) -> None:
        """Check what can be checked at any moment.

        :raises Broken: if the promise is broken.
        """
        spooled = self._spooled(disk)
        for session_id in sorted({*self.published, *spooled, *self.queued_safely.values()}):
            self._check_session(session_id, redis, spooled.get(session_id, ()), read_archive)

    def _spooled(self, disk: SimDisk) -> dict[int, list[Batch]]:
        batches: dict[int, list[Batch]] = {}
        for content in disk.contents(SPOOL):
            for record in _records(content):
                if isinstance(record, Batch):
                    batches.setdefault(record.session_id, []).append(record)
        return batches

    def _check_session(
        self, session_id: int, redis: SimRedis, batches: Iterable[Batch], read_archive: ReadArchive
    ) -> None:
        keys = redis.keys
        if not _exists(redis, session_id):
            return  # deleted
        first = int(keys.get(KEYS.first(session_id).encode(), b"0"))
        listed: list[bytes] = keys.get(KEYS.messages(session_id).encode(), [])
        meta: Mapping[bytes, bytes] = keys.get(KEYS.meta(session_id).encode(), {})
        archived = self.archived.get(session_id, [])
        if first > len(archived):
            archived = self.archived[session_id] = [*archived, *read_archive(session_id, len(archived), first)]
        stored = [*archived[:first], *listed]
        batches = [batch for batch in batches if not _has_landed(meta, batch)]
        self._check_content(session_id, stored)
        _check_arrivals(session_id, first, listed, keys.get(KEYS.arrivals(session_id).encode(), []))
        waiting: dict[int, bytes] = {}
        for batch in batches:
            messages = [message for read in batch.reads for message in read.messages]
            waiting.update(enumerate(messages, batch.first_seq))
        shown, count = self.published.get(session_id, {}), len(stored)
        if session_id in self.renumbered:
            if missing := set(shown.values()) - {*stored, *waiting.values()}:
                raise Broken(f"session {session_id} has lost {sorted(missing)!r}")
            return
        for seq, message in shown.items():
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
            if number <= last.get(source, -1) and session_id not in self.renumbered:
                raise Broken(f"session {session_id} has {message!r} behind a later one of its source")
            last[source] = number

    def check_settled(self, redis: SimRedis) -> None:
        """Check the end, when all is repaired and the spool is empty.

        :raises Broken: if something is missing that was safe.
        """
        keys = redis.keys
        for session_id, shown in self.published.items():
            if shown and _exists(redis, session_id) and b"%d" % session_id not in keys.get(KEYS.sessions.encode(), []):
                raise Broken(f"session {session_id} is in no list")
        for message, session_id in self.queued_safely.items():
            archived, listed = self.archived.get(session_id, []), keys.get(KEYS.messages(session_id).encode(), [])
            if _exists(redis, session_id) and message not in listed and message not in archived:
                raise Broken(f"{message!r}, which was queued, is not in session {session_id}")
        for session_id, kind, text in self.changes:
            if not _exists(redis, session_id):
                continue
            if kind == "entry":
                entries = keys.get(KEYS.markers(session_id).encode(), [])
                found = sum(text.encode() in entry for entry in entries)
            else:
                found = int(KEYS.end(session_id).encode() in keys)
            if found != 1:
                raise Broken(f"session {session_id} has the {kind} {text!r} {found} times")
        for (session_id, from_ns), known in self.gaps.items():
            stored = keys.get(KEYS.meta(session_id).encode(), {}).get(b"gap:%d:0" % from_ns, b"")
            if _exists(redis, session_id) and (not stored or Gap.model_validate_json(stored).recovered < known):
                raise Broken(f"session {session_id} has {stored!r} instead of version {known} of that gap")


def _has_landed(meta: Mapping[bytes, bytes], batch: Batch) -> bool:
    return batch.number <= int(meta.get(b"batch:" + batch.writer.encode(), b"0").partition(b":")[0])


def _exists(redis: SimRedis, session_id: int) -> bool:
    return KEYS.start(session_id).encode() in redis.keys


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
