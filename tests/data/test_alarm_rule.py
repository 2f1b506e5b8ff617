"""Alarm rules: what can be written, what is refused and with which words, and what may move a motor."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from blitz.data.alarm_records import AlarmChange, AlarmOccurrence, AlarmState, count_alarms
from blitz.data.alarm_rule import (
    AlarmRule,
    CommandAction,
    check_commands,
    confirmed,
    default_rule,
    moves_something,
    rules_in_force,
)
from blitz.data.board_definition import load_definitions
from blitz.data.model_faults import first_fault
from blitz.io.protocol import moves_something as moves

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
LEVEL = {"kind": "level", "above": 5.0, "hysteresis": 0.5}
REFERENCE = {"kind": "reference", "times_s": (0, 1), "values": (1, 2), "absolute": 0.1}


def make(condition: dict[str, Any] = LEVEL, **fields: Any) -> AlarmRule:
    no_data = condition["kind"] == "no_data"
    given = {"name": "rule", "source": "sim1", "channel": "" if no_data else "pressure", "condition": condition}
    return AlarmRule.model_validate({**given, **fields})


def occurrence(**fields: Any) -> AlarmOccurrence:
    given = {"id": 1, "rule_id": "1", "rule": make(), "source": "sim1", "raised_at": NOW, "raised_ns": 1, "value": 6.0}
    return AlarmOccurrence.model_validate({**given, **fields})


@pytest.mark.parametrize(
    "condition",
    [
        LEVEL,
        {"kind": "band", "low": 0, "high": 1, "is_inside": True},
        {"kind": "rate", "above_per_s": 3, "direction": "rising", "window_s": 2},
        {"kind": "equal", "value": 3, "tolerance": 0.1, "is_different": True},
        {"kind": "no_data"},
        {**REFERENCE, "align": "trigger", "level": 3},
    ],
)
def test_a_rule_comes_back_from_json_as_it_was(condition: dict[str, Any]) -> None:
    actions = [
        {"kind": "marker", "text": "too high"},
        {"kind": "start", "name": "burst", "before_s": 10},
        {"kind": "command", "board": "b1", "command": "Heat", "value": 3},
    ]
    rule = confirmed(make(condition, actions=actions, hooks=("ann",)), "ann", NOW)
    assert AlarmRule.model_validate_json(rule.model_dump_json()) == rule
    change = AlarmChange(what="raised", occurrence=occurrence(rule=rule))
    assert AlarmChange.model_validate_json(change.model_dump_json()) == change


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"condition": {"kind": "level"}}, "a level needs a limit"),
        ({"condition": {"kind": "level", "above": 1, "below": 2}}, "the band goes from 2 up to 1"),
        ({"condition": {"kind": "band", "low": 0, "high": 1, "hysteresis": 0.6}}, "no value between 0 and 1 is back"),
        ({"condition": {"kind": "rate", "above_per_s": 1, "hysteresis": 2}}, "a hysteresis of 2 is more than the rate"),
        ({"condition": {"kind": "equal", "value": 1, "is_different": True, "hysteresis": 1}}, "no value is back"),
        ({"condition": {"kind": "no_data"}, "channel": "p"}, "no data is said of the whole source"),
        ({"channel": ""}, "the channel is missing"),
        ({"condition": {**REFERENCE, "times_s": (0, 0)}}, "do not rise"),
        ({"condition": {**REFERENCE, "values": (0, 0, 1)}}, "2 times and 3 values"),
        ({"condition": {**REFERENCE, "absolute": None}}, "a reference needs a tolerance"),
        ({"condition": {**REFERENCE, "align": "marker"}}, "needs the marker's text"),
        ({"condition": {**REFERENCE, "align": "trigger"}}, "needs a level"),
        ({"condition": {**REFERENCE, "hysteresis": 1}}, "a hysteresis of 1 needs an absolute tolerance"),
        ({"name": " a"}, "' a' is no name"),
        ({"actions": [{"kind": "start"}, {"kind": "stop"}]}, "start a session or stop one, not both"),
        ({"actions": [{"kind": "stop"}, {"kind": "stop"}]}, "the action 'stop' stands there 2 times"),
        ({"actions": [{"kind": "start"}], "only_recording": True}, "cannot start one"),
        ({"latched": True}, "there is no 'latched' here. Did you mean 'is_latched'?"),
        ({"condition": {"kind": "level", "above": float("nan")}}, "nan"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError) as error:
        make(**fields)
    assert fault in first_fault(error.value, known=AlarmRule.model_fields)


def test_a_command_that_moves_something_needs_two_confirmations_of_just_that_rule() -> None:
    rotor = load_definitions()["09"]
    boards = {"rotor": rotor, "other": None}
    rule = make(actions=[{"kind": "command", "board": "rotor", "command": "set point", "value": 20}])
    with pytest.raises(ValueError, match="'set point' moves or heats something at rotor"):
        check_commands(rule, boards, moves)
    once = confirmed(rule, "ann", NOW)
    with pytest.raises(ValueError, match="confirmed twice"):
        check_commands(confirmed(once, "ann", NOW), boards, moves)  # the same moment is not twice
    twice = confirmed(once, "ann", NOW + timedelta(seconds=2))
    check_commands(twice, boards, moves)
    changed = AlarmRule.model_validate({**twice.model_dump(), "source": "sim2"})
    with pytest.raises(ValueError, match="confirmed twice"):
        check_commands(changed, boards, moves)


@pytest.mark.parametrize(("command", "is_motor"), [("Set point", True), ("098500140000", True), ("09840000", False)])
def test_a_motor_command_is_recognised_by_name_and_by_what_is_sent(command: str, is_motor: bool) -> None:
    action = CommandAction(board="rotor", command=command, value=20 if command == "Set point" else None)
    assert moves_something(action, load_definitions()["09"], moves) == is_motor
    assert moves_something(action, None, moves) == (is_motor and command != "Set point")


def test_commands_that_cannot_be_sent_are_refused() -> None:
    rotor = load_definitions()["09"]
    for fields, fault in (
        ({"board": "b", "command": "x"}, "there is no source 'b'"),
        ({"board": "rotor", "command": "Set point"}, "needs a value"),
        ({"board": "rotor", "command": "x", "value": 2}, "has no command 'x' that takes a value"),
        ({"board": "rotor", "command": "5 €"}, "only characters of latin-1"),
    ):
        with pytest.raises(ValueError, match=fault):
            check_commands(make(actions=[{"kind": "command", **fields}]), {"rotor": rotor}, moves)


def test_each_source_has_a_rule_about_no_data_unless_it_has_one_or_wants_none() -> None:
    rules = {
        "1": make(),
        "2": make({"kind": "no_data", "after_s": 60}, source="slow"),
        "3": make({"kind": "no_data"}, source="off", is_enabled=False),
    }
    assert rules_in_force(rules, ["sim1", "slow", "off", "quiet"], ["quiet"]) == {
        "1": rules["1"],
        "2": rules["2"],
        "no_data:sim1": default_rule("sim1"),
        "no_data:off": default_rule("off"),
    }


def test_an_occurrence_is_in_sight_until_it_is_over_and_somebody_has_seen_it() -> None:
    active, over, seen = occurrence(), occurrence(cleared_at=NOW), occurrence(acknowledged_at=NOW)
    assert [each.state for each in (active, over, seen)] == [
        AlarmState.ACTIVE,
        AlarmState.LATCHED,
        AlarmState.ACKNOWLEDGED,
    ]
    done = occurrence(cleared_at=NOW, acknowledged_at=NOW)
    passing = occurrence(rule=make(is_latched=False, severity="critical"), cleared_at=NOW)
    assert [each.is_present for each in (done, passing)] == [False, False]
    counts = count_alarms([active, over, seen, done, passing])
    assert (counts.unacknowledged, counts.active, counts.worst) == (2, 2, "warning")
    assert active.model_copy(update={"unit": "kPa"}).words == "rule: sim1 pressure above 5 kPa (6 kPa)"
    nameless = active.rule.model_copy(update={"name": active.rule.words()})  # as the window names it then
    assert active.model_copy(update={"unit": "kPa", "rule": nameless}).words == "sim1 pressure above 5 kPa (6 kPa)"
