"""The feeder of alarms by itself: what it does with a place that it cannot read."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule, default_rule
from blitz.data.alarm_store import AlarmStore
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.alarm_feeder import AlarmFeeder
from blitz.io.devices import DeviceOptions


class Book:
    """Has one rule, and notes what it is told."""

    def __init__(self) -> None:
        self.cleared: list[Mapping[str, AlarmRule]] = []

    def in_force(self, *, is_beginning: bool = False) -> dict[str, AlarmRule]:
        return {"no_data:oven": default_rule("oven")}

    def commit(
        self, crossings: Sequence[AlarmCrossing], rules: Mapping[str, AlarmRule], place: Mapping[str, Any] | None
    ) -> None:
        pass

    def clear_others(self, rules: Mapping[str, AlarmRule]) -> None:
        self.cleared.append(rules)


@pytest.mark.parametrize(
    "place", [{}, {"silence": 3}, {"silence": {"session": None, "sources": {"oven": 1}, "rules": {}}, "readings": None}]
)
def test_a_place_that_cannot_be_read_lets_alarms_begin_anew(
    store: Any, place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    acquisition = Acquisition(store, {}, AcquisitionOptions(devices=DeviceOptions(scan_usb="off")))
    acquisition.start()
    try:
        with AlarmStore(":memory:") as kept:
            kept.commit([], {}, place)
            book = Book()
            feeder = AlarmFeeder(acquisition, kept, book)
            feeder.start()
            feeder.stop()
            assert book.cleared[0] == {}
            assert "cannot be read" in caplog.text
    finally:
        acquisition.stop()
