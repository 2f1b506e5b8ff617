"""A small plot of a calibration: the steps, the old and the new curve, and below them the residuals."""

import numpy as np
import pyqtgraph
from PyQt5.QtWidgets import QVBoxLayout, QWidget

from blitz.data.board_definition import Channel
from blitz.data.calibration import on_curve
from blitz.data.calibration_facts import CalibrationStep
from blitz.data.calibration_fit import CurveFit
from blitz.ui.theme import Theme

_POINTS = 200
_BEYOND = 0.05
"""So much of the range is drawn beyond the steps."""
_LEAST = 1e-3
"""So much of the range of known values the axis of residuals shows at least, above and below 0."""
_RESIDUALS_PX = 110
_AXIS_PX = 62


class CalibrationPlot(QWidget):
    """Nothing moves, and nothing can be done with it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._unit = ""
        self._before: Channel | None = None
        self._steps: tuple[CalibrationStep, ...] = ()
        self._fit: CurveFit | None = None
        self.curve = _plot("Known values over what was sent, with the old and the new curve")
        self.residuals = _plot("Residuals of the steps")
        self.residuals.setFixedHeight(_RESIDUALS_PX)
        self.residuals.setXLink(self.curve)
        self.residuals.getAxis("left").setTickDensity(0.6)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.curve, 1)
        column.addWidget(self.residuals)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        for plot in (self.curve, self.residuals):
            plot.setBackground(theme.base)
            for name in ("left", "bottom"):
                axis = plot.getAxis(name)
                axis.setPen(theme.grid)
                axis.setTextPen(theme.muted)
        self._draw()

    def show_steps(
        self, before: Channel | None, steps: tuple[CalibrationStep, ...], fit: CurveFit | None, unit: str
    ) -> None:
        """Draw steps, the curve that a channel has now, and the new one, where there is one."""
        self._before, self._steps, self._fit, self._unit = before, steps, fit, unit
        self._draw()

    def _draw(self) -> None:
        theme = self._theme
        self.curve.clear()
        self.residuals.clear()
        self.curve.setLabel("left", self._unit or "known value", color=theme.muted)
        self.residuals.setLabel("left", "residual", color=theme.muted)
        self.residuals.setLabel("bottom", "sent", color=theme.muted)
        for plot in (self.curve, self.residuals):
            for name in ("left", "bottom"):
                plot.getAxis(name).setStyle(showValues=bool(self._steps))
        if not self._steps:
            return
        raw = np.array([step.raw for step in self._steps])
        margin = max(float(np.ptp(raw)) * _BEYOND, 0.5 if len(set(raw.tolist())) == 1 else 0.0)
        numbers = np.linspace(raw.min() - margin, raw.max() + margin, _POINTS)
        if self._before is not None:
            pen = pyqtgraph.mkPen(theme.muted, width=1, dash=[4, 4])
            self.curve.plot(numbers, on_curve(self._before, numbers.copy()), pen=pen)
        if self._fit is not None:
            self.curve.plot(numbers, self._fit.values(numbers), pen=pyqtgraph.mkPen(theme.channel_colour(0), width=2))
            left = np.array([point.residual for point in self._fit.points])
            self.residuals.addLine(y=0, pen=pyqtgraph.mkPen(theme.grid))
            self._dots(self.residuals, raw, left)
            values = [step.reference for step in self._steps]
            reach = max(float(np.abs(left).max()) * 1.3, _LEAST * (max(values) - min(values)))
            self.residuals.setYRange(-reach, reach, padding=0)
        known = np.array([step.reference for step in self._steps])
        self._dots(self.curve, raw, known)
        # The old curve may be far away: what it is about are the steps.
        margin = 2 * _BEYOND * float(np.ptp(known)) or max(abs(float(known[0])) * _BEYOND, 1.0)
        self.curve.setYRange(known.min() - margin, known.max() + margin, padding=0)
        self.curve.setXRange(numbers[0], numbers[-1], padding=0)

    def _dots(self, plot: pyqtgraph.PlotWidget, across: np.ndarray, up: np.ndarray) -> None:
        theme = self._theme
        plot.plot(across, up, pen=None, symbol="o", symbolSize=8, symbolPen=theme.base, symbolBrush=theme.channels[1])


def _plot(name: str) -> pyqtgraph.PlotWidget:
    plot = pyqtgraph.PlotWidget()
    plot.setMouseEnabled(x=False, y=False)
    plot.setMenuEnabled(False)
    plot.hideButtons()
    plot.setAccessibleName(name)
    plot.getAxis("left").setWidth(_AXIS_PX)
    for name in ("left", "bottom"):
        plot.getAxis(name).enableAutoSIPrefix(False)
    plot.showGrid(x=True, y=True, alpha=0.25)
    return plot
