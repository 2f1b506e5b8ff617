"""The rules of one source over its readings: which of them a block can change, and what they say of it. Pure.

Most blocks change nothing. The smallest and largest value of each channel tell that of all rules at once, in a few
operations; only what is left is looked at reading by reading.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_rates import RateMemory
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_screen import RateKey, Screen, rate_key
from blitz.data.alarm_silence import Followed, Silence, SourceTime
from blitz.data.alarm_watch import Change, Flip, RuleWatch


class Portion(NamedTuple):
    """Readings of a source, in their order: (n,) each, and values (n, channels)."""

    session_id: int
    seq: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    values: NDArray[np.float64]


class SourceWatch:
    """One source's time, and its rules."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.time = SourceTime()
        self._begin_ns: int | None = None
        """Inner time at which the running session has started; None while none runs."""
        self._watches: list[RuleWatch] = []
        self._channels: tuple[str, ...] | None = None
        self._columns: dict[str, int] = {}
        self._watched: dict[str, int] = {}
        """Columns of the channels that rules are about."""
        self._rates: dict[RateKey, RateMemory] = {}
        self._screen = Screen([], [], {})
        self._newest: tuple[int, int] = (0, -1)
        """Session and seq of the newest message,"""
        self._row: dict[str, float | None] = {}
        """its values by channel,"""
        self._given: dict[str, tuple[int, int, float]] = {}
        """and by channel the newest message that has a value of it, with that."""

    @property
    def missing(self) -> list[str]:
        """Ids of rules whose channel the source does not have, as far as its readings tell."""
        if self._channels is None:
            return []
        return [each.id for each in self._watches if not each.is_no_data and each.rule.channel not in self._columns]

    def set_watches(self, watches: list[RuleWatch]) -> None:
        """Evaluate these rules from now on."""
        self._watches = watches
        keys = [(rate_key(each), each.window_ns) for each in watches if each.window_ns is not None]
        self._rates = {key: self._rates.get(key) or RateMemory(window_ns) for key, window_ns in keys}
        self._lay_out(self._channels or ())

    def take(self, channels: Sequence[str], portion: Portion, is_recording: bool) -> list[AlarmCrossing]:
        """Evaluate readings.

        :param channels: what the columns of the values are.
        :param is_recording: whether they belong to a session, and not to the preview.
        """
        if self._channels != tuple(channels):
            self._lay_out(tuple(channels))
        followed = self.time.follow(portion.time_ns)
        inner_ns = followed.inner_ns
        gaps = [silence.at for silence in followed.silences]
        for (channel, _, needs_session), memory in self._rates.items():
            if channel in self._columns and (is_recording or not needs_session):
                memory.take(inner_ns, portion.values[:, self._columns[channel]], gaps)
        found: list[tuple[Change, RuleWatch]] = []
        for watch in self._screen.concerned(portion.values, bool(gaps)):
            if watch.rule.needs_session and not is_recording:
                continue
            silences = self._silences(watch, followed)
            if watch.is_no_data and not silences and not watch.holds and watch.since_ns is None:
                continue
            values = portion.values[:, self._columns.get(watch.rule.channel, 0)]
            rates = None if watch.window_ns is None else self._rates[rate_key(watch)].rates()
            signs = watch.signs(portion.time_ns, values, rates)
            flips = watch.flips(signs, inner_ns, silences)
            if flips or watch.since_ns is not None:
                changes = watch.walk(flips, int(inner_ns[-1]), lambda due_ns: int(np.searchsorted(inner_ns, due_ns)))
                found += [(change, watch) for change in changes]
                self._screen.note(watch)
        found.sort(key=lambda each: (each[0].at, each[0].is_reading, each[0].inner_ns, each[1].order))
        crossings = [self._crossing(watch, change, portion, followed) for change, watch in found]
        self._remember(portion)
        return crossings

    def advance(self, now_ns: int, settle_ns: int) -> list[AlarmCrossing]:
        """Evaluate what the time alone changes: see :meth:`AlarmEvaluation.advance`."""
        # A reading may still come that is as late as this: what is due just then is told by it, or the next time.
        end_ns = now_ns - settle_ns + self.time.offset_ns - 1
        if self.time.last_ns is not None and end_ns < self.time.last_ns:
            return []
        found = []
        for watch in self._watches:
            if watch.rule.needs_session and self._begin_ns is None:
                continue
            flip = self._silence_now(watch, end_ns)
            if flip is None and (watch.due_ns is None or watch.due_ns > end_ns):
                continue
            changes = watch.walk([] if flip is None else [flip], end_ns, lambda due_ns: 0)
            told_ns = max([0 if flip is None else flip.inner_ns, *(change.inner_ns for change in changes)])
            self.time.floor_ns = max(self.time.floor_ns or told_ns, told_ns)
            found += [(change, watch) for change in changes]
            self._screen.note(watch)
        found.sort(key=lambda each: (each[0].inner_ns, each[1].order))
        return [self.crossing(watch, change.is_raised, change.inner_ns) for change, watch in found]

    def expect(self, is_expected: bool, now_ns: int) -> list[AlarmCrossing]:
        """The source is to deliver from now on, or need not: then nothing is missing of it."""
        self.time.expect(is_expected, now_ns)
        found = []
        for watch in self._watches:
            if watch.is_no_data and not is_expected and watch.holds:
                inner_ns = now_ns + self.time.offset_ns
                changes = watch.walk([Flip(0, False, inner_ns, False)], inner_ns, lambda due_ns: 0)
                found += [self.crossing(watch, change.is_raised, change.inner_ns) for change in changes]
                self._screen.note(watch)
        return found

    def begin_session(self, started_ns: int) -> None:
        """Something is recorded from now on."""
        self._begin_ns = started_ns + self.time.offset_ns

    def end_session(self) -> None:
        """What counts only while something is recorded begins anew."""
        self._begin_ns = None
        for (_, _, needs_session), memory in self._rates.items():
            if needs_session:
                memory.forget()

    def reset(self, watch: RuleWatch, now_ns: int) -> list[AlarmCrossing]:
        """Begin a rule anew; a raised alarm is over."""
        crossings = [self.crossing(watch, False, now_ns + self.time.offset_ns)] if watch.reset() else []
        self._screen.note(watch)
        return crossings

    def crossing(self, watch: RuleWatch, is_raised: bool, inner_ns: int) -> AlarmCrossing:
        """Return what is told of a change that no reading made."""
        return AlarmCrossing(watch.id, is_raised, inner_ns - self.time.offset_ns, *self._newest_of(watch))

    def state(self) -> dict[str, Any]:
        """Return where the source stands, its rules left out, fit for JSON."""
        rates = [[*key, memory.state()] for key, memory in self._rates.items()]
        return {
            "time": self.time.state(),
            "begin_ns": self._begin_ns,
            "newest": self._newest,
            "row": self._row,
            "given": self._given,
            "rates": rates,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self.time.restore(state["time"])
        self._begin_ns = state["begin_ns"]
        self._newest, self._row = tuple(state["newest"]), dict(state["row"])
        self._given = {name: tuple(each) for name, each in state["given"].items()}
        for channel, window_ns, needs_session, each in state["rates"]:
            self._rates[channel, window_ns, needs_session] = RateMemory(window_ns)
            self._rates[channel, window_ns, needs_session].restore(each)

    def _lay_out(self, channels: tuple[str, ...]) -> None:
        self._channels = channels or None
        self._columns = {name: column for column, name in enumerate(channels)}
        present = [each for each in self._watches if each.is_no_data or each.rule.channel in self._columns]
        self._watched = {each.rule.channel: self._columns[each.rule.channel] for each in present if not each.is_no_data}
        self._screen = Screen(present, [self._columns.get(each.rule.channel, 0) for each in present], self._rates)

    def _silences(self, watch: RuleWatch, followed: Followed) -> list[Silence]:
        """Return when it was silent for too long for a rule, which may begin with the session."""
        begins_ns = self._begin_ns if watch.rule.needs_session else None
        if watch.gap_holds is None or (watch.after_ns is None and begins_ns is None):
            return [] if watch.gap_holds is None else followed.silences
        if not self.time.is_expected:
            return []
        inner_ns = followed.inner_ns
        known = [each for each in (followed.last_ns, self.time.since_ns, begins_ns) if each is not None]
        before = np.concatenate(([max(known) if known else int(inner_ns[0])], inner_ns[:-1]))
        if self.time.since_ns is not None:
            before = np.maximum(before, self.time.since_ns)
        since = before if begins_ns is None else np.maximum(before, begins_ns)
        if watch.after_ns is not None:
            long = np.flatnonzero(inner_ns - since > watch.after_ns)
            return [Silence(index, int(since[index]) + watch.after_ns) for index in long.tolist()]
        before[0] = max(known[:-1], default=int(before[0]))
        moved = [Silence(i, due_ns + int(since[i] - before[i])) for i, due_ns in followed.silences]
        return [silence for silence in moved if silence.due_ns < int(inner_ns[silence.at])]

    def _silence_now(self, watch: RuleWatch, end_ns: int) -> Flip | None:
        holds, base_ns = watch.gap_holds, self.time.base_ns
        longest_ns = self.time.longest_ns if watch.after_ns is None else watch.after_ns
        if holds is None or holds == watch.holds or longest_ns is None or not self.time.is_expected:
            return None
        if watch.rule.needs_session and self._begin_ns is not None:
            base_ns = max(base_ns or 0, self._begin_ns)
        if base_ns is None or end_ns < base_ns + longest_ns:
            return None
        return Flip(0, False, base_ns + longest_ns, holds)

    def _crossing(self, watch: RuleWatch, change: Change, portion: Portion, followed: Followed) -> AlarmCrossing:
        time_ns = followed.reading_time_ns(change.inner_ns, change.at, is_reading=change.is_reading)
        column = None if watch.is_no_data else self._columns[watch.rule.channel]
        place = change.at
        if not change.is_reading:
            place = int(np.searchsorted(followed.inner_ns, change.inner_ns)) - 1
            if place >= 0 and column is not None and watch.rule.on_nan == "ignore":
                given = np.flatnonzero(~np.isnan(portion.values[: place + 1, column]))
                place = int(given[-1]) if len(given) else -1
        if place < 0:
            return AlarmCrossing(watch.id, change.is_raised, time_ns, *self._newest_of(watch))
        value = None if column is None else _number(float(portion.values[place, column]))
        return AlarmCrossing(watch.id, change.is_raised, time_ns, portion.session_id, int(portion.seq[place]), value)

    def _newest_of(self, watch: RuleWatch) -> tuple[int, int, float | None]:
        """Return session, seq and value of the newest message before what is being taken that a rule counts."""
        if watch.is_no_data:
            return (*self._newest, None)
        channel = watch.rule.channel
        if watch.rule.on_nan != "ignore":
            return (*self._newest, self._row.get(channel))
        return self._given.get(channel, (0, -1, None))

    def _remember(self, portion: Portion) -> None:
        session_id, seq = portion.session_id, int(portion.seq[-1])
        self._newest = session_id, seq
        newest = portion.values[-1].tolist() if self._columns else []
        self._row = {}
        for name, column in self._watched.items():
            value = self._row[name] = _number(newest[column])
            if value is not None:
                self._given[name] = session_id, seq, value
                continue
            given = np.flatnonzero(~np.isnan(portion.values[:, column]))
            if len(given):
                place = int(given[-1])
                self._given[name] = session_id, int(portion.seq[place]), float(portion.values[place, column])


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
