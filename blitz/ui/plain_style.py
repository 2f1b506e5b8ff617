"""The style of the program, which shows every text as it is.

Qt's labels, message boxes and tool tips take a text for HTML that looks like it. What they show here comes from other
people and from devices: names, notes, errors. So each is told, before it is first shown, that its text is text.
"""

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QPalette
from PyQt5.QtWidgets import QApplication, QLabel, QProxyStyle, QWidget


class PlainStyle(QProxyStyle):
    """Fusion, without HTML where nobody has asked for it by ``setTextFormat(Qt.RichText)``."""

    def __init__(self) -> None:
        super().__init__("Fusion")

    def polish(self, what: QWidget | QApplication | QPalette) -> QPalette | None:  # type: ignore[override]
        """Prepare a widget before it is first shown; tool tips and the insides of message boxes are labels, too."""
        if isinstance(what, QLabel) and what.textFormat() == Qt.AutoText:
            what.setTextFormat(Qt.PlainText)
        return super().polish(what)
