"""One file of comma-separated values, as it was since it began: its rows in order, each once, however it is written.

Appended rows are read from where the last ones ended. Whether what stands before has changed is told by digests of it:
the piece before the end is looked at with each reading, the rest now and then. A file that was written anew is read
from its beginning, and its rows are compared with those that are known: as long as they come in the known order one by
one, from the first difference on as a multiset. Which of them are new is then the same, whatever was edited.

A file is written anew where it begins with the first row that is known, or with a run of known rows: sixteen, or up to
the newest. Else it is another file, all of whose rows are new.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from blitz.data.csv_rows import HASH_BYTES, RowCutter, hash_rows
from blitz.io.csv_file import OpenFile, Stamp
from blitz.io.csv_head import HEAD_BYTES, Head, read_head
from blitz.io.csv_known import Known, count_same, resembles
from blitz.io.csv_log import Place, Places, RowLog, digest_of, new_digest

CHUNK_BYTES = 1 << 18
"""More than the longest row has."""
PIECE_BYTES = 1 << 16
"""Between two places at least."""
TAIL_BYTES = 1 << 14
"""So much before the end, at least, is looked at again whenever the file has changed."""
SETTLE_S = 2.0
"""Whoever writes a file anew is done when nothing came for so long."""
VERIFY_AT_ONCE_BYTES = 64 << 20
"""So much is compared at once where the file was changed without having grown."""
VERIFY_S = 1.0
VERIFY_PIECES = 4
"""So much of what was read before is looked at again, and so often."""


class Phase(Enum):
    """What is done with a file's rows."""

    BEGINNING = auto()
    """It is not known yet where they begin."""
    GOING_ON = auto()
    """Rows that are known come first, exactly those and in their order, since the file was left there."""
    COMPARING = auto()
    """The file was written anew, or may have been."""
    APPENDING = auto()
    """Each is new."""


@dataclass(frozen=True)
class Kept:
    """What is written down of a file besides its rows.

    :param plain_from: from this row on they stand in the file in the order in which they became known; None: not so.
    """

    number: int
    base: int
    device: int = 0
    inode: int = 0
    plain_from: int | None = None
    skipped: str = ""
    """What stood before the first row, as Latin-1."""


class Reading:
    """A file, for one thread.

    :param folder: keeps what is known of its rows.
    :param has_headings: False: it begins with a row, whatever that looks like.
    :param find_copy: looks for a copy of a file that is not as it was.
    """

    def __init__(
        self,
        folder: Path,
        kept: Kept,
        has_headings: bool | None = None,
        find_copy: Callable[["Reading"], OpenFile | None] = lambda reading: None,
    ) -> None:
        self.number, self.base = kept.number, kept.base
        self.device, self.inode = kept.device, kept.inode
        self.skipped = kept.skipped.encode("latin-1")
        self.head: Head | None = None
        """What was found at the beginning, once that was read."""
        self.file: OpenFile | None = None
        self.log = RowLog(folder / f"{kept.number}.rows")
        self.is_other = False
        """What the file holds begins in another way than before: it is another file."""
        self.is_copy = False
        """What is read is a copy, made before the file was emptied."""
        self.is_changed = False
        """What is kept of it has changed, and is to be written down."""
        self.skip = 0
        """So many new rows were recorded before, and the log has lost them."""
        self.limit: int | None = None
        """Where reading ends for now, in bytes."""
        self._has_headings = has_headings
        self._find_copy = find_copy
        self._folder = folder
        self._places = Places(folder / f"{kept.number}.places")
        self._plain_from = kept.plain_from
        self._phase = Phase.BEGINNING
        self._compared = 0
        self._until = len(self.log)
        self._is_undecided = False
        self._known: Known | None = None
        self._cutter = RowCutter()
        self._offset = 0
        self._digest: Any = new_digest()
        self._stamp: Stamp | None = None
        self._changed_s = time.monotonic()
        self._verified = 0
        self._verified_s = time.monotonic()
        self.has_more = False
        """Whether the next step goes on at once, whether or not this one brought rows."""

    @property
    def end(self) -> int:
        """The number behind its last row that is known."""
        return self.base + len(self.log)

    @property
    def kept(self) -> Kept:
        """Return what is to be written down."""
        return Kept(self.number, self.base, self.device, self.inode, self._plain_from, self.skipped.decode("latin-1"))

    @property
    def is_settled(self) -> bool:
        """Whether the file has not changed for a while."""
        return time.monotonic() - self._changed_s >= SETTLE_S

    @property
    def waits_for_quiet(self) -> bool:
        """Whether something will be known once the file has not changed for a while."""
        return self._phase in (Phase.BEGINNING, Phase.COMPARING)

    @property
    def is_racy(self) -> bool:
        """Whether the file may have changed since without looking so."""
        return self._stamp is not None and self._stamp.is_racy

    # ---- where it is read --------------------------------------------------------------------------------------

    def begin(self, file: OpenFile) -> None:
        """Read a file from its beginning; rows that are known are not new."""
        self.use(file)
        self._begin_anew()

    def use(self, file: OpenFile) -> None:
        """Go on in the same content under another name, or in another file."""
        if self.file is not None and self.file is not file:
            self.file.close()
        self.file = file
        self._stamp = None
        self.is_changed |= (self.device, self.inode) != file.identity
        self.device, self.inode = file.identity
        stamp = file.stamp()
        self._changed_s = time.monotonic() - max(min(time.time() - stamp.changed_ns / 1e9, SETTLE_S), 0.0)

    def go_on(self, file: OpenFile, row: int) -> None:
        """Read on behind so many rows, all others being forgotten; from the beginning if that cannot be told."""
        lost = max(row - len(self.log), 0)
        self.log.cut(row)
        self.use(file)
        index = -1 if lost or self._plain_from is None or row < self._plain_from else self._places.before(row)
        if index < 0 or not all(self._fits_at(file, piece) for piece in {0, 1, index}):
            self._begin_anew()
            self.skip = lost
            return
        place = self._places[index]
        self._places.cut(index + 1)
        self._offset, self._digest = place.offset, new_digest()
        self._cutter = RowCutter()
        self._compared, self._until = place.row, row
        self._set_phase(Phase.GOING_ON if place.row < row else Phase.APPENDING)
        self.has_more = True

    def fits(self, file: OpenFile) -> bool:
        """Say whether a file holds all that was read of this one."""
        last = len(self._places) - 1
        if last < 0 or self._plain_from is None:
            return False
        begin = self._places[last].offset
        if self._offset:  # else it was not opened since the server was started
            tail = file.read_at(begin, self._offset - begin)
            if len(tail) < self._offset - begin or digest_of(tail) != self._digest.digest():
                return False
        return all(self._fits_at(file, index) for index in {0, 1, last} if index <= last)

    def holds(self, file: OpenFile, row: int) -> bool | None:
        """Say whether a file holds the rows before one as they were; None where nothing is known of that."""
        index = -1 if self._plain_from is None or row < self._plain_from else self._places.before(row)
        if index < 0 or row > len(self.log):
            return None
        place = self._places[index]
        rows = RowCutter().feed(file.read_at(place.offset, CHUNK_BYTES))[: row - place.row]
        is_tail = hash_rows(rows) == self.log.read(place.row, row - place.row)
        return is_tail and all(self._fits_at(file, piece) for piece in {0, 1, index})

    def resembles(self, hashes: bytes) -> bool | None:
        """Say whether a file is this one, written anew; None if that cannot be told yet.

        :param hashes: of its first rows.
        """
        return resembles(self.log, hashes)

    def _fits_at(self, file: OpenFile, index: int) -> bool:
        """Say whether a piece of the file is as it was."""
        return self._places.fit(file.read_at, index)

    def _begin_anew(self) -> None:
        self._places.cut(0)
        self._forget_known()
        self._offset, self._digest = 0, new_digest()
        self._cutter = RowCutter()
        self._compared, self._until = 0, len(self.log)
        self._verified = 0
        self.is_changed |= self._plain_from is not None
        self._plain_from = None
        self.is_other = self._is_undecided = False
        self.has_more = True
        self._phase = Phase.BEGINNING

    def _set_phase(self, phase: Phase) -> None:
        if phase is Phase.APPENDING and self._plain_from is None:
            self._plain_from = len(self.log)
            self.is_changed = True
            self._keep_place()
        if phase is Phase.APPENDING:
            self._forget_known()
        self._phase = phase

    def _forget_known(self) -> None:
        self._known = None

    def rest(self) -> None:
        """It is at its end: close what can be opened again."""
        self._forget_known()
        self.log.close()
        self._places.close()
        if self.file is not None and not self.file.is_removed:
            self.file.close()
            self.file = None

    def close(self) -> None:
        """Close all of its files."""
        self.rest()
        if self.file is not None:
            self.file.close()
            self.file = None

    def remove(self) -> None:
        """Close it, and forget what is known of it."""
        self.close()
        for kind in ("rows", "places"):
            (self._folder / f"{self.number}.{kind}").unlink(missing_ok=True)

    def take_too_long(self) -> list[bytes]:
        """Return the beginnings of rows that were too long, once."""
        found, self._cutter.too_long = self._cutter.too_long, []
        return found

    # ---- reading -----------------------------------------------------------------------------------------------

    def step(self) -> list[bytes]:
        """Read a piece; return the rows in it that are new. Sets ``has_more``, and ``is_other`` at another file.

        :raises LinkError: if it cannot be read, or is no table.
        """
        file = self.file
        assert file is not None
        stamp = file.stamp()
        if stamp != self._stamp:
            if self._stamp is not None and stamp.size == self._stamp.size:
                self._verify_at_once(stamp.size)
                file = self.file or file  # which may be a copy now
            self._changed_s = time.monotonic() if self._stamp is not None else self._changed_s
            self._stamp = stamp
        elif not self.has_more:
            self._stop_waiting()
            if not self.has_more and not stamp.is_racy:
                return []
        self.has_more = False
        if self._phase is Phase.BEGINNING and not self._find_beginning(file):
            return []
        rows = self._read(file)
        if time.monotonic() - self._verified_s >= VERIFY_S:
            self._verified_s = time.monotonic()
            self._verify(VERIFY_PIECES)
        return rows

    def _stop_waiting(self) -> None:
        """Nothing has changed: what was waited for does not come any more."""
        is_open = self._phase is Phase.BEGINNING or self._is_undecided
        self.has_more = is_open and self.is_settled
        if self._phase is Phase.COMPARING and not is_open and self.is_settled:
            self._set_phase(Phase.APPENDING)

    def _find_beginning(self, file: OpenFile) -> bool:
        content = file.read_at(0, HEAD_BYTES)
        head = read_head(content, is_settled=self.is_settled, has_headings=self._has_headings)
        if head is None:
            return False
        self.head = head
        self.is_changed |= self.skipped != head.skipped
        self.skipped = head.skipped
        self._offset = len(head.skipped)
        self._places.append(Place(0, self._offset, digest_of(head.skipped)))
        self._set_phase(Phase.COMPARING if self._until else Phase.APPENDING)
        return True

    def _read(self, file: OpenFile) -> list[bytes]:
        last = len(self._places) - 1
        begin = self._places[last].offset
        content = file.read_at(begin, self._offset - begin + CHUNK_BYTES)
        read, chunk = content[: self._offset - begin], content[self._offset - begin :]
        if self.limit is not None:
            chunk = chunk[: max(self.limit - self._offset, 0)]
        is_same = len(read) == self._offset - begin and digest_of(read) == self._digest.digest()
        if not is_same or (len(read) < TAIL_BYTES and not self._fits_at(file, last)):
            self._take_change()
            return []
        if not chunk:
            return []
        rows = self._cutter.feed(chunk)
        consumed = len(chunk) - len(self._cutter.pending)
        self._cutter.pending = b""
        self.has_more = len(chunk) == CHUNK_BYTES
        new = self._new_rows(rows)
        if self.is_other or self._is_undecided or self._phase is Phase.BEGINNING:
            return []
        self._offset += consumed
        self._digest.update(chunk[:consumed])
        is_over = self._phase is Phase.COMPARING and self._known is None and self._compared == self._until
        is_over |= self._known is not None and not self._known.left
        if is_over:
            self._set_phase(Phase.APPENDING)
        if self._offset - begin >= PIECE_BYTES and self._cutter.is_between:
            self._keep_place()
        if self.skip:
            new, self.skip = new[self.skip :], max(self.skip - len(new), 0)
        return new

    def _keep_place(self) -> None:
        row = self._compared if self._phase is Phase.GOING_ON else len(self.log)
        self._places.append(Place(row, self._offset, self._digest.digest()))
        self._digest = new_digest()

    def _new_rows(self, rows: list[bytes]) -> list[bytes]:
        """Return the rows that are not known yet, having made them known."""
        hashes = hash_rows(rows)
        if self._phase in (Phase.COMPARING, Phase.GOING_ON) and self._known is None:
            count = min(len(rows), self._until - self._compared)
            same = count_same(hashes, self.log.read(self._compared, count))
            self._compared += same
            rows, hashes = rows[same:], hashes[same * HASH_BYTES :]
            if rows and self._compared < self._until:
                if self._phase is Phase.GOING_ON:  # it is not as it was left
                    self._begin_anew()
                    return []
                if self._compared == 0:
                    is_same = self.resembles(hashes)
                    self._is_undecided = is_same is None and not self.is_settled
                    self.is_other = is_same is False
                    if self.is_other or self._is_undecided:
                        return []
                self._known = Known(self.log, self._compared)
            elif self._phase is Phase.GOING_ON and self._compared == self._until:
                self._set_phase(Phase.APPENDING)
        if self._known is not None:
            is_known = self._known.take(hashes)
            rows = [row for row, known in zip(rows, is_known, strict=True) if not known]
            hashes = hash_rows(rows)
        if rows:
            self.log.append(hashes)
        return rows

    def finish(self) -> list[bytes]:
        """Nothing will come any more: return the row that has no ending."""
        file = self.file
        if file is None or self._phase not in (Phase.APPENDING, Phase.COMPARING):
            return []
        cutter = RowCutter()
        rows = cutter.feed(rest := file.read_at(self._offset, CHUNK_BYTES)) + cutter.flush()
        new = self._new_rows(rows) if self._cutter.is_between else []
        self._offset += len(rest)
        return new

    def _take_change(self) -> None:
        """What was read is not as it was: somebody has edited it, or has emptied the file once it was copied."""
        copy = self._find_copy(self) if self._phase is Phase.APPENDING else None
        if copy is None:
            self._begin_anew()
        else:  # what was not read of the file is there
            self.use(copy)
            self.is_copy = self.has_more = True

    # ---- whether what was read is as it was --------------------------------------------------------------------

    def _verify_at_once(self, size: int) -> None:
        """The file was changed and has not grown: somebody may have edited a row."""
        self._verified = 0
        if size <= VERIFY_AT_ONCE_BYTES:
            self._verify(len(self._places))

    def _verify(self, count: int) -> None:
        """Compare some pieces with what was read; from the beginning where one differs."""
        assert self.file is not None
        self._verified = 0 if self._verified >= len(self._places) else self._verified
        for _ in range(min(count, len(self._places))):
            if self._verified >= len(self._places):
                return
            if not self._fits_at(self.file, self._verified):
                self._take_change()
                return
            self._verified += 1
