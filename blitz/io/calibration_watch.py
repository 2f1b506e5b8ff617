"""Telling operators of calibrations that have expired, or soon will: each once a day."""

import threading
from collections.abc import Iterable
from datetime import date

from blitz.data.board_definition import BoardDefinition
from blitz.data.calibration_due import WARN_DAYS, CalibrationDue, CalibrationState, due_calibrations
from blitz.io.room_watch import Tell


class CalibrationWatch:
    """Looks through the definitions in force. May be called from several threads.

    :param tell: told of each calibration that is due: severity, sentence, source.
    :param warn_days: so many days before its last day a calibration is told of.
    """

    def __init__(self, tell: Tell, warn_days: float = WARN_DAYS) -> None:
        self._tell = tell
        self._warn_days = warn_days
        self._told: dict[CalibrationDue, date] = {}
        self._lock = threading.Lock()

    def due(self, definitions: Iterable[tuple[str, BoardDefinition | None]], today: date) -> tuple[CalibrationDue, ...]:
        """Return what operators should know of."""
        return due_calibrations(definitions, today, self._warn_days)

    def look(self, definitions: Iterable[tuple[str, BoardDefinition | None]], today: date) -> None:
        """Tell of what expires, unless it was told today; numbers changed by hand are shown, and not told of."""
        with self._lock:
            due = [each for each in self.due(definitions, today) if each.state is not CalibrationState.CHANGED]
            new = [each for each in due if self._told.get(each) != today]
            self._told = dict.fromkeys(due, today)
        for each in new:
            self._tell("warning", each.sentence, each.source)
