"""Loads what a plot shows in a thread of its own: only the newest wish counts, and the window never waits."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from PyQt5.QtCore import QObject, QRunnable, QThreadPool, pyqtSignal

from blitz.errors import BlitzError
from blitz.ui.courier import Bring, Courier

log = logging.getLogger(__name__)

Work = Callable[[], Any]


class ViewLoader(QObject):
    """Does one piece of work at a time; what was asked for meanwhile is replaced by what is asked for last.

    :param parent: with it the loader ends; it waits for the thread then, which takes the length of one view.
    """

    loaded = pyqtSignal(object)
    """What the work returned."""
    failed = pyqtSignal(str)
    """Why there is nothing to show, a sentence."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._courier = Courier(self)
        self._next: Work | None = None
        self._is_busy = False

    def ask(self, work: Work) -> None:
        """Do this as soon as what is under way has ended."""
        self._next = work
        self._start()

    def _start(self) -> None:
        if not self._is_busy and self._next is not None:
            self._is_busy = True
            self._pool.start(_Runnable(self._next, self._take, self._courier.bring))
            self._next = None

    def _take(self, result: object) -> None:
        self._is_busy = False
        self._start()
        if isinstance(result, Exception):
            self.failed.emit(str(result))
        else:
            self.loaded.emit(result)


class _Runnable(QRunnable):
    def __init__(self, work: Work, take: Callable[[object], None], bring: Bring) -> None:
        super().__init__()
        self._work = work
        self._take = take
        self._bring = bring

    def run(self) -> None:
        """In the pool's thread: nothing may escape, Qt would end the program."""
        try:
            result = self._work()
        except Exception as error:
            log.log(logging.DEBUG if isinstance(error, BlitzError) else logging.ERROR, "Loading a view", exc_info=True)
            result = error
        self._bring(partial(self._take, result))
