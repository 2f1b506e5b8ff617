"""Pictures and numbers of analyses and triggers: into a file, or into the clipboard."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, QUrl
from PyQt5.QtGui import QDesktopServices, QGuiApplication
from PyQt5.QtWidgets import QFileDialog, QWidget

from blitz.ui.feed import RequestFailure
from blitz.ui.figure_numbers import MOST_COPIED, Numbers, numbers_of, sweep_numbers
from blitz.ui.formats import file_stem, format_count
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.picture_actions import FLEETING_MS, PictureActions
from blitz.ui.plots.pictures import Caption, PictureKind
from blitz.ui.widgets.notices import WRITTEN_MS, NoticeAction

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow


@dataclass(frozen=True, eq=False)
class Figure:
    """What is given away.

    :param drawing: None where there is no picture.
    """

    name: str
    caption: Caption
    drawing: QWidget | None
    numbers: Numbers | None


class FigureActions(QObject):
    """Belongs to the window."""

    def __init__(self, window: "MainWindow", pictures: PictureActions) -> None:
        super().__init__(window)
        self._window = window
        self._pictures = pictures

    def serve_history(self, page: HistoryPage) -> None:
        """Give away what the analysis of a session shows."""

        def figure() -> Figure:
            panel = page.analysis
            caption = self._pictures.caption(page, panel.asked_span)
            caption = Caption(f"{panel.tab.title}: {caption.title}", caption.times, caption.warning)
            return Figure(panel.tab.title, caption, panel.tab.drawing, numbers_of(panel.tab.result))

        page.analysis.save.chosen.connect(lambda kind: self._give(kind, figure))

    def serve_live(self, page: LivePage) -> None:
        """Give away what the triggers of the live view show."""

        def figure() -> Figure:
            panel = page.triggers
            channel, sweeps = panel.trigger.channel, tuple(panel.trigger.sweeps)
            caption = self._pictures.caption(page)
            name = f"Triggers of {channel.label}" if channel is not None else "Triggers"
            caption = Caption(f"{name}: {caption.title}", panel.words.text(), caption.warning)
            unit = "" if channel is None else channel.channel.unit
            return Figure("Triggers", caption, panel.figure, sweep_numbers(sweeps, unit))

        page.triggers.save.chosen.connect(lambda kind: self._give(kind, figure))

    def _give(self, kind: str, make: Callable[[], Figure]) -> None:
        figure = make()
        if kind == "copy_numbers":
            self._copy(figure)
        elif kind == "csv":
            self._ask_for_file(figure)
        elif figure.drawing is not None and kind == "copy":
            self._pictures.copy_drawing(figure.drawing, figure.caption)
        elif figure.drawing is not None:
            name = file_stem(figure.caption.title)
            self._pictures.ask_for_file(figure.drawing, figure.caption, PictureKind(kind), name)

    def _copy(self, figure: Figure) -> None:
        clipboard, notices = QGuiApplication.clipboard(), self._window.notices
        if clipboard is None or figure.numbers is None:
            return
        count = len(figure.numbers)
        if count > MOST_COPIED:
            notices.tell("info", f"{format_count(count)} rows are too many for the clipboard: save them as CSV.")
            return
        clipboard.setText(figure.numbers.text)
        words = "1 row is" if count == 1 else f"{format_count(count)} rows are"
        notices.tell("info", f"{words} in the clipboard.", for_ms=FLEETING_MS)

    def _ask_for_file(self, figure: Figure) -> None:
        numbers = figure.numbers
        if numbers is None:
            return
        folder = Path(self._window.preferences.export_folder or Path.home())
        dialog = QFileDialog(self._window, f"Save the numbers of {figure.name}", str(folder), "CSV files (*.csv)")
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(f"{file_stem(figure.caption.title)}.csv")
        dialog.fileSelected.connect(lambda path: self._write(numbers, Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _write(self, numbers: Numbers, path: Path) -> None:
        window = self._window
        window.preferences.export_folder = str(path.parent)
        folder = QUrl.fromLocalFile(str(path.parent))
        action = NoticeAction("Open folder", lambda: QDesktopServices.openUrl(folder))
        job = window.jobs.run(f"Saving {path.name}", lambda _, __: numbers.save(path))
        job.succeeded.connect(lambda _: window.notices.tell("info", f"Saved to {path}", action, for_ms=WRITTEN_MS))
        job.failed.connect(
            lambda error: window.notices.tell("error", RequestFailure("The numbers were not saved", error).sentence)
        )
