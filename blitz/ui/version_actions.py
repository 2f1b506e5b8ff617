"""What can be done with the definitions of a historic session: choose a version, compare two, correct them.

Asks the operator, the cache and the pool.
"""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Source
from blitz.errors import BlitzError, DownloadCancelled
from blitz.io.calls import default_owner
from blitz.ui.definition_preview import RawMessage
from blitz.ui.dialogs.reread import RereadDialog
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.history import History, load_history
from blitz.ui.jobs import Job, Jobs, while_there
from blitz.ui.models.sessions import session_title
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.raw_tail import RawTail
from blitz.ui.widgets.notices import NoticesArea

_LOOKED_AT = 20_000
"""So many of the session's last messages are looked through for those of one source."""


class VersionActions(QObject):
    """Serves the pages of historic sessions."""

    history_loaded = pyqtSignal(object)
    """History"""

    def __init__(self, feed: Feed, jobs: Jobs, notices: NoticesArea, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._jobs = jobs
        self._notices = notices
        self._window = window

    def serve(self, page: HistoryPage) -> None:
        """Do what a page asks for."""
        page.versions.chosen.connect(lambda version: self._open(page.history, version))
        page.versions.compared.connect(lambda version: self._compare(page, version))
        page.versions.reread_requested.connect(lambda: self.correct(page.history))
        page.versions.deletion_requested.connect(lambda: self.delete(page.history))

    def correct(self, history: History) -> RereadDialog:
        """Ask for other definitions, keep them, and open the session by them."""
        dialog = RereadDialog(
            session_title(history.record),
            history.record.sources,
            lambda source: _last_values(history, source),
            lambda source: _last_messages(self._feed.cache_path, history, source),
            self._window,
        )

        def keep() -> None:
            definitions, reason = dialog.definitions, dialog.reason.text().strip()
            self._keep(history, definitions, reason, dialog)

        dialog.accepted.connect(keep)
        dialog.rejected.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def delete(self, history: History) -> QMessageBox:
        """Ask, then delete the version that is shown, and open the session by the newest that is left."""
        box = QMessageBox(QMessageBox.Warning, "Delete a version", "", parent=self._window)
        box.setText(f"Delete version {history.version} of the definitions of “{session_title(history.record)}”?")
        box.setInformativeText("The session itself stays as it is, and so do the definitions of its recording.")
        do = box.addButton("Delete", QMessageBox.DestructiveRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is do:
                self._drop(history)
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()
        return box

    def _drop(self, history: History) -> None:
        session_id, version, path = history.record.id, history.version, self._feed.cache_path
        assert path is not None

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> History:
            with DatabaseClient(path=str(path)) as cache:
                cache.delete_definition_version(session_id, version)
            return load_history(path, session_id, progress, is_cancelled)

        job = self._jobs.run(f"Deleting version {version}", work)
        job.succeeded.connect(self.history_loaded)
        job.failed.connect(lambda error: self._tell(f"Version {version} was not deleted", error))

    def _keep(
        self, history: History, definitions: Mapping[str, BoardDefinition], reason: str, dialog: RereadDialog
    ) -> None:
        session_id, path = history.record.id, self._feed.cache_path
        assert path is not None

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> History:
            with DatabaseClient(path=str(path)) as cache:
                number = cache.add_definition_version(session_id, definitions, reason, default_owner())
            return load_history(path, session_id, progress, is_cancelled, number)

        answer = while_there(dialog, dialog.take_answer)

        def show(read_anew: History) -> None:
            answer("")
            self.history_loaded.emit(read_anew)

        job = self._jobs.run(f"Reading {session_title(history.record)} anew", work)
        job.succeeded.connect(show)
        job.failed.connect(lambda error: answer(str(error)))

    def _open(self, history: History, version: int) -> None:
        job = self._load(f"Opening {session_title(history.record)}", history.record.id, version)
        job.succeeded.connect(self.history_loaded)
        job.failed.connect(lambda error: self._tell(f"Version {version} was not opened", error))

    def _compare(self, page: HistoryPage, version: int) -> None:
        if version < 0:
            page.plot.compare_with(None)
            return
        job = self._load(f"Comparing {session_title(page.history.record)}", page.session_id, version)
        job.succeeded.connect(page.show_comparison)
        job.failed.connect(lambda error: self._tell(f"Version {version} is not shown beside this one", error))

    def _load(self, title: str, session_id: int, version: int) -> Job:
        path = self._feed.cache_path
        assert path is not None
        return self._jobs.run(
            title, lambda progress, is_cancelled: load_history(path, session_id, progress, is_cancelled, version)
        )

    def _tell(self, action: str, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._notices.tell("info", str(error))
        else:
            self._notices.tell("error", RequestFailure(action, error).sentence)


def _last_messages(path: Path | str | None, history: History, source: Source) -> tuple[RawMessage, ...]:
    """Return the last messages of a source, out of the session's last blocks."""
    if path is None:
        return ()
    tail = RawTail(source.name)
    tail.learn(history.record.id, history.record.sources)
    count = history.record.message_count
    # Damaged blocks are told of where the session is read; an editor can do without them.
    with contextlib.suppress(BlitzError), DatabaseClient(path=str(path)) as cache:
        for block in cache.session_blocks(history.record.id, max(0, count - _LOOKED_AT), count):
            tail.take(block)
    return tail.messages


def _last_values(history: History, source: Source) -> NDArray[np.float64] | None:
    limits = history.time_limits
    series = None if limits is None else history.between(source.index, limits[1] - 1, limits[1], 64)
    if series is None:
        return None
    whole = series.values[~np.isnan(series.values).all(axis=1)]
    return whole[-1] if len(whole) else None
