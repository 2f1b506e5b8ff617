"""Calibrations that expire: told once a day, and on a server in its status, its notices and at once."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from waiting import wait_until

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.calibration_facts import Calibration, CalibrationPoint
from blitz.io.blocking import Client
from blitz.io.calibration_watch import CalibrationWatch

TODAY = date(2026, 11, 23)


def calibrated(expires: date, **fields: Any) -> Channel:
    point = CalibrationPoint(raw=5, reference=5)
    facts = Calibration(at=datetime(2026, 1, 1, tzinfo=UTC), who="ada", expires=expires, points=(point,))
    return Channel(**{"name": "p", "column": 0, "calibration": facts, **fields})


def board(*channels: Channel) -> BoardDefinition:
    return BoardDefinition(id="rig", name="Rig", format="columns", channels=channels)


def test_what_expires_is_told_once_a_day_until_it_is_calibrated_again() -> None:
    told: list[tuple[str, str, str | None]] = []
    watch = CalibrationWatch(lambda *words: told.append(words))
    due = [("rig", board(calibrated(TODAY + timedelta(3))))]
    watch.look(due, TODAY)
    watch.look(due, TODAY)
    assert told == [("warning", "The calibration of p (rig) expires on 2026-11-26.", "rig")]
    watch.look(due, TODAY + timedelta(1))
    assert len(told) == 2
    watch.look(due, TODAY + timedelta(4))
    assert told[-1][1] == "The calibration of p (rig) has expired on 2026-11-26: calibrate it again."
    watch.look([("rig", board(calibrated(TODAY + timedelta(400))))], TODAY + timedelta(5))
    assert len(told) == 3


def test_numbers_changed_by_hand_are_shown_and_not_told_of() -> None:
    told: list[object] = []
    watch = CalibrationWatch(lambda *words: told.append(words))
    changed = [("rig", board(calibrated(TODAY + timedelta(400), zero=3.0)))]
    watch.look(changed, TODAY)
    assert not told
    assert [due.state for due in watch.due(changed, TODAY)] == ["changed"]


def test_a_server_tells_of_a_calibration_that_has_expired(run_server: Callable[..., Any]) -> None:
    url = run_server("--simulate", "1", "--durability", "none").url
    with Client(url) as client:
        wait_until(lambda: any(each.definition for each in client.boards()))
        name = next(each.name for each in client.boards() if each.definition)
        definition = client.definition(name)
        first = calibrated(date(2026, 1, 31)).calibration
        channels = (definition.channels[0].model_copy(update={"calibration": first}), *definition.channels[1:])
        client.set_definition(name, definition.model_copy(update={"channels": channels}))
        label = definition.channels[0].display_name
        wait_until(lambda: any("has expired on 2026-01-31" in notice.text for notice in client.notices()))
        assert [(due.source, due.channel) for due in client.status().calibrations] == [(name, label)]
        version = client.definition_versions(name)[-1]
        assert version.definition.channels[0].calibration == first
