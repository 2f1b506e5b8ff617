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
from blitz.data.records import Account, Gap, SessionRecord, Source, TimelineEntry
from blitz.data.room import explain_refusal
from blitz.data.store_keys import ARRIVAL, MILLISECOND_NS, QUEUE_SOURCE, StoreKeys
from blitz.errors import SessionNotFound, StoreUnavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn Redis' errors into ours."""
    try:
        yield
    except redis.RedisError as error:
        reason = str(error).rstrip(".")
        explained = explain_refusal(reason)
        if explained is not None:
            raise StoreUnavailable(f"{explained} (Redis says: {reason}.)") from error
        raise StoreUnavailable(f"Redis does not answer as it should: {reason}. Is it running?") from error


def not_found(session_id: int) -> SessionNotFound:
    """Return the error for a session that does not exist."""
    return SessionNotFound(f"There is no session {session_id}. It may have been deleted.")


def in_trash(session_id: int) -> SessionNotFound:
    """Return the error for a session that lies in the trash: it cannot be read until it is taken out."""
    return SessionNotFound(
        f"Session {session_id} is in the trash. 'blitz trash restore {session_id}' takes it out; then it can be read."
    )


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
)
"""Fields of a session's meta hash that lists of sessions show."""


class StoreReader:
    """Reads sessions.

    :param client: a Redis client; may be used from several threads.
    """

    def __init__(self, client: "redis.Redis", keys: StoreKeys) -> None:
        self._redis = client
        self.keys = keys

    def records(self, session_ids: Sequence[int], *, is_complete: bool) -> list[SessionRecord]:
        """Return sessions in the given order.

        :param is_complete: with sources and gaps; then a session that does not exist is an error, else it is left out.
        :raises SessionNotFound: see there; also where one that is asked for completely lies in the trash.
        """
        if not session_ids:
            return []
        keys, brief = self.keys, _BRIEF
        pipeline = self._redis.pipeline(transaction=False)
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
                    starred="starred" in meta_texts,
                    stop_reason=meta_texts.get("stop_reason", ""),
                    resumed=int(meta_texts.get("resumed", 0)),
                    trashed_at=None if trashed_ms is None else _moment(trashed_ms),
                    verdict=meta_texts.get("verdict", ""),
                    accounts=_rows(meta_texts, "account:", Account, lambda account: account.source),
                    timeline=tuple(map(TimelineEntry.model_validate_json, markers)) if is_complete else (),
                    sources=_rows(meta_texts, "source:", Source, lambda source: source.index),
                    gaps=_rows(meta_texts, "gap:", Gap, lambda gap: gap.from_ns),
                )
            )
        return records

    def _arrivals(self, session_id: int, first: int, stop: int) -> list[tuple[int, int, int, int]]:
        """Return the reads that cover first <= seq < stop, found by bisection: each is (seq, ns, source, count)."""
        key = self.keys.arrivals(session_id)
        length = int(self._execute("LLEN", key))
        if stop <= first or not length:
            return []

        def last_at_or_before(seq: int, low: int) -> int:
            high = length
            while high - low > 1:
                middle = (low + high) // 2
                if ARRIVAL.unpack(self._execute("LINDEX", key, middle))[0] <= seq:
                    low = middle
                else:
                    high = middle
            return low

        low = last_at_or_before(first, 0)
        high = last_at_or_before(stop - 1, low)
        return [ARRIVAL.unpack(entry) for entry in self._execute("LRANGE", key, low, high)]

    def messages(
        self, session_id: int, first: int, count: int, store_id: str, *, even_in_trash: bool = False
    ) -> MessageBlock:
        """Return the messages with first <= seq < first + count that are there; perhaps none.

        :param even_in_trash: for a backup, which has the trash, too.
        :raises SessionNotFound: if there is no such session.
        """
        keys, first = self.keys, max(first, 0)
        while True:
            base = int(self._execute("GET", keys.first(session_id)) or 0)
            first = max(first, base)
            start, stop = first - base, first - base + max(count, 0) - 1
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.get(keys.first(session_id))
            pipeline.get(keys.start(session_id))
            pipeline.hexists(keys.meta(session_id), "trashed_at")
            pipeline.lrange(keys.messages(session_id), start, stop) if count > 0 else pipeline.ping()
            with translated():
                base_now, started, is_trashed, raw = pipeline.execute()
            if started is None:
                raise not_found(session_id)
            if is_trashed and not even_in_trash:
                raise in_trash(session_id)
            if int(base_now or 0) == base:
                break
        raw = raw if count > 0 else []
        arrived_ns = np.full(len(raw), int(started) * MILLISECOND_NS, np.int64)
        source = np.full(len(raw), QUEUE_SOURCE, np.uint16)
        for entry in self._arrivals(session_id, first, first + len(raw)):
            begin, end = max(entry[0] - first, 0), max(entry[0] + entry[3] - first, 0)
            arrived_ns[begin:end], source[begin:end] = entry[1], entry[2]
        if not self._execute("EXISTS", keys.start(session_id)):
            raise not_found(session_id)  # deleted meanwhile, perhaps before the arrivals were read
        return MessageBlock(session_id, first, arrived_ns, source, pa.array(raw, pa.binary()), store_id)

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


def _rows(meta: dict[str, str], start: str, kind: type[Any], order: Callable[[Any], int]) -> tuple[Any, ...]:
    rows = [kind.model_validate_json(value) for field, value in meta.items() if field.startswith(start)]
    return tuple(sorted(rows, key=order))


def _moment(milliseconds: bytes | str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
