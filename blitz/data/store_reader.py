"""Reading the store: sessions' records and blocks of their messages, consistent while others write.

Owns how an arrival is found for a message. What is written, and when, is the business of
:mod:`blitz.data.database_server` and :mod:`blitz.data.store_writer`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import redis

from blitz.data.blocks import MessageBlock
from blitz.data.markers import present_markers, split_entries
from blitz.data.records import Account, Gap, SessionRecord, Source
from blitz.data.room import explain_refusal
from blitz.data.session_words import decode_fields, decode_tags
from blitz.data.store_keys import ARRIVAL, MILLISECOND_NS, QUEUE_SOURCE, StoreKeys
from blitz.errors import ArchiveError, SessionNotFound, StoreUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis' errors into ours."""
    try:
        yield
    except redis.RedisError as error:
        reason = reason_of(error)
        explained = explain_refusal(reason)
        if explained is not None:
            raise StoreUnavailable(f"{explained} (Redis says: {reason}.)") from error
        raise StoreUnavailable(f"Cannot use Redis: {reason}. Is it running?") from error


def reason_of(error: Exception) -> str:
    """Return why Redis did not do what it was asked, without a full stop; its own words where they are clear.

    >>> reason_of(redis.TimeoutError("Timeout reading from socket"))
    'it does not answer'
    >>> reason_of(redis.ConnectionError("Error while reading from redis.sock : (104, 'Connection reset by peer')"))
    'the connection broke'
    """
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return "it does not answer"
    if isinstance(error, ConnectionResetError | BrokenPipeError) or str(error).startswith("Error while "):
        return "the connection broke"
    return str(error).rstrip(".")


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
)
"""Fields of a session's meta hash that lists of sessions show."""


class _ListMovedError(Exception):
    """The list was trimmed, or deleted, between two questions."""


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
            border, raw, started, is_trashed = self._range(session_id, first, count)
            if started is None:
                raise not_found(session_id)
            if is_trashed and not even_in_trash:
                raise in_trash(session_id)
            begin = max(first, border) if count > 0 else first
            arrived_ns = np.full(len(raw), int(started) * MILLISECOND_NS, np.int64)
            source = np.full(len(raw), QUEUE_SOURCE, np.uint16)
            try:
                for entry in self._arrivals(session_id, begin, begin + len(raw)):
                    start, stop = max(entry[0] - begin, 0), max(entry[0] + entry[3] - begin, 0)
                    arrived_ns[start:stop], source[start:stop] = entry[1], entry[2]
                block = MessageBlock(session_id, begin, arrived_ns, source, pa.array(raw, pa.binary()), store_id)
                if first < border and count > 0:
                    archived = self._read_archive(session_id, first, min(border, first + count))
                    block = MessageBlock.concatenate([archived, block]) if len(block) else archived
            except _ListMovedError:
                continue
            except ArchiveError:
                if self._is_unmoved(session_id, border):
                    raise
                continue
            # It may have been deleted, or the border have moved, before the arrivals were read.
            if self._is_unmoved(session_id, border):
                return block

    def raw_messages(self, session_id: int, first: int, count: int) -> list[bytes]:
        """Return the raw messages with first <= seq < first + count; none of a session that does not exist.

        :raises ArchiveError: if they lie in the archive, and are missing or damaged there.
        """
        while True:
            border, raw, _, _ = self._range(session_id, first, count)
            if first >= border:
                return raw
            try:
                return self._read_archive(session_id, first, min(border, first + count)).messages() + raw
            except ArchiveError:
                if self._is_unmoved(session_id, border):
                    raise

    def _range(self, session_id: int, first: int, count: int) -> tuple[int, list[bytes], bytes | None, bool]:
        """Return, as of one moment, where Redis' messages begin and which of those that are wanted are there.

        :returns: the first sequence number in Redis, the messages, the session's start, and whether it is in the trash.
        """
        keys = self.keys
        border = int(self._execute("GET", keys.first(session_id)) or 0)
        while True:
            start, stop = max(first - border, 0), first + count - border
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.get(keys.first(session_id))
            pipeline.get(keys.start(session_id))
            pipeline.hexists(keys.meta(session_id), "trashed_at")
            pipeline.lrange(keys.messages(session_id), start, stop - 1) if stop > start else pipeline.ping()
            with translated():
                border_now, started, is_trashed, raw = pipeline.execute()
            if int(border_now or 0) == border:
                return border, raw if stop > start else [], started, bool(is_trashed)
            border = int(border_now or 0)

    def _is_unmoved(self, session_id: int, border: int) -> bool:
        """Say whether the session still exists and Redis' messages of it still begin there."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(self.keys.first(session_id))
        pipeline.exists(self.keys.start(session_id))
        with translated():
            first, exists = pipeline.execute()
        return bool(exists) and int(first or 0) == border

    def _arrivals(self, session_id: int, first: int, stop: int) -> list[tuple[int, int, int, int]]:
        """Return the reads that cover first <= seq < stop, found by bisection: each is (seq, ns, source, count)."""
        key = self.keys.arrivals(session_id)
        length = int(self._execute("LLEN", key))
        if stop <= first or not length:
            return []

        def first_seq(position: int) -> int:
            entry = self._execute("LINDEX", key, position)
            if entry is None:
                raise _ListMovedError
            return int(ARRIVAL.unpack(entry)[0])

        def last_at_or_before(seq: int, low: int) -> int:
            high = length
            while high - low > 1:
                middle = (low + high) // 2
                if first_seq(middle) <= seq:
                    low = middle
                else:
                    high = middle
            return low

        low = last_at_or_before(first, 0)
        high = last_at_or_before(stop - 1, low)
        return [ARRIVAL.unpack(entry) for entry in self._execute("LRANGE", key, low, high)]

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


def _rows(meta: dict[str, str], start: str, kind: type[Any], order: Callable[[Any], int]) -> tuple[Any, ...]:
    rows = [kind.model_validate_json(value) for field, value in meta.items() if field.startswith(start)]
    return tuple(sorted(rows, key=order))


def _moment(milliseconds: bytes | str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
