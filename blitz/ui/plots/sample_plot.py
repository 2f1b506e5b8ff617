"""A small plot of a sample that a device sent: all its channels over the number of the message."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph
from PyQt5.QtWidgets import QWidget

from blitz.ui.theme import Theme

_HEIGHT_PX = 150


class SamplePlot(pyqtgraph.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Shows what was heard; nothing moves, and nothing can be done with it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: Sequence[Sequence[float | None]] = ()
        self.setFixedHeight(_HEIGHT_PX)
        self.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setAccessibleName("What was heard, as curves")
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.setBackground(theme.base)
        for name in ("left", "bottom"):
            axis = self.getAxis(name)
            axis.setPen(theme.grid)
            axis.setTextPen(theme.muted)
        self.show_rows(self._rows)

    def show_rows(self, rows: Sequence[Sequence[float | None]]) -> None:
        """Draw a curve a channel.

        :param rows: messages, a value a channel each; None where there is no number.
        """
        self._rows = rows
        self.clear()
        if not rows:
            return
        values = np.array([[np.nan if value is None else value for value in row] for row in rows], np.float64)
        for column in range(values.shape[1]):
            pen = pyqtgraph.mkPen(self._theme.channel_colour(column), width=1)
            self.plot(np.arange(len(values)), values[:, column], pen=pen, connect="finite")
