"""One line on the selected board: what is wrong, since when, what to do, with the buttons that do it."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QWidget

from blitz.data.records import BoardRecord
from blitz.ui.board_causes import Cause, Remedy
from blitz.ui.theme import SPACE

_TOOLTIPS = {
    Remedy.RETRY: "Look for devices now, and ask silent ones again (up to 5 s)",
    Remedy.RETAKE: "Take the port again now",
    Remedy.RELEASE: "Lend the port to another program",
    Remedy.CHOOSE: "Say at which port it is",
    Remedy.BAD_FRAMES: "The last frames that were no message",
    Remedy.CHANNELS: "Give its values names, units and scales",
    Remedy.CALIBRATE: "Compare the channel with known values again",
}


class CauseBar(QFrame):
    """Shows a :class:`Cause`; asks by a signal."""

    chosen = pyqtSignal(object)
    """Remedy, other than choosing a port"""
    port_chosen = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[tuple[Remedy, ...], tuple[str, ...]] | None = None
        self.buttons: dict[Remedy, QPushButton] = {}
        self.setAccessibleName("State of the selected board")
        self.name = QLabel()
        self.name.setProperty("kind", "title")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.PlainText)
        self.words.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.words.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(SPACE + 4, SPACE // 2, SPACE // 2, SPACE // 2)
        self._row.setSpacing(SPACE)
        self._row.addWidget(self.name)
        self._row.addWidget(self.words, 1)
        self.setMinimumHeight(5 * SPACE)

    def show_cause(self, board: BoardRecord | None, cause: Cause | None, refusal: str) -> None:
        """Show how a board is doing; nothing without one.

        :param refusal: why the operator may do nothing about it; empty where he may.
        """
        self.setVisible(board is not None)
        if board is None or cause is None:
            return
        self.name.setText(board.name)
        self.words.setText(cause.sentence)
        if self.property("severity") != cause.severity.value:
            self.setProperty("severity", cause.severity.value)
            self.style().unpolish(self)
            self.style().polish(self)
        shown = (cause.remedies, board.candidates)
        if shown != self._shown:
            self._shown = shown
            self._show_buttons(cause.remedies, board.candidates)
        for remedy, button in self.buttons.items():
            button.setEnabled(not refusal or remedy is Remedy.BAD_FRAMES)
            button.setToolTip(_TOOLTIPS[remedy] if button.isEnabled() else refusal)

    def _show_buttons(self, remedies: tuple[Remedy, ...], candidates: tuple[str, ...]) -> None:
        for button in self.buttons.values():
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {}
        for remedy in remedies:
            button = QPushButton(remedy.value)
            if remedy is Remedy.CHOOSE:
                menu = QMenu(button)
                for port in candidates:
                    menu.addAction(port, lambda port=port: self.port_chosen.emit(port))
                button.setMenu(menu)
            else:
                button.clicked.connect(lambda _, remedy=remedy: self.chosen.emit(remedy))
            self._row.addWidget(button)
            self.buttons[remedy] = button
