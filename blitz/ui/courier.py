"""From threads into the GUI thread: what is on its way when its receiver has gone is told to nobody."""

from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal, pyqtSlot

Bring = Callable[[Callable[[], object]], None]
"""Lets something be called in the GUI thread."""


class _Post(QObject):
    """Has no parent, so that a thread can still send when the receiver has gone."""

    sent = pyqtSignal(object)


class Courier(QObject):
    """Makes calls in the GUI thread, as long as its parent lives.

    Signals of the parent's own would not do: a thread may not emit them when it has gone, and Qt still makes the calls
    to lambdas that were on their way then, which is the end of a program.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        post = _Post()
        post.sent.connect(self._call)

        def bring(call: Callable[[], object]) -> None:
            post.sent.emit(call)

        self.bring: Bring = bring
        """To be called in any thread, which may keep it as long as it likes."""

    @pyqtSlot(object)  # a slot of Qt's own ends with its object
    def _call(self, call: Callable[[], object]) -> None:
        call()
