"""The spool: batches and changes that are safe on disk while the store is away, in order.

Records go into segment files that are only appended to, and count once they are synchronised. The oldest are dropped
when the store has them; a segment goes when all of it was. Which have gone is not written down: after a crash they are
offered again, and the store knows them by their batch numbers. Knows nothing of the store.
"""

import contextlib
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from blitz.data.blocks import MessageBlock
from blitz.data.disk import Disk, DiskFile
from blitz.data.records import Gap
from blitz.data.spool_records import Batch, Change, ChangeKind, Found, SpoolRecord, encode, scan
from blitz.errors import SpoolError

SEGMENT_BYTES = 8 << 20
_INDEX_BYTES = 1 << 16
"""Where messages are looked up, a place is remembered at most this often."""

_REMEMBERED = (ChangeKind.CLOSE, ChangeKind.PREPARE, ChangeKind.GAP)


class _Segment:
    """One file: where in it which messages are, and how far it has been dropped."""

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.size = 0
        self.dropped = 0
        self.places: dict[int, list[tuple[int, int]]] = {}
        """By session: first_seq and offset of some batches, rising."""
        self.ends: dict[int, int] = {}
        self.changes: list[tuple[int, Change]] = []
        """Those that are asked for, with their offsets."""
        self.last: Found | None = None
        """Its last record at the start, without messages."""
        self.files = [path]
        """What goes with it: its own file, and those before it that end with the record which stands here again."""


class Spool:
    """Records in order, safe on disk. May be used from several threads.

    :param limit_bytes: what all segments together may take.
    """

    def __init__(
        self, disk: Disk, folder: Path, limit_bytes: int = 2 << 30, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self.limit_bytes = limit_bytes
        self.message_count = 0
        """Messages in it."""
        self._disk = disk
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments: deque[_Segment] = deque()
        self._file: DiskFile | None = None
        self._left: tuple[Path, int] | None = None
        """A file in which a write failed, and how much of it counts, until the rest is cut off."""
        self._number = 0
        self._first_seqs: dict[int, int] = {}
        self._arrivals: dict[int, dict[int, int]] = {}
        self._offered: list[_Place] = []
        self._lock = threading.RLock()

    # ---- at the start -----------------------------------------------------------------------------------------

    def recover(self) -> list[str]:
        """Find what an earlier server left; return sentences about what was damaged.

        A record whose end is missing was never counted as safe: it is cut off.

        :raises SpoolError: if the folder cannot be read.
        """
        told: list[str] = []
        newest = b""
        with self._lock, self._faults("take up"):
            self._disk.make_folder(self._folder)
            for name in self._disk.names(self._folder):
                stem, _, ending = name.partition(".")
                if ending != "spool" or not stem.isdecimal():
                    continue
                segment = _Segment(int(stem), self._folder / name)
                self._number = max(self._number, segment.number)
                content = self._disk.read(segment.path)
                told += self._read_segment(segment, content)
                if segment.last is None:
                    self._disk.remove(segment.path)
                    continue
                self._segments.append(segment)
                if content == newest:
                    self._stands_again(segment)
                newest = content[segment.last.start : segment.last.stop]
            if newest:
                self._write_again(newest)
            self._disk.sync_folder(self._folder)
        return told

    def _write_again(self, newest: bytes) -> None:
        """Write the newest record once more, into a file of its own: it counts from now on, and is perhaps on no disk.

        Its server may have been killed before it synchronised it, or when that had failed. Then it can be read, but the
        system has forgotten that it is not on the disk: synchronising it now says nothing and does nothing, and on ext4
        writing it again in its place does not help either. There is only one: behind a failure no file is written to.
        """
        before = self._segments[-1]
        copy = self._write(newest)
        self._close_file()
        assert before.last is not None
        copy.last = replace(before.last, start=0, stop=len(newest))
        copy.size = len(newest)
        self._count(copy, copy.last.record, 0)
        was_copy = len(before.files) > 1
        self._stands_again(copy)
        if was_copy:  # else each start would leave one more
            self._disk.remove(before.path)
            copy.files.remove(before.path)

    def _stands_again(self, copy: _Segment) -> None:
        """The newest segment is the last record of the one before: there it does not count any more.

        The file before stays as long as the copy: a disk that only says that it has synchronised may have no other.
        """
        before = self._segments[-2]
        assert before.last is not None
        if isinstance(before.last.record, Batch):
            self.message_count -= before.last.record.count
        before.size = before.last.start
        copy.files[:0] = before.files
        before.files = []
        if not before.size:
            del self._segments[-2]

    def _read_segment(self, segment: _Segment, content: bytes) -> list[str]:
        told = []
        for found in scan(content, with_messages=False):
            if found.damaged_bytes:
                told.append(
                    f"{found.damaged_bytes} bytes of the spool file {segment.path.name} are damaged; what they held is "
                    "lost, what stands behind them is not."
                )
            self._count(segment, found.record, found.start)
            segment.last, segment.size = found, found.stop
        return told

    def _count(self, segment: _Segment, record: SpoolRecord, offset: int) -> None:
        if isinstance(record, Change):
            if record.kind in _REMEMBERED:
                segment.changes.append((offset, record))
            return
        self.message_count += record.count
        self._first_seqs.setdefault(record.session_id, record.first_seq)
        places = segment.places.setdefault(record.session_id, [])
        if not places or offset - places[-1][1] >= _INDEX_BYTES:
            places.append((record.first_seq, offset))
        segment.ends[record.session_id] = record.next_seq
        arrivals = self._arrivals.setdefault(record.session_id, {})
        for read in record.reads:
            arrivals[read.source] = read.arrived_ns

    # ---- in and out -------------------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether the store has everything."""
        return not self._segments

    @property
    def size_bytes(self) -> int:
        """What it takes on disk."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    def append(self, record: SpoolRecord) -> None:
        """Add a record; it is safe on disk when this returns.

        :raises SpoolError: if it could not be written, or the limit is reached. It may be given again.
        """
        encoded = encode(record)
        with self._lock:
            size = self.size_bytes
            if size + len(encoded) > self.limit_bytes:
                raise SpoolError(
                    f"The spool in {self._folder} has reached its limit ({self.limit_bytes >> 20} MB, setting "
                    "spool_limit_mb) and takes no more. Bring Redis back."
                )
            with self._faults("write"):
                segment = self._write(encoded)
            self._count(segment, record, segment.size)
            segment.size += len(encoded)

    def _write(self, encoded: bytes) -> _Segment:
        segment = self._writable()
        assert self._file is not None
        try:
            self._file.write(encoded)
            self._file.sync()
        except BaseException:
            self._leave_file(segment)
            raise
        return segment

    def _writable(self) -> _Segment:
        if self._file is not None and self._segments and self._segments[-1].size < self._segment_bytes:
            return self._segments[-1]
        self._close_file()
        self._cut_off()
        self._number += 1
        segment = _Segment(self._number, self._folder / f"{self._number:012d}.spool")
        file = self._disk.open(segment.path)
        try:
            self._disk.sync_folder(self._folder)
        except BaseException:
            file.close()
            with contextlib.suppress(OSError):
                self._disk.remove(segment.path)
            raise
        self._file = file
        self._segments.append(segment)
        return segment

    def _leave_file(self, segment: _Segment) -> None:
        """What a write that failed has left there is unknown: cut it off if that goes, and never write there again."""
        self._close_file()
        if not segment.size and self._segments and self._segments[-1] is segment:
            self._segments.pop()
        self._left = (segment.path, segment.size)
        with contextlib.suppress(OSError):
            self._cut_off()

    def _cut_off(self) -> None:
        """Cut off what a write that failed has left, before another file is begun.

        A start takes up what it can read, and writes again only what stands in the newest file.
        """
        if self._left is None:
            return
        path, size = self._left
        file = self._disk.open(path)
        try:
            file.truncate(size)
        finally:
            file.close()
        self._left = None
        if not size:
            with contextlib.suppress(OSError):
                self._disk.remove(path)

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def oldest(self, limit_bytes: int = 1 << 20) -> list[SpoolRecord]:
        """Return the oldest records, at least one if there is any, at most about so many bytes of them.

        :raises SpoolError: if they cannot be read.
        """
        with self._lock:
            while self._segments:
                segment = self._segments[0]
                self._offered = list(self._between(segment, segment.dropped, limit_bytes))
                if self._offered:
                    return [place.record for place in self._offered]
                self._forget(segment)  # what was left of it is damaged
            return []

    def _between(self, segment: _Segment, start: int, limit_bytes: int) -> Iterator["_Place"]:
        """Yield records of a segment from an offset on, about so many bytes of them, but one at least."""
        size = segment.size - start
        length = min(limit_bytes, size)
        while True:
            with self._faults("read"):
                content = self._disk.read(segment.path, start, length)
            stop = 0
            for found in scan(content):
                yield _Place(found.record, start + found.start, start + found.stop)
                stop = found.stop
            if stop or length >= size:
                return
            length = min(2 * length, size)

    def drop(self, count: int) -> None:
        """The store has the first ``count`` of the records that :meth:`oldest` gave last: forget them.

        :raises SpoolError: if a file cannot be removed; its records are forgotten all the same.
        """
        with self._lock:
            gone, self._offered = self._offered[:count], self._offered[count:]
            if not gone:
                return
            segment = self._segments[0]
            segment.dropped = gone[-1].stop
            for place in gone:
                if isinstance(place.record, Batch):
                    self.message_count -= place.record.count
                    self._first_seqs[place.record.session_id] = place.record.next_seq
            if segment.dropped >= segment.size:
                self._forget(segment)

    def _forget(self, segment: _Segment) -> None:
        if self._segments[-1] is segment:
            self._close_file()
        self._segments.popleft()
        self._offered = []
        if self.is_empty:
            self.message_count = 0
            self._first_seqs.clear()
            self._arrivals.clear()
        if self._left is not None and self._left[0] in segment.files:
            self._left = (self._left[0], 0)
        with self._faults("remove from"):
            for path in segment.files:
                self._disk.remove(path)
            if self.is_empty:  # what goes to the store directly from now on must not be replaced by what was here
                self._disk.sync_folder(self._folder)

    def close(self) -> None:
        """Close the file; records stay."""
        with self._lock:
            self._close_file()

    # ---- what is in it ----------------------------------------------------------------------------------------

    def first_seq(self, session_id: int) -> int | None:
        """Return where a session's messages in the spool begin; None if there are none."""
        with self._lock:
            return self._first_seqs.get(session_id)

    def first_seqs(self) -> dict[int, int]:
        """Return where the messages in the spool begin, by session."""
        with self._lock:
            return dict(self._first_seqs)

    def next_seq(self, session_id: int) -> int | None:
        """Return where a session's messages in the spool end; None if there are none."""
        with self._lock:
            return max((s.ends[session_id] for s in self._segments if session_id in s.ends), default=None)

    def last_arrivals(self, session_id: int) -> dict[int, int]:
        """Return when a message of each source came last, in ns, of the session's messages in the spool."""
        with self._lock:
            return dict(self._arrivals.get(session_id, {}))

    @property
    def has_turns(self) -> bool:
        """Whether the end or the beginning of any session is in it."""
        return bool(self._changes((ChangeKind.CLOSE, ChangeKind.PREPARE)))

    def gaps(self, session_id: int, known: Iterable[Gap] = ()) -> tuple[Gap, ...]:
        """Return the gaps of a session that are known, with those that it holds."""
        held = (Gap.model_validate_json(change.body) for change in self._changes((ChangeKind.GAP,), session_id))
        return tuple({(gap.from_ns, gap.source): gap for gap in (*known, *held)}.values())

    def _changes(self, kinds: Sequence[ChangeKind], session_id: int | None = None) -> list[Change]:
        with self._lock:
            return [
                change
                for segment in self._segments
                for offset, change in segment.changes
                if offset >= segment.dropped and change.kind in kinds and session_id in (None, change.session_id)
            ]

    def messages(self, session_id: int, first: int, count: int, store_id: str = "") -> MessageBlock | None:
        """Return messages with first <= seq < first + count; None if the first of them is not here.

        :raises SpoolError: if they cannot be read.
        """
        with self._lock:
            begin = self._first_seqs.get(session_id)
            if begin is None or first < begin or count <= 0:
                return None
            batches: list[Batch] = []
            position = first
            for segment in self._segments:
                if position < first + count and segment.ends.get(session_id, 0) > position:
                    batches += self._batches(segment, session_id, position, first + count)
                    position = batches[-1].next_seq if batches else position
        blocks = _joined(batches, store_id)
        if not blocks or blocks[0].first_seq > first:
            return None
        return MessageBlock.concatenate(blocks).between(first, first + count)

    def _batches(self, segment: _Segment, session_id: int, first: int, stop: int) -> list[Batch]:
        places = segment.places[session_id]
        start = places[max(bisect_right(places, first, key=lambda place: place[0]) - 1, 0)][1]
        behind = bisect_left(places, stop, key=lambda place: place[0])
        end = places[behind][1] if behind < len(places) else segment.size
        chosen: list[Batch] = []
        for place in self._between(segment, start, end - start):
            record = place.record
            if isinstance(record, Batch) and record.session_id == session_id and record.next_seq > first:
                if record.first_seq >= stop:
                    break
                chosen.append(record)
        return chosen

    @contextlib.contextmanager
    def _faults(self, what: str) -> Iterator[None]:
        try:
            yield
        except SpoolError:
            raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SpoolError(
                f"Cannot {what} the spool in {self._folder}: {reason}. Check that it is a folder of its own, on a disk "
                "that works and has room, and that you may write there."
            ) from error


class _Place:
    __slots__ = ("record", "start", "stop")

    def __init__(self, record: SpoolRecord, start: int, stop: int) -> None:
        self.record, self.start, self.stop = record, start, stop


def _joined(batches: Sequence[Batch], store_id: str) -> list[MessageBlock]:
    """Return blocks that follow each other; a batch that stands twice, after a write that failed, counts once."""
    blocks: list[MessageBlock] = []
    for batch in batches:
        block = MessageBlock.from_reads(batch.session_id, batch.first_seq, batch.reads, store_id)
        if blocks and block.next_seq <= blocks[-1].next_seq:
            continue
        if blocks and block.first_seq != blocks[-1].next_seq:
            break
        blocks.append(block)
    return blocks
