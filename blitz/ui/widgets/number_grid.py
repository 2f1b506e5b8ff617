"""Tiles that fill a rectangle, as many columns as make the digits largest."""

from collections.abc import Sequence

from PyQt5.QtCore import QSize, pyqtSignal
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QWidget

from blitz.ui.theme import LIGHT, SPACE, Theme
from blitz.ui.widgets.number_tile import NumberTile, TileWords

_DIGITS_WIDE = 3.4
"""How wide a usual number is, in heights of its digits."""
_NUMBER_SHARE = 0.62
"""How much of a tile's height is the number's."""


class NumberGrid(QWidget):
    """Keeps tiles while their number does."""

    chosen = pyqtSignal()
    """A tile was clicked twice."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self.tiles: list[NumberTile] = []

    def show_words(self, words: Sequence[TileWords]) -> None:
        """Show a tile for each of these."""
        if len(words) != len(self.tiles):
            self._make(len(words))
        for tile, shown in zip(self.tiles, words, strict=True):
            tile.show_words(shown)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        for tile in self.tiles:
            tile.set_theme(theme)

    def sizeHint(self) -> QSize:
        """As much as there is."""
        return QSize(800, 500)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the tiles out anew."""
        super().resizeEvent(event)
        self._lay_out()

    def _make(self, count: int) -> None:
        for tile in self.tiles[count:]:
            tile.hide()
            tile.deleteLater()
        del self.tiles[count:]
        while len(self.tiles) < count:
            tile = NumberTile(self)
            tile.set_theme(self._theme)
            tile.chosen.connect(self.chosen)
            tile.show()
            self.tiles.append(tile)
        self._lay_out()

    def _lay_out(self) -> None:
        if not self.tiles:
            return
        columns = best_columns(len(self.tiles), self.width(), self.height())
        rows = -(-len(self.tiles) // columns)
        for place, tile in enumerate(self.tiles):
            row, column = divmod(place, columns)
            left, right = (_edge(self.width(), columns, column + n) for n in (0, 1))
            top, bottom = (_edge(self.height(), rows, row + n) for n in (0, 1))
            tile.setGeometry(left, top, right - left - SPACE, bottom - top - SPACE)


def _edge(length: int, count: int, place: int) -> int:
    """Return where a tile begins: tiles and gaps fill the length, without one behind the last tile."""
    return round((length + SPACE) * place / count)


def best_columns(count: int, width: float, height: float) -> int:
    """Return how many columns make the numbers largest, of equal ones the one with the fewest empty places.

    >>> best_columns(1, 1200, 600), best_columns(4, 1200, 600), best_columns(8, 1200, 600), best_columns(3, 300, 900)
    (1, 2, 3, 1)
    """

    def worth(columns: int) -> tuple[float, int]:
        rows = -(-count // columns)
        return round(min(width / columns / _DIGITS_WIDE, height / rows * _NUMBER_SHARE)), count - columns * rows

    return max(range(1, count + 1), key=worth)
