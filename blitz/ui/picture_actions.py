"""Pictures of the plots that the window shows: asks for a file, writes it, says where it is; or fills the clipboard."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QObject, QUrl
from PyQt5.QtGui import QDesktopServices, QGuiApplication
from PyQt5.QtWidgets import QFileDialog, QWidget

from blitz.data.blocks import PREVIEW_ID
from blitz.ui.feed import RequestFailure
from blitz.ui.formats import file_stem
from blitz.ui.models.sessions import session_title
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.plots.pictures import Caption, PictureKind, plot_image, save_picture
from blitz.ui.widgets.notices import WRITTEN_MS, NoticeAction

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

Page = LivePage | HistoryPage | ComparisonPage
FLEETING_MS = 8_000


class PictureActions(QObject):
    """Belongs to the window."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window

    def make(self, page: Page, kind: str) -> None:
        """Make a picture of a page's plot.

        :param kind: ``png``, ``svg`` or ``copy``.
        """
        if kind == "copy":
            self.copy(page)
        else:
            self.ask_where_to_save(page, PictureKind(kind))

    def ask_where_to_save(self, page: Page, kind: PictureKind) -> None:
        """Let the operator choose a file for a picture of a page's plot, then write it."""
        at_s = time.time() if isinstance(page, ComparisonPage) else page.shown_times[1]
        moment = datetime.fromtimestamp(at_s).astimezone()
        name = f"{file_stem(self.caption(page).title)} {moment:%Y-%m-%d %H-%M-%S}"
        self.ask_for_file(page.drawing, self.caption(page), kind, name)

    def ask_for_file(self, drawing: QWidget, caption: Caption, kind: PictureKind, stem: str) -> None:
        """Let the operator choose a file for a picture, then write it.

        :param stem: the name that is proposed, without its ending.
        """
        folder = Path(self._window.preferences.export_folder or Path.home())
        name = kind.name
        dialog = QFileDialog(self._window, f"Save the plot as {name}", str(folder), f"{name} pictures (*.{kind.value})")
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setDefaultSuffix(kind.value)
        dialog.selectFile(f"{stem}.{kind.value}")
        dialog.fileSelected.connect(lambda path: self.write_drawing(drawing, caption, Path(path), kind))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def write(self, page: Page, path: Path, kind: PictureKind) -> None:
        """Write a picture of a page's plot, and say where it is."""
        self.write_drawing(page.drawing, self.caption(page), path, kind)

    def write_drawing(self, drawing: QWidget, caption: Caption, path: Path, kind: PictureKind) -> None:
        """Write a picture, and say where it is."""
        window = self._window
        window.preferences.export_folder = str(path.parent)
        try:
            save_picture(drawing, caption, window.appearance.theme, path, kind)
        except OSError as error:
            window.notices.tell("error", RequestFailure("The picture was not saved", error).sentence)
            return
        folder = QUrl.fromLocalFile(str(path.parent))
        action = NoticeAction("Open folder", lambda: QDesktopServices.openUrl(folder))
        window.notices.tell("info", f"Saved to {path}", action, for_ms=WRITTEN_MS)

    def copy(self, page: Page) -> None:
        """Put a picture of a page's plot into the clipboard."""
        self.copy_drawing(page.drawing, self.caption(page))

    def copy_drawing(self, drawing: QWidget, caption: Caption) -> None:
        """Put a picture into the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setImage(plot_image(drawing, caption, self._window.appearance.theme))
            self._window.notices.tell("info", "The plot is in the clipboard.", for_ms=FLEETING_MS)

    def caption(self, page: Page, span: tuple[float, float] | None = None) -> Caption:
        """Return what stands above a picture: the session's name, the times, and what the curves are not.

        :param span: the times, where they are not those that the page shows.
        """
        if isinstance(page, ComparisonPage):
            low, high = page.shown_times
            return Caption(page.title, f"{low:.3f} s to {high:.3f} s from where they are aligned")
        begin, end = (datetime.fromtimestamp(edge).astimezone() for edge in span or page.shown_times)
        until = f"{end:%H:%M:%S}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
        times = f"{begin:%Y-%m-%d %H:%M:%S} to {until} {end:%Z}, by the server's clock"
        if isinstance(page, HistoryPage):
            return Caption(session_title(page.history.record), times)
        if self._window.playback.is_on:
            return Caption(self._window.playback.title, times, page.plot.strip.badge_text)
        warning, session = page.plot.strip.badge_text, self._window.header.session
        if self._window.store.session_id in (None, PREVIEW_ID) or session is None:
            return Caption("Preview", times, warning or "NOT RECORDED")
        return Caption(session_title(session), times, warning)
