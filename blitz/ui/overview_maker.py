"""Makes the overviews of long sessions in the background, as soon as they are in the cache."""

import logging
import threading
from pathlib import Path

from PyQt5.QtCore import QObject, QRunnable, QThreadPool

from blitz.data.database_client import DatabaseClient
from blitz.errors import BlitzError, DownloadCancelled
from blitz.ui.feed import Feed
from blitz.ui.history import MOST_IN_MEMORY

log = logging.getLogger(__name__)


class OverviewMaker(QObject):
    """Looks at one downloaded session after the other, in one thread.

    :param limit_mb: what the overviews of a cache may take on disk.
    """

    def __init__(self, feed: Feed, limit_mb: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feed = feed
        self._limit_bytes = limit_mb << 20
        self._stop = threading.Event()
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        feed.download_finished.connect(self.make)

    def make(self, session_id: int) -> None:
        """Make a session's overview, if it is long enough to need one."""
        path = self._feed.cache_path
        if path is not None and not self._stop.is_set():
            self._pool.start(_Making(path, session_id, self._limit_bytes, self._stop))

    def keep_to(self, limit_mb: int) -> None:
        """Keep to another limit from the next overview on."""
        self._limit_bytes = limit_mb << 20

    def wait(self, timeout_ms: int) -> bool:
        """Wait until nothing is to be made; tell whether that came to pass."""
        return self._pool.waitForDone(timeout_ms)

    def close(self) -> None:
        """End the thread; what is half made goes."""
        self._stop.set()
        self._pool.waitForDone(10_000)


class _Making(QRunnable):
    def __init__(self, path: Path | str, session_id: int, limit_bytes: int, stop: threading.Event) -> None:
        super().__init__()
        self._path = path
        self._session_id = session_id
        self._limit_bytes = limit_bytes
        self._stop = stop

    def run(self) -> None:
        """In the pool's thread: nothing may escape, Qt would end the program."""
        try:
            with DatabaseClient(path=str(self._path)) as cache:
                if cache.overview_limit_bytes != self._limit_bytes:
                    cache.overview_limit_bytes = self._limit_bytes
                if cache.open_session(self._session_id).key.message_count > MOST_IN_MEMORY:
                    cache.make_overview(self._session_id, is_cancelled=self._stop.is_set)
        except DownloadCancelled:
            pass
        except BlitzError as error:
            log.info("Session %d has no overview yet: %s", self._session_id, error)
        except Exception:
            log.exception("The overview of session %d was not made", self._session_id)
