"""Reading the store: sessions' records and blocks of their messages, consistent while others write.

Owns how an arrival is found for a message. What is written, and when, is the business of
:mod:`blitz.data.database_server` and :mod:`blitz.data.store_writer`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Self

import numpy as np
import redis
from numpy.typing import NDArray
from redis.client import Pipeline

from blitz.data.blocks import MessageBlock
from blitz.data.bulk_reading import ARRIVAL_DTYPE, BulkReader, arrival_columns, joined_bytes
from blitz.data.markers import present_markers, split_entries
from blitz.data.records import Account, Gap, SessionPlan, SessionRecord, Source
from blitz.data.session_words import decode_fields, decode_tags
from blitz.data.store_faults import translated
from blitz.data.store_keys import MILLISECOND_NS, RESTORED_FIELD, StoreKeys
from blitz.errors import ArchiveError, SessionNotFound


def not_found(session_id: int) -> SessionNotFound:
    """Return the error for a session that does not exist."""
    return SessionNotFound(f"There is no session {session_id}. It may have been deleted.")


def in_trash(session_id: int) -> SessionNotFound:
    """Return the error for a session that lies in the trash: it cannot be read until it is taken out."""
    return SessionNotFound(
        f"Session {session_id} is in the trash. 'blitz trash restore {session_id}' takes it out; then it can be read."
    )


_SESSIONS_AT_ONCE: Final = 200

_BRIEF: Final = (
    "name",
    "notes",
    "owner",
    "interrupted",
    "verdict",
    "starred",
    "stop_reason",
    "resumed",
    "trashed_at",
    "tags",
    "fields",
    "revision",
    "plan",
)
"""Fields of a session's meta hash that lists of sessions show."""


class _ListMovedError(Exception):
    """The list was trimmed, or deleted, between two questions."""


class _Beginning(NamedTuple):
    """Where a session's messages in Redis begin. As long as it is the same, a position means the same message."""

    border: int
    restored: bytes | None
    """Tells a border that moved to the archive and back, between two looks, from one that stood still."""
    started: bytes | None
    is_trashed: bool

    @classmethod
    def of(cls, replies: Sequence[Any]) -> Self:
        """Return what :meth:`StoreReader._ask_beginning` was told."""
        first, restored, started, is_trashed = replies
        return cls(int(first or 0), restored, started, bool(is_trashed))


class StoreReader:
    """Reads sessions, whose older messages may lie in the archive.

    :param client: a Redis client; may be used from several threads.
    :param read_archive: returns archived messages, (session, first, stop) -> block, or raises ArchiveError.
    """

    def __init__(
        self, client: "redis.Redis", keys: StoreKeys, read_archive: Callable[[int, int, int], MessageBlock]
    ) -> None:
        self._redis = client
        self.keys = keys
        self._read_archive = read_archive
        self._bulk = BulkReader(client)

    def records(self, session_ids: Sequence[int], *, is_complete: bool) -> list[SessionRecord]:
        """Return sessions in the given order.

        :param is_complete: with sources and gaps; then a session that does not exist is an error, else it is left out.
        :raises SessionNotFound: see there; also where one that is asked for completely lies in the trash.
        """
        records: list[SessionRecord] = []
        for begin in range(0, len(session_ids), _SESSIONS_AT_ONCE):
            records += self._records(session_ids[begin : begin + _SESSIONS_AT_ONCE], is_complete=is_complete)
        return records

    def _records(self, session_ids: Sequence[int], *, is_complete: bool) -> list[SessionRecord]:
        keys, brief = self.keys, _BRIEF
        # In one step: the border to the archive may move at any moment.
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.get(keys.session)
        for session_id in session_ids:
            pipeline.get(keys.start(session_id))
            pipeline.get(keys.end(session_id))
            pipeline.get(keys.first(session_id))
            pipeline.llen(keys.messages(session_id))
            meta = keys.meta(session_id)
            pipeline.hgetall(meta) if is_complete else pipeline.hmget(meta, brief)
            pipeline.lrange(keys.markers(session_id), 0, -1 if is_complete else 0)
        with translated():
            running, *replies = pipeline.execute()
        records = []
        for position, session_id in enumerate(session_ids):
            start, end, first, length, meta_reply, markers = replies[6 * position : 6 * position + 6]
            if start is None:
                if is_complete:
                    raise not_found(session_id)
                continue  # deleted between two questions
            if is_complete:
                meta_texts = {field.decode(): value.decode() for field, value in meta_reply.items()}
            else:
                meta_texts = {
                    field: value.decode() for field, value in zip(brief, meta_reply, strict=True) if value is not None
                }
            entries = split_entries(markers if is_complete else ())
            trashed_ms = meta_texts.get("trashed_at")
            if is_complete and trashed_ms is not None:
                raise in_trash(session_id)
            records.append(
                SessionRecord(
                    id=session_id,
                    name=meta_texts.get("name", ""),
                    notes=meta_texts.get("notes", ""),
                    owner=meta_texts.get("owner", ""),
                    started_at=_moment(start),
                    stopped_at=None if end is None else _moment(end),
                    is_running=running is not None and int(running) == session_id,
                    interrupted="interrupted" in meta_texts,
                    message_count=int(first or 0) + int(length),
                    archived_count=int(first or 0),
                    starred="starred" in meta_texts,
                    stop_reason=meta_texts.get("stop_reason", ""),
                    resumed=int(meta_texts.get("resumed", 0)),
                    trashed_at=None if trashed_ms is None else _moment(trashed_ms),
                    verdict=meta_texts.get("verdict", ""),
                    accounts=_rows(meta_texts, "account:", Account, lambda account: account.source),
                    tags=decode_tags(meta_texts.get("tags")),
                    fields=decode_fields(meta_texts.get("fields")),
                    revision=int(meta_texts.get("revision", 0)),
                    plan=SessionPlan.model_validate_json(meta_texts["plan"]) if meta_texts.get("plan") else None,
                    timeline=entries.timeline,
                    markers=present_markers(entries.versions),
                    changes=entries.changes,
                    sources=_rows(meta_texts, "source:", Source, lambda source: source.index),
                    gaps=_rows(meta_texts, "gap:", Gap, lambda gap: gap.from_ns),
                )
            )
        return records

    def messages(
        self, session_id: int, first: int, count: int, store_id: str, *, even_in_trash: bool = False
    ) -> MessageBlock:
        """Return the messages with first <= seq < first + count that are there; perhaps none.

        :param even_in_trash: for a backup, which has the trash, too.
        :raises SessionNotFound: if there is no such session.
        :raises ArchiveError: if they lie in the archive, and are missing or damaged there.
        """
        first = max(first, 0)
        while True:
            beginning = self._beginning(session_id)
            border, started = beginning.border, beginning.started
            if started is None:
                raise not_found(session_id)
            if beginning.is_trashed and not even_in_trash:
                raise in_trash(session_id)
            begin = max(first, border) if count > 0 else first
            try:
                raw = self._bulk.elements(self.keys.messages(session_id), begin - border, first + count - border)
                entries = self._arrivals(session_id, begin, begin + len(raw))
                columns = arrival_columns(entries, begin, begin + len(raw), int(started) * MILLISECOND_NS)
                block = MessageBlock(session_id, begin, *columns, raw, store_id)
                if first < border and count > 0:
                    archived = self._read_archive(session_id, first, min(border, first + count))
                    block = MessageBlock.concatenate([archived, block]) if len(block) else archived
            except _ListMovedError:
                continue
            except ArchiveError:
                if self._beginning(session_id) == beginning:
                    raise
                continue
            # It may have been deleted, or the border have moved, before all was read.
            if self._beginning(session_id) == beginning:
                return block

    def raw_messages(self, session_id: int, first: int, count: int) -> list[bytes]:
        """Return the raw messages with first <= seq < first + count; none of a session that does not exist.

        :raises ArchiveError: if they lie in the archive, and are missing or damaged there.
        """
        while True:
            beginning, raw = self._range(session_id, first, count)
            border = beginning.border
            if first >= border:
                return raw
            try:
                return self._read_archive(session_id, first, min(border, first + count)).messages() + raw
            except ArchiveError:
                if self._beginning(session_id) == beginning:
                    raise

    def _beginning(self, session_id: int) -> _Beginning:
        pipeline = self._redis.pipeline(transaction=True)
        self._ask_beginning(pipeline, session_id)
        with translated():
            return _Beginning.of(pipeline.execute())

    def _ask_beginning(self, pipeline: Pipeline, session_id: int) -> None:
        keys = self.keys
        pipeline.get(keys.first(session_id))
        pipeline.hget(keys.meta(session_id), RESTORED_FIELD)
        pipeline.get(keys.start(session_id))
        pipeline.hexists(keys.meta(session_id), "trashed_at")

    def _range(self, session_id: int, first: int, count: int) -> tuple[_Beginning, list[bytes]]:
        """Return, as of one moment, where Redis' messages begin and which of those that are wanted are there."""
        border = int(self._execute("GET", self.keys.first(session_id)) or 0)
        while True:
            start, stop = max(first - border, 0), first + count - border
            pipeline = self._redis.pipeline(transaction=True)
            self._ask_beginning(pipeline, session_id)
            pipeline.lrange(self.keys.messages(session_id), start, stop - 1) if stop > start else pipeline.ping()
            with translated():
                *replies, raw = pipeline.execute()
            beginning = _Beginning.of(replies)
            if beginning.border == border:
                return beginning, raw if stop > start else []
            border = beginning.border

    def _arrivals(self, session_id: int, first: int, stop: int) -> NDArray[Any]:
        """Return the reads that cover first <= seq < stop, as :data:`ARRIVAL_DTYPE` has them."""
        key = self.keys.arrivals(session_id)
        length = int(self._execute("LLEN", key)) if first < stop else 0
        if not length:
            return np.empty(0, ARRIVAL_DTYPE)

        def first_seq(position: int) -> int:
            entry = self._execute("LINDEX", key, position)
            if entry is None:
                raise _ListMovedError
            return int(np.frombuffer(entry, ARRIVAL_DTYPE)["first"][0])

        low = _last_at_or_before(first_seq, first, 0, length)
        high = _last_at_or_before(first_seq, stop - 1, low, length)
        return np.frombuffer(joined_bytes(self._bulk.elements(key, low, high + 1)), ARRIVAL_DTYPE)

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


def _last_at_or_before(first_seq: Callable[[int], int], seq: int, low: int, high: int) -> int:
    """Return the last position from ``low`` to below ``high`` whose entry begins at ``seq`` or before; else ``low``.

    Reads hold about as many messages each, so that the place is guessed from what is known beside it; each third guess
    is the middle, lest it should take long where they do not.
    """
    guesses = 0
    low_seq, high_seq = 0, 0
    while high - low > 1:
        middle = (low + high) // 2
        if guesses % 3 and low_seq < high_seq:
            share = (seq - low_seq) / (high_seq - low_seq)
            middle = min(max(low + int(share * (high - low)), low + 1), high - 1)
        guesses += 1
        found = first_seq(middle)
        if found <= seq:
            low, low_seq = middle, found
        else:
            high, high_seq = middle, found
    return low


def _rows(meta: dict[str, str], start: str, kind: type[Any], order: Callable[[Any], int]) -> tuple[Any, ...]:
    rows = [kind.model_validate_json(value) for field, value in meta.items() if field.startswith(start)]
    return tuple(sorted(rows, key=order))


def _moment(milliseconds: bytes | str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
