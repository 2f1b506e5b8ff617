"""Logging from any script: safe in a file first, with a server later.

Owns the interface, the callbacks and the thread; the file stands in :mod:`blitz.data.logger_file`, what is sent in
:mod:`blitz.io.logger_sync`.
"""

import atexit
import inspect
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from blitz.data.logger_batches import LoggerBatches, Refusal
from blitz.data.logger_file import LoggerFile, open_logger_file
from blitz.errors import BlitzError, ConfigError, PointsRefused, StreamExists
from blitz.io.logger_settings import LoggerSettings
from blitz.io.logger_sync import LoggerSync, SyncClient, SyncResult
from blitz.io.logger_thread import LoggerThread

log = logging.getLogger(__name__)

_EXIT_S = 2.0
"""At the program's end nobody waits longer, whatever a callback does."""


class Logger(LoggerSettings):
    """Takes points at any time, keeps them in a file, and brings them to streams of a server now and then.

    ::

        def prepare(logger):
            logger.serverurl = "http://bench1:8999"
            logger.add_stream("temperature", {"type": "number"}, unit="°C")

        logger = Logger("cache.db", on_create=prepare)
        logger.start()
        logger.insert("temperature", 21.5)

    What was inserted is on the disk when the call returns, and reaches the server exactly once, whatever breaks. May be
    used from several threads; one file may be open in several programs.

    :param path: the file; its settings are kept in it.
    :param on_create: called once, with the logger, when the file is made; if it raises, there is no file.
    :param apikey: the token with which the server is asked; kept in the file.
    :param onsync: called when all has been sent, with the logger, or with nothing if it takes nothing.
    :param onsyncfail: called with the error when that failed, or when points were refused.
    :param syncraise: let :meth:`sync` raise that error, too.
    :raises LoggerFileError: if the file cannot be opened or made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_create: "Callable[[Logger], object] | None" = None,
        apikey: str | None = None,
        onsync: Callable[..., object] | None = None,
        onsyncfail: Callable[[BlitzError], object] | None = None,
        syncraise: bool = False,
    ) -> None:
        super().__init__()
        self.onsync = onsync
        self.onsyncfail = onsyncfail
        self.syncraise = syncraise
        self._turn = threading.Lock()
        self._sync: LoggerSync | None = None
        self._thread: LoggerThread | None = None
        self._is_made = False
        self._starts_when_made = False
        self._is_closed = False

        def fill(draft: LoggerFile) -> None:
            self._file = draft
            if apikey is not None:
                self.apikey = apikey
            if on_create is not None:
                on_create(self)

        try:
            self._file = open_logger_file(path, fill)
        except BaseException:
            self._drop_client()
            raise
        self._is_made = True
        if apikey is not None and apikey != self.apikey:
            self.apikey = apikey
        if self._starts_when_made:
            self.start()

    # points

    def insert(self, stream: str, value: Any) -> None:
        """Keep a value of now; its time is never before that of the stream's last point.

        :raises StreamNotFound: if the stream was not added.
        :raises PointsRefused: if the value is against the stream's schema, or nothing that JSON has.
        :raises LoggerFileError: if it could not be written.
        """
        self._file.insert(stream, value, time.time())

    def insert_many(self, points: Mapping[str, Iterable[Mapping[str, Any]]], *, restamp: bool = False) -> None:
        """Keep points of some streams with the times that are given: all of them, or none if one is wrong.

        :param points: lists of ``{"t": seconds since the Unix epoch, "d": value}`` in the order of their times, by
            stream.
        :param restamp: take points in any order: what is older than the newest of its stream gets that one's time.
        :raises StreamNotFound: if a stream was not added.
        :raises PointsRefused: if a value is against its schema, or a time before the one of the point before.
        :raises LoggerFileError: if they could not be written.
        """
        if not isinstance(points, Mapping):
            raise PointsRefused(f"{points!r:.80} is no dict of lists of points: give {{stream: [{{'t': …, 'd': …}}]}}.")
        self._file.insert_many(points, restamp=restamp)

    def __len__(self) -> int:
        """Return how many points wait for the server."""
        return self._file.count()

    def __bool__(self) -> bool:
        """Return True, also where no point waits."""
        return True

    def cleardata(self) -> None:
        """Delete all points that are in the file, refused ones included."""
        self._file.clear()

    # streams

    def add_stream(self, name: str, schema: Mapping[str, Any] | None = None, **properties: Any) -> None:
        """Take points for a stream of the server from now on; its schema is the one on the server.

        :param schema: make the stream with this JSON schema if the server has none of that name.
        :param properties: `nickname`, `description`, `unit`, `downlink` of a stream that is made.
        :raises StreamNotFound: if there is none, without a schema.
        :raises RemoteError: if the server cannot be asked.
        """
        stream = self.client[name]
        if schema is not None and not stream.exists():
            with suppress(StreamExists):  # by somebody else, meanwhile
                stream.create(schema, **properties)
        self._file.add_stream(name, stream.schema)

    def add_stream_force(self, name: str, schema: Mapping[str, Any] | None = None) -> None:
        """Take points for a stream without asking the server, which must have it before the next synchronisation.

        :param schema: JSON schema of the values; None: anything.
        """
        self._file.add_stream(name, schema or {})

    addStream = add_stream  # noqa: N815
    addStream_force = add_stream_force  # noqa: N815

    @property
    def streams(self) -> list[str]:
        """The names of the streams that were added."""
        return list(self._file.streams())

    def __contains__(self, name: object) -> bool:
        """Whether a stream was added."""
        return self._file.has_stream(name)

    # synchronisation

    def sync(self) -> SyncResult:
        """Send all that waits to the server now.

        :returns: how many points went, which were refused, and why it failed, where it did.
        :raises RemoteError: with `syncraise`, if it failed; otherwise it is told to `onsyncfail`, or logged.
        :raises PointsRefused: likewise, if points were refused.
        """
        result = self._synchronise(lambda: False)
        if result.error is not None:
            if self.syncraise:
                raise result.error
            if self.onsyncfail is None:
                log.warning("The logger %s could not be synchronised: %s", self._file.path, result.error)
        return result

    def start(self) -> None:
        """Synchronise in the background: now, and every `syncperiod`; sooner again where it failed."""
        with self._lock:
            if self._is_closed:
                raise ConfigError(f"The logger {self._file.path} is closed: open it again.")
            if not self._is_made:  # its file is not where it will be
                self._starts_when_made = True
            elif self._thread is None:
                self._thread = LoggerThread(
                    lambda is_over: self._synchronise(is_over).error, lambda: self.syncperiod, self._file.path
                )
                # What weakref does at the program's end, closing clients, is behind this by its being there before.
                weakref.finalize(self, int)
                atexit.register(self._end_thread, _EXIT_S)

    def stop(self) -> None:
        """End the synchronisation in the background, and one that is under way."""
        with self._lock:
            self._starts_when_made = False
        atexit.unregister(self._end_thread)
        self._end_thread()

    def close(self) -> None:
        """End all synchronisation, and release the file; a second time is allowed."""
        with self._lock:
            self._is_closed = True
        self.stop()
        with self._turn:  # a synchronisation in another thread, which has been told to stop
            self._drop_client()
            self._file.close()

    def refused(self, stream: str | None = None) -> list[Refusal]:
        """Return the points that the server did not take, oldest refusal first; they are kept in the file."""
        return LoggerBatches(self._file).refused(stream)

    def restamp_refused(self, stream: str | None = None) -> int:
        """Send refused points again, with the newest time of their stream, and return how many."""
        return LoggerBatches(self._file).restamp_refused(stream)

    def drop_refused(self, stream: str | None = None) -> int:
        """Delete refused points, and return how many."""
        return LoggerBatches(self._file).drop_refused(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Logger({str(self._file.path)!r})"

    def _end_thread(self, timeout_s: float | None = None) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()
        sync = self._sync
        if sync is not None:
            sync.stop()
        if thread is not None:
            thread.join(timeout_s)

    def _period_changed(self) -> None:
        thread = self._thread
        if thread is not None:
            thread.wake()

    def _synchronise(self, is_over: Callable[[], bool]) -> SyncResult:
        with self._turn:
            client = self._new_client(SyncClient)
            self._sync = LoggerSync(self._file, client, lambda: is_over() or self._is_closed)
            try:
                result = self._sync.run()
            finally:
                self._sync = None
            if result.is_complete:
                self._file.keep("lastsynctime", time.time())
        if result.error is not None:
            if self.onsyncfail is not None:
                self.onsyncfail(result.error)
        elif result.is_complete and self.onsync is not None:
            self.onsync(*(self,) if _takes_one(self.onsync) else ())
        return result


def _takes_one(function: Callable[..., object]) -> bool:
    """Whether a callback can be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # a builtin that does not tell
        return True
    return True
