"""Where panels, their legends and axes lie in the widget."""

from collections.abc import Hashable

from PyQt5.QtCore import QRectF, QSize
from PyQt5.QtGui import QFontMetricsF

from blitz.ui.plots.panel import LABEL_GAP, Panel
from blitz.ui.plots.unit_axes import PanelPlan
from blitz.ui.theme import SPACE

LEAST_PANEL = 76
"""Panels are at least so high, with their legend; more of them than fit are scrolled through."""
_LEAST_LEFT = 48.0
_LEAST_RIGHT = 16.0
_STEP = 8.0
"""Axes widen by steps: a plot that shifts with every digit cannot be read."""


class PanelLayout:
    """Value axes of one width, time axes of one length."""

    def __init__(self) -> None:
        self._left = _LEAST_LEFT
        self._right = _LEAST_RIGHT
        self._axes: tuple[object, ...] = ()
        self._arranged: object = None

    def room(self, height: int, plans: int, metrics: QFontMetricsF) -> int:
        """Return how many panels are in view."""
        return max(1, min(plans, int((height - time_row(metrics) - SPACE) // LEAST_PANEL)))

    def arrange(
        self,
        panels: tuple[Panel, ...],
        plans: tuple[PanelPlan, ...],
        size: QSize,
        values: dict[Hashable, str],
        metrics: QFontMetricsF,
    ) -> None:
        """Place panels for their plans; nothing is done where nothing changed that it depends on.

        :param values: what the legends write beside the names.
        """
        axes = tuple(axis.key for plan in plans for axis in plan.axes)
        if axes != self._axes:
            self._axes, self._left, self._right = axes, _LEAST_LEFT, _LEAST_RIGHT
        for panel in panels:
            for side, is_right in zip(panel.sides, (False, True), strict=False):
                width = side.label_width(panel.area, metrics) + LABEL_GAP + SPACE
                width = -(-width // _STEP) * _STEP
                if is_right:
                    self._right = max(self._right, width)
                else:
                    self._left = max(self._left, width)
        grew = [panel.legend.show_values(values, metrics) for panel in panels]
        listed = tuple((curve.key, curve.label, curve.is_off) for plan in plans for curve in plan.listed)
        depends = (axes, listed, len(panels), size.width(), size.height(), self._left, self._right, metrics.height())
        if depends != self._arranged or any(grew):
            self._arranged = depends
            self._place(panels, plans, size, metrics)

    def _place(
        self, panels: tuple[Panel, ...], plans: tuple[PanelPlan, ...], size: QSize, metrics: QFontMetricsF
    ) -> None:
        width = max(32.0, size.width() - self._left - self._right)
        lines = 1 if len(plans) > 3 else 2 if size.height() < 500 else 3
        strips = [panel.legend.arrange(self._left, 0, width, lines, metrics) for panel in panels]
        room = max(16.0 * len(panels), size.height() - time_row(metrics) - SPACE - sum(strips))
        # The first of few panels holds most of the curves, laid over each other.
        weights = [2.0 if len(plan.axes) > 1 else 1.0 for plan in plans[: len(panels)]]
        top = SPACE / 2
        for panel, strip, weight in zip(panels, strips, weights, strict=True):
            height = room * weight / sum(weights)
            panel.strip = QRectF(0, top, size.width(), strip)
            panel.legend.arrange(self._left, top, width, lines, metrics)
            panel.area = QRectF(self._left, round(top + strip), width, round(height))
            top += strip + height


def time_row(metrics: QFontMetricsF) -> float:
    """Return how high the labels of the time axis are, with the room around them."""
    return metrics.height() + 12.0
