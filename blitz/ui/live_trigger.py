"""What the live view shows as an oscilloscope does: the last times that a channel passed a level. Knows no widget."""

from collections import deque
from dataclasses import replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import TYPICAL_STEPS
from blitz.data.triggers import TriggerFinder
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.plots.curves import value_limits
from blitz.ui.triggered import MOST_SWEEPS, Sweep, TriggerWish, cut_sweep

_PATIENCE = 3.0
"""So many lengths of the picture without a trigger, a second at least: then Auto shows what there is."""
_LOOKED_AT = 1 << 14
"""Of the newest readings, to find the middle between the smallest and the largest."""
_STEPS = 1 << 10
"""Of the newest readings, to know how long a gap is."""
_FEWEST_STEPS = 16


class Mode(Enum):
    """When something is drawn."""

    AUTO = "Auto"
    """With each trigger, and where none comes, what there is."""
    NORMAL = "Normal"
    """With each trigger, and nothing else."""
    SINGLE = "Single"
    """With the next trigger; then it stands still."""


class LiveTrigger:
    """Follows one channel of a live store."""

    def __init__(self, store: LiveStore) -> None:
        self._store = store
        self.channel: LiveChannel | None = None
        self.wish = TriggerWish()
        self.mode = Mode.AUTO
        self.level: float | None = None
        """The level in force; None until there is a reading to tell the middle."""
        self.sweeps: deque[Sweep] = deque(maxlen=MOST_SWEEPS)
        """Oldest first."""
        self.count = 0
        """How many triggers there have been."""
        self.is_free = False
        """Whether what is shown is what there is, without a trigger."""
        self.is_held = False
        """Whether a single trigger has come: nothing is looked for until :meth:`arm`."""
        self._finder: TriggerFinder | None = None
        self._session_id: int | None = None
        self._place = 0
        self._since_ns = 0
        self._pending: list[int] = []

    @property
    def hysteresis(self) -> float | None:
        """The hysteresis in force; None until there is a reading to tell it."""
        return self.wish.hysteresis if self._finder is None else self._finder.trigger.hysteresis

    def choose(self, channel: LiveChannel | None, wish: TriggerWish, mode: Mode) -> None:
        """Look for something else, or in another way; begins anew with the readings that come from now on."""
        self.channel, self.wish, self.mode = channel, wish, mode
        self.arm()

    def arm(self) -> None:
        """Begin anew with the readings that come from now on."""
        self.sweeps.clear()
        self.count = 0
        self.is_free = self.is_held = False
        self._pending = []
        self._finder, self.level = None, self.wish.level
        if self.channel is not None:
            time_ns, _, first = self._store.column(self.channel.source.index, self.channel.column)
            self._place = first + len(time_ns)
            self._since_ns = int(time_ns[-1]) if len(time_ns) else 0
        self._session_id = self._store.session_id

    def update(self) -> bool:
        """Look at what has come; returns whether something else is to be shown."""
        if self.channel is None:
            return False
        if self._session_id != self._store.session_id:
            self.arm()
        time_ns, values, first = self._store.column(self.channel.source.index, self.channel.column)
        if first + len(time_ns) < self._place:  # the source began anew
            self.arm()
            return True
        begin = max(self._place - first, 0)
        if self.is_held or begin >= len(time_ns):
            return False
        self._since_ns = self._since_ns or int(time_ns[begin])
        if self._finder is None and not self._set_level(values):
            return False
        assert self._finder is not None
        self._finder.trigger = replace(self._finder.trigger, max_gap_s=_longest_gap_s(time_ns))
        found = self._finder.add(time_ns[begin:], values[begin:])
        self._place = first + len(time_ns)
        self.count += len(found)
        self._pending += found[-MOST_SWEEPS:].tolist()
        return self._take_whole(time_ns, values) or self._run_free(time_ns, values)

    def _set_level(self, values: NDArray[np.float64]) -> bool:
        """Take a level from what has come; returns whether there is one."""
        limits = value_limits([values[-_LOOKED_AT:]])
        if limits is None:
            return False
        trigger = self.wish.trigger(limits)
        if self._finder is None or trigger != replace(self._finder.trigger, max_gap_s=None):
            self._finder, self.level = TriggerFinder(trigger), trigger.level
        return True

    def _take_whole(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bool:
        """Cut out what was around triggers whose end has come."""
        latest = int(time_ns[-1]) - round(self.wish.after_s * 1e9)
        whole = [at_ns for at_ns in self._pending if at_ns <= latest]
        if not whole:
            return False
        self._pending = [at_ns for at_ns in self._pending if at_ns > latest]
        if self.is_free:
            self.sweeps.clear()
            self.is_free = False
        if self.mode is Mode.SINGLE:
            whole, self._pending, self.is_held, self.count = whole[:1], [], True, 1
        for at_ns in whole[-MOST_SWEEPS:]:
            self.sweeps.append(cut_sweep(time_ns, values, at_ns, self.wish))
        self._since_ns = int(time_ns[-1])
        return True

    def _run_free(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> bool:
        """Without a trigger for long, show what there is, and look for the middle again."""
        length_s = self.wish.before_s + self.wish.after_s
        newest = int(time_ns[-1])
        if newest - self._since_ns < max(_PATIENCE * length_s, 1.0) * 1e9:
            return False
        self._set_level(values)
        if self.mode is not Mode.AUTO:
            return False
        self.is_free = True
        self.sweeps.clear()
        self.sweeps.append(cut_sweep(time_ns, values, newest - round(self.wish.after_s * 1e9), self.wish))
        return True


def _longest_gap_s(time_ns: NDArray[np.int64]) -> float | None:
    """Return how far apart two readings may be for a level to be passed between them; None while nobody knows."""
    steps = np.diff(time_ns[-_STEPS:])
    steps = steps[steps > 0]
    return TYPICAL_STEPS * float(np.median(steps)) / 1e9 if len(steps) >= _FEWEST_STEPS else None
