"""A large choice: a picture, a name, what it means, and a button or several."""

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QFont, QIcon
from PyQt5.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from blitz.ui.theme import SPACE

_ICON_PX = 40


class ChoiceCard(QFrame):
    """A frame with a choice.

    :param action: what its button says; empty: it has none, and shows the buttons of :meth:`show_choices`.
    """

    def __init__(self, name: str, words: str, action: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        self.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)  # cards beside each other are equally wide
        self._icon = QLabel()
        title = QLabel(name)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() + 3)
        font.setBold(True)
        title.setFont(font)
        self.words = QLabel(words)
        self.words.setWordWrap(True)
        self.words.setProperty("kind", "muted")
        self.words.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.button = QPushButton(action)
        self.button.setProperty("kind", "start")
        self.button.setAccessibleDescription(words)
        if not action:
            self.button.hide()
        self._choices = QVBoxLayout()
        self._choices.setSpacing(SPACE // 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(self._icon)
        column.addWidget(title)
        column.addWidget(self.words)
        column.addLayout(self._choices)
        column.addStretch(1)
        column.addWidget(self.button)

    def show_icon(self, picture: QIcon) -> None:
        """Show a picture above the name."""
        self._icon.setPixmap(picture.pixmap(_ICON_PX, _ICON_PX))

    def say(self, words: str) -> None:
        """Say something else below the name."""
        self.words.setText(words)

    def show_choices(self, buttons: Sequence[QPushButton]) -> None:
        """Replace the buttons of which one is chosen."""
        while self._choices.count():
            button = self._choices.takeAt(0).widget()
            button.hide()
            button.deleteLater()
        for button in buttons:
            self._choices.addWidget(button)
            button.show()  # at once, so that it can take the focus
