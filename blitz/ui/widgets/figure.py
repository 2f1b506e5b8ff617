"""A number with its name above it."""

from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from blitz.ui.formats import MISSING
from blitz.ui.theme import number_font
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.states import set_state

_WIDEST_WORDS = 220


class Figure(QWidget):
    """As wide as its widest text; words that are longer are cut, and whole in the tooltip.

    :param is_number: False: it shows words, and is as wide as they are, within bounds.
    """

    def __init__(self, caption: str, widest: str, parent: QWidget, *, is_number: bool = True) -> None:
        super().__init__(parent)
        self._is_number = is_number
        self._text = ElidedLabel(MISSING)
        if is_number:
            self._text.setFont(number_font(self.font(), self.font().pointSizeF() + 4))
        width = self._text.fontMetrics().horizontalAdvance(widest)
        self._text.setMinimumWidth(width)
        if not is_number:
            self._text.setMaximumWidth(max(width, _WIDEST_WORDS))
        self._caption = QLabel(caption)
        self._caption.setProperty("kind", "caption")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(self._caption)
        column.addWidget(self._text, 1)
        self.setAccessibleName(caption)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._text.text()

    @property
    def caption(self) -> str:
        """What stands above it."""
        return self._caption.text()

    def show_text(self, text: str, tip: str = "") -> None:
        """Set what is shown, and what the tooltip says of it."""
        self._text.setText(text)
        self._text.set_tip(tip)
        self.setAccessibleDescription(text)

    def show_caption(self, caption: str) -> None:
        """Set what stands above."""
        if caption != self.caption:
            self._caption.setText(caption)
            self.setAccessibleName(caption)

    def limit_width(self, width_px: int) -> None:
        """Let words be so wide at most."""
        self._text.setMaximumWidth(max(width_px, self._text.minimumWidth()))

    def show_state(self, state: str) -> None:
        """Set whether it is as it should be: ``bad``, or nothing."""
        set_state(self._text, state)
