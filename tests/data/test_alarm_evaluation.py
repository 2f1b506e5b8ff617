"""Alarm rules over readings: compared, however the stream is cut, with an evaluation message by message."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slow_alarms import SlowRule

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_records import AlarmCrossing, AlarmState
from blitz.data.alarm_rule import AlarmRule

S = 1_000_000_000
START = 1_800_000_000 * S
NAN = float("nan")
NEVER = 10_000 * S


def make(condition: dict[str, Any], **fields: Any) -> AlarmRule:
    channel = "" if condition["kind"] == "no_data" else "x"
    given = {"name": "rule", "source": "a", "channel": channel, "condition": condition, **fields}
    return AlarmRule.model_validate(given)


LEVEL = {"kind": "level", "above": 5.0}


def seconds(crossings: list[AlarmCrossing]) -> list[tuple[str, bool, float, int]]:
    return [(each.rule_id, each.is_raised, (each.time_ns - START) / S, each.seq) for each in crossings]


class Stream:
    """Gives one source's readings to rules, message by message or in blocks."""

    def __init__(self, *rules: AlarmRule) -> None:
        self.evaluation = AlarmEvaluation()
        self.seq = 0
        self.told = self.evaluation.set_rules({str(number): rule for number, rule in enumerate(rules)}, START)

    def take(self, times_s: Any, values: Any, session_id: int = 1) -> list[AlarmCrossing]:
        time_ns = START + np.rint(np.asarray(times_s, np.float64) * S).astype(np.int64)
        column = np.asarray(values, np.float64)[:, None]
        seq = np.arange(self.seq, self.seq + len(time_ns))
        self.seq += len(time_ns)
        return self.evaluation.take("a", ("x",), session_id, seq, time_ns, column)


def test_a_level_is_raised_by_the_reading_above_it_and_cleared_behind_the_hysteresis() -> None:
    stream = Stream(make({**LEVEL, "hysteresis": 1}))
    told = stream.take([0, 1, 2, 3, 4, 5], [5, 6, 4.5, 7, 4, 3])
    assert seconds(told) == [("0", True, 1.0, 1), ("0", False, 4.0, 4)]
    assert [each.value for each in told] == [6.0, 4.0]


def test_a_delay_ends_between_two_readings_and_the_alarm_is_as_of_then() -> None:
    stream = Stream(make(LEVEL, on_delay_s=1.5, off_delay_s=0.5))
    assert seconds(stream.take([0, 1, 2, 4], [6, 6, 6, 3])) == [("0", True, 1.5, 1)]
    assert seconds(stream.take([4.25, 5], [4, 9])) == [("0", False, 4.5, 4)]


def test_a_delay_ends_by_the_clock_while_nothing_comes_and_is_not_told_twice() -> None:
    stream = Stream(make(LEVEL, on_delay_s=10))
    assert stream.take([0, 1], [6, 6]) == []
    assert stream.evaluation.states() == {"0": AlarmState.PENDING}
    assert stream.evaluation.advance(START + 10 * S, settle_s=0.5) == []
    assert seconds(stream.evaluation.advance(START + 11 * S, settle_s=0.5)) == [("0", True, 10.0, 1)]
    assert stream.evaluation.states() == {"0": AlarmState.ACTIVE}
    assert seconds(stream.take([20], [0])) == [("0", False, 20.0, 2)]


def test_silence_is_an_alarm_after_three_usual_periods_and_at_least_two_seconds() -> None:
    stream = Stream(make({"kind": "no_data"}))
    assert stream.take(np.arange(0, 10, 0.1), np.zeros(100)) == []
    last = 9.9
    assert stream.evaluation.advance(START + round((last + 1.9) * S), settle_s=0) == []
    assert seconds(stream.evaluation.advance(START + round((last + 2.1) * S), settle_s=0)) == [("0", True, 11.9, 99)]
    assert seconds(stream.take([20], [1])) == [("0", False, 20.0, 100)]
    slow = Stream(make({"kind": "no_data"}))
    assert slow.take(np.arange(0, 200, 5), np.zeros(40)) == []
    assert slow.evaluation.advance(START + 209 * S, settle_s=0) == []
    assert seconds(slow.evaluation.advance(START + 211 * S, settle_s=0)) == [("0", True, 210.0, 39)]


def test_messages_that_come_in_bursts_are_one_arrival() -> None:
    stream = Stream(make({"kind": "no_data"}))
    assert stream.take(np.repeat(np.arange(0, 400, 10), 3), np.zeros(120)) == []
    assert stream.evaluation.advance(START + 415 * S) == []


def test_a_source_that_has_become_slower_is_no_alarm_for_ever() -> None:
    stream = Stream(make({"kind": "no_data"}))
    stream.take(np.arange(0, 10, 0.1), np.zeros(100))
    told = stream.take(np.arange(20, 120, 10), np.zeros(10))
    assert [each.is_raised for each in told] == [True, False] * 3


def test_a_source_of_which_nothing_was_ever_heard_is_silent_only_where_a_rule_says_for_how_long() -> None:
    evaluation = AlarmEvaluation()
    rules = {"usual": make({"kind": "no_data"}), "ten": make({"kind": "no_data", "after_s": 10})}
    evaluation.set_rules(rules, START)
    evaluation.expect("a", True, START)
    assert evaluation.advance(START + 10 * S, settle_s=0) == []
    assert evaluation.advance(START + 11 * S, settle_s=0) == [AlarmCrossing("ten", True, START + 10 * S, 0, -1, None)]


def test_a_source_that_need_not_deliver_is_not_silent() -> None:
    stream = Stream(make({"kind": "no_data", "after_s": 2}))
    stream.take([0, 1], [0, 0])
    assert seconds(stream.evaluation.advance(START + 5 * S)) == [("0", True, 3.0, 1)]
    assert seconds(stream.evaluation.expect("a", False, START + 6 * S)) == [("0", False, 6.0, 1)]
    assert stream.evaluation.advance(START + 50 * S) == []
    assert stream.evaluation.expect("a", True, START + 60 * S) == []
    assert stream.evaluation.advance(START + 62 * S, settle_s=0) == []
    assert stream.take([62], [0]) == []


def test_a_rate_is_over_its_window_and_not_across_a_gap() -> None:
    stream = Stream(make({"kind": "rate", "above_per_s": 2, "direction": "rising", "window_s": 1}))
    times = np.arange(0, 20, 0.125)
    assert stream.take(times, np.floor(times)) == []
    assert stream.take([30, 30.5], [500, 500]) == []
    assert seconds(stream.take([31, 31.5, 32, 33], [500, 503, 504, 504])) == [
        ("0", True, 31.5, 163),
        ("0", False, 33.0, 165),
    ]


def test_a_reference_is_left_by_the_time_since_its_moment() -> None:
    course = {"kind": "reference", "times_s": (0, 10), "values": (0, 10), "absolute": 0.5}
    start = make(course)
    marker = make({**course, "align": "marker", "marker": "heat"})
    trigger = make({**course, "align": "trigger", "level": 3})
    stream = Stream(start, marker, trigger)
    assert stream.take([0, 1], [50, 50]) == []
    stream.evaluation.begin_session(1, START + 2 * S)
    assert stream.take([2, 3, 4], [0, 1, 2]) == []
    stream.evaluation.add_marker("heat", START + 4 * S)
    assert seconds(stream.take([5], [3])) == [("1", True, 5.0, 5), ("2", True, 5.0, 5)]
    assert seconds(stream.take([6], [0])) == [("0", True, 6.0, 6)]
    assert seconds(stream.take([7, 20], [3, 5])) == [("1", False, 7.0, 7)]
    assert seconds(stream.evaluation.end_session(START + 30 * S)) == [("0", False, 30.0, 8), ("2", False, 30.0, 8)]


def test_a_reference_says_nothing_between_points_that_are_too_far_apart() -> None:
    course = {"kind": "reference", "times_s": (0, 1, 9, 10), "values": (0, 0, 0, 0), "absolute": 0.5}
    stream = Stream(make(course), make({**course, "longest_s": 2}))
    stream.evaluation.begin_session(1, START)
    assert seconds(stream.take([0.5, 1, 5], [0, 0, 9])) == [("0", True, 5.0, 2)]
    assert seconds(stream.take([9], [9])) == [("1", True, 9.0, 3)]
    assert "longest_s" not in make(course).model_dump_json()


def test_a_rule_about_recording_begins_and_ends_with_the_session() -> None:
    stream = Stream(make(LEVEL, only_recording=True))
    assert stream.take([0], [9], session_id=0) == []
    stream.evaluation.begin_session(4, START + S)
    assert stream.evaluation.session_id == 4
    assert stream.take([1], [9], session_id=0) == []
    assert seconds(stream.take([2], [9], session_id=4)) == [("0", True, 2.0, 2)]
    assert seconds(stream.evaluation.begin_session(5, START + 3 * S)) == [("0", False, 3.0, 2)]
    assert seconds(stream.take([3], [9], session_id=5)) == [("0", True, 3.0, 3)]


def test_a_changed_rule_begins_anew_and_a_renamed_one_goes_on() -> None:
    stream = Stream(make(LEVEL), make(LEVEL))
    stream.take([0], [9])
    rules = {"0": make(LEVEL, name="other", severity="critical"), "1": make({"kind": "level", "above": 8})}
    assert seconds(stream.evaluation.set_rules(rules, START + S)) == [("1", False, 1.0, 0)]
    assert seconds(stream.take([2], [9])) == [("1", True, 2.0, 1)]
    assert seconds(stream.evaluation.set_rules({"0": rules["0"].model_copy(update={"is_enabled": False})}, START)) == [
        ("0", False, 0.0, 1),
        ("1", False, 0.0, 1),
    ]


def test_a_rule_that_was_deleted_while_nobody_evaluated_is_over() -> None:
    stream = Stream(make(LEVEL))
    stream.take([0], [9])
    again = AlarmEvaluation(json.loads(json.dumps(stream.evaluation.state())))
    assert again.set_rules({}, START + S) == [AlarmCrossing("0", False, START + S, 0, -1, None)]


def test_a_channel_that_the_source_does_not_have_is_said() -> None:
    stream = Stream(make(LEVEL), AlarmRule.model_validate({**make(LEVEL).model_dump(), "channel": "y"}))
    assert stream.evaluation.missing() == []
    stream.take([0], [9])
    assert stream.evaluation.missing() == ["1"]


# What random histories are made of: numbers whose sums are exact, so that both evaluations agree to the last bit.
_numbers = st.sampled_from([-2.0, 0.0, 1.0, 2.0, 2.5, 3.0, 4.0, 8.0])
_delays = st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0])
_back = st.sampled_from([0.0, 0.5, 1.0])
_conditions = st.one_of(
    st.builds(lambda a, h: {"kind": "level", "above": a, "hysteresis": h}, _numbers, _back),
    st.builds(lambda b, h: {"kind": "level", "above": b + 3, "below": b, "hysteresis": h}, _numbers, _back),
    st.builds(
        lambda low, h, i: {"kind": "band", "low": low, "high": low + 2, "hysteresis": h, "is_inside": i},
        _numbers, _back, st.booleans(),
    ),
    st.builds(
        lambda x, w, d, h: {"kind": "rate", "above_per_s": x, "window_s": w, "direction": d, "hysteresis": h},
        st.sampled_from([1.0, 2.0]), st.sampled_from([0.5, 1.0, 4.0]),
        st.sampled_from(["rising", "falling", "either"]), _back,
    ),
    st.builds(
        lambda v, d, h: {"kind": "equal", "value": v, "tolerance": 1.0, "is_different": d, "hysteresis": h},
        _numbers, st.booleans(), _back,
    ),
    st.builds(lambda a: {"kind": "no_data", "after_s": a}, st.sampled_from([None, 0.5, 2.0, 7.0])),
    st.builds(
        lambda a, level, h: {
            "kind": "reference", "times_s": (0, 4, 8), "values": (0, 4, 2), "align": a, "marker": "m", "level": level,
            "absolute": 1.0, "relative": 0.5, "hysteresis": h,
        },
        st.sampled_from(["start", "marker", "trigger"]), _numbers, _back,
    ),
)  # fmt: skip
_rules = st.builds(
    lambda c, on, off, n, g, r: make(c, on_delay_s=on, off_delay_s=off, on_nan=n, on_gap=g, only_recording=r),
    _conditions, _delays, _delays, st.sampled_from(["ignore", "alarm", "normal"]),
    st.sampled_from(["hold", "alarm", "normal"]), st.booleans(),
)  # fmt: skip
_steps = st.sampled_from([0.0, 0.0, 0.0625, 0.25, 0.25, 0.25, 0.5, 1.0, 1.0, 2.0, 3.0, 9.0, 40.0, -1.0])
_runs = st.lists(st.tuples(_steps, st.one_of(_numbers, st.just(NAN))), min_size=1, max_size=40)
_events = st.one_of(
    _runs, _runs, _runs,
    st.sampled_from(["session", "marker", "expected", "unexpected"]),
)  # fmt: skip


class Compared:
    """Some rules, evaluated message by message in plain Python, in whole runs, one by one, and cut anywhere."""

    def __init__(self, rules: list[AlarmRule], cuts: Any) -> None:
        self.slow = [SlowRule(rule) for rule in rules]
        self.fast = {name: Stream(*rules) for name in ("whole", "single", "cut")}
        self.told: dict[str, list[AlarmCrossing]] = {name: [] for name in self.fast}
        self.cuts = cuts
        self.now, self.seq, self.session = START, 0, 0

    def happen(self, event: Any) -> None:
        """Let readings come, or something else happen."""
        if event == "session":
            was, self.session = self.session, 0 if self.session else self.seq + 1
            self._tell("end_session" if was else "begin_session", *([] if was else [self.session]), self.now)
            for rule in self.slow:
                rule.end(self.now) if was else rule.begin(self.session, self.now)
        elif event == "marker":
            self._tell("add_marker", "m", self.now)
            for rule in self.slow:
                rule.mark(self.now)
        elif event in ("expected", "unexpected"):
            self._tell("expect", "a", event == "expected", self.now)
            for rule in self.slow:
                rule.expect(event == "expected", self.now)
        else:
            self._take(event)

    def finish(self) -> None:
        """Nothing comes any more."""
        self._tell("advance", self.now + NEVER, 0)
        for rule in self.slow:
            rule.finish(self.now + NEVER)

    def _tell(self, name: str, *arguments: Any) -> None:
        for way, stream in self.fast.items():
            self.told[way] += getattr(stream.evaluation, name)(*arguments) or []

    def _take(self, run: list[tuple[float, float]]) -> None:
        times_s = (self.now - START) / S + np.cumsum([step for step, _ in run])
        values = np.array([value for _, value in run])
        for way, stream in self.fast.items():
            stream.seq = self.seq
            self.told[way] += self._give(stream, times_s, values, way)
        for time_s, value in zip(times_s.tolist(), values.tolist(), strict=True):
            self.now = START + round(time_s * S)
            for rule in self.slow:
                rule.message(self.session, self.seq, self.now, value)
            self.seq += 1

    def _give(self, stream: Stream, times_s: Any, values: Any, way: str) -> list[AlarmCrossing]:
        """Give readings, where they are cut with the clock going on and restarts between."""
        told, first, cuts = [], 0, self.cuts
        while first < len(values):
            longest = {"whole": len(values), "single": 1, "cut": cuts.randint(1, len(values))}[way]
            stop = min(first + longest, len(values))
            told += stream.take(times_s[first:stop], values[first:stop], self.session)
            if way == "cut":
                if cuts.random() < 0.5:
                    stream.evaluation = _restarted(stream.evaluation)
                if stop < len(values) and times_s[stop] > times_s[stop - 1]:
                    share = cuts.choice([0.25, 0.5, 1.0])
                    now_s = times_s[stop - 1] + share * (times_s[stop] - times_s[stop - 1])
                    told += stream.evaluation.advance(START + round(now_s * S), settle_s=0)
            first = stop
        return told


@pytest.mark.timeout(900)  # many examples take their time
@given(
    rules=st.lists(_rules, min_size=1, max_size=4),
    events=st.lists(_events, min_size=1, max_size=8),
    cuts=st.randoms(use_true_random=False),
)
def test_any_cutting_gives_what_an_evaluation_message_by_message_gives(
    rules: list[AlarmRule], events: list[Any], cuts: Any
) -> None:
    compared = Compared(rules, cuts)
    for event in events:
        compared.happen(event)
    compared.finish()
    told = compared.told
    for number, rule in enumerate(compared.slow):
        of_rule = [tuple(each)[1:] for each in told["whole"] if each.rule_id == str(number)]
        assert of_rule == rule.told
    assert told["whole"] == told["single"] == told["cut"]


def _restarted(evaluation: AlarmEvaluation) -> AlarmEvaluation:
    again = AlarmEvaluation(json.loads(json.dumps(evaluation.state())))
    assert again.set_rules({name: watch.rule for name, watch in evaluation._watches.items()}, START) == []
    return again
