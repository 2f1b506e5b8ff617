"""Streams in the store: points that scripts send, outside recordings, in the order of their time.

A stream is a session of kind `stream`: its points are messages, so that reading, the live view and the archive work as
for any other. It has no end and is in no list of sessions; the hash ``streams`` has its id by its name. Beside it is
a second one for its downlink, the commands that it takes. Owns what is atomic about points; how they are checked is in
:mod:`blitz.data.stream_points`.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import redis
from redis.client import Pipeline

from blitz.data.records import Source
from blitz.data.store_faults import translated
from blitz.data.store_keys import META_SCRIPT, MILLISECOND_NS, StoreKeys
from blitz.data.stream_commands import StreamCommands
from blitz.data.stream_points import check_points, time_of
from blitz.data.stream_records import (
    LARGEST_BATCH,
    POINTS_AT_ONCE,
    InsertResult,
    PointRange,
    StreamRecord,
    check_stream_name,
)
from blitz.data.stream_schema import compile_schema, encode_schema
from blitz.data.stream_scripts import APPEND_POINTS_SCRIPT, CREATE_STREAM_SCRIPT, DELETE_STREAM_SCRIPT
from blitz.errors import StreamExists, StreamNotFound

WRITER_LENGTH: Final = 200
_WORDS: Final = ("nickname", "description", "unit")
_META: Final = ("name", "schema", *_WORDS, "downlink", "downlink_id", "newest_t")
_GONE, _STORED, _REPEATED = 0, 1, 2


class _Known(NamedTuple):
    """What never changes of a stream."""

    id: int
    schema: str
    downlink_id: int
    start_token: str
    """Of the call that made it: tells it from one that another store has at its place."""


class StreamStore:
    """The streams of a store. May be used from several threads.

    :param read_raw: returns messages of a session, (session, first, count), from Redis or the archive.
    :param remove_files: removes what a session that was deleted has in the archive.

    Every method raises :class:`~blitz.errors.StoreUnavailable` if Redis does not answer, and those that name a stream
    :class:`~blitz.errors.StreamNotFound` if there is none of that name.
    """

    def __init__(
        self,
        client: "redis.Redis",
        keys: StoreKeys,
        read_raw: Callable[[int, int, int], list[bytes]],
        remove_files: Callable[[int], None],
    ) -> None:
        self._redis = client
        self._keys = keys
        self._read_raw = read_raw
        self._remove_files = remove_files
        self._known: dict[str, _Known] = {}
        self.listeners: list[Callable[[int, int], None]] = []
        """Told of each session that has become longer by a call here: its id, and how long it is. Must be quick."""
        self.commands = StreamCommands(client, keys, self._find, self._forget, read_raw, self._tell)
        """What is sent to streams that take commands."""

    def streams(self) -> list[StreamRecord]:
        """Return all streams, by name."""
        return sorted(self._records(self.ids().values()), key=lambda record: record.name)

    def ids(self) -> dict[str, int]:
        """Return the session of each stream, by name."""
        found = self._execute("HGETALL", self._keys.streams)
        return {str(name, "utf-8"): int(session_id) for name, session_id in found.items()}

    def is_stream(self, session_id: int) -> bool:
        """Say whether a session is a stream, or the downlink of one."""
        return bool(self._execute("HGET", self._keys.meta(session_id), "kind") == b"stream")

    def lengths(self, session_ids: Sequence[int]) -> list[int | None]:
        """Return how many messages streams have; None for one that is gone."""
        pipeline = self._redis.pipeline(transaction=True)
        for session_id in session_ids:
            pipeline.exists(self._keys.start(session_id))
            pipeline.get(self._keys.first(session_id))
            pipeline.llen(self._keys.messages(session_id))
        with translated():
            replies = pipeline.execute() if session_ids else []
        return [
            int(first or 0) + length if exists else None
            for exists, first, length in zip(replies[::3], replies[1::3], replies[2::3], strict=True)
        ]

    def stream(self, name: str) -> StreamRecord:
        """Return everything known of one stream."""
        found = self._execute("HGET", self._keys.streams, name)
        for record in self._records([] if found is None else [int(found)]):
            return record
        raise not_found(name)

    def create(
        self,
        name: str,
        *,
        schema: Mapping[str, Any] | None = None,
        nickname: str = "",
        description: str = "",
        unit: str = "",
        downlink: bool = False,
    ) -> StreamRecord:
        """Make a stream.

        :param schema: JSON schema (Draft 2020-12) of each value; None or empty: anything.
        :param downlink: it takes commands.
        :raises StreamExists: if there is one of that name.
        :raises ValueError: if it cannot be called so, or the schema is none; says where.
        """
        check_stream_name(name)
        words = {"nickname": nickname, "description": description, "unit": unit, "downlink": "1" if downlink else ""}
        source, commands = (
            Source(index=0, name=name, link=link, board_id=None).model_dump_json(exclude_none=True)
            for link in ("stream", "downlink")
        )
        meta = {"schema": encode_schema(schema or {}), "source:0": source, **words}
        arguments = [self._keys.prefix, name, secrets.token_hex(8), time.time_ns() // MILLISECOND_NS, commands]
        keys = [self._keys.streams, self._keys.session_last]
        if not self._script(CREATE_STREAM_SCRIPT, keys, [*arguments, *_flat(meta)]):
            raise StreamExists(f"There is a stream {name!r} already. Use it, or choose another name.")
        return self.stream(name)

    def update(self, name: str, changes: Mapping[str, str | bool]) -> StreamRecord:
        """Change ``nickname``, ``description``, ``unit`` or ``downlink`` of a stream, those that are named."""
        known = self._find(name)
        fields = {key: value if isinstance(value, str) else "1" if value else "" for key, value in changes.items()}
        if fields:
            keys = [self._keys.start(known.id), self._keys.meta(known.id)]
            if not self._script(META_SCRIPT, keys, _flat(fields)):
                raise self._forget(name)
        return self.stream(name)

    def delete(self, name: str) -> None:
        """Delete a stream with all its points and commands, for good. Its id is not used again."""
        self._forget(name)
        gone = self._script(DELETE_STREAM_SCRIPT, [self._keys.streams], [self._keys.prefix, name])
        if gone is None:
            raise not_found(name)
        for session_id in gone:
            self._remove_files(int(session_id))

    def append(
        self,
        name: str,
        points: Sequence[Any],
        *,
        writer: str = "",
        batch: int | None = None,
        restamp: bool = False,
        partial: bool = False,
    ) -> InsertResult:
        """Store points behind those that a stream has, all or nothing, in one step.

        :param points: mappings of ``t``, in Unix seconds, never falling, and ``d``, a value that the schema allows.
        :param writer: who sends numbered batches, each with a number above the one before: a batch that is there
            already is not stored again, and the answer is that of the first time.
        :param restamp: a point that is older than the newest of the stream gets that one's time.
        :param partial: store those that can be, and report the others.
        :raises PointsRefused: without ``partial``, if one of them cannot be stored; none was.
        :raises ValueError: if there are too many, or writer and batch do not go together.
        """
        _check_batch(points, writer, batch)
        mode = "restamp" if restamp else "partial" if partial else "all"
        while True:
            known = self._find(name)
            schema = compile_schema(known.schema)
            checked = check_points(points, schema, restamp=restamp, stop_at_first=not partial)
            if checked.refused and not partial:
                raise checked.refusal()
            arguments = [
                mode,
                f"batch:{writer}" if writer else "",
                0 if batch is None else batch,
                secrets.token_hex(8),
                *checked.arguments(),
                time.time_ns().to_bytes(8, "little"),
                known.start_token,
            ]
            reply = self._script(APPEND_POINTS_SCRIPT, [self._keys.messages(known.id)], arguments + checked.messages)
            if reply[0] != _GONE:
                break
            self._forget(name)  # it was deleted, and perhaps made anew
        outcome, first, count, too_old, newest = reply
        if too_old and mode != "restamp":
            checked.refused += checked.too_old(too_old, float(newest))
            checked.refused.sort(key=lambda point: point.index)
        if outcome not in (_STORED, _REPEATED):
            raise checked.refusal()
        self._tell(known.id, first + count)
        return InsertResult(
            first=first,
            count=count,
            repeated=outcome == _REPEATED,
            refused=tuple(checked.refused),
            restamped=checked.count_restamped(too_old) if restamp else 0,
        )

    def range(
        self,
        name: str,
        *,
        i1: int | None = None,
        i2: int | None = None,
        t1: float | None = None,
        t2: float | None = None,
        limit: int | None = None,
    ) -> PointRange:
        """Return which points lie in a range: between two places, or two times, t1 <= t < t2.

        :param i1: the first, from 0; negative from the end, as Python counts.
        :param limit: the first so many of them at most.
        :raises ValueError: if both places and times are given.
        """
        if (i1 is not None or i2 is not None) and (t1 is not None or t2 is not None):
            raise ValueError("A range is of places (i1, i2) or of times (t1, t2), not of both.")
        record = self.stream(name)
        if t1 is not None or t2 is not None:
            first = 0 if t1 is None else self._place_of(record, t1)
            stop = record.point_count if t2 is None else self._place_of(record, t2)
        else:
            first, stop, _ = slice(i1, i2).indices(record.point_count)
        stop = max(first, stop)
        if limit is not None:
            stop = min(stop, first + max(limit, 0))
        return PointRange(id=record.id, first=first, stop=stop)

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _place_of(self, record: StreamRecord, t: float) -> int:
        """Return the place of the first point at a time or later."""
        low, high = 0, record.point_count
        while low < high:
            middle = (low + high) // 2
            found = self._read_raw(record.id, middle, 1)
            if not found:
                raise not_found(record.name)  # deleted meanwhile
            if time_of(found[0]) < t:
                low = middle + 1
            else:
                high = middle
        return low

    def _find(self, name: str) -> _Known:
        known = self._known.get(name)
        if known is None:
            found = self._execute("HGET", self._keys.streams, name)
            fields = ("schema", "downlink_id", "start_token")
            words = None if found is None else self._execute("HMGET", self._keys.meta(int(found)), *fields)
            if words is None or None in words:
                raise not_found(name)
            known = self._known[name] = _Known(
                int(found), str(words[0], "utf-8"), int(words[1]), str(words[2], "ascii")
            )
        return known

    def _tell(self, session_id: int, length: int) -> None:
        for listen in self.listeners:
            listen(session_id, length)

    def _forget(self, name: str) -> StreamNotFound:
        self._known.pop(name, None)
        return not_found(name)

    def _records(self, session_ids: Iterable[int]) -> list[StreamRecord]:
        ids = list(session_ids)
        pipeline = self._redis.pipeline(transaction=True)
        for session_id in ids:
            self._ask(pipeline, session_id)
        with translated():
            replies = pipeline.execute() if ids else []
        records = []
        for place, session_id in enumerate(ids):
            start, first, length, words = replies[4 * place : 4 * place + 4]
            if start is None:
                continue  # deleted between two questions
            meta = {field: str(value or b"", "utf-8") for field, value in zip(_META, words, strict=True)}
            records.append(
                StreamRecord(
                    id=session_id,
                    name=meta["name"],
                    schema=json.loads(meta["schema"] or "{}"),
                    nickname=meta["nickname"],
                    description=meta["description"],
                    unit=meta["unit"],
                    downlink=bool(meta["downlink"]),
                    downlink_id=int(meta["downlink_id"]),
                    created_at=datetime.fromtimestamp(int(start) / 1000, UTC),
                    point_count=int(first or 0) + int(length),
                    newest_t=float(meta["newest_t"]) if meta["newest_t"] else None,
                )
            )
        return records

    def _ask(self, pipeline: Pipeline, session_id: int) -> None:
        pipeline.get(self._keys.start(session_id))
        pipeline.get(self._keys.first(session_id))
        pipeline.llen(self._keys.messages(session_id))
        pipeline.hmget(self._keys.meta(session_id), _META)

    def _script(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._execute("EVAL", script, len(keys), *keys, *arguments)

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


def not_found(name: str) -> StreamNotFound:
    """Return the error for a stream that does not exist."""
    return StreamNotFound(f"There is no stream {name!r}. Create it first.")


def _check_batch(points: Sequence[Any], writer: str, batch: int | None) -> None:
    if len(points) > POINTS_AT_ONCE:
        raise ValueError(f"At most {POINTS_AT_ONCE} points are taken at once, and these are {len(points)}.")
    if bool(writer) != (batch is not None):
        raise ValueError("A batch is known by writer and number: give both, or neither.")
    if len(writer) > WRITER_LENGTH or (writer and not writer.isprintable()):
        raise ValueError(f"A writer's name has at most {WRITER_LENGTH} printable characters.")
    if batch is not None and not 0 <= batch <= LARGEST_BATCH:
        raise ValueError(f"A batch's number is from 0 to {LARGEST_BATCH}, not {batch}.")


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [part for pair in fields.items() for part in pair]
