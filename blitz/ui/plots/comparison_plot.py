"""The plot of several sessions, laid upon each other: times are seconds since their moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtGui import QKeyEvent

from blitz.data.database_client import DatabaseClient
from blitz.data.session_differences import Tolerance
from blitz.ui.comparison import MOST_SESSIONS, PART_MESSAGES, Comparison, Member
from blitz.ui.comparison_differences import Difference, difference_between
from blitz.ui.plots.curves import Curve
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.view_loader import ViewLoader

DIFFERENCE = "difference"
"""The panel of differences."""


@dataclass(frozen=True, eq=False)
class ComparisonView:
    """What is drawn of a comparison.

    :param names: of its members, in their order.
    :param labels: the channels that are drawn.
    :param hidden_ids: sessions that are not drawn.
    :param differences: those that are known, by their keys; drawn where ``has_differences`` says so.
    """

    comparison: Comparison
    names: tuple[str, ...]
    reference_id: int
    labels: tuple[str, ...] = ()
    hidden_ids: frozenset[int] = frozenset()
    differences: Mapping[tuple[int, int, str], Difference] = field(default_factory=dict)
    tolerance: Tolerance = field(default_factory=Tolerance)
    is_stacked: bool = False
    has_differences: bool = True

    @property
    def reference(self) -> Member:
        """The session that the others are compared with."""
        return next(member for member in self.comparison.members if member.session_id == self.reference_id)

    def shown(self) -> list[tuple[int, Member]]:
        """Return the members that are drawn, with their places; the reference first."""
        drawn = [
            (place, member)
            for place, member in enumerate(self.comparison.members)
            if member.zero_ns is not None and member.session_id not in self.hidden_ids
        ]
        return sorted(drawn, key=lambda entry: entry[1].session_id != self.reference_id)


class ComparisonPlot(PlotPanels):
    """Draws anew what is in view, in a thread where that takes time; Home shows all of it."""

    def __init__(self, view: ComparisonView) -> None:
        super().__init__()
        self.view = view
        self.set_origin(0.0)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(15)
        self._redraw.timeout.connect(self.draw_now)
        self._loader = ViewLoader(self)
        self._loader.loaded.connect(self._take_curves)
        self._loader.failed.connect(self.show_sentence)
        self.destroyed.connect(view.comparison.close)
        self.resized.connect(self._redraw.start)
        self.moved.connect(self._redraw.start)
        self._limit()
        self.fit()

    def show_view(self, view: ComparisonView) -> None:
        """Draw something else of the comparison, or the same sessions aligned at another moment."""
        is_moved = view.comparison is not self.view.comparison
        self.view = view
        if is_moved:
            self._limit()
            self.fit()
        self._redraw.start()

    def fit(self) -> None:
        """Show all of all sessions."""
        low, high = time_limits(self.view)
        margin = (high - low) * 0.01
        self.choose_times(low - margin, high + margin)

    def draw_now(self) -> None:
        """Draw what is in view: at once, or as soon as it has been read."""
        view, (low, high), columns = self.view, self.time_range, self.columns
        is_quick = all(member.history.is_quick for member in view.comparison.members)
        if is_quick and not any(difference.is_thinned for difference in view.differences.values()):
            self._take_curves(view_curves(view, low, high, columns))
        else:
            self._loader.ask(lambda: view_curves(view, low, high, columns))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show all at Home."""
        if event.key() == Qt.Key_Home:
            self.fit()
        else:
            super().keyPressEvent(event)

    def _take_curves(self, curves: list[Curve]) -> None:
        self.show_sentence("" if curves else "No channel is chosen: tick one on the right.")
        self.draw(curves)

    def _limit(self) -> None:
        low, high = time_limits(self.view)
        margin = max((high - low) * 0.02, 0.05)
        self.limit_times(low - margin, high + margin)


def time_limits(view: ComparisonView) -> tuple[float, float]:
    """Return when the first session begins and the last one ends, in seconds since their moment."""
    found = []
    for member in view.comparison.members:
        limits = member.history.time_limits
        if limits is not None and member.zero_ns is not None:
            found.append((limits[0] - member.zero_ns / 1e9, limits[1] - member.zero_ns / 1e9))
    return (min(low for low, _ in found), max(high for _, high in found)) if found else (0.0, 1.0)


def view_curves(view: ComparisonView, low: float, high: float, columns: int) -> list[Curve]:
    """Return the curves of a view; in any thread.

    A session has a colour, a channel a dash; stacked, each channel has a panel of its own.
    """
    curves = []
    for place, member in view.shown():
        is_reference = member.session_id == view.reference_id
        for dash, label in enumerate(view.labels):
            name = view.names[place] if len(view.labels) == 1 else f"{view.names[place]} · {label}"
            for times, values in _member_curves(member, label, low, high, columns):
                curves.append(
                    Curve(
                        (member.session_id, label),
                        name,
                        _colour(place, 0 if view.is_stacked else dash),
                        times,
                        values,
                        unit=view.comparison.unit(label),
                        panel=label if view.is_stacked else "",
                        tolerance=(view.tolerance.absolute, view.tolerance.relative) if is_reference else (0.0, 0.0),
                    )
                )
    if view.has_differences:
        curves += _difference_curves(view, low, high)
    if view.is_stacked:  # a channel's differences stand below it
        order = {label: place for place, label in enumerate(view.labels)}
        curves.sort(key=lambda curve: order[curve.panel.removeprefix(f"{DIFFERENCE} ")])
    return curves


def _member_curves(
    member: Member, label: str, low: float, high: float, columns: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    assert member.zero_ns is not None
    zero_s = member.zero_ns / 1e9
    found = []
    for channel in member.channels(label):
        series = member.history.between(channel.source.index, low + zero_s, high + zero_s, columns)
        if series is not None and channel.column < series.values.shape[1]:
            found.append((series.times - zero_s, series.values[:, channel.column]))
    return found


def _difference_curves(view: ComparisonView, low: float, high: float) -> list[Curve]:
    curves = []
    absolute = view.tolerance.absolute if not view.tolerance.relative else 0.0
    names = dict(zip(view.comparison.session_ids, view.names, strict=True))
    for place, member in view.shown():
        for dash, label in enumerate(view.labels):
            known = view.differences.get((member.session_id, view.reference_id, label))
            if known is None:
                continue
            times, values = _difference_points(view, member, known, low, high)
            few = len(names) <= 2
            what = f"{names[member.session_id]} − {names[view.reference_id] if few else 'reference'}"
            curves.append(
                Curve(
                    (DIFFERENCE, *known.key),
                    what if len(view.labels) == 1 else f"{what} · {label}",
                    _colour(place, 0 if view.is_stacked else dash),
                    times,
                    values,
                    limits=(-absolute, absolute) if absolute else (None, None),
                    unit=f"Δ {view.comparison.unit(label)}".rstrip(),
                    panel=f"{DIFFERENCE} {label}" if view.is_stacked else DIFFERENCE,
                )
            )
    return curves


def _difference_points(
    view: ComparisonView, member: Member, known: Difference, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a view shows of differences: those of a long session are read anew where the view is short."""
    if known.is_thinned and len(known.times):
        share = (high - low) / max(float(known.times[-1] - known.times[0]), 1e-9)
        longest = max(each.history.record.message_count for each in (member, view.reference))
        if share * longest <= PART_MESSAGES:
            with DatabaseClient(path=view.comparison.place) as cache:
                return difference_between(cache, member, view.reference, known, low, high)
    first = max(int(np.searchsorted(known.times, low)) - 1, 0)
    part = slice(first, int(np.searchsorted(known.times, high, "right")) + 1)
    return known.times[part], known.values[part]


def _colour(place: int, dash: int) -> int:
    """Return the place in the order of colours that has a session's colour and a channel's dash."""
    return place % MOST_SESSIONS + MOST_SESSIONS * dash
