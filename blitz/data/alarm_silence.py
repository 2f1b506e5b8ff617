"""When a source says nothing for too long: its readings' time, its usual period, and gaps. Pure.

All that alarms count runs on a source's *inner* time: the readings' time, in which steps back count as none. So it
never falls, also where another session begins with another anchor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_condition import SHORTEST_SILENCE_S, USUAL_PERIODS

_SLOT_NS = 50_000_000
"""Messages of one read come at one time: what comes within so long counts as one arrival."""
_GROUP = 32
"""The usual period is the mean over so many arrivals, and changes when there are so many new ones."""
_GAPS_IN_A_ROW = 3
"""After so many the source is believed to have become slower."""
_SHORTEST_NS = round(SHORTEST_SILENCE_S * 1e9)


class Silence(NamedTuple):
    """Nothing came for too long before a reading."""

    at: int
    """Of the reading behind it."""
    due_ns: int
    """Inner time from which on it was too long."""


@dataclass(frozen=True, eq=False)
class Followed:
    """The inner times of some readings.

    :param inner_ns: int64, shape (n,), never falling.
    :param silences: before and among them, while the source is expected to deliver.
    :param last_ns: the inner time of the reading before them.
    """

    inner_ns: NDArray[np.int64]
    silences: list[Silence]
    last_ns: int | None
    _offset_ns: int
    _offsets_ns: NDArray[np.int64] | None

    def reading_time_ns(self, inner_ns: int, index: int, *, is_reading: bool) -> int:
        """Return an inner time as the readings have it.

        :param index: of the reading that it is of; or that it is before.
        """
        if self._offsets_ns is None:
            return inner_ns - self._offset_ns
        place = index if is_reading else index - 1
        return inner_ns - (self._offset_ns if place < 0 else int(self._offsets_ns[place]))


class SourceTime:
    """One source's inner time, followed from block to block.

    However the stream is cut, the same comes out.
    """

    def __init__(self) -> None:
        self.offset_ns = 0
        """Inner time minus the readings' time."""
        self.last_ns: int | None = None
        """Inner time of the newest reading."""
        self.since_ns: int | None = None
        """From when on the source is expected to say something, where that is later than its newest reading."""
        self.floor_ns: int | None = None
        """What has been told as of this inner time: a reading that comes behind it counts as of then."""
        self.is_expected = True
        self._last_time_ns: int | None = None
        self._period_ns: int | None = None
        self._count = 0
        self._span_ns = 0
        self._gaps_in_a_row = 0

    @property
    def usual_ns(self) -> int | None:
        """The usual period; None while nothing is known of it."""
        if self._period_ns is not None:
            return self._period_ns
        return self._span_ns // self._count if self._count else None

    @property
    def longest_ns(self) -> int | None:
        """A longer silence is a gap; None while nothing is known."""
        usual_ns = self.usual_ns
        return None if usual_ns is None else max(USUAL_PERIODS * usual_ns, _SHORTEST_NS)

    @property
    def base_ns(self) -> int | None:
        """From when on the present silence counts."""
        known = [each for each in (self.last_ns, self.since_ns) if each is not None]
        return max(known, default=None)

    def follow(self, time_ns: NDArray[np.int64]) -> Followed:
        """Take the times of a source's next readings.

        :param time_ns: int64, shape (n,), n > 0.
        """
        before_ns = int(time_ns[0]) if self._last_time_ns is None else self._last_time_ns
        steps = np.diff(time_ns, prepend=before_ns)
        offset_ns, last_ns, offsets_ns = self.offset_ns, self.last_ns, None
        if int(steps.min()) < 0:
            offsets_ns = offset_ns - np.cumsum(np.minimum(steps, 0))
            inner_ns = time_ns + offsets_ns
            self.offset_ns = int(offsets_ns[-1])
        else:
            inner_ns = time_ns + offset_ns if offset_ns else time_ns
        silences = self._find_silences(inner_ns)
        self._last_time_ns, self.last_ns = int(time_ns[-1]), int(inner_ns[-1])
        if self.floor_ns is not None and int(inner_ns[0]) < self.floor_ns:
            inner_ns = np.maximum(inner_ns, self.floor_ns)
        return Followed(inner_ns, silences if self.is_expected else [], last_ns, offset_ns, offsets_ns)

    def expect(self, is_expected: bool, now_ns: int) -> None:
        """The source is to deliver from now on, or need not."""
        self.is_expected = is_expected
        self.since_ns = now_ns + self.offset_ns

    def state(self) -> dict[str, Any]:
        """Return where it stands, fit for JSON."""
        return dict(vars(self))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        for name in vars(self):
            setattr(self, name, state[name])

    def _find_silences(self, inner_ns: NDArray[np.int64]) -> list[Silence]:
        before_ns = int(inner_ns[0]) if self.last_ns is None else self.last_ns
        times = np.concatenate(([before_ns], inner_ns))
        if self.since_ns is not None and before_ns < self.since_ns:
            times = np.maximum(times, self.since_ns)
        steps = np.diff(times)
        if int(steps.max()) <= _SHORTEST_NS:
            self._count_arrivals(times)
            return []
        found: list[Silence] = []
        first = 0
        for index in np.flatnonzero(steps > _SHORTEST_NS).tolist():
            self._count_arrivals(times[first : index + 1])
            first = index
            longest_ns = self.longest_ns
            if longest_ns is None or int(steps[index]) <= longest_ns:
                self._gaps_in_a_row = 0
                continue
            found.append(Silence(index, int(times[index]) + longest_ns))
            self._gaps_in_a_row += 1
            if self._gaps_in_a_row < _GAPS_IN_A_ROW:
                first = index + 1
            else:
                self._count = self._span_ns = 0
                self._period_ns = None
        self._count_arrivals(times[first:])
        return found

    def _count_arrivals(self, times: NDArray[np.int64]) -> None:
        """Take readings into the usual period, the first of which is the one before them."""
        if len(times) < 2:
            return
        self._gaps_in_a_row = 0
        arrivals = np.flatnonzero(np.diff(times // _SLOT_NS)) + 1
        start_ns = int(times[0]) - self._span_ns
        ends = arrivals[_GROUP - self._count - 1 :: _GROUP]
        if len(ends):
            bounds = [start_ns, *times[ends[-2:]].tolist()]
            self._period_ns = (bounds[-1] - bounds[-2]) // _GROUP
            start_ns = bounds[-1]
            self._count -= _GROUP * len(ends)
        self._count += len(arrivals)
        self._span_ns = int(times[-1]) - start_ns
