"""When rules would have raised their alarms in a rough session, as `blitz alarm test` and a playback say it."""

from typing import Any, get_args

import independent_alarms as known
import numpy as np
import pandas as pd
import pytest
from rough_numbers import Numbers
from rough_session import KILLED_S, LENGTH_S, STARTED_S, rough_session

from blitz.data.alarm_condition import Condition
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.alarm_trial import AlarmTrial

START_NS = STARTED_S * 10**9
END_NS = START_NS + round((LENGTH_S + 10) * 1e9)
EXCUSED = (START_NS + round(KILLED_S[0] * 1e9), START_NS + round(KILLED_S[1] * 1e9))
COURSE = ((0.0, 30.0, 70.0, 140.0), (5.0, 4.0, 6.0, 4.5))
MARKS_NS = [mark.from_ns for mark in rough_session(1).record.markers if mark.text == "valve open"]

VALUES: list[tuple[str, dict[str, Any], dict[str, Any], known.Sign]] = [
    ("pressure", {"kind": "level", "above": 6.5}, {}, known.outside(-np.inf, 6.5)),
    ("pressure", {"kind": "level", "above": 6.5, "hysteresis": 0.4}, {}, known.outside(-np.inf, 6.5, 0.4)),
    (
        "pressure",
        {"kind": "level", "above": 6.5, "below": 3.5, "hysteresis": 0.2},
        {"on_delay_s": 2.5, "off_delay_s": 1.25, "on_gap": "normal"},
        known.outside(3.5, 6.5, 0.2),
    ),
    ("flow", {"kind": "level", "above": 5}, {"on_nan": "alarm", "on_delay_s": 0.05}, known.outside(-np.inf, 5)),
    ("flow", {"kind": "level", "below": 1}, {"on_nan": "normal"}, known.outside(1, np.inf)),
    ("weight", {"kind": "level", "above": 22}, {"on_gap": "alarm", "on_delay_s": 3}, known.outside(-np.inf, 22)),
    ("weight", {"kind": "level", "above": 21}, {"on_gap": "normal", "off_delay_s": 1}, known.outside(-np.inf, 21)),
    ("pressure", {"kind": "band", "low": 4, "high": 6, "hysteresis": 0.3}, {}, known.outside(4, 6, 0.3)),
    (
        "pressure",
        {"kind": "band", "low": 4, "high": 6, "is_inside": True, "hysteresis": 0.3},
        {"only_recording": True, "off_delay_s": 4},
        known.inside(4, 6, 0.3),
    ),
    ("valve", {"kind": "equal", "value": 1}, {}, known.inside(1, 1)),
    (
        "valve",
        {"kind": "equal", "value": 1, "tolerance": 0.25, "is_different": True},
        {"on_nan": "alarm", "off_delay_s": 0.1},
        known.outside(0.75, 1.25),
    ),
    (
        "pressure",
        {"kind": "reference", "times_s": COURSE[0], "values": COURSE[1], "absolute": 1.0, "hysteresis": 0.2},
        {},
        known.off_course(*COURSE, lambda _: START_NS, 1.0, 0, 0.2),
    ),
    (
        "pressure",
        {
            "kind": "reference", "times_s": COURSE[0], "values": COURSE[1], "absolute": 0.5, "relative": 0.3,
            "align": "marker", "marker": "valve open",
        },
        {"on_delay_s": 1},
        known.off_course(*COURSE, lambda at: max((each for each in MARKS_NS if each <= at), default=None), 0.5, 0.3, 0),
    ),
]  # fmt: skip
RATES: list[tuple[str, dict[str, Any], dict[str, Any], known.Sign]] = [
    ("pressure", {"direction": "rising", "above_per_s": 0.25}, {}, known.outside(-np.inf, 0.25)),
    (
        "pressure",
        {"direction": "falling", "above_per_s": 0.25, "hysteresis": 0.1},
        {},
        known.outside(-0.25, np.inf, 0.1),
    ),
    ("flow", {"above_per_s": 2, "window_s": 0.5}, {"on_delay_s": 0.3, "off_delay_s": 0.3}, known.outside(-2, 2)),
    ("weight", {"above_per_s": 0.04, "window_s": 0.1}, {}, known.outside(-0.04, 0.04)),  # over one step
]


def crossings_of(
    numbers: Numbers, channel: str, condition: dict[str, Any], fields: dict[str, Any]
) -> list[AlarmCrossing]:
    """Return what the program finds in the session as it was downloaded."""
    source = "scale" if channel == "weight" else "rig"
    if condition["kind"] == "no_data":
        source, channel = channel, ""
    rule = AlarmRule(name="rule", source=source, channel=channel, condition=condition, **fields)
    trial = AlarmTrial(rule, numbers.cache.session_record(1))
    found = [each for block in numbers.cache.session_blocks(1) for each in trial.take(block)]
    return found + trial.end()


def compare(numbers: Numbers, found: list[AlarmCrossing], expected: list[tuple[int, bool]], channel: str) -> None:
    assert [(each.time_ns, each.is_raised) for each in found] == expected
    assert expected
    for each in found:
        row = numbers.everything.iloc[each.seq]  # a row a message
        assert row.name <= each.time_ns
        if each.value is not None:
            assert row[channel] == each.value


def test_each_kind_of_rule_has_its_row() -> None:
    kinds = {get_args(each.model_fields["kind"].annotation)[0] for each in get_args(get_args(Condition)[0])}
    assert {condition["kind"] for _, condition, _, _ in VALUES} | {"rate", "no_data"} == kinds


@pytest.mark.parametrize(("channel", "condition", "fields", "sign"), VALUES)
def test_rules_about_values(
    numbers: Numbers, channel: str, condition: dict[str, Any], fields: dict[str, Any], sign: known.Sign
) -> None:
    found = crossings_of(numbers, channel, condition, fields)
    wanted = {name: value for name, value in fields.items() if name != "only_recording"}
    expected = known.crossings(numbers.column(channel), sign, end_ns=END_NS, excused=EXCUSED, **wanted)
    compare(numbers, found, expected, channel)


@pytest.mark.parametrize(("channel", "condition", "fields", "sign"), RATES)
def test_rules_about_rates(
    numbers: Numbers, channel: str, condition: dict[str, Any], fields: dict[str, Any], sign: known.Sign
) -> None:
    found = crossings_of(numbers, channel, {"kind": "rate", **condition}, fields)
    rates = known.rates(numbers.column(channel), condition.get("window_s", 1.0))
    expected = known.crossings(rates, sign, end_ns=END_NS, excused=EXCUSED, **fields)
    compare(numbers, found, expected, channel)


@pytest.mark.parametrize(("source", "after_s"), [("rig", None), ("rig", 15.0), ("scale", None), ("scale", 0.69)])
def test_rules_about_silence(numbers: Numbers, source: str, after_s: float | None) -> None:
    found = crossings_of(numbers, source, {"kind": "no_data", "after_s": after_s}, {})
    session = rough_session(1)
    arrivals = pd.Series((session.rig if source == "rig" else session.scale).arrived_ns).tolist()
    after_ns = known.SILENT_NS if after_s is None else round(after_s * 1e9)
    expected = known.no_data(arrivals, END_NS, after_ns, EXCUSED)
    assert [(each.time_ns, each.is_raised) for each in found] == expected
    assert expected
