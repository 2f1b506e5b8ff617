"""Writing what people say of a session into the store: markers, and name, notes, star, tags and fields.

Owns that two who write at once do not undo each other: what a change is based on is watched until it is written, and
written again where something else came between. Each change raises the session's ``revision`` by one.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import redis

from blitz.data import markers as entries_of
from blitz.data.markers import next_marker, next_version, present_markers, split_entries
from blitz.data.records import Marker, SessionChange
from blitz.data.session_words import (
    MOST_FIELDS,
    SessionWords,
    checked_fields,
    checked_tags,
    decode_fields,
    decode_tags,
    encode_fields,
    encode_tags,
)
from blitz.data.store_faults import translated
from blitz.data.store_keys import StoreKeys
from blitz.data.store_reader import in_trash, not_found
from blitz.errors import SessionNotFound, StoreUnavailable

_TRIES: Final = 200
_SESSIONS_AT_ONCE: Final = 200
_WORDS: Final = ("name", "notes", "starred", "tags", "fields")
_READ: Final = (*_WORDS, "trashed_at", "kind")


class _Step(NamedTuple):
    """What one change writes."""

    entries: Sequence[bytes] = ()
    meta: Mapping[str, str] = {}
    cleared: Sequence[str] = ()
    forgotten: Sequence[bytes] = ()
    """Entries that make room."""


class SessionNotes:
    """Markers and words of sessions, running ones, closed ones and archived ones. May be used from several threads.

    Every method raises :class:`~blitz.errors.StoreUnavailable` if Redis does not answer, and
    :class:`~blitz.errors.SessionNotFound` if there is no such session, or if it lies in the trash.

    :param now: the time of day.
    """

    def __init__(
        self, client: "redis.Redis", keys: StoreKeys, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._redis = client
        self._keys = keys
        self._now = now

    # ---- markers --------------------------------------------------------------------------------------------------

    def markers(self, session_id: int, *, versions: bool = False) -> tuple[Marker, ...]:
        """Return a session's markers by time.

        :param versions: all versions of all of them, oldest first, those that were deleted included.
        """
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.exists(self._keys.start(session_id))
        pipeline.hexists(self._keys.meta(session_id), "trashed_at")
        pipeline.lrange(self._keys.markers(session_id), 0, -1)
        with translated():
            exists, is_trashed, entries = pipeline.execute()
        _check(session_id, exists, {"trashed_at": ""} if is_trashed else {})
        found = split_entries(filter(entries_of.is_marker, entries)).versions
        return found if versions else present_markers(found)

    def add_marker(
        self,
        session_id: int,
        text: str,
        from_ns: int,
        to_ns: int | None = None,
        *,
        source: str | None = None,
        who: str = "",
    ) -> Marker:
        """Add a marker and return it; once it is returned it is as safe as messages are.

        :raises ValueError: if it cannot be, or if there are as many as there may be.
        """
        fields = {"text": text, "from_ns": from_ns, "to_ns": to_ns, "source": source}
        return self._write_marker(session_id, lambda versions: next_marker(versions, fields, who, self._now()))

    def edit_marker(
        self, session_id: int, marker_id: int, version: int, fields: Mapping[str, Any], *, who: str = ""
    ) -> Marker:
        """Write the next version of a marker and return it; one that was deleted comes back by that.

        :param version: the one that the change is based on.
        :param fields: what changes of ``text``, ``from_ns``, ``to_ns``, ``source``.
        :raises MarkerNotFound: if there is none with that id.
        :raises EditConflict: if another version is the present one.
        :raises ValueError: if it cannot be.
        """
        return self._write_marker(
            session_id, lambda versions: next_version(versions, marker_id, version, fields, who, self._now())
        )

    def delete_marker(self, session_id: int, marker_id: int, version: int, *, who: str = "") -> Marker:
        """Write a version of a marker that says that it is deleted; else as :meth:`edit_marker`."""
        return self.edit_marker(session_id, marker_id, version, {"is_deleted": True}, who=who)

    def texts(self, session_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Return the texts of the present markers of sessions, for searches."""
        found: dict[int, tuple[str, ...]] = {}
        for begin in range(0, len(session_ids), _SESSIONS_AT_ONCE):
            part = session_ids[begin : begin + _SESSIONS_AT_ONCE]
            pipeline = self._redis.pipeline(transaction=False)
            for session_id in part:
                pipeline.lrange(self._keys.markers(session_id), 0, -1)
            with translated():
                replies = pipeline.execute()
            for session_id, entries in zip(part, replies, strict=True):
                versions = split_entries(filter(entries_of.is_marker, entries)).versions
                found[session_id] = tuple(marker.text for marker in present_markers(versions))
        return found

    def names(self, session_ids: Sequence[int]) -> list[str]:
        """Return the names of sessions."""
        pipeline = self._redis.pipeline(transaction=False)
        for session_id in session_ids:
            pipeline.hget(self._keys.meta(session_id), "name")
        with translated():
            return [str(name or b"", "utf-8") for name in pipeline.execute()]

    def _write_marker(self, session_id: int, make: Callable[[Sequence[Marker]], Marker]) -> Marker:
        token = uuid.uuid4().hex
        made: list[Marker] = []

        def step(entries: Sequence[bytes], _: Mapping[str, str]) -> _Step | None:
            own = [entry for entry in entries if entries_of.is_marker(entry)]
            if made and any(token.encode() in entry for entry in own):
                return None  # it was written, and the reply was lost
            made[:] = [make(split_entries(own).versions)]
            return _Step(entries=[entries_of.encode_marker(made[0], token)])

        self._write(session_id, step)
        return made[0]

    # ---- words ----------------------------------------------------------------------------------------------------

    def change_words(self, session_id: int, words: SessionWords, *, who: str = "") -> bool:
        """Change a session's words, and write down what they were before; False where all is so already.

        :raises ValueError: if tags or fields cannot be.
        """
        tags = None if words.tags is None else checked_tags(words.tags)
        fields = checked_fields(words.fields)
        is_changed = False

        def step(entries: Sequence[bytes], meta: Mapping[str, str]) -> _Step | None:
            nonlocal is_changed
            writes, cleared, said = _differences(meta, words, tags, fields)
            if not said:
                return None
            is_changed = True
            now = self._now()
            changes = [
                SessionChange(changed_at=now, who=who, name=name, before=before, after=after)
                for name, before, after in said
            ]
            added = [entries_of.encode_change(change) for change in changes]
            return _Step(added, writes, cleared, _too_old(entries, added))

        self._write(session_id, step)
        return is_changed

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _write(self, session_id: int, step: Callable[[Sequence[bytes], Mapping[str, str]], _Step | None]) -> None:
        """Write what ``step`` makes of a session's notes and words, in one transaction; None writes nothing."""
        keys = self._keys
        start, meta_key, list_key = keys.start(session_id), keys.meta(session_id), keys.markers(session_id)
        for _ in range(_TRIES):
            with translated(), self._redis.pipeline() as pipeline:
                try:
                    pipeline.watch(start, meta_key, list_key)  # type: ignore[no-untyped-call]
                    known: Any = pipeline.hmget(meta_key, _READ)
                    meta = {
                        name: str(value, "utf-8") for name, value in zip(_READ, known, strict=True) if value is not None
                    }
                    _check(session_id, pipeline.exists(start), meta)
                    entries: Any = pipeline.lrange(list_key, 0, -1)
                    wanted = step(entries, meta)
                    if wanted is None:
                        return
                    pipeline.multi()
                    _put(pipeline, wanted, meta_key, list_key)
                    pipeline.execute()
                    return
                except redis.WatchError:
                    continue  # somebody else was faster, or the reply was lost
        raise StoreUnavailable(f"Too many write notes of session {session_id} at once. Try again in a moment.")


def _put(pipeline: Any, step: _Step, meta_key: str, list_key: str) -> None:
    for entry in step.forgotten:
        pipeline.lrem(list_key, 1, entry)
    pipeline.rpush(list_key, *step.entries)
    if step.meta:
        pipeline.hset(meta_key, mapping=dict(step.meta))
    if step.cleared:
        pipeline.hdel(meta_key, *step.cleared)
    pipeline.hincrby(meta_key, "revision", 1)


def _check(session_id: int, exists: int, meta: Mapping[str, str]) -> None:
    if not exists:
        raise not_found(session_id)
    if meta.get("kind") == "stream":
        raise SessionNotFound(f"{session_id} is the stream {meta.get('name')!r}, and no session that has notes.")
    if "trashed_at" in meta:
        raise in_trash(session_id)


def _differences(
    meta: Mapping[str, str], words: SessionWords, tags: tuple[str, ...] | None, fields: Mapping[str, str]
) -> tuple[dict[str, str], list[str], list[tuple[str, str, str]]]:
    """Return which fields of the meta hash are written, which are cleared, and what to say of it: name, before, after.

    :raises ValueError: if the session would have too many fields.
    """
    writes: dict[str, str] = {}
    said: list[tuple[str, str, str]] = []
    for name, text in (("name", words.name), ("notes", words.notes)):
        if text is not None and text != meta.get(name, ""):
            writes[name] = text
            said.append((name, meta.get(name, ""), text))
    cleared: list[str] = []
    if words.starred is not None and words.starred != ("starred" in meta):
        said.append(("starred", "yes" if "starred" in meta else "no", "yes" if words.starred else "no"))
        if words.starred:
            writes["starred"] = "1"
        else:
            cleared.append("starred")
    before = decode_tags(meta.get("tags"))
    if tags is not None and tags != before:
        writes["tags"] = encode_tags(tags)
        said.append(("tags", ", ".join(before), ", ".join(tags)))
    known = decode_fields(meta.get("fields"))
    after = {name: value for name, value in {**known, **fields}.items() if value}
    if after != known:
        if len(after) > MOST_FIELDS:
            raise ValueError(f"A session has at most {MOST_FIELDS} fields, and this would make {len(after)}.")
        writes["fields"] = encode_fields(after)
        changed = [name for name in fields if fields[name] != known.get(name, "")]
        said += [(name, known.get(name, ""), fields[name]) for name in changed]
    return writes, cleared, said


def _too_old(entries: Sequence[bytes], added: Sequence[bytes]) -> list[bytes]:
    """Return which changes are forgotten, so that what is remembered stays within its limits."""
    kept = [entry for entry in entries if entries_of.is_change(entry)]
    count = len(kept) + len(added)
    size = sum(map(len, kept)) + sum(map(len, added))
    forgotten = []
    for entry in kept:
        if count <= entries_of.MOST_CHANGES and size <= entries_of.MOST_CHANGE_BYTES:
            break
        forgotten.append(entry)
        count, size = count - 1, size - len(entry)
    return forgotten
