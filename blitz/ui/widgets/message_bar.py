"""A sentence with buttons, in the colour of how serious it is; hidden while there is nothing to say."""

from collections.abc import Callable, Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from blitz.ui.theme import SPACE


class MessageBar(QFrame):
    """Says one thing at a time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: list[QPushButton] = []
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.PlainText)
        self.words.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.words.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(4)
        self._row = QHBoxLayout()
        self._row.setSpacing(SPACE)
        self._row.addWidget(self.words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE + 4, SPACE // 2, SPACE // 2, SPACE // 2)
        column.setSpacing(SPACE // 2)
        column.addLayout(self._row)
        column.addWidget(self._progress)
        self.hide()

    def say(
        self,
        severity: str,
        sentence: str,
        choices: Sequence[tuple[str, Callable[[], object]]] = (),
        *,
        is_busy: bool = False,
    ) -> None:
        """Show a sentence.

        :param severity: ``info``, ``warning`` or ``error``.
        :param choices: what each button says, and does.
        :param is_busy: whether something is waited for.
        """
        self.setProperty("severity", severity)
        self.style().unpolish(self)
        self.style().polish(self)
        self.words.setText(sentence)
        self._progress.setVisible(is_busy)
        for button in self.buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = [self._button(label, act) for label, act in choices]
        self.show()

    def clear(self) -> None:
        """Say nothing any more."""
        self.words.clear()
        self.hide()

    @property
    def text(self) -> str:
        """What is said; empty while nothing is."""
        return self.words.text()

    def _button(self, label: str, act: Callable[[], object]) -> QPushButton:
        button = QPushButton(label)
        button.clicked.connect(lambda: act())
        self._row.addWidget(button, 0, Qt.AlignTop)
        return button
