"""The server's store: sessions and their raw messages in Redis.

Owns the keys and what is atomic about them. Never starts a process and never parses a message. The documented
methods answer for sessions of any origin; what the acquisition needs beyond them follows behind.
"""

import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from blitz.data import store_keys
from blitz.data.archive_access import ArchiveAccess
from blitz.data.archive_store import ArchiveStore
from blitz.data.blocks import GRID_MESSAGES, MessageBlock, Read
from blitz.data.records import Gap, SessionPlan, SessionRecord, Source, TimelineEntry
from blitz.data.session_notes import SessionNotes
from blitz.data.session_trash import Condition, SessionTrash
from blitz.data.session_words import SessionWords, checked_fields, checked_tags, encode_fields, encode_tags
from blitz.data.spool_records import Batch
from blitz.data.store_faults import translated
from blitz.data.store_keys import ARRIVAL, MILLISECOND_NS, QUEUE_SOURCE, StoreKeys
from blitz.data.store_placing import place
from blitz.data.store_reader import StoreReader, not_found
from blitz.data.store_sizes import StoreSizes
from blitz.data.store_writer import FENCE_SCRIPT, SessionWriter
from blitz.data.stream_listing import sessions_of_streams
from blitz.data.stream_store import StreamStore
from blitz.errors import ConfigError, NoSession, SessionRunning, StoreChanged, StoreInUse, StoreUnavailable

log = logging.getLogger(__name__)

_LEASE_MS = 10_000
_VALUES_A_SCRIPT = 4_000
"""Lua hands on 8 000 at once at most."""


class DatabaseServer:
    """Sessions in a Redis.

    :param url: None takes ``BLITZ_REDIS_URL``, else ``redis://localhost:6379/0``. Nothing is connected before the
        first call.
    :param prefix: put before every key; in braces, such as ``{bench1}:``, it suits a Redis Cluster.
    :param archive_dir: where older messages lie; None takes the place that the store itself has written down.
    :param timeout_s: how long Redis may take to answer.
    :raises ConfigError: if the URL is none.

    Every method raises :class:`~blitz.errors.StoreUnavailable` if Redis does not answer. All may be called from
    several threads. What reads messages raises :class:`~blitz.errors.ArchiveError` if they
    lie in the archive, and are missing or damaged there.
    """

    def __init__(
        self, url: str | None = None, prefix: str = "", archive_dir: Path | None = None, *, timeout_s: float = 10.0
    ) -> None:
        self.url = url or os.environ.get("BLITZ_REDIS_URL") or "redis://localhost:6379/0"
        self.keys = StoreKeys(prefix)
        try:
            self._redis = redis.Redis.from_url(
                self.url,
                socket_timeout=timeout_s,
                socket_connect_timeout=min(timeout_s, 5.0),
                retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
            )
        except ValueError as error:
            raise ConfigError(
                f"{self.address!r} is not the address of a Redis: give one such as redis://localhost:6379/0 or "
                "unix:///run/redis.sock."
            ) from error
        self._archive_dir = archive_dir
        self.archive = ArchiveAccess(self.archive_folder, lambda: self.store_id)
        """Older messages, in files."""
        self._reader = StoreReader(self._redis, self.keys, self.archive.read)
        self.trash = SessionTrash(self._redis, self._reader, self._remove)
        """Sessions that were deleted and can still be restored."""
        self.notes = SessionNotes(self._redis, self.keys)
        """Markers of sessions, and the words about them."""
        self.sizes = StoreSizes(self._redis, self.keys, self.archive.size_bytes)
        """How much Redis and each session take."""
        self.streams = StreamStore(self._redis, self.keys, self._reader.raw_messages, self.archive.remove)
        """What scripts send, outside recordings."""
        self._queue_lock = threading.Lock()
        self._queue_writer: SessionWriter | None = None
        self._store_id: str | None = None

    def with_timeout(self, timeout_s: float) -> "DatabaseServer":
        """Return the same store, asked over connections of its own with another patience."""
        same = DatabaseServer(self.url, self.keys.prefix, self._archive_dir, timeout_s=timeout_s)
        same._store_id = self._store_id
        return same

    @property
    def address(self) -> str:
        """The URL without its password, for logs and messages."""
        url = re.sub(r"(//[^/:@]*):.*@", r"\1:***@", self.url)
        return re.sub(r"([?&]password=)[^&]*", r"\1***", url)

    @property
    def client(self) -> "redis.Redis":
        """The connection to Redis, for what reads and writes keys beside this class: backup, migrations."""
        return self._redis

    # ---- the documented methods -------------------------------------------------------------------------------

    def available_sessions(self) -> list[int]:
        """Return the ids of all sessions, newest first."""
        return [int(session_id) for session_id in self._execute("LRANGE", self.keys.sessions, 0, -1)]

    def build_client_session_list(self) -> list[list[int | None]]:
        """Return ``[id, start, end, number of messages]`` a session, newest first; times in ms, no end is None."""
        return [[record.id, record.started_ms, record.stopped_ms, record.message_count] for record in self.sessions()]

    def delete_session(self, session_id: int) -> None:
        """Delete a session and all that belongs to it, at once and for good; from the trash, too.

        Its id is not used again.

        :raises SessionRunning: if it is the running one.
        :raises SessionNotFound: if there is none with that id.
        """
        if not self._remove(session_id):
            raise not_found(session_id)

    def flush(self) -> None:
        """Delete all sessions, a running one and the trash too, all streams, and with it all data.

        Only this store's own keys are touched. The ids given out so far are not used again.
        """
        keys = self.keys
        names = [keys.session, keys.sessions, keys.trash, keys.streams, keys.stream_deadlines]
        self._script(store_keys.FLUSH_SCRIPT, names, [keys.prefix])
        self.archive.remove_all_but(lambda session_id: bool(self._execute("EXISTS", keys.start(session_id))))

    def get_all_from_session(self, session_id: int) -> list[str]:
        """Return all raw messages of a session, oldest first, one character a byte (latin-1)."""
        messages: list[str] = []
        while chunk := self._reader.raw_messages(session_id, len(messages), GRID_MESSAGES):
            messages.extend(_texts(chunk))
        return messages

    def get_latest_from_session(self, session_id: int) -> str:
        """Return the session's last raw message; an empty string where there is none."""
        message = self._execute("LINDEX", self.keys.messages(session_id), -1)
        if message is None and (count := self.count_messages(session_id)):
            message = next(iter(self._reader.raw_messages(session_id, count - 1, 1)), None)
        return "" if message is None else str(message, "latin-1")

    def get_ten_from_session(self) -> list[str]:
        """Return the last ten raw messages of the running session, oldest first; none without a running session."""
        session_id = self.running_session()
        if session_id is None:
            return []
        messages = self._execute("LRANGE", self.keys.messages(session_id), -10, -1)
        if len(messages) < 10 and self._execute("EXISTS", self.keys.first(session_id)):
            messages = self._reader.raw_messages(session_id, max(self.count_messages(session_id) - 10, 0), 10)
        return _texts(messages)

    def queue(self, message: str | bytes) -> int | None:
        """Append a message to the running session and return its sequence number.

        Without a running session a warning is logged, nothing is stored, and None is returned.

        :raises ValueError: if a text has characters beyond latin-1 and so cannot be bytes.
        """
        if isinstance(message, str):
            try:
                message = message.encode("latin-1")
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"Cannot queue {message!r}: a message is bytes, and {message[error.start]!r} is not one byte "
                    "in latin-1. Encode it first."
                ) from error
        reads = [Read(time.time_ns(), QUEUE_SOURCE, [message])]
        with self._queue_lock:
            while True:
                writer = self._queue_writer
                if writer is None:
                    session_id = self.running_session()
                    if session_id is None:
                        log.warning("No session runs: a queued message was not stored. Start a session first.")
                        return None
                    writer = self._queue_writer = self.writer(session_id)
                try:
                    return _append_twice(writer, reads)
                except NoSession:
                    self._queue_writer = None
                except StoreUnavailable:
                    # Its next batch would be another message: that must not be taken for this one.
                    self._queue_writer = None
                    raise

    def start_session(
        self,
        name: str = "",
        notes: str = "",
        owner: str = "",
        sources: Sequence[Source] = (),
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        plan: SessionPlan | None = None,
        started_ms: int | None = None,
    ) -> int:
        """Start a session and return its id.

        :param plan: when the server ends it by itself.
        :param started_ms: when it began, if that was before now.
        :raises SessionRunning: if one runs already: one bench, one running session.
        :raises ValueError: if tags or fields cannot be.
        """
        keys = self.keys
        meta = _meta_of(name, notes, owner, sources, tags, fields or {}, plan)
        arguments: list[Any] = [keys.prefix, _now_ms() if started_ms is None else started_ms, uuid.uuid4().hex]
        arguments += _flat(meta)
        is_new, session_id = self._script(
            store_keys.START_SCRIPT, [keys.session, keys.session_last, keys.sessions], arguments
        )
        if not is_new:
            raise SessionRunning(f"Session {int(session_id)} is being recorded already. Stop it first.")
        return int(session_id)

    def stop_session(self) -> None:
        """Stop the running session; without one, do nothing."""
        self.close_session()

    # ---- what the server needs beyond them --------------------------------------------------------------------

    @property
    def store_id(self) -> str:
        """The UUID of this store, made once: what a client's cache is bound to."""
        if self._store_id is None:
            self._execute("SET", self.keys.store_id, str(uuid.uuid4()), "NX")
            self._store_id = str(self._execute("GET", self.keys.store_id), "ascii")
        return self._store_id

    def archive_folder(self) -> Path | None:
        """Return where the archive of this store is; None where nobody has said."""
        if self._archive_dir is not None:
            return self._archive_dir
        written = self._execute("GET", self.keys.archive)
        return None if written is None else Path(os.fsdecode(written))

    def set_archive_folder(self, folder: Path) -> None:
        """Write down where the archive is, for all who read this store on this machine."""
        self._execute("SET", self.keys.archive, os.fsencode(folder.absolute()))

    def archive_store(self) -> ArchiveStore:
        """Return what moves messages between Redis and the archive; for the one process that does."""
        return ArchiveStore(self._redis, self.keys, self.store_id)

    def close(self) -> None:
        """Close all connections. The object may be used again."""
        with self._queue_lock:
            if self._queue_writer is not None:
                self._queue_writer.close()
                self._queue_writer = None
        self._redis.close()

    def ping(self) -> None:
        """Ask Redis for a sign of life, and whether it is still the store that it was when its id was asked for.

        :raises StoreChanged: where it is another: nothing that belongs to one may get into the other.
        """
        if self._store_id is None:
            self._execute("PING")
        elif self._execute("GET", self.keys.store_id) != self._store_id.encode():
            raise StoreChanged(
                f"The Redis at {self.address} is another store than before: it was emptied, or a copy without what was "
                "stored answers in its place. Bring the right one back; or start the server anew, to begin with this."
            )

    def running_session(self) -> int | None:
        """Return the id of the running session."""
        session_id = self._execute("GET", self.keys.session)
        return None if session_id is None else int(session_id)

    def newest_session(self) -> int:
        """Return the highest id that a session was given; 0 where there was none."""
        return int(self._execute("GET", self.keys.session_last) or 0)

    def count_messages(self, session_id: int) -> int:
        """Return how many messages a session has; 0 for one that does not exist."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.get(self.keys.first(session_id))
        pipeline.llen(self.keys.messages(session_id))
        with translated():
            first, length = pipeline.execute()
        return int(first or 0) + int(length)

    def close_session(
        self,
        session_id: int | None = None,
        stopped_ms: int | None = None,
        *,
        is_interrupted: bool = False,
        reason: str = "",
    ) -> int | None:
        """Stop the running session, or that one only if it is the running one; return the id that was stopped.

        :param reason: why the server stops it by itself, as a sentence.
        """
        arguments = [
            self.keys.prefix,
            "" if session_id is None else str(session_id),
            _now_ms() if stopped_ms is None else stopped_ms,
            "1" if is_interrupted else "0",
            reason,
        ]
        stopped = self._script(store_keys.STOP_SCRIPT, [self.keys.session], arguments)
        return None if stopped is None else int(stopped)

    def reserve_session(self) -> int:
        """Give out the id of a session that will follow the running one; if it does not, nobody gets that id."""
        return int(self._execute("INCR", self.keys.session_last))

    def prepare_session(self, before_id: int, record: SessionRecord) -> None:
        """Make ready the session that follows: it takes messages (:meth:`place`), runs not yet, and is in no list.

        :param record: its reserved id, its start, its words, its plan, and its sources.
        """
        meta = _meta_of(
            record.name, record.notes, record.owner, record.sources, record.tags, record.fields, record.plan
        )
        arguments = [self.keys.prefix, before_id, record.id, record.started_ms, *_flat(meta)]
        self._script(store_keys.PREPARE_SCRIPT, [self.keys.session, self.keys.session_prepared], arguments)

    def follow_session(self, before_id: int, next_id: int, stopped_ms: int, reason: str = "") -> bool:
        """Stop the running session and let the one that was prepared run, in one step; False if it does not run then.

        A second time it does nothing. Where another program has stopped the one before and begun a session, the one
        that was prepared is over, with what it has.
        """
        arguments = [self.keys.prefix, before_id, next_id, stopped_ms, reason]
        return bool(self._script(store_keys.FOLLOW_SCRIPT, [self.keys.session, self.keys.sessions], arguments))

    def unbegun_session(self) -> int | None:
        """Return the session that was prepared last, if it has not begun to run."""
        prepared = self._execute("GET", self.keys.session_prepared)
        if prepared is None or prepared == self._execute("GET", self.keys.session):
            return None
        start, end = self._execute("MGET", self.keys.start(int(prepared)), self.keys.end(int(prepared)))
        return int(prepared) if start is not None and end is None else None

    def session_before(self, session_id: int) -> int | None:
        """Return the session that this one was prepared to follow; None if it was not."""
        before = self._execute("HGET", self.keys.meta(session_id), "follows")
        return None if before is None else int(before)

    def close_interrupted(self) -> int | None:
        """Close a session that a crashed server left running, at its last message; return its id."""
        session_id = self.running_session()
        if session_id is None:
            return None
        entry = self._execute("LINDEX", self.keys.arrivals(session_id), -1)
        start = self._execute("GET", self.keys.start(session_id))
        if start is None:
            return None  # another program has stopped and deleted it in this very moment
        stopped_ms = ARRIVAL.unpack(entry)[1] // MILLISECOND_NS if entry else int(start)
        return self.close_session(session_id, max(stopped_ms, int(start)), is_interrupted=True)

    def fence(self, session_id: int) -> bool:
        """Shut out what an earlier server may still have on its way to Redis; False if that session does not run.

        A Redis that hung executes what a server sent that has been killed since: behind this call it does not.
        """
        return bool(self._script(FENCE_SCRIPT, [self.keys.session], [session_id]))

    def writer(self, session_id: int, name: str | None = None) -> SessionWriter:
        """Return what appends to the session."""
        return SessionWriter(self._redis.connection_pool, self.keys, session_id, name)

    def session(self, session_id: int) -> SessionRecord:
        """Return everything known of one session.

        :raises SessionNotFound: if there is none with that id.
        """
        return self._reader.records([session_id], is_complete=True)[0]

    def sessions(self) -> list[SessionRecord]:
        """Return all sessions, newest first, without their sources and gaps."""
        return self._reader.records(self.available_sessions(), is_complete=False)

    def stream_sessions(self) -> list[SessionRecord]:
        """Return the sessions that streams consist of, as records, without their sources and gaps."""
        return self._reader.records(sessions_of_streams(self._redis, self.keys), is_complete=False)

    def update_session(
        self,
        session_id: int,
        *,
        name: str | None = None,
        notes: str | None = None,
        starred: bool | None = None,
        tags: Sequence[str] | None = None,
        fields: Mapping[str, str] | None = None,
        who: str = "",
    ) -> SessionRecord:
        """Change a session's words and return it; None leaves what is there, and what was before is kept.

        :param fields: those that change; an empty value takes a field away.
        :raises SessionNotFound: if there is none with that id.
        :raises ValueError: if tags or fields cannot be.
        """
        words = SessionWords(name, notes, starred, None if tags is None else tuple(tags), fields or {})
        self.notes.change_words(session_id, words, who=who)
        return self.session(session_id)

    def add_source(self, session_id: int, source: Source) -> None:
        """Put one row into the session's source table; nothing happens if the session was deleted."""
        self._set_meta(session_id, {f"source:{source.index}": source.model_dump_json()})

    def add_gap(self, session_id: int, gap: Gap) -> None:
        """Record that messages are missing; nothing happens if the session was deleted."""
        self._set_meta(session_id, {f"gap:{gap.from_ns}:{gap.source}": gap.model_dump_json()})

    def add_entry(self, session_id: int, entry: TimelineEntry) -> None:
        """Put an entry on the session's time line; nothing happens if the session was deleted."""
        keys = [self.keys.start(session_id), self.keys.markers(session_id)]
        self._script(store_keys.PUSH_SCRIPT, keys, [entry.model_dump_json(exclude_defaults=True)])

    def set_fields(self, session_id: int, fields: Mapping[str, str]) -> None:
        """Write fields of the session's meta hash; nothing happens if the session was deleted."""
        self._set_meta(session_id, fields)

    def place(self, batches: Sequence[Batch]) -> int:
        """Put batches of one writer and session, safe on disk until now, into its list; each once.

        :returns: how many messages the store has lost that it had acknowledged; else 0.
        :raises SessionNotFound: if the session was deleted.
        """
        return place(self._redis, self.keys, batches)

    def last_arrivals(self, session_id: int) -> dict[int, int]:
        """Return when a message of each source came last, in ns, as far as the session's last reads tell."""
        return {source: arrived_ns for _, arrived_ns, source, _ in self.last_reads(session_id)}

    def last_reads(self, session_id: int, count: int = 20_000) -> list[tuple[int, int, int, int]]:
        """Return the session's last reads, oldest first: first seq, time of arrival in ns, source, and messages."""
        return [ARRIVAL.unpack(entry) for entry in self._execute("LRANGE", self.keys.arrivals(session_id), -count, -1)]

    def _remove(self, session_id: int, condition: Condition | Literal[""] = "", before_ms: int = 0) -> bool:
        """Delete a session for good, wherever it is or only as the condition says; False if nothing was deleted."""
        keys = self.keys
        outcome = self._script(
            store_keys.DELETE_SCRIPT,
            [keys.session, keys.sessions, keys.trash],
            [keys.prefix, session_id, condition, before_ms],
        )
        if outcome == -1:
            raise SessionRunning(f"Session {session_id} is being recorded and cannot be deleted. Stop it first.")
        if outcome:
            self.archive.remove(session_id)
        return bool(outcome)

    def _set_meta(self, session_id: int, fields: Mapping[str, str]) -> bool:
        """Write fields of a session that exists; False if it does not."""
        if not fields:
            return True
        keys = [self.keys.start(session_id), self.keys.meta(session_id)]
        pairs = _flat(fields)
        replies = [
            self._script(store_keys.META_SCRIPT, keys, pairs[begin : begin + _VALUES_A_SCRIPT])
            for begin in range(0, len(pairs), _VALUES_A_SCRIPT)
        ]
        return all(replies)

    def messages(self, session_id: int, first: int, count: int, *, even_in_trash: bool = False) -> MessageBlock:
        """Return the messages with first <= seq < first + count that are there; perhaps none.

        :param even_in_trash: for a backup, which has the trash, too.
        :raises SessionNotFound: if there is no such session.
        """
        return self._reader.messages(session_id, first, count, self.store_id, even_in_trash=even_in_trash)

    # ---- the lease ----------------------------------------------------------------------------------------------

    def take_lease(self, owner: str, *, is_exclusive: bool = False) -> str:
        """Become the one server that acquires into this store, for ten seconds; return the lease.

        :param owner: host and process, for the message that a second server gets.
        :param is_exclusive: the caller knows that no other server can live (it holds the data folder's lock).
        :raises StoreInUse: if another server holds the lease.
        """
        lease = f"{uuid.uuid4()} {owner}"
        if is_exclusive:
            self._execute("SET", self.keys.server, lease, "PX", _LEASE_MS)
        elif not self._execute("SET", self.keys.server, lease, "NX", "PX", _LEASE_MS):
            holder = self._execute("GET", self.keys.server) or b"? unknown"
            raise StoreInUse(
                f"Another Blitz server ({str(holder, 'utf-8', 'replace').partition(' ')[2]}) acquires into "
                f"{self.address} with the prefix {self.keys.prefix!r}. Stop it, or choose another --redis-prefix."
            )
        return lease

    def lease_expires_ms(self) -> int:
        """Return in how many milliseconds the present lease runs out if it is not renewed; negative without one."""
        return int(self._execute("PTTL", self.keys.server))

    def renew_lease(self, lease: str) -> bool:
        """Keep the lease for ten more seconds; False if it was lost."""
        return bool(self._script(store_keys.RENEW_SCRIPT, [self.keys.server], [lease, _LEASE_MS]))

    def release_lease(self, lease: str) -> None:
        """Give the lease up, if it is still ours."""
        self._script(store_keys.RENEW_SCRIPT, [self.keys.server], [lease, 0])

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    def _script(self, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        return self._execute("EVAL", script, len(keys), *keys, *arguments)


def _append_twice(writer: SessionWriter, reads: Sequence[Read]) -> int:
    """Try again after a lost connection: the writer knows whether the first try had landed."""
    try:
        return writer.append(reads)
    except StoreUnavailable:
        return writer.append(reads)


def _texts(messages: Sequence[bytes]) -> list[str]:
    return [str(message, "latin-1") for message in messages]


def _meta_of(
    name: str,
    notes: str,
    owner: str,
    sources: Sequence[Source],
    tags: Sequence[str],
    fields: Mapping[str, str],
    plan: SessionPlan | None,
) -> dict[str, str]:
    """Return the fields of a new session's meta hash."""
    meta = {"kind": "session", "name": name, "notes": notes, "owner": owner}
    if tags:
        meta["tags"] = encode_tags(checked_tags(tags))
    if own := {name: value for name, value in checked_fields(fields).items() if value}:
        meta["fields"] = encode_fields(own)
    if plan is not None:
        meta["plan"] = plan.model_dump_json()
    return meta | {f"source:{source.index}": source.model_dump_json() for source in sources}


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [part for pair in fields.items() for part in pair]


def _now_ms() -> int:
    return time.time_ns() // MILLISECOND_NS
