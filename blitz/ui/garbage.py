"""Garbage collection where it does no harm: in the thread of the windows, between two events."""

import gc

from PyQt5.QtCore import QObject, QTimer

_PERIOD_MS = 200


class GarbageCollection(QObject):
    """Python's collection of cycles, by a timer of the event loop, from now on until it is stopped.

    Left to itself, Python collects wherever something is made: in a thread of the feed, or while Qt paints a closed
    window that nothing but a cycle holds. Windows that end there take the program with them. The timer also lets
    Python look at signals, as Ctrl-C, while nothing happens.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(collect_what_is_due)
        self._timer.start(_PERIOD_MS)

    def stop(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        if self._was_enabled:
            gc.enable()


def collect_what_is_due() -> None:
    """Collect the oldest generation that Python itself would collect now."""
    for generation in (2, 1, 0):
        if gc.get_count()[generation] > gc.get_threshold()[generation] > 0:
            gc.collect(generation)
            return
