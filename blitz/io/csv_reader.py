"""A file that is read for good: through rotations, while it is away, and over restarts.

What a program puts aside, the file as it was, is read to its end before the new one begins: through the file that is
open, or, once that is closed, from wherever it is beside the new one. Each file since the last whose rows are all in
sessions is a :class:`~blitz.io.csv_reading.Reading` with a log of its rows in the folder; rows are numbered through.
Two files are told from each other as those who write them mean it: a file that was moved to a name that rotations give
is another one than the new file; one that has taken its place otherwise may be the same, written anew.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from blitz.data.board_definition import BoardDefinition
from blitz.data.csv_rows import RowCutter, hash_rows
from blitz.errors import LinkError
from blitz.io.csv_file import Identity, OpenFile, find_copy, find_moved, identity_at
from blitz.io.csv_head import ENOUGH_ROWS, HEAD_BYTES, Head, read_head
from blitz.io.csv_reading import Kept, Reading

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


class CsvReader:
    """Reads one file, for one thread.

    :param path: of the file, whichever is there.
    :param folder: keeps what is known of its rows; must exist.
    :param state: what :meth:`state` gave last; empty for a file that was never read.
    :param position: the number of the first row that is wanted.
    :param save: called with the state whenever it has changed.
    :param describe: told what rows mean from now on.
    :param warn: told what an operator should know.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        state: Mapping[str, Any],
        position: int,
        *,
        has_headings: bool | None,
        save: Callable[[dict[str, Any]], None],
        describe: Callable[[BoardDefinition], None],
        warn: Tell,
    ) -> None:
        self.path = path
        self._folder = folder
        self._has_headings = has_headings
        self._save = save
        self._describe = describe
        self._warn = warn
        self._definition: BoardDefinition | None = None
        self._skipped = b""
        self._seen_rows = 0
        kept = [Kept(**fields) for fields in state.get("files", ())]
        self._files = [self._reading(fields) for fields in kept] or [self._reading(Kept(0, position))]
        self._current = 0
        self._is_saved = bool(state) and "is_new" not in state
        if state.get("definition"):
            self._definition = BoardDefinition.model_validate(state["definition"])
            self._skipped = str(state.get("skipped", "")).encode("latin-1")
            self._seen_rows = int(state.get("seen_rows", 0))
            describe(self._definition)
        self.next = position
        """The number of the row that comes next."""
        self.seek(position)

    def _reading(self, kept: Kept) -> Reading:
        return Reading(self._folder, kept, self._has_headings, self._find_copy)

    @property
    def has_more(self) -> bool:
        """Whether :meth:`take` goes on at once."""
        return self._file.has_more

    @property
    def waits_for_quiet(self) -> bool:
        """Whether more will be known once the file has not changed for a while."""
        return self._file.waits_for_quiet

    @property
    def is_racy(self) -> bool:
        """Whether the file may have changed since without looking so."""
        return self._file.is_racy

    @property
    def holds_removed(self) -> bool:
        """Whether rows that are wanted are in a file that is gone when it is closed."""
        return any(file.file is not None and file.file.is_removed and file.end > self.next for file in self._files)

    @property
    def _file(self) -> Reading:
        return self._files[self._current]

    @property
    def state(self) -> dict[str, Any]:
        """What is to be kept, besides the folder."""
        return {
            "files": [dataclasses.asdict(file.kept) for file in self._files],
            "definition": None if self._definition is None else self._definition.model_dump(mode="json"),
            "skipped": self._skipped.decode("latin-1"),
            "seen_rows": self._seen_rows,
        }

    def limit(self, offset: int | None) -> None:
        """Read the present file up to there, in bytes, and no further; None: all of it."""
        self._file.limit = offset
        self._file.has_more = True

    # ---- where it stands ---------------------------------------------------------------------------------------

    def seek(self, position: int) -> None:
        """Let the row of that number come next; or, where it is not there any more, the first one behind it."""
        files = self._files
        self._current = next((at for at, file in enumerate(files) if position < file.end), len(files) - 1)
        file = self._file
        self.next = max(position, file.base)
        if file.file is not None and file.holds(file.file, len(file.log)) is False:
            file.rest()  # what was read is in a copy now, if anywhere
        if file.file is not None:
            file.go_on(file.file, self.next - file.base)

    def release(self, position: int) -> None:
        """All rows before that number are in sessions: forget files that have no others."""
        while self._current > 0 and self._files[0].end <= position:
            self._files.pop(0).remove()
            self._current -= 1
            self._is_saved = False

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()

    # ---- reading -----------------------------------------------------------------------------------------------

    def take(self) -> list[bytes]:
        """Return the rows that come next, those that one reading brings; perhaps none.

        :raises LinkError: if the file is not there, or cannot be read.
        """
        while self._file.file is None:
            self._open()
        file = self._file
        rows = file.step()
        if file.head is not None:
            self._take_head(file)
        if file.is_other:
            rows = self._begin_another(file)
        elif not rows and not file.has_more:
            rows = self._look_for_another(file)
        # What is known of a file that is not open yet is of no use but to find it: its rows come again.
        self.next = self._file.base if self._file.file is None else self._file.end
        if file.is_changed or not self._is_saved:
            self._keep()
        return rows

    def sync(self) -> None:
        """Let what is known of rows outlive a power failure."""
        self._file.log.sync()

    def take_too_long(self) -> list[bytes]:
        """Return the beginnings of rows that were too long, once."""
        found: list[bytes] = []
        for file in self._files:
            found += file.take_too_long()
        return found

    def _keep(self) -> None:
        for file in self._files:
            file.is_changed = False
        self._is_saved = True
        self._save(self.state)

    def _open(self) -> None:
        """Find the file that is read now, wherever it is."""
        file = self._file
        row = self.next - file.base
        there = identity_at(self.path)
        wanted = Identity(file.device, file.inode)
        is_last = self._current == len(self._files) - 1
        if not wanted.inode:
            file.go_on(OpenFile(self.path), row)
        elif (found := self._find(file, wanted, is_there=there is not None and there[0] == wanted)) is not None:
            file.go_on(found, row)
        elif is_last:
            file.go_on(OpenFile(self.path), row)  # written anew, or another one: its first rows tell
        else:
            self._warn(
                f"What {self.path} held before it was replaced is gone: rows that were not recorded are missing."
            )
            self._next_file()

    def _find(self, file: Reading, wanted: Identity, *, is_there: bool) -> OpenFile | None:
        """Return what is left of a file that was closed: itself, under whatever name, or a copy."""
        moved = self.path if is_there else find_moved(self.path, wanted)
        if moved is not None:
            found = OpenFile(moved)
            if file.holds(found, len(file.log)) or (is_there and file.holds(found, len(file.log)) is None):
                return found  # else it is another one that has got the number of a file that was removed
            if not is_there and file.resembles(_first_rows(found, self._has_headings)):
                return found
            found.close()
        copy = self._find_copy(file)
        file.is_copy = copy is not None
        return copy

    def _find_copy(self, file: Reading) -> OpenFile | None:
        """Look for the copy of what is read, as it was when it was read last."""
        count = len(file.log)
        if not count:
            return None
        return find_copy(self.path, file.fits if file.file is not None else lambda copy: bool(file.holds(copy, count)))

    def _take_head(self, file: Reading) -> None:
        """The beginning of a file was read: say what its rows mean, if that is new."""
        head, file.head = file.head, None
        assert head is not None
        if head.has_decimal_commas:
            self._warn(
                f"Numbers in {self.path} have a decimal comma, which is not read: such columns are recorded, and have "
                "no values. Let the program write a point."
            )
        has_own = head.has_headings and head.skipped != self._skipped
        is_better = head.row_count > self._seen_rows and self._seen_rows < ENOUGH_ROWS
        if head.definition is None or not (has_own or is_better or self._definition is None):
            return
        if (
            not head.has_headings
            and self._definition is not None
            and _width(self._definition) == _width(head.definition)
        ):
            return  # a program that goes on in an emptied file writes no headings again
        self._skipped, self._seen_rows, self._is_saved = head.skipped, head.row_count, False
        if head.definition != self._definition:
            self._definition = head.definition
            self._describe(head.definition)

    # ---- another file ------------------------------------------------------------------------------------------

    def _look_for_another(self, file: Reading) -> list[bytes]:
        """Nothing is left to read: if there is another file by now, end this one and begin that one."""
        if self._current < len(self._files) - 1:
            rows = file.finish()
            self._next_file()
            return rows
        there = identity_at(self.path)
        if there is None:
            if self.holds_removed:
                return []
            raise LinkError(f"There is no file {self.path} any more. It is read on as soon as there is one.")
        if there[0] == Identity(file.device, file.inode):
            return []
        fresh = OpenFile(self.path)
        try:
            first = _first_rows(fresh, self._has_headings)
        finally:
            fresh.close()
        moved = None if file.is_copy else find_moved(self.path, Identity(file.device, file.inode))
        if (not first and moved is None) or not there[1]:
            return []  # it is being written
        if moved is None and file.resembles(first) is not False:
            file.begin(OpenFile(self.path))
            return []
        rows = file.finish()
        self._add(file)
        return rows

    def _begin_another(self, file: Reading) -> list[bytes]:
        """The file that is read begins in another way: its rows are all new."""
        self._add(file)
        return []

    def _add(self, before: Reading) -> None:
        before.rest()
        self._files.append(self._reading(Kept(before.number + 1, before.end)))
        self._current += 1
        self._file.has_more = True
        self._is_saved = False

    def _next_file(self) -> None:
        end = self._file.end
        self._file.rest()
        self._current += 1
        self._file.base = end
        if self._file.file is not None:
            self._file.go_on(self._file.file, 0)
        self._file.has_more = True
        self.next = max(self.next, end)
        self._is_saved = False


def _first_rows(file: OpenFile, has_headings: bool | None) -> bytes:
    """Return what tells the first rows of a file from others; nothing as long as there is no whole one."""
    content = file.read_at(0, HEAD_BYTES)
    head: Head | None = read_head(content, is_settled=True, has_headings=has_headings)
    return b"" if head is None else hash_rows(RowCutter().feed(content[len(head.skipped) :]))


def _width(definition: BoardDefinition) -> int:
    columns = [part.column for part in (*definition.channels, definition.clock) if part is not None]
    return max((int(column) for column in columns if column is not None), default=-1)
