"""Alarms of a session that is over: as the server would have raised them, looked up by time."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from blitz.data import alarm_course
from blitz.data.alarm_course import AlarmCourse, AlarmSpan, CourseMaker
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.alarm_trial import AlarmTrial
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import SessionDecoder
from blitz.data.records import Gap, Marker, SessionRecord, Source
from blitz.data.session_alarms import EXCUSES, SessionAlarms, concerns
from blitz.io.device_link import DISABLED
from blitz.io.resume import RESTARTED

S = 1_000_000_000
STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = round(STARTED.timestamp() * 1e9)
DEFINITION = BoardDefinition.model_validate(
    {"id": "p", "name": "Pump", "format": "columns", "channels": [{"name": "x", "column": 0}]}
)
PUMP = Source(index=0, name="pump", link="/dev/a", definition=DEFINITION)
BARE = Source(index=1, name="bare", link="/dev/b")


def make(condition: dict[str, Any], **fields: Any) -> AlarmRule:
    channel = "" if condition["kind"] == "no_data" else "x"
    return AlarmRule.model_validate(
        {"name": "rule", "source": "pump", "channel": channel, "condition": condition, **fields}
    )


def session(length_s: float = 100.0, **fields: Any) -> SessionRecord:
    stopped = STARTED + timedelta(seconds=length_s)
    return SessionRecord(id=7, started_at=STARTED, stopped_at=stopped, sources=(PUMP, BARE), **fields)


def block(reads: list[tuple[float, int, str]]) -> MessageBlock:
    """Messages of a time in seconds, a source and a text."""
    return MessageBlock.from_reads(7, 0, [Read(START + round(t * S), row, [text.encode()]) for t, row, text in reads])


def told(rule: AlarmRule, whole: MessageBlock, record: SessionRecord, cut: int) -> list[tuple[bool, float, int]]:
    trial, found = AlarmTrial(rule, record), list[AlarmCrossing]()
    for first in range(0, len(whole), cut):
        found += trial.take(whole.between(first, first + cut))
    return [(each.is_raised, (each.time_ns - START) / S, each.seq) for each in [*found, *trial.end()]]


RAMP = block([(0.5 * n, 0, str(n % 10)) for n in range(40)])


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_delay_that_runs_at_the_end_is_over_by_the_sessions_end(cut: int) -> None:
    rule = make({"kind": "level", "above": 8}, on_delay_s=0.2)
    assert told(rule, RAMP, session(20), cut)[:2] == [(True, 4.7, 9), (False, 5.0, 10)]
    late = make({"kind": "level", "above": 8}, on_delay_s=5)
    assert told(late, RAMP, session(20), cut) == []
    assert told(late, RAMP, session(25), cut) == [(True, 24.5, 39)]


@pytest.mark.parametrize("cut", [1, 7, 200])
def test_silence_counts_arrivals_also_of_a_source_without_a_definition(cut: int) -> None:
    reads = [(0.1 * n, n % 2, "what") for n in range(100)] + [(30 + 0.1 * n, 0, "what") for n in range(20)]
    whole = block(reads)
    rule = make({"kind": "no_data", "after_s": 5})
    assert told(rule, whole, session(40), cut) == [
        (True, 14.8, 98), (False, 30.0, 100), (True, 36.9, 119)]  # fmt: skip
    assert told(rule.model_copy(update={"source": "bare"}), whole, session(40), cut) == [(True, 14.9, 99)]


def test_a_source_that_never_said_anything_is_silent_from_the_start() -> None:
    rule = make({"kind": "no_data", "after_s": 5}, source="bare")
    assert told(rule, RAMP, session(20), 40) == [(True, 5.0, -1)]


@pytest.mark.parametrize(("reason", "is_excused"), [(RESTARTED, True), (DISABLED, True), ("released", True),
                                                    ("unplugged", False)])  # fmt: skip
def test_silence_is_none_while_nobody_expected_the_source(reason: str, is_excused: bool) -> None:
    reads = [(0.5 * n, 0, "1") for n in range(20)] + [(60 + 0.5 * n, 0, "1") for n in range(20)]
    gap = Gap(source=0, seq=20, from_ns=START + round(9.5 * S), to_ns=START + 60 * S, reason=reason)
    found = told(make({"kind": "no_data"}), block(reads), session(69.6, gaps=(gap,)), 13)
    assert found == ([] if is_excused else [(True, 11.5, 19), (False, 60.0, 20)])
    assert (reason in EXCUSES) is is_excused


def test_the_newest_marker_so_far_is_the_moment_of_a_reference() -> None:
    markers = tuple(
        Marker(id=number, text="go", from_ns=START + at * S, changed_at=STARTED) for number, at in ((1, 2), (2, 10))
    )
    condition = {"kind": "reference", "times_s": (0, 1), "values": (4, 6), "absolute": 0.1, "align": "marker",
                 "marker": "go"}  # fmt: skip
    found = told(make(condition), RAMP, session(20, markers=markers), 40)
    assert found == [(True, 10.5, 21)]  # from 2 s on 4, 5, 6 as in the course; from 10 s on 0, 1


def test_the_same_is_told_by_a_rule_among_many() -> None:
    rules = {str(limit): make({"kind": "level", "above": limit}, is_enabled=limit != 3) for limit in range(9)}
    rules["silent"] = make({"kind": "no_data", "after_s": 5})
    alarms, decoder = SessionAlarms(rules, session(30)), SessionDecoder([PUMP, BARE])
    found = alarms.take(RAMP, decoder.decode(RAMP)) + alarms.end(START + 30 * S)
    for key, rule in rules.items():
        alone = told(rule, RAMP, session(30), 9)
        of_rule = [(each.is_raised, (each.time_ns - START) / S, each.seq) for each in found if each.rule_id == key]
        assert of_rule == ([] if key == "3" else alone)


def test_a_session_lacks_what_rules_of_others_watch() -> None:
    sources = (PUMP, BARE)
    level = make({"kind": "level", "above": 1})
    assert concerns(level, sources)
    assert not concerns(level.model_copy(update={"channel": "y"}), sources)
    assert not concerns(level.model_copy(update={"source": "bare"}), sources)
    assert concerns(make({"kind": "no_data"}, source="bare"), sources)
    assert not concerns(make({"kind": "no_data"}, source="oven"), sources)


def crossing(rule_id: str, is_raised: bool, at_s: float) -> AlarmCrossing:
    return AlarmCrossing(rule_id, is_raised, round(at_s * S), 7, 0, 1.0)


def test_a_course_is_looked_up_by_time() -> None:
    rules = {"a": make({"kind": "level", "above": 1}), "b": make({"kind": "level", "above": 1}, severity="critical")}
    maker = CourseMaker(rules)
    maker.take([crossing("a", True, 1), crossing("b", True, 2)])
    maker.take([crossing("a", False, 3), crossing("a", True, 5), crossing("b", False, 6)])
    course = maker.course()

    def active(at_s: float) -> str:
        return "".join(span.rule_id for span in course.active(round(at_s * S)))

    assert [active(at_s) for at_s in (0.5, 1, 2, 3, 5.5, 6, 1e6)] == ["", "a", "ba", "b", "ba", "a", "a"]
    assert [span.from_ns // S for span in course.begun(4 * S, 10)] == [2, 1]
    assert [span.from_ns // S for span in course.begun(9 * S, 1)] == [5]
    assert (course.next_ns(0), course.next_ns(1 * S), course.next_ns(5 * S)) == (1 * S, 2 * S, None)
    assert (course.previous_ns(1 * S), course.previous_ns(2 * S), course.previous_ns(9 * S)) == (None, 1 * S, 5 * S)
    assert course.place(0) != course.place(1 * S) == course.place(2 * S - 1) != course.place(3 * S)
    assert (course.count, CourseMaker({}).course().count) == (3, 0)


def test_what_chatters_is_joined_so_that_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_course, "MOST_SPANS", 32)
    rules = {"a": make({"kind": "level", "above": 1}), "b": make({"kind": "level", "above": 1})}
    maker = CourseMaker(rules)
    for n in range(1000):
        maker.take([crossing("a", True, n), crossing("a", False, n + 0.5)])
    maker.take([crossing("b", True, 3), crossing("b", False, 4)])
    course = maker.course()
    assert len(course.spans) <= 33
    assert course.count == 1001
    spans = [span for span in course.spans if span.rule_id == "a"]
    assert spans[0].from_ns == 0
    assert (spans[-1].to_ns or 0) / S == 999.5
    assert all(one.to_ns is not None and one.to_ns < two.from_ns for one, two in itertools.pairwise(spans))
    assert AlarmSpan("b", 3 * S, 4 * S, 0, 1.0) in course.spans


def test_an_empty_course_has_nothing_at_any_time() -> None:
    course = AlarmCourse({}, ())
    assert (course.active(5), course.begun(5, 3), course.next_ns(0), course.previous_ns(9)) == ([], [], None, None)
    assert course.begins.dtype == np.int64
