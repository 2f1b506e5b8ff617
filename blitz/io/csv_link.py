"""An open file of comma-separated values as a source: its rows are read as a device's messages are, each once.

Where it stands is the number of the first row that no session has. That is not written down with each row: the server
counts the messages of its sessions (:class:`~blitz.data.source_kinds.CountedLink`), and what is known of the file's
rows is cut to that number when it is opened. A hash of each row is on disk before the row is delivered, so that at no
moment a session has a row that is not known. Rows that were only shown, while nothing was recorded, are read again for
the session that comes; or, where only new rows are wanted, count as taken.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from blitz.data.source_kinds import SourceContext
from blitz.errors import CommandRefused, LinkError
from blitz.io.csv_reader import CsvReader
from blitz.io.file_watch import FileWatch

GATHER_S = 0.01
"""From one look at a file to the next at least, however often it is written to."""
SOON_S = 0.1
"""To the next look where something is to be known soon."""


class Keeper(Protocol):
    """Keeps what is known of a file, over restarts."""

    folder: Path

    def load(self) -> Mapping[str, Any]:
        """Return what was saved last; nothing if that is lost. Makes the folder."""

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep it."""


class CsvLink:
    """A file that is read, in one thread (:meth:`wake` may be called from any).

    :param only_new: rows that come while nothing is recorded are for no session.
    :param size: of the file now, in bytes: what is behind that is new.
    :param interval_s: the file is looked at so often, whatever the watch tells.
    """

    reopens = True
    overruns = None

    def __init__(
        self,
        path: Path,
        context: SourceContext,
        keeper: Keeper,
        watch: FileWatch,
        *,
        only_new: bool,
        has_headings: bool | None,
        interval_s: float,
        size: int,
    ) -> None:
        self.name = f"csv:{path}"
        self.position = context.position or 0
        self._path = path
        self._context = context
        self._keeper = keeper
        self._only_new = only_new
        self._has_headings = has_headings
        self._interval_s = interval_s
        self._reader: CsvReader | None = None
        self._session_id = context.session_id
        self._shown = self.position
        """The first row that was not shown while nothing is recorded."""
        self._from = 0
        """Rows before it are for no session."""
        self._size = size
        self._is_catching_up = False
        self._changed = threading.Event()
        self._is_woken = False
        self._looked_s = 0.0
        self._due_s = 0.0
        self._end_watch: Callable[[], None] = watch.watch(path, self._changed.set)

    # ---- which rows ----------------------------------------------------------------------------------------------

    def _begin(self) -> CsvReader:
        state = dict(self._keeper.load())
        self._from = int(state.get("from", 0))
        if not state and self.position:
            self._context.notice(
                "warning",
                f"What was known of the rows of {self._path} is lost: rows that were recorded before may come again.",
            )
        if self._only_new:
            self.position = max(self.position, self._from)
            self._is_catching_up = not state or "is_new" in state or self._session_id is None
        self._shown = self.position
        self._reader = CsvReader(
            self._path,
            self._keeper.folder,
            state,
            self.position,
            has_headings=self._has_headings,
            save=lambda state: self._keeper.save(state | {"from": self._from}),
            describe=self._context.describe,
            warn=lambda text: self._context.notice("warning", text),
        )
        if self._is_catching_up:
            self._reader.limit(self._size)
        return self._reader

    def begin(self, session_id: int | None) -> None:
        """Messages go to another session, or are only shown: see :class:`~blitz.data.source_kinds.CountedLink`."""
        before, self._session_id = self._session_id, session_id
        reader = self._reader
        if reader is None:
            return
        if session_id is None:
            self._shown = reader.next
        elif before is None and self._only_new:
            self._skip_to(reader.next)
        elif before is None:
            reader.seek(self.position)
        self._due_s = 0.0

    def delivered(self, count: int, session_id: int | None) -> None:
        """So many rows were taken."""
        if session_id is None:
            self._shown += count
        else:
            self.position += count
            if self._reader is not None:
                self._reader.release(self.position)

    def rewind(self) -> None:
        """Rows could not be taken: they are read again."""
        if self._reader is not None:
            self._reader.seek(self._shown if self._session_id is None else self.position)
        self._due_s = 0.0

    def _skip_to(self, row: int) -> None:
        """Rows before it are for no session."""
        self.position = self._shown = self._from = row
        if self._reader is not None:
            self._keeper.save(self._reader.state | {"from": row})
            self._reader.release(row)

    # ---- reading -------------------------------------------------------------------------------------------------

    def read(self, timeout_s: float) -> bytes:
        """Return rows that are there, a zero byte behind each, waiting up to ``timeout_s`` for a first one.

        :raises LinkError: if the file is not there, or cannot be read: a sentence with the remedy.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            now_s = time.monotonic()
            if self._due_s <= now_s:
                rows = self._look()
                if rows:
                    return b"\0".join(rows) + b"\0"
                now_s = time.monotonic()
                if self._due_s <= now_s and not self._context.is_leaving() and not self._is_woken:
                    continue
            wait_s = min(deadline_s, self._due_s) - now_s
            if wait_s > 0 and self._changed.wait(wait_s):
                self._changed.clear()
                self._due_s = self._looked_s + GATHER_S
            if self._is_woken or time.monotonic() >= deadline_s:
                self._is_woken = False
                return b""

    def _look(self) -> list[bytes]:
        try:
            reader = self._reader or self._begin()
            rows = reader.take()
        except LinkError as error:
            raise LinkError(said(self._path, error)) from error
        except OSError as error:
            raise LinkError(f"What is known of {self._path} cannot be kept: {error}. Check the data folder.") from error
        self._looked_s = time.monotonic()
        self._due_s = self._looked_s + self._interval_s
        if rows or reader.has_more:
            self._due_s = 0.0
        elif reader.waits_for_quiet or reader.is_racy:
            self._due_s = self._looked_s + min(SOON_S, self._interval_s)
        too_long = reader.take_too_long()
        if self._is_catching_up:
            if rows or reader.has_more:
                return too_long
            self._is_catching_up = False
            self._skip_to(reader.next)
            reader.limit(None)
            self._due_s = 0.0
        if rows and self._session_id is not None:
            reader.sync()
        return rows + too_long

    def write(self, line: bytes) -> None:
        """Refuse.

        :raises CommandRefused: always.
        """
        raise CommandRefused(f"{self._path} is a file that others write: it takes no commands.")

    def wake(self) -> None:
        """Make a waiting :meth:`read` return now."""
        self._is_woken = True
        self._changed.set()

    def close(self) -> None:
        """Close the file; what is known of its rows is kept."""
        self._end_watch()
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()


def said(path: Path, error: LinkError) -> str:
    """Return what is wrong with a file, with its name."""
    text = str(error)
    return f"{path} cannot be read: {text}" if text.startswith("it ") else text
