"""The desktop program: composition of settings, feed and window."""

import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path
from types import TracebackType

from PyQt5.QtCore import QCoreApplication, QEvent, QSettings, QSize, Qt
from PyQt5.QtWidgets import QApplication

from blitz.config import DEMONSTRATION_VARIABLE, ClientSettings
from blitz.data.cache_places import CachePlace, chosen_place
from blitz.data.export_rule import rule_of
from blitz.data.kept_settings import FILE_NAME, KeptSettings
from blitz.data.program_start import is_started
from blitz.errors import CacheError
from blitz.io.address import ServerAddress
from blitz.ui.export_at_stop import ExportAtStop
from blitz.ui.garbage import GarbageCollection
from blitz.ui.icon import build_icon
from blitz.ui.main_window import MainWindow
from blitz.ui.overview_maker import OverviewMaker
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink
from blitz.ui.sleep import SleepInhibitor
from blitz.ui.theme import Appearance, build_font

log = logging.getLogger(__name__)

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FRAME = QSize(16, 64)
"""Room for the frame and the title that the desktop draws around a window; how much it takes is known too late."""


def run(settings: ClientSettings) -> int:
    """Open the window, until it is closed: connected to the server of the settings, else to the last one, or asking.

    :returns: the exit code.
    """
    is_started()  # what was imported stays; windows and what they hold may go
    application = make_application()
    collection = GarbageCollection()
    demonstration = os.environ.get(DEMONSTRATION_VARIABLE)
    preferences = Preferences(_remembered(demonstration))
    kept = KeptSettings(settings.cache_dir / FILE_NAME)
    told, settings = settings, kept.applied_to(settings)
    cache, cache_problem = _chosen_cache(settings)
    feed = ServerLink(settings.cache_dir, sync_mode=settings.sync, sync_period_s=settings.sync_period_s, cache=cache)
    window = MainWindow(feed, preferences, Appearance(application))
    if demonstration:
        window.closing.ends_with_window = ServerAddress.parse(settings.server).http_url
    exports = ExportAtStop(feed, window.notices, rule_of(settings), window)
    sleep = SleepInhibitor(feed, parent=window)
    overviews = OverviewMaker(feed, settings.overview_mb, window)

    def put_in_force(chosen: ClientSettings) -> None:
        feed.synchronise_by(chosen.sync, chosen.sync_period_s)
        exports.follow(rule_of(chosen))
        overviews.keep_to(chosen.overview_mb)
        sleep.allow(chosen.keep_awake)

    window.settings_actions.client_changed.connect(put_in_force)
    window.settings_actions.use(told, kept)
    _keep_computed(window, kept)
    if cache_problem:
        window.notices.tell("warning", f"{cache_problem} Sessions go to the usual cache of each server meanwhile.")
    _show(window, is_placed=preferences.place("window") is not None)
    window.first.begin(_named_server(settings))
    hook_before = sys.excepthook
    sys.excepthook = partial(_apologise, window)
    before = {number: signal.signal(number, lambda *_: application.quit()) for number in _ENDING_SIGNALS}
    try:
        return int(application.exec_())
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        sys.excepthook = hook_before
        window.first.found.stop()
        window.jobs.close()
        window.playback.close()
        window.cache_actions.close()
        window.all_servers.close()
        feed.close()
        exports.close()
        overviews.close()
        sleep.close()
        kept.close()
        window.deleteLater()  # by Qt, while Python still has what belongs to it
        QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
        collection.stop()


def _keep_computed(window: MainWindow, kept: KeptSettings) -> None:
    try:
        window.computed.use(kept)
    except CacheError as error:
        window.notices.tell("error", f"Computed channels are not kept: {error}")


def _chosen_cache(settings: ClientSettings) -> tuple[CachePlace | None, str]:
    """Return the cache that was chosen, and why it cannot be known; None: the usual one of each server."""
    try:
        return chosen_place(settings.cache, settings.cache_dir), ""
    except CacheError as error:
        return None, str(error)


def _remembered(demonstration: str | None) -> QSettings:
    """Return where the window remembers its places: the demonstration's leaves those of the user alone."""
    if demonstration:
        return QSettings(str(Path(demonstration) / "client.ini"), QSettings.IniFormat)
    return QSettings(QSettings.IniFormat, QSettings.UserScope, "blitz", "client")


def _show(window: MainWindow, *, is_placed: bool) -> None:
    """Show the window; one whose frame would go beyond the screen, as at a first start on a small one, fills it."""
    wanted = window.size() + _FRAME
    if not is_placed and wanted != wanted.boundedTo(window.screen().availableSize()):
        window.showMaximized()
    else:
        window.show()


def _named_server(settings: ClientSettings) -> ServerAddress | None:
    """Return the server that somebody has named; None where the default stands."""
    if not settings.model_fields_set & {"server", "token", "fingerprint"}:
        return None
    return ServerAddress.parse(settings.server, token=settings.token, fingerprint=settings.fingerprint)


def _apologise(
    window: MainWindow, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A fault of ours in a slot: Qt would end the program; going on with a notice serves the operator better."""
    log.critical("A fault of our own", exc_info=(kind, error, trace))
    window.notices.tell("error", f"This is a fault in Blitz, sorry: {kind.__name__}: {error}. The log has the details.")


def make_application() -> QApplication:
    """Return the Qt application, sharp on screens of high density."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    QCoreApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QCoreApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    QApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("Blitz")
    application.setApplicationDisplayName("Blitz")
    application.setDesktopFileName("blitz-client")
    application.setFont(build_font(application.font()))
    application.setWindowIcon(build_icon())
    return application
