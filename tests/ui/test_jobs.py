"""Work in threads, and dialogs that are closed before it has ended."""

import threading

import pytest
from PyQt5.QtCore import QCoreApplication, QEvent
from PyQt5.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from blitz.ui.jobs import Jobs, while_there


@pytest.mark.parametrize("is_failing", [False, True])
@pytest.mark.parametrize("is_closed", [False, True])
def test_an_answer_reaches_a_dialog_that_is_there_and_no_other(qtbot: QtBot, is_failing: bool, is_closed: bool) -> None:
    jobs, dialog, may_end = Jobs(), QDialog(), threading.Event()

    def work(progress: object, is_cancelled: object) -> str:
        may_end.wait(30)
        if is_failing:
            raise OSError("no such disk")
        return "a result"

    job = jobs.run("Looking", work)
    job.succeeded.connect(while_there(dialog, lambda words: dialog.setWindowTitle(f"{dialog.objectName()}{words}")))
    job.failed.connect(while_there(dialog, lambda error: dialog.setWindowTitle(f"{dialog.objectName()}{error}")))
    if is_closed:
        dialog.deleteLater()
        QCoreApplication.sendPostedEvents(dialog, QEvent.DeferredDelete)
    with qtbot.waitSignal(job.ended, timeout=30_000):
        may_end.set()
    if not is_closed:
        assert dialog.windowTitle() == ("no such disk" if is_failing else "a result")
    jobs.close()
