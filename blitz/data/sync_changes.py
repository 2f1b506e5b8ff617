"""What synchronisation notices on the server: sessions that went, grew, were renamed, or whose id begins anew.

A local copy is never deleted by what a server says, not even one that is not whole: when nobody can finish it any more,
what there is of it becomes the session's copy. Where a server gives a known id to another session, as after its
store was brought back from an old backup, what is here of the one before is set aside: it becomes a session of its own,
with an id below zero, which only this cache has.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session as Transaction

from blitz.data.models import DefinitionVersion, Reading, Session, SessionCopy, StoredBlock
from blitz.data.records import SessionRecord

_NEXT_ASIDE = 1_000_000


class Change(StrEnum):
    """What became of a session since the list before."""

    GONE = "gone"
    """The server does not have it any more; what is here stays."""
    BACK = "back"
    """The server has it again."""
    REPLACED = "replaced"
    """Another session has its id now; what was here is set aside."""
    GROWN = "grown"
    """It has more messages than the copy here."""
    EDITED = "edited"
    """Its name, notes, tags, or something else that is told of it."""


class CopyState(StrEnum):
    """What is here of a session."""

    WHOLE = "whole"
    """All of it."""
    OLDER = "older"
    """All that there was when it was downloaded; it has grown since."""
    PART = "part"
    """A download began and was interrupted, or is under way."""


@dataclass(frozen=True)
class ListChanges:
    """What a new list brought, by session id."""

    by_id: tuple[tuple[int, Change], ...] = ()

    def of(self, change: Change) -> tuple[int, ...]:
        """Return the sessions to which that happened.

        >>> ListChanges(((7, Change.GONE), (9, Change.EDITED))).of(Change.GONE)
        (7,)
        """
        return tuple(session_id for session_id, what in self.by_id if what is change)


def set_aside(db: Transaction, row: Session, started_ms: int) -> int | None:
    """Keep what is here of a session whose id now belongs to the one that began at ``started_ms``.

    :returns: the id under which it is kept; None where there is nothing to keep.
    """
    session_id = row.ref_id
    if db.scalar(select(SessionCopy.id).where(*_others(session_id, started_ms), ~SessionCopy.is_whole)) is not None:
        keep_unfinished(db, row)
    copy = db.scalar(select(SessionCopy).where(*_others(session_id, started_ms)))
    has_rows = db.scalar(select(Reading.id).where(Reading.session_id == session_id).limit(1)) is not None
    if copy is None and not has_rows:
        return None
    kept_id = -session_id
    if db.scalar(select(Session.id).where(Session.ref_id == kept_id)) is not None:
        kept_id = min(db.scalar(select(func.min(Session.ref_id))) or 0, -_NEXT_ASIDE) - 1
    if copy is not None:
        copy.session_ref_id = kept_id
    db.execute(update(Reading).where(Reading.session_id == session_id).values(session_id=kept_id))
    versions = update(DefinitionVersion).where(
        DefinitionVersion.session_ref_id == session_id, DefinitionVersion.started_ms != started_ms
    )
    db.execute(versions.values(session_ref_id=kept_id))
    db.add(
        Session(
            ref_id=kept_id,
            available=row.available,
            time_started=row.time_started,
            time_stopped=row.time_stopped,
            number_of_readings=row.number_of_readings,
            name=row.name,
            record=row.record,
            is_gone=True,
        )
    )
    db.flush()
    return kept_id


def keep_unfinished(db: Transaction, row: Session) -> None:
    """Make what a download has brought the session's copy, since it will bring no more; a longer copy stays.

    The session does not become available by that. If it is on the server again, a download goes on there.
    """
    copies = db.scalars(select(SessionCopy).where(SessionCopy.session_ref_id == row.ref_id))
    by_wholeness = {copy.is_whole: copy for copy in copies}
    unfinished, whole = by_wholeness.get(False), by_wholeness.get(True)
    if unfinished is None:
        return
    count = _message_count(db, unfinished)
    if count <= (0 if whole is None else _message_count(db, whole)):
        db.delete(unfinished)
        db.flush()
        return
    if whole is not None:
        db.delete(whole)
        db.flush()
    unfinished.is_whole, unfinished.record = True, _record_of(unfinished, row, count).model_dump_json()
    db.flush()


def _message_count(db: Transaction, copy: SessionCopy) -> int:
    end = func.max(StoredBlock.first_seq + StoredBlock.count)
    return db.scalar(select(end).where(StoredBlock.copy_id == copy.id)) or 0


def _record_of(copy: SessionCopy, row: Session, count: int) -> SessionRecord:
    text = copy.record or row.record
    if text is None:
        known = SessionRecord(id=row.ref_id, started_at=datetime.fromtimestamp(copy.started_ms / 1000, UTC))
    else:
        known = SessionRecord.model_validate_json(text)
    # As of a copy that was made while the session ran: a download begins with its blocks.
    return known.model_copy(update={"message_count": count, "is_running": True})


def _others(session_id: int, started_ms: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return SessionCopy.session_ref_id == session_id, SessionCopy.started_ms != started_ms
