"""Errors that programs left in the cache (``DatabaseClient.log_error``): shown as events, handled when dismissed."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from PyQt5.QtCore import QObject

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Notification
from blitz.ui.event_log import EventLine, EventLog, Severity
from blitz.ui.feed import Feed
from blitz.ui.jobs import Jobs
from blitz.ui.pages.events_page import EventsPage

_KEY = "noted"


class NotedErrors(QObject):
    """Looks when a server's cache is opened, and again each time that the page is shown."""

    def __init__(self, feed: Feed, log: EventLog, page: EventsPage, parent: QObject) -> None:
        super().__init__(parent)
        self._feed = feed
        self._jobs = Jobs(self)  # its own: nobody need see that it looks
        self._log = log
        self._page = page
        feed.cache_opened.connect(self.look)
        page.shown.connect(self.look)
        page.dismissed.connect(self._handle)

    def look(self) -> None:
        """Read what is there, in a thread."""
        path = self._feed.cache_path
        if path is None:
            return

        def work(_: object, __: object) -> list[EventLine]:
            with DatabaseClient(path=str(path)) as cache:
                return [_line(path, error) for error in cache.all(Notification)]

        self._jobs.run("Looking for errors", work).succeeded.connect(self._show)

    def _show(self, lines: list[EventLine]) -> None:
        known = {line.key for line in self._log.lines}
        new = [line for line in lines if line.key not in known]
        for line in new:
            self._log.add(line)
        if new:
            self._page.take_news()

    def _handle(self, lines: Iterable[EventLine]) -> None:
        """What the operator has dismissed is handled."""
        noted = [(str(line.key[1]), int(str(line.key[2]))) for line in lines if line.key[:1] == (_KEY,)]
        if not noted:
            return

        def work(_: object, __: object) -> None:
            for path, number in noted:
                with DatabaseClient(path=path) as cache:
                    cache.handle_error(number)

        self._jobs.run("Handling errors", work)


def _line(path: Path | str, error: Notification) -> EventLine:
    severity = Severity.ERROR if error.severity > 1 else Severity.WARNING if error.severity == 1 else Severity.INFO
    at = datetime.fromtimestamp(error.time_logged / 1000, UTC)
    return EventLine(at, severity, "cache", error.description, key=(_KEY, str(path), error.id))
