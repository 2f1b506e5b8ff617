"""Facts of a calibration in a channel: how they travel, when they expire, and whether they still hold."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blitz.data.board_definition import BoardDefinition, Channel, read_definition
from blitz.data.calibration_due import CalibrationState, calibration_state, due_calibrations, list_calibrations
from blitz.data.calibration_facts import Calibration, CalibrationStep
from blitz.data.calibration_fit import fit_curve
from blitz.data.definition_file import to_toml, write_definition
from blitz.data.raw_numbers import average
from blitz.data.records import Source

TODAY = date(2026, 11, 23)


def calibrated(expires: date | None = date(2027, 11, 23), **changes: Any) -> Channel:
    steps = [CalibrationStep(raw=102, reference=0, deviation=0.5, count=40), CalibrationStep(raw=922, reference=10)]
    fit = fit_curve(steps)
    facts = Calibration(
        at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        who="ada@lab",
        against="Fluke 754, certificate 4711",
        expires=expires,
        points=fit.points,
        r_squared=fit.r_squared,
    )
    channel = fit.channel(Channel(name="p", column=0, unit="bar"))
    return channel.model_copy(update={"calibration": facts, **changes})


def board(*channels: Channel) -> BoardDefinition:
    return BoardDefinition(id="rig", name="Rig", format="columns", channels=channels)


def test_a_calibration_goes_through_a_file_and_over_the_wire(tmp_path: Path) -> None:
    definition = board(calibrated(), Channel(name="r", column=2), calibrated(None, name="q", column=1))
    write_definition(definition, tmp_path / "rig.toml")
    assert read_definition(tmp_path / "rig.toml") == definition
    assert 'expires = "2027-11-23"' in to_toml(definition)
    source = Source(index=0, name="rig", link="x", definition=definition)
    assert Source.model_validate_json(source.model_dump_json()) == source


def test_a_date_without_quotation_marks_is_a_date(tmp_path: Path) -> None:
    text = to_toml(board(calibrated())).replace('"2027-11-23"', "2027-11-23")
    (tmp_path / "rig.toml").write_text(text, encoding="utf-8")
    assert read_definition(tmp_path / "rig.toml") == board(calibrated())


def test_a_channel_that_was_never_calibrated_is_written_as_before() -> None:
    """A program that knows no calibrations refuses a field that it does not know."""
    assert "calibration" not in board(Channel(name="p", column=0)).model_dump_json()


def test_facts_of_a_later_version_are_left_out_and_the_rest_is_read() -> None:
    fields = calibrated().model_dump(mode="json")
    fields["calibration"]["humidity"] = 40
    assert Channel.model_validate(fields) == calibrated()


@pytest.mark.parametrize(
    ("expires", "state"),
    [
        (date(2026, 11, 22), CalibrationState.EXPIRED),
        (date(2026, 11, 23), CalibrationState.SOON),
        (date(2026, 12, 23), CalibrationState.SOON),
        (date(2026, 12, 24), CalibrationState.GOOD),
        (None, CalibrationState.GOOD),
    ],
)
def test_a_calibration_is_good_through_its_last_day_and_warns_thirty_days_before(
    expires: date | None, state: CalibrationState
) -> None:
    assert calibration_state(calibrated(expires), TODAY) is state


def test_numbers_that_were_changed_since_are_told() -> None:
    assert calibration_state(calibrated(zero=103.0), TODAY) is CalibrationState.CHANGED
    assert (
        calibration_state(calibrated(label="Pressure", limit_high=9.0, valid_low=1.0), TODAY) is CalibrationState.GOOD
    )
    assert calibration_state(Channel(name="p", column=0), TODAY) is None


def test_what_is_due_first_is_listed_first_and_only_what_is_due_warns() -> None:
    soon, gone = date(2026, 12, 1), date(2026, 1, 1)
    definitions = [
        ("a", board(calibrated(None), calibrated(soon, name="q", label="Flow"))),
        ("b", board(calibrated(gone))),
        ("c", None),
    ]
    assert [(due.source, due.channel) for due, _ in list_calibrations(definitions, TODAY)] == [
        ("b", "p"),
        ("a", "Flow"),
        ("a", "p"),
    ]
    assert [due.sentence for due in due_calibrations(definitions, TODAY)] == [
        "The calibration of p (b) has expired on 2026-01-01: calibrate it again.",
        "The calibration of Flow (a) expires on 2026-12-01.",
    ]
    assert len(due_calibrations(definitions, TODAY, warn_days=7)) == 1


def test_readings_that_move_meanwhile_are_unsteady() -> None:
    noise = np.random.default_rng(3).normal(scale=0.5, size=200)
    still, moving = average(500 + noise), average(500 + noise + np.linspace(0, 2, 200))
    assert (still.is_steady, moving.is_steady) == (True, False)
    assert moving.drift == pytest.approx(1.0, abs=0.2)
    assert (still.mean, still.deviation, still.count) == (
        pytest.approx(np.mean(500 + noise)),
        pytest.approx(np.std(noise, ddof=1)),
        200,
    )
    assert average(np.full(50, 512.0)).doubt == ""
    assert average(np.array([512.0] * 49 + [513.0])).doubt == ""
    assert (still.outliers, average(np.append(500 + noise, 512.0)).outliers) == (0, 1)
    assert average(np.array([12.0] + [512.0] * 40)).doubt.startswith("1 reading was far from the others")
    assert average(np.array([7.0])).step(3.0) == CalibrationStep(reference=3.0, raw=7.0, deviation=0.0, count=1)
