"""The desktop program: composition of settings, feed and window."""

import logging
import signal
import sys

from PyQt5.QtCore import QCoreApplication, QSettings, Qt, QTimer
from PyQt5.QtWidgets import QApplication

from blitz.config import ClientSettings
from blitz.ui.icon import build_icon
from blitz.ui.main_window import MainWindow
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink
from blitz.ui.theme import Appearance, build_font

log = logging.getLogger(__name__)


def run(settings: ClientSettings) -> int:
    """Open the window, connected to the server of the settings, until it is closed.

    :returns: the exit code.
    """
    application = make_application()
    preferences = Preferences(QSettings(QSettings.IniFormat, QSettings.UserScope, "blitz", "client"))
    feed = ServerLink(settings.cache_dir)
    window = MainWindow(feed, preferences, Appearance(application))
    window.connect_to(settings.server, settings.token)
    window.show()
    # Ctrl-C in the terminal: Python runs its signal handlers between two turns of its own code only.
    before = signal.signal(signal.SIGINT, lambda *_: application.quit())
    pulse = QTimer()
    pulse.timeout.connect(lambda: None)
    pulse.start(200)
    try:
        return int(application.exec_())
    finally:
        signal.signal(signal.SIGINT, before)
        feed.close()


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
