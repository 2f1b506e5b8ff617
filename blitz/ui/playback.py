"""Plays a session of the cache by its own times, at any speed. Knows no widget.

A thread reads ahead, a few blocks; a timer in the GUI thread hands on what has arrived by the tape's clock. Where
reading cannot keep up, the clock waits for it: nothing is left out, and no more is kept than a few blocks.
"""

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from PyQt5.QtCore import QObject, QTimer, pyqtSignal

from blitz.data.session_tape import SessionTape, Stretch
from blitz.errors import BlitzError

BACK_MESSAGES = 60_000
"""So many before the place that was asked for are played at once, to fill the plot."""
AS_FAST_AS_CAN_BE = math.inf
SLOWEST, FASTEST = 0.1, 1000.0
_TICK_MS = 33
_BUDGET_S = 0.02
"""Of a tick: the rest of the time is for drawing, and for the operator."""
_MEASURED_S = 0.8
_AHEAD = 4
_WAIT_S = 0.2


class TapeReader(threading.Thread):
    """Reads a tape from a time on into a short queue; ends with None, or with the error that it met.

    :param at_ns: the time that is wanted; reading begins :data:`BACK_MESSAGES` before it.
    """

    def __init__(self, tape: SessionTape, at_ns: int) -> None:
        super().__init__(name="blitz playback", daemon=True)
        self._tape = tape
        self._at_ns = at_ns
        self._queue: queue.Queue[Stretch | BlitzError | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Read until the end, or until somebody stops it."""
        try:
            first = max(self._tape.seq_at(self._at_ns) - BACK_MESSAGES, 0)
            for stretch in self._tape.play(first):
                if not self._put(stretch):
                    return
            self._put(None)
        except BlitzError as error:
            self._put(error)

    def take(self) -> Stretch | BlitzError | None:
        """Return what comes next.

        :raises queue.Empty: if it has not been read yet.
        """
        return self._queue.get_nowait()

    def stop(self) -> None:
        """End it, and wait for that."""
        self._stopped.set()
        self.join()

    def _put(self, entry: Stretch | BlitzError | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=_WAIT_S)
            except queue.Full:
                continue
            return True
        return False


class Player(QObject):
    """Paused at the session's start at first; everything is called in the GUI thread.

    :param clock: of intervals, in seconds.
    """

    restarted = pyqtSignal()
    """What was played is to be forgotten: it goes on at another place."""
    played = pyqtSignal(object)
    """Stretch that has just arrived by the tape's clock"""
    changed = pyqtSignal()
    """It is at another place, plays or pauses, has another speed."""
    failed = pyqtSignal(str)
    """Why it cannot go on."""

    def __init__(
        self, tape: SessionTape, parent: QObject | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(parent)
        self.tape = tape
        self.speed = 1.0
        """Seconds of the session a second."""
        self.is_playing = False
        self.reached = 0.0
        """Seconds of the session that passed a second, measured over the last one; 0 before there was one."""
        self._clock = clock
        self._at_ns = tape.first_ns
        self._pending: Stretch | None = None
        self._is_read = False
        self._last_tick_s = clock()
        self._passed: deque[tuple[float, int]] = deque()
        self._reader = self._start_reader()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.tick)
        self._timer.start(_TICK_MS)

    @property
    def at_s(self) -> float:
        """Where it is, in seconds since the Unix epoch, by the session's clock."""
        return self._at_ns / 1e9

    @property
    def at_ns(self) -> int:
        """The same, exactly, in nanoseconds."""
        return self._at_ns

    @property
    def passed_s(self) -> float:
        """Where it is, in seconds since the session's first message."""
        return (self._at_ns - self.tape.first_ns) / 1e9

    @property
    def length_s(self) -> float:
        """From the first message to the last one."""
        return (self.tape.last_ns - self.tape.first_ns) / 1e9

    @property
    def is_at_end(self) -> bool:
        """Whether all has been played."""
        return self._is_read and self._pending is None and self._at_ns >= self.tape.last_ns

    def play(self) -> None:
        """Go on; from the end, from the start again."""
        if self.is_at_end:
            self.seek(0.0)
        self._turn(is_playing=True)

    def pause(self) -> None:
        """Stand still."""
        self._turn(is_playing=False)

    def toggle(self) -> None:
        """Go on, or stand still."""
        (self.pause if self.is_playing else self.play)()

    def choose_speed(self, speed: float) -> None:
        """Play at another speed.

        :param speed: seconds of the session a second, 0.1 to 1000, or :data:`AS_FAST_AS_CAN_BE`.
        """
        self.speed = speed if speed == AS_FAST_AS_CAN_BE else min(max(speed, SLOWEST), FASTEST)
        self._passed.clear()
        self.changed.emit()

    def seek(self, passed_s: float) -> None:
        """Go to another place, and on from there as before.

        :param passed_s: seconds since the first message; the nearest place that there is counts.
        """
        at_ns = self.tape.first_ns + round(min(max(passed_s, 0.0), self.length_s) * 1e9)
        self._reader.stop()
        self._at_ns = at_ns
        self._pending, self._is_read = None, False
        self._passed.clear()
        self._last_tick_s = self._clock()
        self.restarted.emit()
        self._reader = self._start_reader()
        self.changed.emit()

    def step(self, seconds: float) -> None:
        """Go on, or back, by some seconds of the session."""
        self.seek(self.passed_s + seconds)

    def close(self) -> None:
        """End its thread."""
        self._timer.stop()
        self._reader.stop()

    def tick(self) -> None:
        """Hand on what has arrived since the last tick."""
        now_s = self._clock()
        elapsed_s, self._last_tick_s = now_s - self._last_tick_s, now_s
        before_ns = target_ns = self._at_ns
        if self.is_playing:
            is_bounded = self.speed != AS_FAST_AS_CAN_BE
            target_ns = before_ns + round(elapsed_s * self.speed * 1e9) if is_bounded else self.tape.last_ns
        known_ns = self._hand_on(min(target_ns, self.tape.last_ns), now_s + _BUDGET_S)
        self._at_ns = max(before_ns, known_ns)
        if self.is_playing:
            self._measure(now_s)
            if self.is_at_end:
                self.is_playing = False
            self.changed.emit()

    def _hand_on(self, target_ns: int, until_s: float) -> int:
        """Hand on what had arrived by a time; returns up to which time all of it was."""
        known_ns = self._at_ns
        while True:
            if self._pending is None:
                if self._is_read:
                    return target_ns
                try:
                    entry = self._reader.take()
                except queue.Empty:
                    return known_ns
                if entry is None:
                    self._is_read = True
                    continue
                if isinstance(entry, BlitzError):
                    self._is_read = True
                    self.failed.emit(str(entry))
                    return known_ns
                self._pending = entry
            arrived, self._pending = self._pending.cut(target_ns)
            if arrived is not None:
                known_ns = max(known_ns, int(arrived.block.arrived_ns[-1]))
                self.played.emit(arrived)
            if self._pending is not None:
                return target_ns
            if self._clock() >= until_s:
                return known_ns

    def _measure(self, now_s: float) -> None:
        self._passed.append((now_s, self._at_ns))
        while len(self._passed) > 2 and now_s - self._passed[0][0] > 1.0:
            self._passed.popleft()
        (first_s, first_ns), (last_s, last_ns) = self._passed[0], self._passed[-1]
        is_long = last_s - first_s >= _MEASURED_S
        self.reached = (last_ns - first_ns) / 1e9 / (last_s - first_s) if is_long else 0.0

    def _turn(self, *, is_playing: bool) -> None:
        self.is_playing = is_playing
        self._last_tick_s = self._clock()
        self._passed.clear()
        self.changed.emit()

    def _start_reader(self) -> TapeReader:
        reader = TapeReader(self.tape, self._at_ns)
        reader.start()
        return reader
