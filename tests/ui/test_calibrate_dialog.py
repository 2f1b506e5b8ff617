"""Calibrating a channel in the window: steps, curve, saving; what is due; old sessions read by it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.calibration_due import CalibrationDue
from blitz.data.calibration_facts import CalibrationStep
from blitz.data.database_client import DatabaseClient
from blitz.data.old_sessions import ChannelCalibration
from blitz.data.records import BoardRecord, Role, SessionRecord, Source, StatusRecord
from blitz.data.sync import download
from blitz.ui.board_causes import Remedy, Severity
from blitz.ui.calibration_actions import CalibrationActions
from blitz.ui.checklist import Light, check_server
from blitz.ui.dialogs.calibrate import CalibrateDialog
from blitz.ui.feed import SessionList
from blitz.ui.jobs import Jobs
from blitz.ui.models.calibration_steps import BEFORE, KNOWN, RESIDUAL, SENT
from blitz.ui.models.sessions import SessionsModel
from blitz.ui.theme import Appearance
from blitz.ui.widgets.notices import NoticesArea

RIG = BoardDefinition.model_validate(
    {
        "id": "rig",
        "name": "Rig",
        "format": "columns",
        "channels": [
            {"name": "flow", "column": 0},
            {"name": "pressure", "column": 1, "unit": "bar", "scale": 0.01, "valid_high": 20},
        ],
    }
)
SOURCE = Source(index=2, name="ttyUSB0", link="/dev/ttyUSB0", definition=RIG)
BEGIN_NS = round(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() * 1e9)


def board(definition: BoardDefinition = RIG) -> BoardRecord:
    return BoardRecord(
        name="ttyUSB0", link="/dev/ttyUSB0", baud=9600, state="ready", format="columns", definition=definition
    )


class Bench:
    """The window's dialog, and a device that sends one number as often as it is told."""

    def __init__(self, actions: CalibrationActions, feed: Any, status: StatusRecord) -> None:
        self.actions = actions
        self.feed = feed
        self.status = status
        self.seq = 0
        self.tell()
        feed.sources_received.emit(0, (SOURCE,))

    def tell(self, definition: BoardDefinition = RIG, **more: Any) -> None:
        self.status = self.status.model_copy(update={"boards": (board(definition),), **more})
        self.feed.status_received.emit(self.status)

    def send(self, *numbers: float, step_ms: int = 100) -> None:
        reads = [
            Read(BEGIN_NS + (self.seq + n) * step_ms * 10**6, 2, [f"1,{number}".encode()])
            for n, number in enumerate(numbers)
        ]
        self.feed.raw_received.emit(MessageBlock.from_reads(0, self.seq, reads))
        self.seq += len(numbers)

    @property
    def dialog(self) -> CalibrateDialog:
        assert self.actions.dialog is not None
        return self.actions.dialog

    def take(self, known: str, sent: float) -> None:
        """As an operator does: type, Enter; 21 readings in two seconds come."""
        field = self.dialog.taking.known
        field.selectAll()
        QTest.keyClicks(field, known)
        QTest.keyClick(field, Qt.Key_Return)
        self.send(*(sent + 0.5 * (-1) ** n for n in range(21)))

    def cell(self, row: int, column: int) -> str:
        return str(self.dialog.steps.index(row, column).data())


@pytest.fixture
def around(qtbot: QtBot) -> QWidget:
    """What the dialog stands on: the whole window takes seconds, and is in another test."""
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def notices(around: QWidget) -> NoticesArea:
    return NoticesArea(around)


@pytest.fixture
def sessions() -> SessionsModel:
    return SessionsModel()


@pytest.fixture
def bench(
    around: QWidget, notices: NoticesArea, sessions: SessionsModel, feed: Any, make: Any, appearance: Appearance
) -> Bench:
    actions = CalibrationActions(feed, sessions, Jobs(around), notices, appearance, around)
    bench = Bench(actions, feed, make.status())
    actions.open("ttyUSB0", 1)
    return bench


def test_two_steps_make_a_line_that_is_saved_with_who_against_what_and_until_when(bench: Bench) -> None:
    dialog = bench.dialog
    assert (dialog.head.source.currentText(), dialog.head.channel.currentText()) == ("ttyUSB0", "pressure")
    assert not dialog.save.isEnabled()
    bench.take("0", 102)
    bench.take("10", 922)
    assert [bench.cell(row, KNOWN) for row in (0, 1)] == ["0", "10"]
    assert bench.cell(1, SENT).startswith("922")
    assert (bench.cell(0, BEFORE), bench.cell(0, RESIDUAL)) == ("1.02024", "0.000")
    assert dialog.pane.formula.text().endswith("bar")
    assert "one step more" in dialog.pane.doubts.text()
    dialog.facts.against.setText("Fluke 754, no. 4711")
    dialog.save.click()
    request, source, definition = bench.feed.requests[-1]
    assert (request, source) == ("define", "ttyUSB0")
    channel = definition.channels[1]
    assert (channel.scale, channel.zero) == (pytest.approx(10 / 820), pytest.approx(102, abs=0.1))
    assert (channel.valid_high, definition.channels[0]) == (20, RIG.channels[0])
    facts = channel.calibration
    assert facts.against == "Fluke 754, no. 4711"
    assert facts.who
    assert facts.expires - datetime.now(UTC).astimezone().date() == timedelta(days=365)
    assert [point.count for point in facts.points] == [21, 21]
    bench.feed.definition_answered.emit("ttyUSB0", "")
    assert dialog.problem.text().startswith("Saved")
    assert (dialog.old.isVisible(), dialog.save.isEnabled()) == (True, False)
    bench.tell(definition)
    bench.send(512)
    dialog.refresh()
    assert (dialog.head.reads.text, dialog.head.will_read.text) == ("4.99971 bar", "4.99971 bar")


def test_what_was_a_count_gets_a_unit_and_enter_goes_on_to_the_end(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.choose("ttyUSB0", 0)
    assert dialog.head.unit.text() == ""
    QTest.keyClicks(dialog.head.unit, "l/s ")
    bench.take("5", 1)  # always sent as flow
    dialog.desk.draft.put(CalibrationStep(raw=4, reference=20))
    dialog.refresh()
    assert dialog.taking.unit.text() == "l/s"
    assert dialog.pane.formula.text() == "value = (sent − 0) × 5 l/s"
    dialog.facts.against.setFocus()
    QTest.keyClicks(dialog.facts.against, "meter 7")
    QTest.keyClick(dialog.facts.against, Qt.Key_Return)
    assert dialog.focusWidget() is dialog.save
    QTest.keyClick(dialog.save, Qt.Key_Return)
    definition = bench.feed.requests[-1][2]
    assert definition.channels[0].unit == "l/s"
    assert definition.channels[1] == RIG.channels[1]
    bench.feed.definition_answered.emit("ttyUSB0", "")
    assert dialog.focusWidget() is dialog.close_button
    QTest.keyClick(dialog.close_button, Qt.Key_Return)
    assert not dialog.isVisible()


def test_a_step_is_over_when_its_own_times_say_so_and_can_be_given_up(bench: Bench) -> None:
    dialog = bench.dialog
    dialog.taking.known.setText("5")
    dialog.taking.button.click()
    assert "nothing came yet" in dialog.taking.words.text()
    bench.send(*[500.0] * 11)
    assert "11 so far" in dialog.taking.words.text()
    assert dialog.taking.progress.value() == 500
    dialog.taking.button.click()
    assert dialog.steps.rowCount() == 0
    dialog.taking.kind.setCurrentText("readings")
    dialog.taking.span.setValue(3)
    dialog.taking.take()
    bench.send(*range(500, 520))
    assert (bench.cell(0, SENT), dialog.taking.words.text()[:28]) == ("501", "5: sent 501 ± 1, 3 readings.")


def test_what_moves_meanwhile_is_said_and_taken_again(bench: Bench) -> None:
    dialog = bench.dialog
    bench.take("0", 100)
    dialog.taking.known.setText("10")
    dialog.taking.take()
    bench.send(*(900.0 + n for n in range(21)))
    assert "It moved by" in dialog.taking.words.text()
    assert "press Redo" in dialog.taking.words.text()
    dialog.redo.click()
    bench.send(*[920.0] * 21)
    assert [bench.cell(row, SENT) for row in (0, 1)] == ["100.0238", "920"]
    assert dialog.steps.rowCount() == 2


def test_steps_are_corrected_and_removed_and_curves_chosen(bench: Bench) -> None:
    dialog = bench.dialog
    for known, sent in (("0", 100), ("25", 500), ("99", 900)):
        bench.take(known, sent)
    dialog.pane.curve.setCurrentText("Polynomial of degree 2")
    assert "sent²" in dialog.pane.formula.text()
    dialog.pane.curve.setCurrentText("Polynomial of degree 3")
    assert "at least 4 steps are needed; there are 3." in dialog.pane.formula.text()
    assert not dialog.save.isEnabled()
    dialog.pane.curve.setCurrentText("Table")
    assert "lines that join 3 steps" in dialog.pane.formula.text()
    dialog.pane.curve.setCurrentText("Line")
    assert dialog.steps.setData(dialog.steps.index(1, KNOWN), "50") is True
    assert dialog.steps.setData(dialog.steps.index(1, KNOWN), "fifty") is False
    assert "is not a number" in dialog.taking.words.text()
    dialog.table.selectRow(2)
    dialog.remove.click()
    assert [bench.cell(row, KNOWN) for row in (0, 1)] == ["0", "50"]


def test_steps_of_another_channel_are_kept_for_coming_back(bench: Bench) -> None:
    bench.take("0", 100)
    bench.actions.open("ttyUSB0", 0)
    assert (bench.dialog.steps.rowCount(), bench.dialog.head.channel.currentText()) == (0, "flow")
    bench.dialog.choose("ttyUSB0", 1)
    assert bench.dialog.steps.rowCount() == 1


def test_a_channel_that_was_changed_meanwhile_or_a_refusal_is_said(bench: Bench) -> None:
    bench.take("0", 100)
    bench.take("10", 900)
    other = RIG.model_copy(update={"channels": (RIG.channels[0], RIG.channels[1].model_copy(update={"column": 4}))})
    bench.tell(other)
    bench.dialog.save.click()
    assert "was changed meanwhile" in bench.dialog.problem.text()
    bench.tell()
    bench.dialog.save.click()
    bench.feed.definition_answered.emit("ttyUSB0", "The server is away.")
    assert bench.dialog.problem.text() == "Not saved. The server is away."
    assert bench.dialog.save.isEnabled()


def test_a_recording_is_warned_of_and_a_viewer_refused(bench: Bench, make: Any) -> None:
    bench.tell(session=make.session(running=True))
    assert "A session is being recorded" in bench.dialog.problem.text()
    bench.feed.identity_received.emit(WhoRecord(name="wall", role=Role.VIEWER))
    assert "its role is viewer" in bench.dialog.save.toolTip()
    assert not bench.dialog.taking.button.isEnabled()
    bench.dialog.close()
    assert bench.actions.dialog is None
    bench.send(1.0)  # nobody is there any more


def test_a_calibration_that_is_due_is_in_the_checklist_and_on_the_page_of_boards(
    window: Any, feed: Any, make: Any
) -> None:
    feed.go_online()
    bench = Bench(window.calibrations, feed, make.status())
    due = (CalibrationDue(source="ttyUSB0", channel="pressure", state="expired", expires=date(2026, 1, 31)),)
    bench.tell(calibrations=due)
    check = check_server(bench.status).checks[-1]
    assert (check.light, check.board) == (Light.AMBER, None)
    assert check.sentence == (
        "The calibration of pressure (ttyUSB0) has expired on 2026-01-31. Boards, Calibrate… makes a new one."
    )
    cause = window.boards_page.boards.cause(bench.status.boards[0])
    assert (cause.severity, cause.remedies) == (Severity.WARNING, (Remedy.CALIBRATE,))
    window.boards_page.select("ttyUSB0")
    window.boards_page.cause.chosen.emit(Remedy.CALIBRATE)
    assert bench.dialog.head.source.currentText() == "ttyUSB0"


@pytest.fixture
def cache(tmp_path: Path, make: Any, feed: Any) -> Callable[..., SessionRecord]:
    """Make sessions of one message each; the feed's cache has them."""
    feed.path = tmp_path / "cache.db"

    def add(session_id: int, definition: BoardDefinition) -> SessionRecord:
        sources = (SOURCE.model_copy(update={"definition": definition}),)
        record: SessionRecord = make.session(session_id, count=1).model_copy(update={"sources": sources})
        block = MessageBlock.from_reads(record.id, 0, [Read(BEGIN_NS, 2, [b"1,512"])])

        async def fetch(first: int, count: int) -> list[MessageBlock]:
            return [block]

        with DatabaseClient(path=feed.path) as cache:
            asyncio.run(download(record, fetch, cache))
        return record

    return add


def test_old_sessions_are_read_by_it_where_they_have_the_channel(
    bench: Bench, sessions: SessionsModel, notices: NoticesArea, qtbot: QtBot, cache: Callable[..., SessionRecord]
) -> None:
    other = RIG.model_copy(update={"id": "pump"})
    records = (cache(9, RIG), cache(8, other), cache(7, RIG))
    sessions.show(SessionList(records, frozenset({7, 8, 9})))
    bench.take("0", 102)
    bench.take("10", 922)
    bench.dialog.save.click()
    bench.feed.definition_answered.emit("ttyUSB0", "")
    shown: list[Any] = []
    original = bench.actions.choose_sessions
    bench.actions.choose_sessions = lambda *about: shown.append(original(*about))  # type: ignore[method-assign]
    bench.dialog.old.click()
    qtbot.waitUntil(lambda: bool(shown))
    dialog = shown[0]
    assert [dialog.list.item(row).data(Qt.UserRole) for row in range(dialog.list.count())] == [9, 7]
    assert not dialog.accept_button.isEnabled()
    dialog.tick_all(True)
    dialog.list.item(0).setCheckState(Qt.Unchecked)
    assert dialog.chosen == (7,)
    dialog.accept()
    qtbot.waitUntil(lambda: any("1 session is read by" in text for text in notices.texts))
    with DatabaseClient(path=bench.feed.path) as database:
        (version,) = database.definition_versions(7)
        assert version.reason.startswith("Calibration of pressure of ttyUSB0, ")
        channel = database.session_sources(7)[0].definition.channels[1]  # type: ignore[union-attr]
        assert channel.calibration is not None
        assert channel.scale == pytest.approx(10 / 820)
        assert not database.definition_versions(9)
    wanted = bench.dialog.desk.wanted
    assert wanted is not None
    bench.actions.ask_old_sessions(ChannelCalibration("ttyUSB0", wanted, 1))
    qtbot.waitUntil(lambda: len(shown) == 2)
    assert [bool(shown[1].list.item(row).flags()) for row in (0, 1)] == [True, False]
