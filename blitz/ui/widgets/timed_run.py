"""When a session is to start and to stop by itself, in one group."""

from collections.abc import Callable
from datetime import datetime, timedelta

from PyQt5.QtCore import QDateTime, Qt
from PyQt5.QtWidgets import QCheckBox, QDateTimeEdit, QGridLayout, QLabel, QSpinBox, QWidget

from blitz.data.records import RunWishes
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice

_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_MOST = 2_000_000_000


class TimedRunFields(QWidget):
    """Four wishes, each with a box to tick; the server carries them out, whatever becomes of this window.

    :param now: the server's time, aware; a moment to start at lies behind it.
    """

    def __init__(self, now: Callable[[], datetime], parent: QWidget | None = None, *, can_plan: bool = True) -> None:
        super().__init__(parent)
        self._now = now
        self.duration = _Length(2, "hours")
        self.count = QSpinBox()
        self.count.setRange(1, _MOST)
        self.count.setValue(10_000)
        self.count.setButtonSymbols(QSpinBox.NoButtons)
        self.count.setAccessibleName("Messages")
        self.start_at = QDateTimeEdit(QDateTime.fromSecsSinceEpoch(_next_hour(now()), Qt.LocalTime))
        self.start_at.setDisplayFormat("yyyy-MM-dd HH:mm")
        self.start_at.setButtonSymbols(QDateTimeEdit.NoButtons)
        self.start_at.setCurrentSection(QDateTimeEdit.HourSection)
        self.start_at.setAccessibleName("Moment of the start")
        self.repeat = _Length(4, "hours")
        self.starts = QCheckBox("Start &at")
        self.stops_after = QCheckBox("Stop a&fter")
        self.stops_at = QCheckBox("Stop at")
        self.repeats = QCheckBox("New session &every")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACE)
        self._grid.setColumnStretch(1, 1)
        if can_plan:
            self._add(self.starts, self.start_at)
        self._add(self.stops_after, self.duration.number, self.duration.unit)
        self._add(self.stops_at, self.count, QLabel("messages"))
        self._add(self.repeats, self.repeat.number, self.repeat.unit)
        self.stops_at.setToolTip("Messages of all boards together; a few more may come")
        self.repeats.setToolTip("The next one follows without a message lost, until the run stops")

    @property
    def run(self) -> RunWishes:
        """What was wished.

        :raises ValueError: if that cannot be.
        """
        duration_s = self.duration.seconds if self.stops_after.isChecked() else None
        repeat_every_s = self.repeat.seconds if self.repeats.isChecked() else None
        if duration_s is not None and repeat_every_s is not None and repeat_every_s >= duration_s:
            raise ValueError(
                "The run stops before a second session begins: make the sessions shorter, or the run longer."
            )
        return RunWishes(
            duration_s=duration_s,
            message_count=self.count.value() if self.stops_at.isChecked() else None,
            repeat_every_s=repeat_every_s,
        )

    @property
    def moment(self) -> datetime | None:
        """When to start; None: now.

        :raises ValueError: if that is over.
        """
        if not self.starts.isChecked():
            return None
        moment = datetime.fromtimestamp(self.start_at.dateTime().toSecsSinceEpoch()).astimezone()
        if moment <= self._now():
            raise ValueError("The time to start at is over: choose a later one.")
        return moment

    def show_run(self, run: RunWishes) -> None:
        """Fill in wishes that there are already."""
        for box, wish, length in (
            (self.stops_after, run.duration_s, self.duration),
            (self.repeats, run.repeat_every_s, self.repeat),
        ):
            box.setChecked(wish is not None)
            if wish is not None:
                length.show_seconds(wish)
        self.stops_at.setChecked(run.message_count is not None)
        if run.message_count is not None:
            self.count.setValue(min(_MOST, run.message_count))

    def _add(self, box: QCheckBox, *fields: QWidget) -> None:
        row = self._grid.rowCount()
        self._grid.addWidget(box, row, 0)
        for column, field in enumerate(fields, 1):
            last = 3 - column if field is fields[-1] else 1
            self._grid.addWidget(field, row, column, 1, last)
            field.setEnabled(False)
            box.toggled.connect(field.setEnabled)


class _Length:
    """A number and its unit."""

    def __init__(self, number: int, unit: str) -> None:
        self.number = QSpinBox()
        self.number.setRange(1, 99_999)
        self.number.setValue(number)
        self.number.setButtonSymbols(QSpinBox.NoButtons)
        self.number.setAccessibleName("How long")
        self.unit = Choice()
        self.unit.addItems(list(_UNITS))
        self.unit.setCurrentText(unit)
        self.unit.setAccessibleName("Unit of time")

    @property
    def seconds(self) -> float:
        """What was chosen."""
        return float(self.number.value() * _UNITS[self.unit.currentText()])

    def show_seconds(self, seconds: float) -> None:
        """Show a length in the largest unit that tells it exactly."""
        whole = max(1, round(seconds))
        unit = next(name for name in reversed(_UNITS) if whole % _UNITS[name] == 0)
        self.unit.setCurrentText(unit)
        self.number.setValue(whole // _UNITS[unit])


def _next_hour(now: datetime) -> int:
    return round((now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0).timestamp())
