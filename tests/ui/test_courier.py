"""From threads into the GUI thread, and to nobody where the window has gone meanwhile."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from PyQt5.QtCore import QCoreApplication, QEvent, QObject
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from blitz.ui.courier import Courier
from blitz.ui.jobs import Jobs

WAIT_MS = 30_000


@pytest.fixture
def owner(qapp: QApplication) -> QObject:
    return QObject()


def in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(WAIT_MS / 1000)
    assert not thread.is_alive()


def end(owner: QObject) -> None:
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(owner, QEvent.DeferredDelete)


def test_calls_are_made_in_the_gui_thread_in_their_order(owner: QObject, qtbot: QtBot) -> None:
    made: list[tuple[int, bool]] = []
    bring = Courier(owner).bring

    def note(number: int) -> None:
        made.append((number, threading.current_thread() is threading.main_thread()))

    def work() -> None:
        for number in range(3):
            bring(partial(note, number))

    in_a_thread(work)
    assert made == []
    qtbot.waitUntil(lambda: made == [(0, True), (1, True), (2, True)], timeout=WAIT_MS)


def test_nothing_is_called_once_the_owner_has_gone(owner: QObject, qapp: QApplication) -> None:
    made: list[str] = []
    bring = Courier(owner).bring
    in_a_thread(lambda: bring(lambda: made.append("on its way")))
    end(owner)
    in_a_thread(lambda: bring(lambda: made.append("late")))
    qapp.processEvents()
    assert made == []


def end_a_job(jobs: Jobs) -> list[str]:
    """Return what is heard of a job whose work is done: nothing yet, as no event was looked at."""
    heard: list[str] = []

    def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> None:
        progress(1, 1)

    job = jobs.run("work", work)
    job.progressed.connect(lambda done, total: heard.append("progressed"))
    job.succeeded.connect(lambda result: heard.append("succeeded"))
    job.ended.connect(lambda: heard.append("ended"))
    assert jobs._pool.waitForDone(WAIT_MS)
    return heard


def test_a_job_that_ends_is_heard_of(owner: QObject, qapp: QApplication) -> None:
    heard = end_a_job(Jobs(owner))
    qapp.processEvents()
    assert heard == ["progressed", "succeeded", "ended"]


def test_a_job_that_ends_while_the_window_closes_is_not_heard_of(owner: QObject, qapp: QApplication) -> None:
    jobs = Jobs(owner)
    heard = end_a_job(jobs)
    jobs.close()
    qapp.processEvents()
    assert heard == []


def test_a_job_that_ends_as_the_window_goes_is_not_heard_of(owner: QObject, qapp: QApplication) -> None:
    heard = end_a_job(Jobs(owner))
    end(owner)
    qapp.processEvents()
    assert heard == []
