"""Servers that tell of themselves on the network, as the start page shows them."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.errors import BlitzError
from blitz.io.address import ServerAddress
from blitz.io.discovery import FoundServer, ServerBrowser
from blitz.ui.courier import Courier
from blitz.ui.pages.start_page import FoundRow

log = logging.getLogger(__name__)


class Browser(Protocol):
    """What looks at the network; both calls may take their time."""

    def start(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


MakeBrowser = Callable[[Callable[[FoundServer], None], Callable[[str], None]], Browser]


class FoundServers(QObject):
    """Looks from :meth:`start` to :meth:`stop`, in threads of its own; what was found before is kept meanwhile.

    :param make_browser: makes what looks; tests give another.
    """

    changed = pyqtSignal(object)
    """tuple[FoundRow, ...], by name"""
    failed = pyqtSignal()
    """This network cannot be looked at."""

    def __init__(self, parent: QObject | None = None, make_browser: MakeBrowser | None = None) -> None:
        super().__init__(parent)
        self._make_browser: MakeBrowser = make_browser or ServerBrowser
        self._servers: dict[str, FoundServer] = {}
        self._look: _Look | None = None
        self._courier = Courier(self)

    def start(self) -> None:
        """Begin to look; returns at once."""
        if self._look is None:
            bring = self._courier.bring
            browser = self._make_browser(
                lambda server: bring(lambda: self._add(server)), lambda name: bring(lambda: self._remove(name))
            )
            look = self._look = _Look(browser, lambda: bring(lambda: self.failed.emit()))
            threading.Thread(target=look.begin, name="blitz looking for servers", daemon=True).start()

    def stop(self) -> None:
        """Look no longer; returns at once."""
        look, self._look = self._look, None
        if look is not None:
            threading.Thread(target=look.end, name="blitz looking ends", daemon=True).start()

    def find(self, name: str) -> FoundServer | None:
        """Return a server by its name; None if it is gone."""
        return self._servers.get(name)

    def address(self, name: str) -> ServerAddress | None:
        """Return where a server is; None if it is gone."""
        server = self._servers.get(name)
        return ServerAddress.parse(server.url) if server is not None else None

    def _add(self, server: FoundServer) -> None:
        self._servers[server.name] = server
        self._tell()

    def _remove(self, name: str) -> None:
        self._servers.pop(name, None)
        self._tell()

    def _tell(self) -> None:
        servers = [self._servers[name] for name in sorted(self._servers, key=str.lower)]
        self.changed.emit(
            tuple(
                FoundRow(server.name, server.name, server.url.partition("://")[2], is_locked=server.uses_tls)
                for server in servers
            )
        )


class _Look:
    """One time of looking: it may have to end before it has begun."""

    def __init__(self, browser: Browser, fail: Callable[[], object]) -> None:
        self._browser = browser
        self._fail = fail
        self._lock = threading.Lock()
        self._is_over = False

    def begin(self) -> None:
        with self._lock:
            if self._is_over:
                return
            try:
                self._browser.start()
            except BlitzError as error:
                log.info("%s", error)
                self._fail()

    def end(self) -> None:
        with self._lock:
            self._is_over = True
            self._browser.close()
