"""A recorded session under the live plot: choosing it, watching whether the live one leaves it, making alarms of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QObject, QTimer
from PyQt5.QtWidgets import QMessageBox

from blitz.data.alarm_condition import MOST_REFERENCE_POINTS, ReferenceCondition
from blitz.data.alarm_rule import AlarmRule
from blitz.data.records import Role
from blitz.data.session_moments import AtMarker
from blitz.errors import DownloadCancelled
from blitz.ui.alarm_view import AddRule
from blitz.ui.comparison import is_comparable
from blitz.ui.comparison_actions import session_words
from blitz.ui.dialogs.reference import ReferenceDialog, ReferenceWish
from blitz.ui.feed import RequestFailure
from blitz.ui.formats import format_age
from blitz.ui.history import load_history
from blitz.ui.lines import Series
from blitz.ui.live_reference import LiveReference, ReferenceLine, make_reference
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.curves import Curve

if TYPE_CHECKING:
    from blitz.ui.main_window import MainWindow

WATCH_MS = 200
_NAME_LENGTH = 80
_FEW = 256
ABOVE, BELOW = "▲ above the reference", "▼ below the reference"


@dataclass
class _Watch:
    """What was seen of a channel since the reference lies there."""

    now: int = 0
    """1 above, -1 below, 0 within."""
    outside: int = 0
    """How many readings were."""
    last_s: float = -np.inf
    """When the last of them was."""

    def add(self, times: NDArray[np.float64], sides: NDArray[np.int8]) -> None:
        """Take over newer readings."""
        self.now = int(sides[-1])
        if sides.any():
            self.outside += int(np.count_nonzero(sides))
            self.last_s = float(times[np.flatnonzero(sides)[-1]])


class ReferenceActions(QObject):
    """Belongs to the window; one session lies under the live plot at a time."""

    def __init__(self, window: "MainWindow") -> None:
        super().__init__(window)
        self._window = window
        self._wish: ReferenceWish | None = None
        self._chosen_s: float | None = None
        self._watched: dict[str, _Watch] = {}
        self._until_s: dict[int, float] = {}
        self._session_id: int | None = None
        self.reference: LiveReference | None = None
        plot, bar = window.live_page.plot, window.live_page.reference
        plot.underlay = self.curves
        plot.remark = self.remark
        bar.change_clicked.connect(lambda: self.ask(None))
        bar.alarm_clicked.connect(self.ask_for_alarms)
        bar.remove_clicked.connect(self.remove)
        window.sessions_page.reference_requested.connect(self.ask)
        self._timer = QTimer(self)
        self._timer.setInterval(WATCH_MS)
        self._timer.timeout.connect(self.watch)

    def ask(self, session_id: int | None = None) -> None:
        """Let the operator choose.

        :param session_id: what is proposed; None: what lies there, else the last session.
        """
        window = self._window
        records = [record for record in window.sessions_page.sessions.records if is_comparable(record)]
        if not records:
            window.notices.tell("info", "There is no session yet that could be a reference.")
            return
        before = self._wish
        if session_id is not None:
            records.sort(key=lambda record: record.id != session_id)
            before = None if before is None or before.session_id != session_id else before
        dialog = ReferenceDialog(records, session_words, before, window)
        dialog.accepted.connect(lambda: self.lay_under(dialog.wish))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def lay_under(self, wish: ReferenceWish) -> None:
        """Lay a session under the live plot, as soon as it is here."""
        self._window.session_actions.when_here(wish.session_id, lambda _: self._load(wish))

    def remove(self) -> None:
        """Show the live curves alone."""
        self.reference = None
        self._timer.stop()
        self._show()

    def curves(self, low: float, high: float) -> list[Curve]:
        """Return what lies under the live curves in a view, in seconds since the Unix epoch."""
        reference, zero_s = self.reference, self._zero_s()
        if reference is None or zero_s is None:
            return []
        variables = self._window.live_page.variables
        found = (
            reference.curve(channel.label, channel.channel.unit, variables.colour_index(channel), zero_s, low, high)
            for channel in variables.shown_channels
        )
        return [curve for curve in found if curve is not None]

    def remark(self, channel: LiveChannel) -> str:
        """Return what the legend says of a channel beside its value."""
        watch = self._watched.get(channel.label)
        if self.reference is None or watch is None or not watch.outside:
            return ""
        if watch.now:
            return ABOVE if watch.now > 0 else BELOW
        newest_s = self._window.store.newest_time() or watch.last_s
        return f"was outside {format_age(newest_s - watch.last_s)} ago"

    def watch(self) -> None:
        """Look at the readings that have come since the last time, every one of them."""
        reference, store = self.reference, self._window.store
        if store.session_id != self._session_id:  # another session begins at another moment
            self._session_id = store.session_id
            self._forget()
        zero_s = self._zero_s()
        self._window.live_page.reference.show_state(self._state_words(zero_s))
        if reference is None or zero_s is None:
            return
        for source in store.sources:
            new = self._new_readings(source.index)
            for channel in store.channels if len(new.times) else ():
                if channel.source.index == source.index and channel.label in reference.lines:
                    sides = reference.outside(channel.label, new.times - zero_s, new.values[:, channel.column])
                    self._watched.setdefault(channel.label, _Watch()).add(new.times, sides)
                    self._window.live_page.plot.tell_values()

    def _state_words(self, zero_s: float | None) -> str:
        """Say why nothing of the reference is under what is shown; empty where something is."""
        reference, newest_s = self.reference, self._window.store.newest_time()
        if reference is None:
            return ""
        if zero_s is None:
            return (
                "It begins at that marker." if isinstance(reference.align, AtMarker) else "It begins with the values."
            )
        shown = (channel.label for channel in self._window.live_page.variables.shown_channels)
        ends_s = [line.times[-1] for label in shown if (line := reference.lines.get(label)) and len(line.times)]
        if not ends_s:
            return "It has none of the channels that are shown."
        return "It is over." if newest_s is not None and newest_s - zero_s > max(ends_s) else ""

    def _new_readings(self, source_index: int) -> Series:
        """Return what has come of a source since the last time, oldest first."""
        store, until_s = self._window.store, self._until_s.get(source_index, -np.inf)
        count, kept = _FEW, store.count(source_index)
        recent = store.last(source_index, count)
        while len(recent.times) and recent.times[0] > until_s and count < kept:
            count *= 4
            recent = store.last(source_index, count)
        first = int(recent.times.searchsorted(until_s, "right"))
        if len(recent.times):
            self._until_s[source_index] = float(recent.times[-1])
        return Series(recent.times[first:], recent.values[first:])

    def ask_for_alarms(self) -> None:
        """Ask whether the server is to tell when a channel that is shown leaves the band."""
        rules = self.rules()
        window = self._window
        if not rules:
            window.notices.tell("info", "No channel that is shown is in the reference, too.")
            return
        lines = "\n".join(rule.words() for rule in rules)
        text = f"Shall the server tell, in each session that is recorded, when\n\n{lines}?"
        box = QMessageBox(QMessageBox.Question, "Make an alarm of the reference", text, parent=window)
        make = box.addButton("&Make", QMessageBox.AcceptRole)
        box.addButton(QMessageBox.Cancel)

        def answer() -> None:
            if box.clickedButton() is make:
                for rule in rules:
                    window.feed.wish_alarm(AddRule(rule))
            box.deleteLater()

        box.finished.connect(answer)
        box.open()

    def rules(self) -> list[AlarmRule]:
        """Return an alarm for each channel that is shown and that the reference has."""
        reference = self.reference
        if reference is None or reference.tolerance.is_none:
            return []
        rules = []
        for channel in self._window.live_page.variables.shown_channels:
            line = reference.lines.get(channel.label)
            condition = None if line is None else alarm_condition(reference, line)
            if condition is not None:
                name = f"{channel.label} leaves {reference.title}"[:_NAME_LENGTH].strip()
                rules.append(
                    AlarmRule(name=name, source=channel.source.name, channel=channel.channel.name, condition=condition)
                )
        return rules

    def _forget(self) -> None:
        """Watch anew: something else lies there, or something else is followed."""
        self._watched.clear()
        self._until_s.clear()
        self._chosen_s = self._window.store.newest_time()

    def _zero_s(self) -> float | None:
        if self.reference is None:
            return None
        started_s = self._window.live_page.plot.start_s
        return self.reference.zero_s(self._chosen_s if started_s is None else started_s, self._window.store.markers)

    def _load(self, wish: ReferenceWish) -> None:
        path = self._window.feed.cache_path
        assert path is not None

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> LiveReference:
            history = load_history(path, wish.session_id, progress, is_cancelled)
            try:
                return make_reference(history, wish.align, wish.tolerance)
            finally:
                history.close()

        def take(reference: LiveReference) -> None:
            self._wish, self.reference = wish, reference
            self._session_id = self._window.store.session_id
            self._forget()
            self._timer.start()
            self._show()
            self._window.tabs.setCurrentWidget(self._window.live_page)

        job = self._window.jobs.run(f"Opening session {wish.session_id}", work)
        job.succeeded.connect(take)
        job.failed.connect(self._tell_failure)

    def _show(self) -> None:
        page, reference = self._window.live_page, self.reference
        refusal = page.refusal(Role.OPERATOR)
        if reference is not None and reference.tolerance.is_none:
            refusal = "Without a tolerance there is nothing to leave: choose one with Change…"
        page.reference.show_reference("" if reference is None else _words(reference), refusal)
        page.plot.redraw()

    def _tell_failure(self, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._window.notices.tell("info", str(error))
        else:
            failure = RequestFailure("The session does not lie under the live plot", error)
            self._window.notices.tell("error", failure.sentence)


def alarm_condition(reference: LiveReference, line: ReferenceLine) -> ReferenceCondition | None:
    """Return when a channel has left its reference, as the server keeps it: as many points as it takes.

    None where the reference has too little. Gaps of the reference stay gaps, as far as so many points can tell.
    """
    known = ~np.isnan(line.values)
    times, values = line.times[known], line.values[known]
    times, places = np.unique(times, return_index=True)
    values = values[places]
    if len(times) < 2:
        return None
    longest_s = line.longest_s
    if len(times) > MOST_REFERENCE_POINTS:
        wanted = np.linspace(times[0], times[-1], MOST_REFERENCE_POINTS)
        longest_s = max(longest_s, 1.5 * float(wanted[1] - wanted[0]))
        values, times = _thinned(times, values, wanted, longest_s)
    align, tolerance = reference.align, reference.tolerance
    return ReferenceCondition(
        longest_s=longest_s or None,
        times_s=tuple(times.tolist()),
        values=tuple(values.tolist()),
        absolute=tolerance.absolute or None,
        relative=tolerance.relative or None,
        align="marker" if isinstance(align, AtMarker) else "start",
        marker=align.text if isinstance(align, AtMarker) else "",
        session_id=reference.history.record.id,
    )


def _thinned(
    times: NDArray[np.float64], values: NDArray[np.float64], wanted: NDArray[np.float64], longest_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values at other times, and these, without those that lie within a gap."""
    behind = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    is_known = (times[behind] - times[behind - 1] <= longest_s) | (times[behind] == wanted)
    return np.interp(wanted, times, values)[is_known], wanted[is_known]


def _words(reference: LiveReference) -> str:
    tolerance = reference.tolerance
    parts = [f"±{tolerance.absolute:g}"] if tolerance.absolute else []
    parts += [f"±{100 * tolerance.relative:g} %"] if tolerance.relative else []
    where = f"at the marker “{reference.align.text}”" if isinstance(reference.align, AtMarker) else "from the start"
    return f"Reference: {reference.title}, {where}, {' or '.join(parts) or 'no tolerance'}"
