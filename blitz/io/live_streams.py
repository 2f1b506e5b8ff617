"""Streams that viewers follow: how far each goes, wherever it grows.

A stream that is filled through this server is known to be longer at once; one that is filled through another server of
the same store, or by a script, is looked at each 50 ms. Looking is done in a thread that lives only while there are
viewers of streams.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blitz.data.database_server import DatabaseServer
from blitz.errors import StoreUnavailable
from blitz.io.live_feed import Feed

log = logging.getLogger(__name__)

LOOK_S = 0.05
_AWAY_S = 0.5
_TIMEOUT_S = 2.0


class StreamFeed(Feed):
    """How far a stream goes; its points are in the store."""

    viewer_count = 0
    is_gone = False
    """Whether the stream was deleted."""


class StreamFeeds:
    """Feeds of the streams that have viewers, made when the first comes and dropped with the last.

    May be used from any thread.

    :param changed: told when a stream has become longer, or shorter, or is gone.
    :param shrunk: told before when the store has lost what came last in a stream.
    """

    def __init__(self, store: DatabaseServer, changed: Callable[[], None], shrunk: Callable[[], None]) -> None:
        self._store = store
        self._changed = changed
        self._shrunk = shrunk
        self._feeds: dict[int, StreamFeed] = {}
        self._lock = threading.Lock()
        self._pause = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None

    def is_stream(self, session_id: int) -> bool:
        """Ask the store whether that session is a stream, or the downlink of one.

        Commands whose time is over are ended before: nobody who begins to follow them takes one for waiting.
        """
        if not self._store.streams.is_stream(session_id):
            return False
        self._store.streams.commands.expire()
        return True

    def get(self, session_id: int) -> StreamFeed | None:
        """Return the feed of a stream that somebody follows."""
        return self._feeds.get(session_id)

    @contextmanager
    def followed(self, session_id: int) -> Iterator[StreamFeed]:
        """Keep a feed for as long as a viewer follows it."""
        with self._lock:
            feed = self._feeds.get(session_id)
            if feed is None:
                feed = self._feeds[session_id] = StreamFeed(session_id, self._store.store_id)
            feed.viewer_count += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
                self._thread.start()
        try:
            yield feed
        finally:
            with self._lock:
                feed.viewer_count -= 1
                if not feed.viewer_count:
                    del self._feeds[session_id]
                    self._pause.notify_all()

    def advance(self, session_id: int, next_seq: int) -> None:
        """Note how long a stream is, unless it is known to be longer."""
        feed = self._feeds.get(session_id)
        if feed is not None and feed.advance(next_seq):
            self._changed()

    def _run(self) -> None:
        store = self._store.with_timeout(_TIMEOUT_S)
        pause_s = LOOK_S
        try:
            while True:
                with self._lock:
                    if self._feeds:
                        self._pause.wait(pause_s)
                    if not self._feeds:
                        self._thread = None
                        return
                    feeds = list(self._feeds.values())
                pause_s = self._look(store, feeds)
        finally:
            store.close()

    def _look(self, store: DatabaseServer, feeds: list[StreamFeed]) -> float:
        """Ask the store how long streams are; return when to ask again."""
        known = [feed.next_seq for feed in feeds]
        try:
            lengths = store.streams.lengths([feed.session_id for feed in feeds])
        except StoreUnavailable as error:
            log.debug("Streams that are followed cannot be looked at: %s", error)
            return _AWAY_S
        except Exception:
            log.exception("Streams that are followed could not be looked at")
            return _AWAY_S
        for feed, before, length in zip(feeds, known, lengths, strict=True):
            if length is None:
                feed.is_gone = True
                self._changed()
            elif length < before:
                feed.rewind(length)
                self._shrunk()
                self._changed()
            else:
                self.advance(feed.session_id, length)
        return LOOK_S
