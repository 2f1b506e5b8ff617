"""The cache's list of sessions: what the server has, and what of it is here.

The server's list replaces the cached one; what was downloaded outlives that. A session is told by its id and its start.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session as Transaction

from blitz.data.cache_engine import CacheEngine
from blitz.data.listed_session import ListedSession
from blitz.data.markers import with_marker
from blitz.data.models import Reading, Session, SessionCopy, StoredBlock
from blitz.data.records import Marker, SessionRecord
from blitz.data.sync_changes import Change, CopyState, ListChanges, keep_unfinished, set_aside
from blitz.errors import SessionNotFound

log = logging.getLogger(__name__)

_OF_COPY = ("sources", "gaps", "accounts", "timeline", "markers", "changes")
"""What lists leave out of a record: it comes with the download."""


class SessionList(CacheEngine):
    """The part of the cache that lists sessions."""

    def update_session_list(self, sessions_list: Iterable[Sequence[int | None]]) -> None:
        """Replace the list of sessions by the server's; what is downloaded is kept.

        A session that the server no longer has goes, unless something of it is in the cache; then it is marked as
        gone. One whose start differs from the cached one is another session: what is cached under its id is set aside,
        under an id below zero (:mod:`blitz.data.sync_changes`). A session that has grown since its download is no
        longer available.

        :param sessions_list: ``[id, start, end or None, count]`` a session, times in milliseconds, messages counted.
        """
        self._replace_list([ListedSession.from_entry(entry) for entry in sessions_list])

    def update_session_records(self, records: Iterable[SessionRecord]) -> ListChanges:
        """Do what :meth:`update_session_list` does, from the server's records, keeping names, notes and owners too.

        :returns: what has changed with sessions of which something is here.
        """
        return self._replace_list([ListedSession.from_record(record) for record in records])

    def update_copy_record(self, session: SessionRecord) -> None:
        """Take over what a server says of a session that is downloaded already: markers, name, sources, gaps."""
        with self._writing() as db:
            copy = find_copy(db, session.id, is_whole=True)
            if copy is not None and copy.started_ms == session.started_ms:
                copy.record = session.model_dump_json()
                list_session(db, ListedSession.from_record(session))

    def expect_changes(self, session_ids: Sequence[int]) -> None:
        """Let the next list tell these sessions as edited, since what was edited could not be asked."""
        with self._writing() as db:
            for row in db.scalars(select(Session).where(Session.ref_id.in_(session_ids))):
                if row.record is not None:
                    known = SessionRecord.model_validate_json(row.record)
                    row.record = known.model_copy(update={"revision": -1}).model_dump_json()

    def update_copy_marker(self, session_id: int, marker: Marker) -> None:
        """Take over what became of one marker of a session that is downloaded already."""
        with self._writing() as db:
            copy = find_copy(db, session_id, is_whole=True)
            if copy is not None and copy.record is not None:
                record = SessionRecord.model_validate_json(copy.record)
                markers = with_marker(record.markers, marker)
                copy.record = record.model_copy(update={"markers": markers}).model_dump_json()

    def choose_session(self, session_id: int, is_wanted: bool = True) -> None:
        """Let background synchronisation bring a session, and keep it up to date; or no longer.

        :raises SessionNotFound: if the cache's list does not have it.
        """
        with self._writing() as db:
            row = db.scalar(select(Session).where(Session.ref_id == int(session_id)))
            if row is None:
                raise SessionNotFound(f"Session {session_id} is not in the cache's list.")
            row.is_wanted = is_wanted

    def update_session_availability(self, session_id: int) -> None:
        """Find out whether all of a session is here, and set its ``available`` accordingly.

        A downloaded session is available when each seq up to ``number_of_readings``, the server's count of messages,
        is there; one whose rows were added one by one, when there are at least that many (a message makes a row a
        channel). An unknown session is left alone.
        """
        with self._writing() as db:
            row = db.scalar(select(Session).where(Session.ref_id == int(session_id)))
            if row is not None:
                row.available = _is_whole(db, row)

    def clear_session_data(self, session_id: int) -> None:
        """Delete what is cached of a session, downloads under way included; it stays in the list, not available."""
        with self._writing() as db:
            _drop_content(db, int(session_id))
            row = db.scalar(select(Session).where(Session.ref_id == int(session_id)))
            if row is not None:
                row.available = False

    def delete_session(self, session_id: int) -> None:
        """Delete a session and what is cached of it. Unless the server does the same, the next list brings it back."""
        with self._writing() as db:
            _drop_content(db, int(session_id))
            db.execute(delete(Session).where(Session.ref_id == int(session_id)))

    def session_record(self, session_id: int) -> SessionRecord:
        """Return what is known of a session; sources, gaps, accounts and time line only where it is downloaded.

        :raises SessionNotFound: if the cache's list does not have it.
        """
        with self._reading() as db:
            row = db.scalar(select(Session).where(Session.ref_id == int(session_id)))
            if row is None:
                raise SessionNotFound(f"Session {session_id} is not in the cache.")
            copy = find_copy(db, row.ref_id, is_whole=True)
        return _record(row, copy)

    def session_records(self) -> list[SessionRecord]:
        """Return what is known of all sessions, newest first; sources and gaps only where they are downloaded."""
        with self._reading() as db:
            rows = db.scalars(select(Session).order_by(Session.time_started.desc(), Session.ref_id.desc())).all()
            copies = {copy.session_ref_id: copy for copy in db.scalars(select(SessionCopy).where(SessionCopy.is_whole))}
        return [_record(row, copies.get(row.ref_id)) for row in rows]

    def copy_states(self) -> dict[int, CopyState]:
        """Return what is here of each session of which anything is."""
        with self._reading() as db:
            states = dict.fromkeys(db.scalars(select(Session.ref_id).where(Session.available)), CopyState.WHOLE)
            has_block = exists().where(StoredBlock.copy_id == SessionCopy.id)
            copies = select(SessionCopy.session_ref_id, SessionCopy.is_whole).where(
                or_(SessionCopy.is_whole, has_block)
            )
            for ref_id, is_whole in db.execute(copies.order_by(SessionCopy.is_whole.desc())):
                states.setdefault(ref_id, CopyState.OLDER if is_whole else CopyState.PART)
        return states

    def copy_bytes(self, session_id: int) -> int:
        """Return how many bytes the messages of a session take here, as they are stored."""
        copies = select(SessionCopy.id).where(SessionCopy.session_ref_id == session_id)
        stored = select(func.sum(func.length(StoredBlock.body))).where(StoredBlock.copy_id.in_(copies))
        with self._reading() as db:
            return int(db.scalar(stored) or 0)

    def _replace_list(self, listed: list[ListedSession]) -> ListChanges:
        changes: list[tuple[int, Change]] = []
        with self._writing() as db:
            for session in listed:
                list_session(db, session, changes)
            kept_ids = {session.ref_id for session in listed}
            for row in db.scalars(select(Session)).all():
                if row.ref_id in kept_ids:
                    continue
                if not (row.available or _has_content(db, row.ref_id)):
                    keep_unfinished(db, row)  # the server cannot send the rest
                if row.available or _has_content(db, row.ref_id):
                    if row.ref_id < 0:  # only this cache has it
                        continue
                    if not row.is_gone:
                        changes.append((row.ref_id, Change.GONE))
                    row.is_gone = True
                else:
                    _drop_content(db, row.ref_id)
                    db.delete(row)
        return ListChanges(tuple(changes))


def list_session(db: Transaction, session: ListedSession, changes: list[tuple[int, Change]] | None = None) -> Session:
    """Bring one row of the list up to date; what it means is told at :meth:`SessionList.update_session_list`.

    :param changes: what has changed with a session of which something is here is added to it.
    """
    noted = [] if changes is None else changes
    row = db.scalar(select(Session).where(Session.ref_id == session.ref_id))
    record = None if session.record is None else session.record.brief().model_dump_json()
    if row is None:
        row = Session(ref_id=session.ref_id, available=False, number_of_readings=session.message_count or 0)
        db.add(row)
    elif row.time_started != session.started_ms:
        kept_id = set_aside(db, row, session.started_ms)
        if kept_id is not None:
            log.warning("Session %d of the server is not the one in the cache, now session %d", row.ref_id, kept_id)
            noted.append((kept_id, Change.REPLACED))
        row.available, row.name, row.record = False, "", None
        row.number_of_readings = session.message_count or 0
    elif row.available and record is not None and _has_changed(row.record, record):
        noted.append((row.ref_id, Change.EDITED))
    if row.is_gone:
        row.is_gone = False
        noted.append((row.ref_id, Change.BACK))
    row.time_started = session.started_ms
    row.time_stopped = session.stopped_ms
    if session.record is not None:
        row.name = session.record.name
        row.record = record
    if session.message_count is not None and row.number_of_readings != session.message_count:
        row.number_of_readings = session.message_count
        if row.available and not _is_whole(db, row):
            row.available = False
            noted.append((row.ref_id, Change.GROWN))
    db.flush()
    return row


def find_copy(db: Transaction, session_id: int, *, is_whole: bool) -> SessionCopy | None:
    """Return a session's whole or its unfinished copy."""
    return db.scalar(
        select(SessionCopy).where(SessionCopy.session_ref_id == int(session_id), SessionCopy.is_whole == is_whole)
    )


def contiguous_count(db: Transaction, copy: SessionCopy) -> int:
    """Return how many messages a copy has before the first hole."""
    count = 0
    columns = (StoredBlock.first_seq, StoredBlock.count)
    for first_seq, length in db.execute(
        select(*columns).where(StoredBlock.copy_id == copy.id).order_by(StoredBlock.grid_index)
    ):
        if first_seq != count:
            break
        count += length
    return count


def _has_changed(before: str | None, record: str) -> bool:
    """Whether a list tells something else of a session than before, besides how long it is."""
    if before is None or before == record:
        return before is None
    told = [
        SessionRecord.model_validate_json(text).model_copy(update={"message_count": 0}) for text in (before, record)
    ]
    return told[0] != told[1]


def _is_whole(db: Transaction, session: Session) -> bool:
    copy = find_copy(db, session.ref_id, is_whole=True)
    if copy is not None:
        return contiguous_count(db, copy) >= session.number_of_readings
    rows = db.scalar(select(func.count()).select_from(Reading).where(Reading.session_id == session.ref_id))
    return (rows or 0) >= session.number_of_readings


def _has_content(db: Transaction, session_id: int) -> bool:
    if find_copy(db, session_id, is_whole=True) is not None:
        return True
    return bool(db.scalar(select(exists().where(Reading.session_id == session_id))))


def _drop_content(db: Transaction, session_id: int) -> None:
    """Delete a session's rows and copies."""
    db.execute(delete(Reading).where(Reading.session_id == session_id))
    db.execute(delete(SessionCopy).where(SessionCopy.session_ref_id == session_id))


def _record(row: Session, copy: SessionCopy | None) -> SessionRecord:
    """Join what the list says, which is newer, with what the download brought."""
    stopped_at = None if row.time_stopped is None else _moment(row.time_stopped)
    if row.record is None:
        known = SessionRecord(id=row.ref_id, started_at=_moment(row.time_started), stopped_at=stopped_at)
    else:
        known = SessionRecord.model_validate_json(row.record)
    changes: dict[str, object] = {"id": row.ref_id, "message_count": row.number_of_readings}
    if known.stopped_ms != row.time_stopped:
        changes |= {"stopped_at": stopped_at}
    if row.record is None or known.stopped_ms != row.time_stopped:
        changes |= {"is_running": stopped_at is None}
    if copy is not None and copy.record is not None:
        downloaded = SessionRecord.model_validate_json(copy.record)
        changes |= {name: getattr(downloaded, name) for name in _OF_COPY}
    return known.model_copy(update=changes)


def _moment(milliseconds: int) -> datetime:
    # Not fromtimestamp(ms / 1000): a float would round.
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)
