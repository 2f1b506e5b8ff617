"""Variables: extremes, limits, silence, trends and groups as numbers; then the table with an operator at it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QGuiApplication
from PyQt5.QtTest import QAbstractItemModelTester, QTest
from PyQt5.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from blitz.data.access_records import WhoRecord
from blitz.data.boards import Readings, load_definitions
from blitz.data.records import Role, Source
from blitz.ui.channel_actions import ChannelActions
from blitz.ui.channel_edits import changed
from blitz.ui.definition_draft import DraftError
from blitz.ui.dialogs.limits import LimitsDialog
from blitz.ui.feed import SessionList
from blitz.ui.live_store import LiveStore
from blitz.ui.models.sessions import SessionsModel
from blitz.ui.models.variable_rows import VariableRows
from blitz.ui.models.variables import (
    AGE,
    CHANNEL,
    HIGH,
    LIMITS,
    LOW,
    SOURCE,
    TREND,
    TREND_ROLE,
    UNIT,
    VALUE,
    VariablesModel,
)
from blitz.ui.preferences import Preferences
from blitz.ui.theme import DARK, LIGHT
from blitz.ui.widgets.channel_menu import ChannelMenu
from blitz.ui.widgets.channel_side import ChannelSide
from blitz.ui.widgets.notices import NoticesArea
from blitz.ui.widgets.quick_cells import trend_lines
from blitz.ui.widgets.table import Table


def readings_of(source: Source, values: Any, first: int = 0, step_s: float = 0.1) -> Readings:
    seq = np.arange(first, first + len(values))
    return Readings(0, source, seq, (seq * step_s * 1e9).astype(np.int64), values, np.zeros(len(values), np.int64))


def limited(source: Source, **fields: Any) -> Source:
    """The source with other fields of its first channel."""
    assert source.definition is not None
    return source.model_copy(update={"definition": changed(source.definition, 0, fields)})


@pytest.fixture
def store(make: Any) -> LiveStore:
    store = LiveStore(recent=1000)
    store.follow(0, [make.source(0)])
    return store


@pytest.fixture
def model(store: LiveStore) -> VariablesModel:
    return VariablesModel(store, lambda index: "#112233")


def test_extremes_over_millions_of_readings_in_pieces_are_those_of_all_of_them(make: Any) -> None:
    source = make.source(0)
    store = LiveStore(recent=1000)
    store.follow(0, [source])
    rng = np.random.default_rng(7)
    whole = rng.normal(size=(1_000_000, len(source.definition.channels))).astype(np.float64)
    whole[rng.random(len(whole)) < 0.01] = np.nan
    whole[:, 3] = np.nan
    cuts = np.sort(rng.integers(0, len(whole), 60))
    first = 0
    for _ in range(3):
        for piece in np.split(whole, cuts):
            store.add(readings_of(source, piece, first))
            first += len(piece)
    extremes = store.extremes(0)
    assert extremes is not None
    known = np.delete(whole, 3, axis=1)
    assert np.array_equal(np.delete(extremes.low, 3), np.nanmin(known, axis=0))
    assert np.array_equal(np.delete(extremes.high, 3), np.nanmax(known, axis=0))
    assert np.isnan(extremes.low[3])


def test_extremes_are_reset_for_single_channels_and_what_was_reset_can_be_counted_again(
    store: LiveStore, make: Any
) -> None:
    source = make.source(0)
    store.add(make.readings(source, 100))
    before = store.reset_extremes([store.channels[1]])
    store.add(make.readings(source, 1, first=100))
    extremes = store.extremes(0)
    assert extremes is not None
    assert (extremes.low[0], extremes.high[0]) == (0, 1000)
    assert (extremes.low[1], extremes.high[1]) == (1001, 1001)
    store.join_extremes(before)
    extremes = store.extremes(0)
    assert extremes is not None
    assert (extremes.low[1], extremes.high[1]) == (1, 1001)
    store.follow(8, [source])
    store.add(make.readings(source, 1, first=5, session_id=8))
    store.join_extremes(before)  # of another session by now
    extremes = store.extremes(0)
    assert extremes is not None
    assert extremes.low[1] == 51


def test_extremes_are_converted_with_their_channel(store: LiveStore, make: Any) -> None:
    store.add(make.readings(make.source(0), 11))
    store.follow(0, [limited(make.source(0), zero=10.0, scale=-2.0)])
    extremes = store.extremes(0)
    assert extremes is not None
    assert (extremes.low[0], extremes.high[0]) == (-180, 20)


def test_limits_are_told_by_a_sign_a_word_and_a_colour(store: LiveStore, model: VariablesModel, make: Any) -> None:
    source = limited(make.source(0), limit_low=0, limit_high=20)
    store.follow(0, [source])
    assert source.definition is not None
    seen: list[tuple[str, str | None]] = []
    for value in (10.0, 20.0, 20.5, -0.5, np.nan):
        values = np.full((1, len(source.definition.channels)), 1.0)
        values[0, 0] = value
        store.add(readings_of(source, values, first=len(seen)))
        model.refresh(0.0)
        cell = model.index(0, LIMITS)
        colour = cell.data(Qt.ForegroundRole)
        seen.append((cell.data(), colour.name() if colour is not None else None))
    assert seen == [
        ("✓ ok", LIGHT.okay),
        ("✓ ok", LIGHT.okay),
        ("▲ high", LIGHT.recording),
        ("▼ low", LIGHT.recording),
        ("", None),
    ]
    assert model.index(1, LIMITS).data() == ""
    assert model.has_limits


def test_a_silent_channel_is_grey_and_its_age_a_warning(store: LiveStore, model: VariablesModel, make: Any) -> None:
    readings = make.readings(make.source(0), 100, step_s=1.0)
    store.add(readings)
    newest_s = float(readings.time_ns[-1] / 1e9)
    for age_s, is_silent in ((4.5, False), (5.5, True)):  # it sends once a second
        model.refresh(newest_s + age_s)
        grey, age = (model.index(0, column).data(Qt.ForegroundRole) for column in (VALUE, AGE))
        assert (grey is not None and grey.name() == LIGHT.muted) is is_silent
        assert (age.name() == LIGHT.warning) is is_silent
    assert "Silent for 5.5 s" in model.index(0, VALUE).data(Qt.ToolTipRole)


def test_a_trend_is_the_last_hundred_readings(store: LiveStore, model: VariablesModel, make: Any) -> None:
    model.refresh(0.0)
    assert len(model.index(2, TREND).data(TREND_ROLE)) == 0
    store.add(make.readings(make.source(0), 250))
    model.refresh(0.0)
    assert model.index(2, TREND).data(TREND_ROLE).tolist() == [10.0 * n + 2 for n in range(150, 250)]


def test_a_trend_breaks_at_missing_readings_and_bears_a_steady_or_endless_value() -> None:
    def lines(*values: float) -> list[Any]:
        return [line.tolist() for line in trend_lines(np.array(values), 8, 8)]

    assert lines(7.0, 7.0, 7.0) == [[[0.0, 4.0], [4.0, 4.0], [8.0, 4.0]]]
    assert lines(np.nan, 1.0) == []
    assert lines(np.nan, 0.0, 1.0, np.inf, 2.0) == [[[2.0, 8.0], [4.0, 4.0]]]


def test_rows_have_heads_where_there_are_several_boards_and_can_be_filtered(
    store: LiveStore, model: VariablesModel, make: Any
) -> None:
    rows = VariableRows(model)
    tester = QAbstractItemModelTester(rows)
    model.refresh(0.0)
    count = model.rowCount()
    assert rows.rowCount() == count
    assert rows.heads == []
    store.follow(0, [make.source(0), make.source(1, "09")])
    model.refresh(0.0)
    assert rows.heads == [0, count + 1]
    assert rows.index(0, CHANNEL).data() == "sim1  ·  Blitz Basic"
    assert not rows.flags(rows.index(0, CHANNEL)) & Qt.ItemIsSelectable
    assert rows.index(1, CHANNEL).data() == "adc_channel_one"
    rows.filter("SIM1 two")
    assert [rows.index(row, CHANNEL).data() for row in range(rows.rowCount())] == [
        "sim1  ·  Blitz Basic",
        "adc_channel_two",
        "digital_input_two",
    ]
    assert rows.row_of("sim1", 1) == 1
    assert rows.row_of("sim1", 0) is None
    rows.filter("no such thing")
    assert rows.rowCount() == 0
    assert tester is not None


def test_a_changed_definition_has_one_channel_changed_and_all_other_numbers_as_they_were(make: Any) -> None:
    definition = changed(make.source(0).definition, 2, {"zero": 0.1234567890123456})
    after = changed(definition, 0, {"display_name": " pressure ", "unit": "kPa", "decimals": 2})
    assert (after.channels[0].name, after.channels[0].unit, after.channels[0].decimals) == ("pressure", "kPa", 2)
    assert after.channels[1:] == definition.channels[1:]
    labelled = changed(after, 0, {"label": "Vessel"})
    assert changed(labelled, 0, {"display_name": "Tank"}).channels[0].label == "Tank"
    for fields, words in (
        ({"display_name": " "}, "a channel needs a name"),
        ({"display_name": "adc_channel_two"}, "another channel is called adc_channel_two"),
        ({"limit_low": 2.0, "limit_high": 1.0}, "limits"),
    ):
        with pytest.raises(DraftError, match=words):
            changed(definition, 0, fields)


class Side:
    """The side panel with a fake feed behind it, and what an operator does there."""

    def __init__(self, qtbot: QtBot, feed: Any, preferences: Preferences, make: Any) -> None:
        self._qtbot, self.feed, self.make, self.notices = qtbot, feed, make, NoticesArea()
        self.store = LiveStore()
        self.model = VariablesModel(self.store, lambda index: "#112233")
        self.panel = ChannelSide(self.store, self.model)
        self.table = self.panel.variables_table
        self.actions = ChannelActions(feed, self.store, self.notices, preferences, self.panel)
        self.actions.serve(self.panel)
        for widget in (self.notices, self.panel):
            qtbot.addWidget(widget)
        self.panel.resize(420, 500)
        self.panel.show()
        self.definition = load_definitions()["08"]
        feed.go_online()
        self.tell_status()
        self.follow()

    def tell_status(self) -> None:
        board = self.make.board("sim1").model_copy(update={"definition": self.definition})
        self.feed.status_received.emit(self.make.status().model_copy(update={"boards": (board,)}))

    def follow(self, boards: int = 1) -> None:
        sources = [self.make.source(index) for index in range(boards)]
        sources[0] = sources[0].model_copy(update={"definition": self.definition})
        self.store.follow(0, sources)
        self.panel.refresh(0.0)

    def answer(self, reason: str = "") -> None:
        """The server takes the definition that was asked for last, or refuses."""
        if not reason:
            self.definition = self.feed.requests[-1][2]
        self.feed.definition_answered.emit("sim1", reason)
        self.tell_status()
        self.follow()

    def type_in(self, text: str) -> None:
        editor = next(iter(self.table.findChildren(QLineEdit)))
        editor.selectAll()
        QTest.keyClicks(editor, text)
        self.enter(editor)

    def enter(self, editor: QLineEdit) -> None:
        QTest.keyClick(editor, Qt.Key_Return)
        self._qtbot.waitUntil(lambda: self.table.state() != self.table.EditingState, timeout=30_000)

    def sent(self) -> list[Any]:
        return [request[2] for request in self.feed.requests if request[0] == "define"]

    def undo(self) -> None:
        next(button for button in self.notices.findChildren(QPushButton) if button.text() == "Undo").click()

    def text(self, row: int, column: int) -> str:
        return str(self.table.rows.index(row, column).data())


@pytest.fixture
def side(qtbot: QtBot, feed: Any, preferences: Preferences, make: Any) -> Side:
    return Side(qtbot, feed, preferences, make)


def test_f2_renames_a_channel_and_undo_takes_it_back(side: Side) -> None:
    side.table.setCurrentIndex(side.table.rows.index(1, AGE))
    QTest.keyClick(side.table, Qt.Key_F2)
    side.type_in("pressure")
    assert [channel.name for channel in side.sent()[-1].channels[:2]] == ["adc_channel_one", "pressure"]
    assert side.text(1, CHANNEL) == "adc_channel_two"  # the server has the last word
    side.answer()
    assert side.text(1, CHANNEL) == "pressure"
    assert side.notices.texts == ["adc_channel_two of sim1 is called pressure now."]
    assert side.table.currentIndex().row() == 1
    side.undo()
    side.answer()
    assert side.text(1, CHANNEL) == "adc_channel_two"
    assert side.notices.texts == []


def test_a_double_click_types_a_name_but_turns_the_curve_on_its_square(side: Side, qtbot: QtBot) -> None:
    cell = side.table.visualRect(side.table.rows.index(0, CHANNEL))
    QTest.mouseClick(side.table.viewport(), Qt.LeftButton, Qt.NoModifier, cell.center())
    QTest.mouseDClick(side.table.viewport(), Qt.LeftButton, Qt.NoModifier, cell.center())
    side.type_in("flow")
    assert side.sent()[-1].channels[0].name == "flow"
    shown = len(side.model.shown_channels)
    square = QPoint(cell.left() + 12, cell.center().y())
    QTest.mouseClick(side.table.viewport(), Qt.LeftButton, Qt.NoModifier, square)
    assert len(side.model.shown_channels) == shown - 1
    QTest.keyClick(side.table, Qt.Key_Space)
    assert len(side.model.shown_channels) == shown


def test_changes_after_each_other_keep_each_other_before_the_server_has_answered(side: Side) -> None:
    first, second = side.store.channels[:2]
    side.actions.edits.change(first, {"unit": "kPa"})
    side.actions.edits.change(second, {"decimals": 3})
    assert len(side.sent()) == 1  # one after the other
    side.answer()
    side.answer()
    assert [(part.unit, part.decimals) for part in side.sent()[-1].channels[:2]] == [("kPa", None), ("count", 3)]
    assert len(side.notices.texts) == 2


def test_what_is_refused_is_as_before_and_said(side: Side) -> None:
    side.actions.edits.change(side.store.channels[0], {"unit": "kPa"})
    side.answer("The server is busy.")
    assert side.text(0, UNIT) == "count"
    side.actions.edits.change(side.store.channels[0], {"decimals": 1})
    assert side.sent()[-1].channels[0].unit == "count"
    side.answer()
    side.actions.edits.change(side.store.channels[0], {"display_name": "adc_channel_two"})
    assert "another channel is called adc_channel_two" in side.notices.texts[0]


def test_a_role_that_may_not_change_channels_reads_why(side: Side) -> None:
    side.feed.identity_received.emit(WhoRecord(role=Role.VIEWER, name="wall"))
    assert not side.table.rows.flags(side.table.rows.index(0, CHANNEL)) & Qt.ItemIsEditable
    side.table.setCurrentIndex(side.table.rows.index(0, CHANNEL))
    QTest.keyClick(side.table, Qt.Key_F2)
    assert "its role is viewer" in side.notices.texts[0]
    menu = ChannelMenu(lambda: DARK, side.table).build(side.store.channels[0], side.model.refusal)
    is_enabled = {action.text().replace("&", ""): action.isEnabled() for action in menu.actions()}
    assert not is_enabled["Rename"]
    assert not is_enabled["Limits…"]
    assert is_enabled["Show only this one"]
    menu.close()


def test_a_board_that_the_server_does_not_know_is_named(side: Side) -> None:
    side.store.follow(0, [side.make.source(0).model_copy(update={"name": "ghost"})])
    side.panel.refresh(0.0)
    side.actions.edits.change(side.store.channels[0], {"unit": "kPa"})
    assert "the server does not know ghost" in side.notices.texts[0]
    assert side.sent() == []


def test_the_menu_of_a_row_sets_colour_decimals_and_unit(side: Side) -> None:
    menu = ChannelMenu(lambda: DARK, side.table)
    menu.change_chosen.connect(side.actions.edits.change)
    menu.unit_chosen.connect(lambda channel: side.table.edit_cell(channel, UNIT))
    built = menu.build(side.store.channels[0], "")
    actions = {action.text().replace("&", ""): action for action in built.actions()}
    colours = {action.text(): action for action in actions["Colour"].menu().actions()}
    assert colours["Automatic"].isChecked()
    colours["Yellow"].trigger()
    side.answer()
    assert side.sent()[-1].channels[0].color == "#f0e442"
    decimals = actions["Decimals"].menu().actions()
    assert len(decimals) == 8
    decimals[3].trigger()
    side.answer()
    assert (side.sent()[-1].channels[0].decimals, side.sent()[-1].channels[0].color) == (2, "#f0e442")
    actions["Unit…"].trigger()
    side.type_in("bar")
    assert side.sent()[-1].channels[0].unit == "bar"
    built.close()


def test_limits_are_asked_for_and_wrong_ones_are_not_taken(side: Side, qtbot: QtBot) -> None:
    dialog = LimitsDialog(side.store.channels[0], side.panel)
    dialog.accepted.connect(lambda: side.actions.edits.change(dialog.channel, dialog.limits))
    dialog.open()
    for low, high, words in (("1,5", "x", "is not a number"), ("2", "1", "below")):
        dialog.low.setText(low)
        dialog.high.setText(high)
        dialog.accept()
        assert words in dialog.problem.text()
        assert dialog.isVisible()
    dialog.low.setText("0,5")
    dialog.high.setText("")
    dialog.accept()
    assert (side.sent()[-1].channels[0].limit_low, side.sent()[-1].channels[0].limit_high) == (0.5, None)
    side.answer()
    assert side.notices.texts == ["adc_channel_one of sim1 has limits from 0.5 count now."]


def test_resetting_extremes_can_be_taken_back(side: Side) -> None:
    side.table.choose_column(HIGH, True)
    side.store.add(side.make.readings(side.make.source(0), 11))
    side.panel.buttons["Reset min/max"].click()
    side.panel.refresh(0.0)
    assert side.text(0, HIGH) == "–"
    side.undo()
    side.panel.refresh(0.0)
    assert (side.text(0, LOW), side.text(0, HIGH)) == ("0", "100")


def test_columns_follow_the_width_until_they_are_chosen_and_are_remembered(
    side: Side, qtbot: QtBot, feed: Any, preferences: Preferences, make: Any
) -> None:
    def shown(panel: ChannelSide) -> set[int]:
        return {column for column in range(9) if not panel.variables_table.isColumnHidden(column)}

    assert shown(side.panel) == {CHANNEL, VALUE, UNIT, TREND, AGE}
    side.panel.resize(1100, 500)
    assert {LOW, HIGH, SOURCE} < shown(side.panel)
    actions = {action.text(): action for action in side.table.columns_menu().actions()}
    actions["Source"].trigger()
    actions["Limits"].trigger()
    assert SOURCE not in shown(side.panel)
    again = Side(qtbot, feed, preferences, make)
    assert shown(again.panel) == {CHANNEL, VALUE, UNIT, LIMITS, TREND, AGE}
    again.panel.resize(1100, 500)
    assert SOURCE not in shown(again.panel)
    next(action for action in again.table.columns_menu().actions() if "fits" in action.text()).trigger()
    assert SOURCE in shown(again.panel)


@pytest.mark.parametrize("width", [420, 700])
def test_no_number_is_cut_off(side: Side, width: int) -> None:
    side.panel.resize(width, 500)
    readings = side.make.readings(side.make.source(0), 5)
    side.store.add(replace(readings, values=readings.values * -12345.0))
    side.panel.refresh(readings.time_ns[-1] / 1e9 + 59 * 60)
    for column in (VALUE, UNIT, AGE):
        needed = max(side.table.fontMetrics().horizontalAdvance(side.text(row, column)) for row in range(10))
        assert needed + 8 <= side.table.columnWidth(column)
    assert side.table.columnWidth(CHANNEL) > 100


def test_the_filter_comes_with_many_channels_and_goes_with_them(side: Side) -> None:
    assert not side.panel.filter.isVisible()
    side.follow(boards=2)
    assert side.panel.filter.isVisible()
    QTest.keyClicks(side.panel.filter, "five")
    assert side.table.rows.rowCount() == 6  # two heads, and two channels of each board
    QTest.keyClick(side.panel.filter, Qt.Key_Escape)
    assert side.panel.filter.text() == ""
    QTest.keyClicks(side.panel.filter, "five")
    side.follow()
    assert not side.panel.filter.isVisible()
    assert side.table.rows.rowCount() == side.model.rowCount()


def test_selected_rows_are_copied_as_they_are_seen(side: Side, make: Any) -> None:
    side.store.add(make.readings(make.source(0), 12))
    side.panel.refresh(make.readings(make.source(0), 12).time_ns[-1] / 1e9)
    side.table.selectRow(0)
    QTest.keyClick(side.table, Qt.Key_C, Qt.ControlModifier)
    assert QGuiApplication.clipboard().text() == "adc_channel_one\t110\tcount\t\t0.0 s"
    side.panel.tabs.setCurrentIndex(1)
    side.panel.refresh(0.0)
    side.panel.last_table.selectAll()
    lines = side.panel.last_table.copied_text.split("\n")
    assert lines[1].split("\t") == ["adc_channel_two", *(str(10 * n + 1) for n in range(11, 1, -1))]


def test_numbers_are_copied_as_numbers_from_any_table(qtbot: QtBot, make: Any) -> None:
    model = SessionsModel()
    model.show(SessionList((make.session(9, count=1_234_567),)))
    table = Table(model, "")
    qtbot.addWidget(table)
    table.selectRow(0)
    assert "1234567" in table.copied_text.split("\t")


def test_a_session_that_begins_does_not_end_the_typing_of_a_name(side: Side, make: Any) -> None:
    side.table.edit_cell(side.store.channels[0], CHANNEL)
    editor = next(iter(side.table.findChildren(QLineEdit)))
    QTest.keyClicks(editor, "flow")
    side.store.follow(7, [make.source(3).model_copy(update={"name": "sim1"})])
    side.panel.refresh(0.0)
    side.enter(editor)
    assert side.sent()[-1].channels[0].name == "flow"
