"""Holes in the numbers that a device counts its messages with. Pure."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.hole import Hole

_MOST_REPEATED = 256
"""A board sends its ring again: 20 to 180 messages."""

_MOST_ANEW = 1024
"""A board that began anew is noticed before it has sent more."""

_FARTHEST = 1 << 31
"""A step of a count without end; a larger one is no step."""

_LIKELY = 64
_ENOUGH = 8
_MEMORY = 1024


class Restart(NamedTuple):
    """A place where a device's numbers began anew: they do not tell what is missing there.

    :param seq: the first message of the new numbers.
    :param from_ns: time of the last message before it.
    :param to_ns: its time.
    """

    seq: int
    from_ns: int
    to_ns: int


class NumberHoles:
    """Follows the numbers of one source.

    What does not count up by one in most of the last messages, or in a tenth of them while it only rises, is no
    message number: nothing is found then.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.duplicates = 0
        self.restarts = 0
        self.restarted: list[Restart] = []
        """Where the numbers began anew among the messages that were examined last."""
        self._last: int | None = None
        self._last_time_ns = 0
        self._unread = 0
        self._behind = 0
        self._steps = 0
        self._ones = 0
        self._forward = 0

    @property
    def are_counting(self) -> bool:
        """Whether the numbers are a count of messages."""
        # Of a source that loses more than it delivers a tenth is enough, as long as its numbers only rise.
        only_rises = self._forward * 10 >= self._steps * 9 and self._ones * 10 >= self._steps
        return self._steps >= _ENOUGH and (only_rises or self._ones * 2 > self._steps)

    def examine(
        self,
        seq: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        numbers: NDArray[np.int64],
        modulo: int | None,
        is_restart: NDArray[np.bool_] | None,
        period_ns: int | None,
    ) -> list[Hole]:
        """Find the holes before these messages.

        :param period_ns: the usual time between two messages: tells how often a short counter went round.
        """
        self.restarted = []
        rows = np.flatnonzero(numbers >= 0)
        if not len(rows):
            self._unread += len(numbers)
            return []
        # A message whose number cannot be read is there: it is taken for the one whose number is missing.
        counts = np.diff(rows, prepend=-1 - self._unread)
        self._unread = len(numbers) - 1 - int(rows[-1])
        values = numbers[rows]
        if self._last is None:
            self._last, self._last_time_ns = int(values[0]) - 1, int(time_ns[rows[0]])
            counts[0] = 1
        steps = np.diff(values, prepend=self._last)
        if modulo:
            steps %= modulo
        # A number that went on by less than there are messages: those that cannot be read were none.
        is_odd = (steps != counts) & ((steps <= 0) | (steps > counts))
        if is_restart is not None:
            is_odd |= is_restart[rows]
        odd = np.flatnonzero(is_odd)
        most = modulo // 2 if modulo else _FARTHEST
        self._note(len(steps), len(steps) - len(odd), int(np.count_nonzero((steps > 0) & (steps <= most))))
        found: list[Hole] = []
        if not self.are_counting:
            self._behind = 0
        else:
            steps = steps - counts + 1
            found = self._judge(rows, odd, seq, time_ns, numbers, steps, modulo, is_restart, period_ns)
        self._last, self._last_time_ns = int(values[-1]), int(time_ns[rows[-1]])
        return found

    def _note(self, steps: int, ones: int, forward: int) -> None:
        self._steps += steps
        self._ones += ones
        self._forward += forward
        if self._steps > _MEMORY:
            self._ones = self._ones * _MEMORY // self._steps
            self._forward = self._forward * _MEMORY // self._steps
            self._steps = _MEMORY

    def _judge(
        self,
        rows: NDArray[np.int64],
        odd: NDArray[np.int64],
        seq: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        numbers: NDArray[np.int64],
        steps: NDArray[np.int64],
        modulo: int | None,
        is_restart: NDArray[np.bool_] | None,
        period_ns: int | None,
    ) -> list[Hole]:
        found = []
        done = 0
        for place in odd.tolist():
            self._count_on(place - done)
            row = int(rows[place])
            before_ns = int(time_ns[rows[place - 1]]) if place else self._last_time_ns
            elapsed = (int(time_ns[row]) - before_ns) / period_ns if period_ns else None
            step = _signed_step(int(steps[place]), int(numbers[row]), modulo, elapsed)
            if step is None or (is_restart is not None and is_restart[row]):
                self.restarts += 1
                self._behind = 0
                if step != 1:  # a counter that outlives the clock has gone on
                    self.restarted.append(Restart(int(seq[row]), before_ns, int(time_ns[row])))
            elif step > self._behind:
                lost = step - self._behind - 1
                self._behind = 0
                if lost:
                    self.lost += lost
                    found.append(Hole(int(seq[row]), before_ns, int(time_ns[row]), lost, "numbers"))
            else:
                self._behind -= step
                self.duplicates += 1
            done = place + 1
        self._count_on(len(rows) - done)
        return found

    def _count_on(self, count: int) -> None:
        """Count messages whose numbers go up by one: as long as they are behind the highest, they were there before."""
        repeated = min(count, self._behind)
        self.duplicates += repeated
        self._behind -= repeated


def _signed_step(step: int, number: int, modulo: int | None, elapsed: float | None) -> int | None:
    """Tell by how much the number went on or back; None where it began anew.

    :param step: as found, 0 to ``modulo`` - 1, or negative where there is no modulo.
    :param number: where it is now.
    :param elapsed: how many periods lie between the two messages, if that is known.
    """
    if not modulo:
        return step if step >= 0 or (number > 1 and step >= -_MOST_REPEATED) else None
    if elapsed is not None and elapsed > modulo / 2:
        return step + modulo * max(round((elapsed - step) / modulo), 0)
    went_back = step > number
    back = modulo - step
    if went_back and number <= 1 and step > _LIKELY:
        return None
    if step > 0 and back <= min(_MOST_REPEATED, modulo // 4):
        return -back
    # So many at once, no time for them, and a small number now: it did not count on.
    is_anew = went_back and number <= min(_MOST_ANEW, modulo // 4) and step > 4 * (elapsed or 0) + _LIKELY
    return None if is_anew else step
