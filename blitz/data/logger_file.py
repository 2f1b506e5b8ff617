"""The file of a logger: points that are safe here and wait for a server, and what the logger keeps beside them.

Owns the SQLite database. What becomes of points when they are sent stands in :mod:`blitz.data.logger_batches`. Knows no
server. A file may be open in several programs, and be used from several threads, at once.
"""

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from blitz.data.disk import LocalDisk
from blitz.data.file_turn import FileTurn
from blitz.data.logger_database import TABLES, connect, remedy
from blitz.data.logger_points import encode_value, pack_points
from blitz.data.logger_rows import append_rows, insert_stamped, next_place, read_setting, write_setting
from blitz.data.stream_records import check_stream_name
from blitz.data.stream_schema import encode_schema
from blitz.errors import ConfigError, LoggerFileError, PointsRefused, StreamNotFound

APPLICATION_ID = 0x424C5A4C
VERSION = 1
_BESIDE = ("-wal", "-shm", "-journal")
_inherited: list[sqlite3.Connection] = []
"""SQLite's connections must neither be used nor closed behind a fork."""


def open_logger_file(path: str | os.PathLike[str], fill: "Callable[[LoggerFile], None] | None" = None) -> "LoggerFile":
    """Open a file, or make it.

    :param fill: called once, with the new file, before it is there under its name: if it raises, there is none.
    :raises LoggerFileError: if it cannot be opened or made, or is no logger's.
    """
    target = Path(path).absolute()
    if not target.exists():
        try:
            turn = FileTurn(target.with_name(f".{target.name}.turn"))
            turn.__enter__()
        except OSError as error:
            reason = error.strerror or error
            raise LoggerFileError(
                f"Cannot make the logger's file {target}: {reason}. Its folder must be there, and you must be able to "
                "write there."
            ) from error
        try:
            if not target.exists():
                _make(target, fill)
        finally:
            turn.__exit__(None, None, None)
    return LoggerFile(target)


class LoggerFile:
    """An open file. What a call has written when it returns survives a power failure.

    :param path: of a file that :func:`open_logger_file` has made.
    :raises LoggerFileError: if it cannot be opened, or is no logger's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._streams: dict[str, tuple[int, str]] = {}
        self._connection: sqlite3.Connection | None = None
        with self._faults():
            self._connection = connect(path)
            try:
                self._check_kind()
                self._take_identity()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Release the file; a second time is allowed."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and self._process == os.getpid():
                connection.close()

    def setting(self, key: str, default: Any = None) -> Any:
        """Return what is kept under a key."""
        with self.reading() as db:
            return read_setting(db, key, default)

    def keep(self, key: str, value: Any) -> None:
        """Keep a value under a key.

        :raises ConfigError: if JSON has no such value.
        """
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"{value!r:.200} cannot be kept: {error}.") from error
        with self.writing() as db:
            write_setting(db, key, value)

    def streams(self) -> dict[str, dict[str, Any]]:
        """Return the schemas of the streams, by name, in the order in which they were added."""
        with self.reading() as db:
            rows = db.execute("SELECT name, schema FROM stream ORDER BY id").fetchall()
        return {name: json.loads(schema) for name, schema in rows}

    def add_stream(self, name: str, schema: Mapping[str, Any]) -> None:
        """Take points for a stream from now on, or change what they must be.

        :raises ConfigError: if the name or the schema is none.
        """
        try:
            check_stream_name(name)
            text = encode_schema(schema)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        upsert = "ON CONFLICT (name) DO UPDATE SET schema = excluded.schema"
        with self.writing() as db:
            db.execute(f"INSERT INTO stream (name, schema) VALUES (?, ?) {upsert}", (name, text))
            self._streams.pop(name, None)

    def has_stream(self, name: object) -> bool:
        """Whether points can be inserted for it."""
        try:
            self._stream(name)
        except StreamNotFound:
            return False
        return True

    def insert(self, name: str, value: Any, now_s: float) -> None:
        """Keep a value with the present time, or with that of the point before it, where that is later.

        :raises StreamNotFound: if the stream was not added.
        :raises PointsRefused: if the stream does not take such values.
        """
        stream_id, schema = self._stream(name)
        try:
            content = encode_value(schema, value)
        except PointsRefused as error:
            raise PointsRefused(f"Stream {name!r}: {error}") from error
        with self.reading() as db:  # one statement needs no transaction around it
            insert_stamped(db, stream_id, now_s, content)

    def insert_many(self, points: Mapping[str, Iterable[Mapping[str, Any]]], *, restamp: bool = False) -> None:
        """Keep points of some streams, all or none, with their own times.

        :param restamp: let the server give those that are too old the newest time of their stream.
        :raises StreamNotFound: if a stream was not added.
        :raises PointsRefused: if a point is not what its stream takes, or, without `restamp`, is older than the one
            before it.
        """
        packed = []
        for name, some in points.items():
            stream_id, schema = self._stream(name)
            try:
                rows = pack_points(schema, some, any_order=restamp)
            except PointsRefused as error:
                raise PointsRefused(f"Stream {name!r}: {error}") from error
            if rows:
                packed.append((name, stream_id, rows))
        if not packed:
            return
        with self.writing() as db:
            for name, stream_id, rows in packed:
                newest_t = next_place(db, stream_id)[1]
                if not restamp and newest_t is not None and rows[0].oldest_t < newest_t:
                    raise PointsRefused(
                        f"Stream {name!r}: the first point has the time {rows[0].oldest_t!r}, but the newest that was "
                        f"inserted has {newest_t!r}. Insert points in the order of their times, or with restamp=True."
                    )
                append_rows(db, stream_id, rows, restamp=restamp)

    def count(self) -> int:
        """Return how many points wait for the server."""
        with self.reading() as db:
            return int(db.execute("SELECT coalesce(sum(count), 0) FROM points").fetchone()[0])

    def clear(self) -> None:
        """Forget the points that wait, and those that the server has refused."""
        with self.writing() as db:
            for table in ("batch", "points", "refused"):
                db.execute(f"DELETE FROM {table}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread."""
        if self._process != os.getpid():
            self._begin_anew()
        with self._lock, self._faults():
            if self._connection is None:
                raise LoggerFileError(f"The logger's file {self.path} is closed.")
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread, and a transaction, of which an error leaves nothing."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _stream(self, name: object) -> tuple[int, str]:
        found = self._streams.get(name) if isinstance(name, str) else None
        if found is None:
            if isinstance(name, str):
                with self.reading() as db:  # another program may have added it
                    found = db.execute("SELECT id, schema FROM stream WHERE name = ?", (name,)).fetchone()
            if found is None:
                raise StreamNotFound(f"The logger has no stream {name!r}: add it first, with add_stream({name!r}).")
            self._streams[str(name)] = found
        return found

    def _begin_anew(self) -> None:
        """Behind a fork: neither the connection nor a lock, which a thread of the other process may hold, is ours."""
        connection, self._connection = self._connection, None
        self._lock = threading.RLock()
        self._process = os.getpid()
        if connection is not None:
            _inherited.append(connection)
            with self._faults():
                self._connection = connect(self.path)

    def _check_kind(self) -> None:
        with self.reading() as db:
            kind, version = (db.execute(f"PRAGMA {word}").fetchone()[0] for word in ("application_id", "user_version"))
        if kind != APPLICATION_ID:
            raise LoggerFileError(f"{self.path} is no logger's file: give the logger another one.")
        if version > VERSION:
            raise LoggerFileError(f"The logger's file {self.path} was written by a newer Blitz: update this one.")

    def _take_identity(self) -> None:
        """Number batches under a new name in a copy: the server would take its numbers for those of the other file."""
        node = uuid.getnode()
        identity = (
            f"{0 if node >> 40 & 1 else node:x}-{self.path.stat().st_ino:x}"  # a node that is random has that bit
        )
        if self.setting("identity") != identity:
            with self.writing() as db:
                write_setting(db, "identity", identity)
                write_setting(db, "writer", uuid.uuid4().hex)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            words = f"Cannot use the logger's file {self.path}: {error}. {remedy(error)}"
            raise LoggerFileError(words.rstrip()) from error


def _make(path: Path, fill: "Callable[[LoggerFile], None] | None") -> None:
    """Make a file beside the one that it becomes."""
    draft = path.with_name(f".{path.name}.draft")
    _remove(draft)
    try:
        try:
            os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))  # there is a token in it
            with closing(connect(draft)) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.executescript(
                    f"BEGIN; {TABLES} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; COMMIT;"
                )
        except (OSError, sqlite3.Error) as error:
            raise LoggerFileError(f"Cannot make the logger's file {path}: {error}.") from error
        file = LoggerFile(draft)
        try:
            if fill is not None:
                fill(file)
            with file.reading() as db:
                if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    raise LoggerFileError(f"Cannot make the logger's file {path}: {draft} is in use.")
        finally:
            file.close()
        draft.replace(path)
        LocalDisk().sync_folder(path.parent)
    except BaseException:
        _remove(draft)
        raise


def _remove(path: Path) -> None:
    for end in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).unlink()
