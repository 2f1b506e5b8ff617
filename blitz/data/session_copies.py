"""Downloaded sessions in the cache: copies made of blocks on the grid.

A download goes into an unfinished copy, a transaction a block, beside an older copy. Only when every message is there
does the new copy take the older one's place, in one transaction. An interrupted download goes on where it ended.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Select, bindparam, delete, func, insert, literal, select
from sqlalchemy.orm import Session as Transaction

from blitz.data import boards
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.copy_reading import CopyReading, checked_block
from blitz.data.listed_session import ListedSession
from blitz.data.models import Category, Session, SessionCopy, StoreBinding, StoredBlock
from blitz.data.records import SessionRecord
from blitz.data.session_list import contiguous_count, find_copy, list_session
from blitz.errors import BlockError, CacheError, CacheMismatch, SessionNotFound

log = logging.getLogger(__name__)


class SessionCopies(CopyReading):
    """The part of the cache that downloads write and views read."""

    def begin_download(self, session: SessionRecord) -> int:
        """Begin or resume a download, and return the seq that is wanted next.

        Blocks of an unfinished copy of this session stay. An unfinished copy of another session that had the same id
        is set aside, see :mod:`blitz.data.sync_changes`. Copies that are whole are not touched; one that was made
        while the session ran is what the new one begins with, as far as its blocks are sound.
        """
        snapshot = self._sound_snapshot(session)
        with self._writing() as db:
            copy = find_copy(db, session.id, is_whole=False)
            if copy is not None and copy.started_ms != session.started_ms:
                _give_up(db, copy, session)
                copy = None
            if copy is None:
                copy = SessionCopy(session_ref_id=session.id, started_ms=session.started_ms, is_whole=False)
                db.add(copy)
                db.flush()
                if snapshot is not None:
                    _begin_with_snapshot(db, copy, snapshot)
            copy.record = session.model_dump_json()  # its sources: all that may ever be known of them
            return _drop_what_is_unusable(db, copy)

    def store_block(self, session_id: int, block: MessageBlock) -> int:
        """Do what :meth:`store_blocks` does, with one block."""
        return self.store_blocks(session_id, [block])

    def store_blocks(self, session_id: int, blocks: Sequence[MessageBlock]) -> int:
        """Add runs of messages that follow each other to the download that :meth:`begin_download` began.

        They must begin where the stored messages end, or before; what is there already is skipped. They are cut at the
        grid and compressed, then stored in one transaction; a last block that is not full yet is replaced by a longer
        one.

        :returns: the seq that is wanted next.
        :raises BlockError: if messages between would be missing, or if a block is of another session.
        :raises CacheMismatch: if a block is of another store than the cache.
        :raises CacheError: if no download has begun, or the session was deleted meanwhile.
        """
        while True:
            with self._reading() as db:
                self._check_origin(db.scalar(_BOUND), session_id, blocks)
                growing = _find_growing(db, session_id, blocks)
                added = _behind(session_id, growing.end, blocks)
                if not added:
                    return growing.end
                tail = None
                if growing.end % GRID_MESSAGES:
                    last = _blocks(growing.id).where(StoredBlock.grid_index == growing.end // GRID_MESSAGES)
                    tail = db.scalars(last).one()
            # The lock is not held while the blocks are compressed; whoever stored something meanwhile was first.
            parts = added if tail is None else [_decoded(tail), *added]
            rows = [_stored(growing.id, part) for part in _on_grid(parts)]
            with self._writing() as db:
                if _find_growing(db, session_id, blocks) != growing:
                    continue
                if tail is not None:
                    db.execute(delete(StoredBlock).where(StoredBlock.id == tail.id))
                db.execute(insert(StoredBlock), rows)
                return parts[-1].next_seq

    def finish_download(self, session: SessionRecord) -> None:
        """Make the downloaded copy the session's copy, in one transaction; an older one goes.

        An older one of another session that had the same id is set aside, see :mod:`blitz.data.sync_changes`.

        The session is listed as available, with the record as given here; its channels become categories. Where
        another program has finished the same download, nothing is left to do.

        :raises BlockError: if messages are missing.
        :raises CacheError: if no download has begun.
        """
        with self._writing() as db:
            copy = find_copy(db, session.id, is_whole=False) or find_copy(db, session.id, is_whole=True)
            if copy is None or copy.started_ms != session.started_ms:
                raise CacheError(f"No download of session {session.id} is under way: begin it first.")
            count = contiguous_count(db, copy)
            if count < session.message_count:
                raise BlockError(
                    f"Session {session.id} is not whole: {count} of {session.message_count} messages are here. "
                    "Start the download again; it goes on where it ended."
                )
            session = session.model_copy(update={"message_count": count})
            row = list_session(db, ListedSession.from_record(session))
            older = delete(SessionCopy).where(SessionCopy.session_ref_id == session.id, SessionCopy.id != copy.id)
            db.execute(older)
            copy.is_whole, copy.record = True, session.model_dump_json()
            row.available, row.is_gone = True, False
            _add_categories(db, boards.channel_labels(session.sources).values())

    def _sound_snapshot(self, session: SessionRecord) -> "_Growing | None":
        """Return a copy for a new download to begin with, and where the first block of it ends that is damaged."""
        with self._reading() as db:
            unfinished = find_copy(db, session.id, is_whole=False)
            goes_on = unfinished is not None and unfinished.started_ms == session.started_ms
            snapshot = None if goes_on else _find_snapshot(db, session)
            if snapshot is None:
                return None
            copy_id = snapshot.id
        end = 0
        try:
            for block in self.session_blocks(session.id):
                end = block.next_seq
        except (BlockError, CacheError, SessionNotFound) as error:  # of the latter two: it was replaced or deleted
            log.warning("Downloading again: %s", error)
        return _Growing(copy_id, end)

    def _check_origin(self, bound: str | None, session_id: int, blocks: Sequence[MessageBlock]) -> None:
        for block in blocks:
            if block.session_id != session_id:
                raise BlockError(f"A block of session {block.session_id} came in the download of session {session_id}.")
            if bound and block.store_id and block.store_id != bound:
                raise CacheMismatch(
                    f"The cache {self.path} belongs to the store {bound}, and the block to {block.store_id}. "
                    "Connect to the server again."
                )


class _Growing(NamedTuple):
    """The copy that a download adds to."""

    id: int
    end: int


# Put together once: with SQLAlchemy that takes longer than to ask.
_BOUND = select(StoreBinding.store_id)
_END = (
    select(StoredBlock.first_seq + StoredBlock.count)
    .where(StoredBlock.copy_id == SessionCopy.id)
    .order_by(StoredBlock.grid_index.desc())
    .limit(1)
)
_COPY = select(SessionCopy.id, func.coalesce(_END.scalar_subquery(), 0)).where(
    SessionCopy.session_ref_id == bindparam("session"), SessionCopy.is_whole == bindparam("is_whole")
)


def _blocks(copy_id: int) -> Select[StoredBlock]:
    return select(StoredBlock).where(StoredBlock.copy_id == copy_id)


def _find_growing(db: Transaction, session_id: int, blocks: Sequence[MessageBlock]) -> _Growing:
    """Return the copy that blocks are for: where another program has finished the same download, what it made."""
    for is_whole in (False, True):
        row = db.execute(_COPY, {"session": int(session_id), "is_whole": is_whole}).first()
        if row is not None and (not is_whole or (blocks and row[1] >= blocks[-1].next_seq)):
            return _Growing(*row)
    raise CacheError(f"No download of session {session_id} is under way, or another program ended it: begin it first.")


def _behind(session_id: int, end: int, blocks: Sequence[MessageBlock]) -> list[MessageBlock]:
    """Return what of the blocks comes behind the stored messages."""
    added = []
    for block in blocks:
        if block.first_seq > end:
            raise BlockError(
                f"Messages {end} to {block.first_seq - 1} of session {session_id} are missing in what the server "
                "sent. Start the download again; it goes on where it ended."
            )
        if block.next_seq > end:
            added.append(block.between(end, block.next_seq))
            end = block.next_seq
    return added


def _on_grid(parts: Iterable[MessageBlock]) -> Iterator[MessageBlock]:
    """Cut runs that follow each other at the grid; a block that came on it is taken as it is."""
    pieces = (piece for part in parts for piece in part.on_grid())
    for _, same in itertools.groupby(pieces, lambda piece: piece.first_seq // GRID_MESSAGES):
        found = list(same)
        yield found[0] if len(found) == 1 else MessageBlock.concatenate(found)


def _give_up(db: Transaction, copy: SessionCopy, session: SessionRecord) -> None:
    """Set an unfinished copy aside, whose session had the id that ``session`` has now."""
    if copy.record is not None:
        older = SessionRecord.model_validate_json(copy.record)
        if db.scalar(select(Session.id).where(Session.ref_id == session.id)) is None:
            list_session(db, ListedSession.from_record(older))
        list_session(db, ListedSession.from_record(session))
    rest = find_copy(db, session.id, is_whole=False)
    if rest is not None:  # nothing is known of it
        db.delete(rest)
        db.flush()


def _find_snapshot(db: Transaction, session: SessionRecord) -> SessionCopy | None:
    """Return the whole copy that was made while the same session ran.

    One that is as long as the session is none: it is downloaded again because it is damaged.
    """
    copy = find_copy(db, session.id, is_whole=True)
    if copy is None or copy.record is None or copy.started_ms != session.started_ms:
        return None
    was_running = SessionRecord.model_validate_json(copy.record).is_running
    return copy if was_running or contiguous_count(db, copy) < session.message_count else None


def _begin_with_snapshot(db: Transaction, copy: SessionCopy, snapshot: _Growing) -> None:
    """Let a new copy begin with the full blocks of a snapshot, up to its end."""
    names = ["session_ref_id", "grid_index", "first_seq", "count", "checksum", "body"]
    columns = [getattr(StoredBlock, name) for name in names]
    full = select(literal(copy.id), *columns).where(
        StoredBlock.copy_id == snapshot.id, StoredBlock.first_seq + GRID_MESSAGES <= snapshot.end
    )
    db.execute(insert(StoredBlock).from_select(["copy_id", *names], full))


def _drop_what_is_unusable(db: Transaction, copy: SessionCopy) -> int:
    """Delete blocks behind a hole, and a last block that is damaged: it would have to be joined with what comes.

    :returns: the seq behind what is left.
    """
    count = contiguous_count(db, copy)
    db.execute(delete(StoredBlock).where(StoredBlock.copy_id == copy.id, StoredBlock.first_seq >= count))
    tail = db.scalar(_blocks(copy.id).where(StoredBlock.grid_index == count // GRID_MESSAGES))
    if tail is None:
        return count
    try:
        _decoded(tail)
    except BlockError as error:
        log.warning("Downloading again: %s", error)
        db.delete(tail)
        db.flush()
        return tail.first_seq
    return count


def _stored(copy_id: int, block: MessageBlock) -> dict[str, object]:
    """Return the row of a block."""
    return {
        "copy_id": copy_id,
        "session_ref_id": block.session_id,
        "grid_index": block.first_seq // GRID_MESSAGES,
        "first_seq": block.first_seq,
        "count": len(block),
        "checksum": block.checksum,
        "body": block.at_rest,
    }


def _decoded(row: StoredBlock) -> MessageBlock:
    return checked_block(row.body, row.session_ref_id, row.first_seq, row.count, row.checksum)


def _add_categories(db: Transaction, names: Iterable[str]) -> None:
    known = set(db.scalars(select(Category.variable_name)))
    db.add_all([Category(variable_name=name) for name in dict.fromkeys(names) if name not in known])
