"""The tables' models, without a window."""

from typing import Any

import pytest
from PyQt5.QtCore import QModelIndex, Qt
from PyQt5.QtGui import QImage
from PyQt5.QtTest import QAbstractItemModelTester
from PyQt5.QtWidgets import QStyledItemDelegate
from pytestqt.qtbot import QtBot

from blitz.data.sync_progress import Progress
from blitz.ui.feed import SessionList
from blitz.ui.formats import format_duration
from blitz.ui.live_store import LiveStore
from blitz.ui.models import boards, sessions, variables
from blitz.ui.models.last_readings import LastReadingsModel
from blitz.ui.widgets.table import BAR_HEIGHT, ProgressDelegate, Table


@pytest.fixture
def store(make: Any) -> LiveStore:
    store = LiveStore()
    store.follow(0, [make.source(0), make.source(1, "09")])
    return store


def texts(model: Any, row: int) -> list[str]:
    return [model.index(row, column).data() for column in range(model.columnCount())]


def test_variables_show_the_latest_value_unit_source_and_age(store: LiveStore, make: Any) -> None:
    model = variables.VariablesModel(store, lambda index: "#112233")
    tester = QAbstractItemModelTester(model)
    model.refresh(0.0)
    assert texts(model, 0) == ["adc_channel_one", "–", "count", "–", "–", "", "", "sim1", "–"]
    readings = make.readings(make.source(0), 3)
    store.add(readings)
    model.refresh(readings.time_ns[-1] / 1e9 + 4)
    assert texts(model, 0) == ["adc_channel_one", "20", "count", "0", "20", "", "", "sim1", "4.0 s"]
    assert model.rowCount(model.index(0, 0)) == 0
    assert tester is not None


def test_a_tick_hides_a_channel_and_stays_over_sessions(store: LiveStore, make: Any, qtbot: QtBot) -> None:
    model = variables.VariablesModel(store, lambda index: "#112233")
    model.refresh(0.0)
    before = len(model.shown_channels)
    with qtbot.waitSignal(model.shown_changed):
        assert model.setData(model.index(0, 0), Qt.Unchecked, Qt.CheckStateRole)
    assert len(model.shown_channels) == before - 1
    store.follow(9, [make.source(0), make.source(1, "09")])
    model.refresh(0.0)
    assert len(model.shown_channels) == before - 1
    model.show_only(None)
    assert len(model.shown_channels) == before
    model.show_only(model.labels)
    assert len(model.shown_channels) == model.rowCount()


def test_channels_shown_by_default_have_the_first_colours(store: LiveStore) -> None:
    model = variables.VariablesModel(store, str)
    model.refresh(0.0)
    assert [model.colour_index(channel) for channel in model.shown_channels] == list(range(8))


def test_a_channel_keeps_its_colour_when_devices_come_and_go(store: LiveStore, make: Any) -> None:
    model = variables.VariablesModel(store, str)

    def places() -> dict[tuple[str, int], int]:
        model.refresh(0.0)
        shown = model.shown_channels
        assert len({model.colour_index(channel) for channel in shown}) == len(shown)
        return {(channel.source.name, channel.column): model.colour_index(channel) for channel in shown}

    def source(index: int, name: str, board_id: str) -> Any:
        return make.source(index, board_id).model_copy(update={"name": name})

    both = places()
    store.follow(1, [source(0, "other", "09"), source(1, "sim1", "08"), source(2, "sim2", "09")])
    assert places().items() > both.items()
    store.follow(2, [source(0, "third", "08")])
    assert sorted(places().values()) == list(range(len(places())))
    store.follow(3, [source(0, "sim1", "08"), source(1, "sim2", "09")])
    assert places() == both


def test_the_last_ten_readings_stand_newest_first(store: LiveStore, make: Any) -> None:
    model = LastReadingsModel(store)
    tester = QAbstractItemModelTester(model)
    model.refresh()
    assert texts(model, 0) == ["–"] * 10
    store.add(make.readings(make.source(0), 12))
    model.refresh()
    assert texts(model, 1) == [str(10 * n + 1) for n in range(11, 1, -1)]
    assert model.headerData(0, Qt.Vertical) == "adc_channel_one"
    assert model.headerData(3, Qt.Horizontal) == "−3"
    assert model.index(0, 0).data(Qt.ToolTipRole).endswith("00:01.100")
    assert tester is not None


def test_boards_show_state_rate_and_error(make: Any, qtbot: QtBot) -> None:
    model = boards.BoardsModel()
    tester = QAbstractItemModelTester(model)

    def show(*shown: Any) -> None:
        model.show_status(make.status().model_copy(update={"boards": shown}))

    show(make.board("sim1"), make.board("sim2", error="It does not answer."))
    assert texts(model, 0)[:5] == ["sim1", "Blitz Basic (08)", "/dev/pts/1 · 57600", "ready", "10.0/s"]
    assert model.index(0, boards.FORMAT).data() == "polled"
    assert model.index(1, boards.FAULTS).data() == "It does not answer."
    assert model.index(1, boards.STATE).data(Qt.ForegroundRole).name() == model.theme.recording
    with qtbot.waitSignal(model.dataChanged):
        show(make.board("sim1", recording=True), make.board("sim2"))
    with qtbot.waitSignal(model.modelReset):
        model.clear()
    assert tester is not None


def test_sessions_show_where_they_are_and_how_far_a_download_is(make: Any) -> None:
    model = sessions.SessionsModel()
    tester = QAbstractItemModelTester(model)
    records = tuple(make.session(number) for number in (9, 8, 7))
    model.show(SessionList(records, frozenset({8, 7}), frozenset({7})))
    assert [model.index(row, sessions.COPY).data() for row in range(3)] == [
        "on the server",
        "here",
        "only here",
    ]
    model.set_progress(9, 0, 0)
    assert model.index(0, sessions.COPY).data() == "waiting"
    model.set_progress(9, 300, 1200)
    assert model.index(0, sessions.COPY).data(sessions.PROGRESS_ROLE) == 0.25
    assert model.index(0, sessions.COPY).data() == "25\u202f%"
    model.measure(9, Progress(600, 1200, 16800, 10.0, 60.0))
    assert model.index(0, sessions.COPY).data() == f"50\u202f%, {format_duration(60)} left"
    assert model.is_downloading(9)
    model.end_progress(9)
    assert model.index(0, sessions.COPY).data(sessions.PROGRESS_ROLE) is None
    assert model.is_gone(7)
    model.show(SessionList(records, frozenset({7}), frozenset({7}), frozenset({8})))
    assert model.index(1, sessions.COPY).data() == "a part is here"
    assert tester is not None


def test_the_bar_of_a_download_leaves_its_words_free(qtbot: QtBot, make: Any) -> None:
    model = sessions.SessionsModel()
    model.show(SessionList((make.session(9),)))
    table = Table(model, "")
    qtbot.addWidget(table)
    table.setItemDelegateForColumn(sessions.COPY, ProgressDelegate(sessions.PROGRESS_ROLE, table))
    table.setColumnWidth(sessions.COPY, 168)
    table.resize(1400, 200)
    table.show()
    cell = table.visualRect(model.index(0, sessions.COPY))

    def painted() -> QImage:
        return table.viewport().grab(cell).toImage()

    before = painted()
    model.set_progress(9, 600, 1200)
    model.measure(9, Progress(600, 1200, 16800, 10.0, 60.0))
    with_bar = painted()
    table.setItemDelegateForColumn(sessions.COPY, QStyledItemDelegate(table))
    words = painted()
    assert with_bar != words != before
    words_end = cell.height() - BAR_HEIGHT - 2
    assert with_bar.copy(0, 0, cell.width(), words_end) == words.copy(0, 0, cell.width(), words_end)


def test_a_session_that_only_this_computer_has_leans_and_says_so(make: Any) -> None:
    model = sessions.SessionsModel()
    records = (make.session(9), make.session(8), make.session(7), make.session(-1))
    model.show(SessionList(records, frozenset({8, 7, -1}), frozenset({8, 7, -1}), frozenset({7})))

    def leans(row: int) -> bool:
        fonts = [model.index(row, column).data(Qt.FontRole) for column in range(model.columnCount())]
        return all(font is not None and font.italic() for font in fonts)

    assert [leans(row) for row in range(4)] == [False, True, True, True]
    copies = [model.index(row, sessions.COPY) for row in range(4)]
    assert [index.data() for index in copies[1:]] == [
        "only here",
        "only here, a part",
        "only here",
    ]
    assert copies[1].data(Qt.ToolTipRole) == (
        "Only here. The server no longer has this session: what is here is the last of it."
    )
    assert copies[2].data(Qt.ToolTipRole) == (
        "Only here, a part. The server no longer has this session, and not all of it came: "
        "what is here is the last of it."
    )
    assert "No server has this session" in copies[3].data(Qt.ToolTipRole)
    assert "no longer has" in model.index(1, sessions.NAME).data(Qt.ToolTipRole)


def test_a_running_session_has_no_length_and_counts_on(make: Any) -> None:
    model = sessions.SessionsModel()
    model.show(SessionList((make.session(running=True, name=""),)))
    assert model.index(0, sessions.NAME).data() == "Session 7"
    assert model.index(0, sessions.LENGTH).data() == "–"
    model.update(make.session(running=True, name="", count=1234567))
    assert model.index(0, sessions.MESSAGES).data().split() == ["1", "234", "567"]
    assert model.index(0, sessions.STATE).data() == "recording"
    assert not QModelIndex().isValid()
