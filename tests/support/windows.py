"""Windows of tests, and how they end."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from PyQt5.QtCore import QCoreApplication, QEvent
from PyQt5.QtWidgets import QApplication


@contextmanager
def ending_windows(application: QApplication) -> Iterator[None]:
    """End windows as Qt ends them; as in the program, none is collected while Qt is at work on it.

    As in the program, too, a window is made before there is a style sheet: with one it takes twice as long.
    """
    gc.disable()
    try:
        yield
        for widget in application.topLevelWidgets():
            widget.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
        application.setStyleSheet("")
        gc.collect()
    finally:
        gc.enable()
