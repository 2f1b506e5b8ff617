"""The button that gives away what an analysis shows: its picture, and its numbers."""

from PyQt5.QtCore import QPoint, Qt, pyqtSignal
from PyQt5.QtWidgets import QAction, QMenu, QPushButton, QWidget

_PICTURES = (("png", "Save as &PNG…"), ("svg", "Save as &SVG…"), ("copy", "&Copy the picture"))
_NUMBERS = (("csv", "Save the &numbers as CSV…"), ("copy_numbers", "Cop&y the numbers"))


class FigureMenu(QPushButton):
    """Says what was chosen; somebody else does it."""

    chosen = pyqtSignal(str)
    """``png``, ``svg`` or ``copy``, ``csv`` or ``copy_numbers``"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Save ▾", parent)
        self.setProperty("kind", "small")
        self.setAccessibleName("Save")
        self.setToolTip("Save or copy what is shown here, as a picture or as numbers")
        menu = QMenu(self)
        self._pictures = [self._add(menu, *each) for each in _PICTURES]
        menu.addSeparator()
        self._numbers = [self._add(menu, *each) for each in _NUMBERS]
        self.setMenu(menu)
        self.offer(has_picture=False, has_numbers=False)

    def offer(self, *, has_picture: bool, has_numbers: bool) -> None:
        """Grey what there is not."""
        for actions, is_there in ((self._pictures, has_picture), (self._numbers, has_numbers)):
            for action in actions:
                action.setEnabled(is_there)
        self.setEnabled(has_picture or has_numbers)

    def serve(self, figure: QWidget) -> None:
        """Open the menu where the right button is pressed in a figure, too."""
        figure.setContextMenuPolicy(Qt.CustomContextMenu)
        figure.customContextMenuRequested.connect(lambda place: self._open(figure.mapToGlobal(place)))

    def _open(self, place: QPoint) -> None:
        if self.isEnabled():
            self.menu().popup(place)

    def _add(self, menu: QMenu, kind: str, words: str) -> QAction:
        action = QAction(words, menu)
        menu.addAction(action)
        action.triggered.connect(lambda _=False: self.chosen.emit(kind))
        return action
