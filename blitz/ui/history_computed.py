"""Computed channels of a historic session: computed in a thread, of every reading, then among its own ones."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.computed import ComputedChannel
from blitz.data.computed_formulas import written_out
from blitz.data.series import Series
from blitz.errors import BlitzError
from blitz.ui.analysis import MOST_VALUES, NotWantedError, Stretch
from blitz.ui.computed_channels import computed_source, missing_words
from blitz.ui.history import History
from blitz.ui.live_store import LiveChannel, list_channels
from blitz.ui.view_loader import ViewLoader


@dataclass(frozen=True, eq=False)
class Computed:
    """What came of it.

    :param channels: as they stand in the list.
    :param series: by the row of the source table that they stand in.
    :param remarks: why one is not there, or not whole.
    """

    channels: tuple[LiveChannel, ...]
    series: dict[int, Series]
    remarks: tuple[str, ...] = ()


class HistoryComputed(QObject):
    """Computes for one page; what is under way is given up when others are wanted."""

    found = pyqtSignal(object)
    """Computed"""

    def __init__(self, history: History, parent: QObject) -> None:
        super().__init__(parent)
        self._history = history
        self._cancelled = threading.Event()
        parent.destroyed.connect(lambda: self._cancelled.set())
        self._loader = ViewLoader(self)
        self._loader.loaded.connect(lambda found: None if found is None else self.found.emit(found))

    def compute(self, channels: Iterable[ComputedChannel]) -> None:
        """Compute these, and forget those before."""
        self.give_up()
        self._cancelled = threading.Event()
        self._loader.ask(partial(_answer, self._history, tuple(channels), self._cancelled))

    def give_up(self) -> None:
        """Compute no further."""
        self._cancelled.set()


def compute_channels(history: History, wanted: Iterable[ComputedChannel], stretch: Stretch) -> Computed:
    """Compute channels of a session, those that fit it; in any thread."""
    known = {channel.label: channel for channel in history.channels}
    sources, series, remarks = [], {}, []
    there = list(wanted)
    for row, kept in enumerate(there):
        try:
            computed = written_out(kept, there, known)
            if missing_words(computed, known):
                continue
            held = stretch.series([known[label] for label in computed.channels], MOST_VALUES)
            found = computed(held.series)
        except NotWantedError:
            raise
        except BlitzError as error:
            words = str(error)
            remarks.append(words if kept.label in words else f"{kept.label}: {words}")
            continue
        source = computed_source(row, kept)
        sources.append(source)
        series[source.index] = found
        remarks += [f"{computed.label}: {remark}" for remark in held.remarks]
    return Computed(list_channels(sources), series, tuple(remarks))


def _answer(history: History, wanted: tuple[ComputedChannel, ...], cancelled: threading.Event) -> Computed | None:
    limits = history.time_limits
    if limits is None:
        return None
    try:
        return compute_channels(history, wanted, Stretch(history, *limits, cancelled.is_set))
    except NotWantedError:
        return None
