"""Sessions that are imported into the cache, and that no server has.

Their ids are below 0, where no server's are, as are those of sessions set aside (:mod:`blitz.data.sync_changes`). A
session that is being imported is an unfinished copy that is in no list, so that an import that ends midway leaves the
cache as it was.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Update, delete, func, select, update

from blitz.data.blocks import MessageBlock
from blitz.data.definition_versions import DefinitionVersions
from blitz.data.models import DefinitionVersion, Session, SessionCopy, StoredBlock
from blitz.data.pending_exports import PendingExports
from blitz.data.records import SessionRecord
from blitz.data.session_list import find_copy
from blitz.errors import BlockError, CacheError

if TYPE_CHECKING:
    from blitz.data.import_times import TimeUnit

_ABANDONED_AFTER_MS = 600_000
_VERSION_FIELDS = ("number", "created_ms", "who", "reason", "definitions")


class ImportedSessions(PendingExports, DefinitionVersions):
    """The part of the cache that takes in files."""

    def import_file(
        self,
        path: str | Path,
        *,
        name: str = "",
        time_column: str | None = None,
        unit: "TimeUnit | None" = None,
        columns: Iterable[str] | None = None,
        timezone: str | None = None,
        start: datetime | None = None,
        day_first: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> SessionRecord:
        """Read a file into the cache, as a session that can be plotted, queried and exported like others.

        The file is CSV or another separated text, wide (a column a channel) or long (a row a reading), Parquet,
        Feather, or JSON ``{"series": [[time, value], ...]}``. How it is written is found out; the arguments say what
        a file does not. The session appears when all of it is there; its id is below 0.

        :param name: of the session; absent: the file's name.
        :param time_column: heading of the column of times.
        :param unit: "s", "ms", "us" or "ns", of times that are numbers; absent: told by their size.
        :param columns: headings of the columns to take; absent: all that hold numbers.
        :param timezone: of times that are written without one, such as ``Europe/Vienna``; absent: UTC.
        :param start: when the measurement began, for times that count from there; without it they begin in 1970.
        :param day_first: whether 01/02/2024 is the first of February.
        :param progress: called with (bytes read, bytes in all).
        :param is_cancelled: asked once a block.
        :raises ImportFileError: if the file is wrong, with the line and the reason; nothing was imported.
        :raises DownloadCancelled: if ``is_cancelled`` said so; nothing was imported.
        """
        from blitz.data.import_table import ImportOptions
        from blitz.data.importing import import_file

        options = ImportOptions(
            name, time_column, unit, None if columns is None else tuple(columns), timezone, start, day_first
        )
        return import_file(self, Path(path), options, progress=progress, is_cancelled=is_cancelled)

    def begin_import(self, started_ms: int) -> int:
        """Begin an import, and return the session's id, which nobody else gets."""
        now_ms = time.time_ns() // 1_000_000
        with self._writing() as db:
            for copy in db.scalars(select(SessionCopy).where(SessionCopy.session_ref_id < 0, ~SessionCopy.is_whole)):
                # The record of a copy that is being written says when that was last so.
                if not (copy.record or "").isdecimal() or now_ms - int(copy.record or 0) > _ABANDONED_AFTER_MS:
                    db.delete(copy)
            db.flush()
            taken = (db.scalar(select(func.min(ids))) for ids in (Session.ref_id, SessionCopy.session_ref_id))
            session_id = min(0, *(lowest or 0 for lowest in taken)) - 1
            db.add(SessionCopy(session_ref_id=session_id, started_ms=started_ms, is_whole=False, record=str(now_ms)))
        return session_id

    def store_imported(self, session_id: int, blocks: Sequence[MessageBlock]) -> None:
        """Add the next messages to an import; they begin where the last ones end."""
        self.store_blocks(session_id, blocks)
        with self._writing() as db:
            db.execute(_unfinished(session_id).values(record=str(time.time_ns() // 1_000_000)))

    def finish_import(self, session: SessionRecord) -> SessionRecord:
        """Let an imported session appear, and return its record."""
        with self._writing() as db:
            if find_copy(db, session.id, is_whole=False) is None:
                raise CacheError(f"No import of session {session.id} is under way.")
            db.execute(_unfinished(session.id).values(started_ms=session.started_ms))
        self.finish_download(session)
        return self.session_record(session.id)

    def is_available(self, session_id: int) -> bool:
        """Whether all of a session is here."""
        with self._reading() as db:
            return bool(db.scalar(select(Session.available).where(Session.ref_id == session_id)))

    def kept_messages(self, session_id: int, started_ms: int) -> list[Iterator[MessageBlock]]:
        """Return the messages of each copy of a session, whole or not; blocks that are damaged are left out."""
        copies = select(SessionCopy.id).where(
            SessionCopy.session_ref_id == session_id, SessionCopy.started_ms == started_ms
        )
        with self._reading() as db:
            return [self._readable_blocks(session_id, copy_id) for copy_id in db.scalars(copies).all()]

    def _readable_blocks(self, session_id: int, copy_id: int) -> Iterator[MessageBlock]:
        query = select(StoredBlock.id).where(StoredBlock.copy_id == copy_id).order_by(StoredBlock.grid_index)
        with self._reading() as db:
            row_ids = db.scalars(query).all()
        for row_id in row_ids:
            with suppress(BlockError):
                yield self._read_block(session_id, row_id)

    def saved_versions(self, session_id: int) -> list[dict[str, Any]]:
        """Return the corrected definitions of a downloaded session, for a session file."""
        with self._reading() as db:
            copy = find_copy(db, session_id, is_whole=True)
            rows: Iterable[DefinitionVersion] = (
                [] if copy is None else db.scalars(_versions(copy).order_by(DefinitionVersion.number))
            )
            return [{name: getattr(row, name) for name in _VERSION_FIELDS} for row in rows]

    def add_saved_versions(self, session_id: int, versions: Iterable[Mapping[str, Any]]) -> None:
        """Take over corrected definitions from a session file, but for numbers that are there."""
        with self._writing() as db:
            copy = find_copy(db, session_id, is_whole=True)
            if copy is None:
                raise CacheError(f"Session {session_id} was deleted meanwhile.")
            known = {row.number for row in db.scalars(_versions(copy))}
            place = {"session_ref_id": copy.session_ref_id, "started_ms": copy.started_ms}
            db.add_all(DefinitionVersion(**place, **row) for row in versions if row["number"] not in known)

    def abandon_import(self, session_id: int) -> None:
        """Drop what an import has brought so far."""
        with self._writing() as db:
            db.execute(delete(SessionCopy).where(SessionCopy.session_ref_id == session_id, ~SessionCopy.is_whole))


def _versions(copy: SessionCopy) -> Select[DefinitionVersion]:
    return select(DefinitionVersion).where(
        DefinitionVersion.session_ref_id == copy.session_ref_id, DefinitionVersion.started_ms == copy.started_ms
    )


def _unfinished(session_id: int) -> Update:
    return update(SessionCopy).where(SessionCopy.session_ref_id == session_id, ~SessionCopy.is_whole)
