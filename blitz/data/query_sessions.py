"""SQL over the sessions of a cache."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import and_, func, or_, select

from blitz.data.models import Category, Reading, SessionCopy, StoredBlock
from blitz.data.optional_packages import optional_package
from blitz.data.session_overviews import SessionOverviews

if TYPE_CHECKING:
    import pyarrow as pa

    from blitz.data.query_engine import Parameters, QueryBatches

_PAGE_ROWS = 16384


class SessionQueries(SessionOverviews):
    """The part of the cache that answers SQL (DuckDB, ``pip install "blitz[analysis]"``).

    Tables: ``readings`` (session, source, channel, unit, time, value), ``messages`` (session, seq, time, source, raw),
    ``sessions``, ``channels``, ``markers``, ``gaps``; and each channel under its label (time, value, session), of all
    sessions that have it. Readings are those of the newest definitions. Times are UTC, to the microsecond.
    """

    def query(
        self,
        sql: str,
        parameters: "Parameters" = (),
        *,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> "pa.Table":
        """Run one SELECT over the cached sessions, and return its result as an Arrow table.

        :param parameters: for ``?`` or ``$1``, in order, or for ``$name``, by name.
        :param progress: called with (messages read, messages to be read), some times a second while there is progress.
        :param is_cancelled: asked some times a second.
        :raises QueryError: with the reason, if the SQL is wrong or asks for what a query may not do.
        :raises DownloadCancelled: if ``is_cancelled`` said so.
        :raises BlockError: at a block that is damaged.
        :raises PackageMissing: if DuckDB is not installed.
        """
        with self.query_batches(sql, parameters, progress=progress, is_cancelled=is_cancelled) as batches:
            return batches.to_arrow()

    def query_batches(
        self,
        sql: str,
        parameters: "Parameters" = (),
        *,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> "QueryBatches":
        """Prepare what :meth:`query` runs, for a result that is too large for memory, or to be ended by another thread.

        :returns: an iterator of Arrow record batches, to be closed. Wrong SQL is told here; what iterating raises is as
            in :meth:`query`.
        """
        optional_package("duckdb", "A query", "blitz[analysis]")  # its absence is told before anything is read
        from blitz.data.query_engine import QueryBatches
        from blitz.data.query_scan import Scans

        scans = Scans()
        return QueryBatches(
            self._query_tables(scans),
            scans,
            sql,
            parameters,
            spill=self._spill_folder(),
            progress=progress,
            is_cancelled=is_cancelled,
        )

    def row_columns(self, session_id: int, name: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Iterate over one variable's readings that were added one by one, by time, some thousands at a time.

        :returns: times in milliseconds since the Unix epoch, and values.
        """
        query = select(Reading.time_logged, Reading.value, Reading.id).join(Category)
        query = query.where(Reading.session_id == session_id, Category.variable_name == name)
        query = query.order_by(Reading.time_logged, Reading.id).limit(_PAGE_ROWS)
        page = query
        while True:
            with self._reading() as db:
                rows = db.execute(page).all()
            if rows:
                times, values, ids = zip(*rows, strict=True)
                yield np.array(times, np.int64), np.array(values, np.float64)
            if len(rows) < _PAGE_ROWS:
                return
            behind = and_(Reading.time_logged == times[-1], Reading.id > ids[-1])
            page = query.where(or_(Reading.time_logged > times[-1], behind))

    def _query_tables(self, scans: Any) -> Any:
        from blitz.data import query_tables
        from blitz.data.query_engine import QueryTables
        from blitz.data.query_messages import MessagesTable
        from blitz.data.query_readings import ReadChannel, ReadingsTable, read_channels

        records = self.session_records()
        counts = self._downloaded_counts()
        sources = {session_id: self.session_sources(session_id) for session_id in counts}
        channels: dict[int, list[ReadChannel]] = {}
        for session_id, name in self._row_variables():
            channels.setdefault(session_id, []).append(ReadChannel(session_id, "", name, "", name))
        for session_id, table in sources.items():
            channels.setdefault(session_id, []).extend(read_channels(session_id, table))
        names = {session_id: {source.index: source.name for source in table} for session_id, table in sources.items()}
        return QueryTables(
            {
                "labelled_readings": ReadingsTable(self, scans, channels, counts),
                "messages": MessagesTable(self, scans, counts, names),
                "sessions": query_tables.sessions_table(records, {*counts, *channels}),
                "channels": query_tables.channels_table(channels.values()),
                "markers": query_tables.markers_table(records),
                "gaps": query_tables.gaps_table(records),
            },
            {"readings": "select session, source, channel, unit, time, value from labelled_readings"},
            {channel.label: channel.view for table in channels.values() for channel in table},
        )

    def _downloaded_counts(self) -> dict[int, int]:
        """Return the number of messages of each downloaded session."""
        end = func.coalesce(func.max(StoredBlock.first_seq + StoredBlock.count), 0)
        query = select(SessionCopy.session_ref_id, end).where(SessionCopy.is_whole)
        query = query.outerjoin(StoredBlock, StoredBlock.copy_id == SessionCopy.id)
        with self._reading() as db:
            return {
                row[0]: row[1]
                for row in db.execute(query.group_by(SessionCopy.session_ref_id).order_by(SessionCopy.session_ref_id))
            }

    def _row_variables(self) -> list[tuple[int, str]]:
        """Return the sessions and variables of which readings were added one by one."""
        query = select(Reading.session_id, Category.variable_name).join(Category).distinct()
        with self._reading() as db:
            return [(row[0], row[1]) for row in db.execute(query.order_by(Reading.session_id, Category.variable_name))]

    def _spill_folder(self) -> Path:
        """Return where what does not fit into memory goes: beside the cache, else among temporary files."""
        url = self._engine.url
        is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
        import tempfile

        return Path(str(url.database)).absolute().parent if is_file else Path(tempfile.gettempdir())
