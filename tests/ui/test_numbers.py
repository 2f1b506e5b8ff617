"""The page of numbers: tiles, their size, what they say, which channels, the whole screen."""

from typing import Any

import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QFontMetricsF
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QFrame, QMainWindow, QTabWidget, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from blitz.ui.channel_edits import changed
from blitz.ui.dialogs.number_channels import NumberChannelsDialog
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.live_store import LiveStore
from blitz.ui.models.variables import VariablesModel
from blitz.ui.numbers_actions import NumbersActions
from blitz.ui.pages.numbers_page import MOST_TILES, NumbersPage
from blitz.ui.preferences import Preferences
from blitz.ui.theme import Appearance
from blitz.ui.widgets.number_grid import best_columns
from blitz.ui.widgets.number_tile import NumberTile, TileWords


class Numbers:
    """The page in tabs of a window, with a fake feed behind it."""

    def __init__(self, qtbot: QtBot, feed: Any, preferences: Preferences, appearance: Appearance, make: Any) -> None:
        self.feed, self.make = feed, make
        self.store = LiveStore()
        self.model = VariablesModel(self.store, lambda index: "#112233")
        self.window, self.tabs, self.header = QMainWindow(), QTabWidget(), QFrame()
        self.header.setFixedHeight(64)
        self.page = NumbersPage(self.model)
        self.tabs.addTab(self.page, "Numbers")
        self.tabs.addTab(QWidget(), "Boards")
        self.window.menuBar().addMenu("View").addAction("Something")
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.header)
        column.addWidget(self.tabs)
        self.window.setCentralWidget(content)
        self.actions = NumbersActions(feed, self.page, self.model, preferences, appearance, self.window)
        self.actions.serve(self.tabs, self.header)
        qtbot.addWidget(self.window)
        self.window.resize(1280, 800)
        self.window.show()
        feed.go_online()

    def fill(self, boards: int = 1, count: int = 12) -> None:
        sources = [self.make.source(index) for index in range(boards)]
        self.store.follow(0, sources)
        for source in sources:
            self.store.add(self.make.readings(source, count))
        self.page.refresh()

    @property
    def tiles(self) -> list[NumberTile]:
        return self.page.grid.tiles

    def choose(self, *labels: str) -> None:
        """Choose channels in the dialog."""
        dialog = self.dialog()
        for row in dialog._rows():
            row.setCheckState(Qt.Checked if row.text() in labels else Qt.Unchecked)
        dialog.accept()

    def dialog(self) -> NumberChannelsDialog:
        return next(dialog for dialog in self.window.findChildren(NumberChannelsDialog) if dialog.isVisible())


@pytest.fixture
def numbers(qtbot: QtBot, feed: Any, preferences: Preferences, appearance: Appearance, make: Any) -> Numbers:
    return Numbers(qtbot, feed, preferences, appearance, make)


def test_the_channels_of_the_plot_are_shown_until_others_are_chosen(
    numbers: Numbers, qtbot: QtBot, preferences: Preferences, appearance: Appearance, make: Any
) -> None:
    numbers.fill()
    assert [tile.words.name for tile in numbers.tiles] == [row.label for row in numbers.model.shown_channels]
    assert numbers.tiles[0].words.value == "110"
    numbers.model.show_only({"adc_channel_two"})
    numbers.page.refresh()
    assert [tile.words.name for tile in numbers.tiles] == ["adc_channel_two"]
    QTest.mouseDClick(numbers.tiles[0], Qt.LeftButton, Qt.NoModifier, QPoint(30, 30))
    numbers.choose("adc_channel_one", "digital_input_two")
    assert [tile.words.name for tile in numbers.tiles] == ["adc_channel_one", "digital_input_two"]
    again = Numbers(qtbot, numbers.feed, preferences, appearance, make)
    again.fill()
    assert [tile.words.name for tile in again.tiles] == ["adc_channel_one", "digital_input_two"]
    QTest.keyClick(again.page, Qt.Key_Return)
    again.dialog().as_plot.setChecked(True)
    again.dialog().accept()
    assert again.page.chosen is None
    assert len(again.tiles) == len(again.model.shown_channels)


def test_the_choice_is_at_least_one_channel_and_no_more_than_there_is_room_for(numbers: Numbers) -> None:
    numbers.fill(boards=5)
    numbers.page.channels.click()
    dialog = numbers.dialog()
    assert dialog.as_plot.isChecked()
    dialog.tick_all(True)
    assert dialog.own.isChecked()
    assert (len(dialog.chosen or ()), dialog.ok.isEnabled()) == (50, False)
    dialog.tick_all(False)
    assert not dialog.ok.isEnabled()
    QTest.keyClicks(dialog.filter, "sim1")
    dialog.tick_all(True)
    assert (len(dialog.chosen or ()), dialog.ok.isEnabled()) == (10, True)
    dialog.reject()
    numbers.model.show_only(numbers.model.labels)
    numbers.page.refresh()
    assert len(numbers.tiles) == MOST_TILES


def test_digits_of_four_tiles_are_a_hundred_pixels_high_at_1280_by_800(numbers: Numbers, qtbot: QtBot) -> None:
    numbers.fill()
    numbers.page.choose(tuple(row.label for row in numbers.model.channels[:4]))
    assert len(numbers.tiles) == 4
    qtbot.waitUntil(lambda: min(tile.digit_height for tile in numbers.tiles) >= 100, timeout=30_000)
    for tile in numbers.tiles:
        assert QFontMetricsF(tile._digit_font()).horizontalAdvance(tile.words.value) <= tile.width()


def test_digits_keep_size_and_place_while_the_number_changes(qtbot: QtBot) -> None:
    tile = NumberTile()
    qtbot.addWidget(tile)
    tile.resize(600, 300)
    heights = []
    for value in ("-12.5", "1.5", "99.9", "–", "7.5"):
        tile.show_words(TileWords("flow", "l/s", value))
        heights.append(tile.digit_height)
    assert len(set(heights)) == 1
    tile.show_words(TileWords("flow", "l/s", "12345.678"))
    assert tile.digit_height < heights[0]
    tile.show_words(TileWords("temperature", "°C", "20.5"))
    assert tile.digit_height > heights[0] * 0.8


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 12, 20, 32])
def test_tiles_stand_beside_each_other_and_fill_the_page(numbers: Numbers, qtbot: QtBot, count: int) -> None:
    numbers.fill(boards=4)
    qtbot.waitUntil(lambda: numbers.page.grid.width() > 1100, timeout=30_000)
    numbers.page.choose(tuple(row.label for row in numbers.model.channels[:count]))
    grid, places = numbers.page.grid, [tile.geometry() for tile in numbers.tiles]
    assert len(places) == count
    assert all(grid.rect().contains(place) for place in places)
    assert not any(one.intersects(other) for n, one in enumerate(places) for other in places[:n])
    columns = best_columns(count, grid.width(), grid.height())
    area = sum(place.width() * place.height() for place in places) * columns * -(-count // columns) / count
    assert area > 0.85 * grid.width() * grid.height()


def test_limits_and_silence_are_told_by_words_and_the_tile_is_painted_only_for_them(
    numbers: Numbers, qtbot: QtBot
) -> None:
    source = numbers.make.source(0)
    definition = changed(source.definition, 0, {"limit_high": 50})
    numbers.store.follow(0, [source.model_copy(update={"definition": definition})])
    numbers.store.add(numbers.make.readings(source, 12))
    numbers.page.choose(("adc_channel_one",))
    tile = numbers.tiles[0]
    assert tile.words.limit.value == "▲ high"
    assert "high" in tile.accessibleName()
    assert tile.words.silent_for  # the readings are of a year ago
    image = tile.grab().toImage()
    tile.show_words(TileWords("adc_channel_one", "count", "40", "#112233"))
    assert tile.grab().toImage() != image


def test_whether_it_records_is_said_in_words_with_the_time(numbers: Numbers) -> None:
    page, make = numbers.page, numbers.make
    numbers.fill()
    numbers.feed.status_received.emit(make.status())
    assert page.state.text() == "NOT RECORDED"
    session = make.session(running=True)
    status = make.status(session)
    numbers.feed.status_received.emit(status.model_copy(update={"now": session.started_at.replace(minute=5)}))
    page.refresh()
    assert page.state.text() == "RECORDING"
    assert page.session.text().startswith("warm-up")
    assert page.elapsed.text() == "0:05:00"
    numbers.feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://lab:8999"))
    page.refresh()
    assert "OLD VALUES" in page.state.text()
    assert page.elapsed.text() == ""


def test_an_empty_page_says_what_to_do(numbers: Numbers) -> None:
    numbers.feed.status_received.emit(numbers.make.status(boards=0))
    numbers.page.refresh()
    assert "Plug one in" in numbers.page.hint.text()
    numbers.fill()
    assert not numbers.page.hint.isVisible()
    numbers.model.show_only(set())
    numbers.page.refresh()
    assert "Channels…" in numbers.page.hint.text()


def test_the_whole_screen_is_given_and_taken_back(numbers: Numbers, qtbot: QtBot) -> None:
    window, tabs = numbers.window, numbers.tabs
    tabs.setCurrentIndex(1)
    numbers.actions.toggle_full_screen()
    assert tabs.currentWidget() is numbers.page
    assert window.isFullScreen()
    assert numbers.header.isHidden()
    assert tabs.tabBar().isHidden()
    assert window.menuBar().maximumHeight() == 0
    assert "Esc" in numbers.page.full_screen.text()
    QTest.keyClick(numbers.page, Qt.Key_Escape)
    qtbot.waitUntil(lambda: not window.isFullScreen(), timeout=30_000)
    assert not numbers.header.isHidden()
    assert not tabs.tabBar().isHidden()
    numbers.page.full_screen.click()
    tabs.setCurrentIndex(1)
    assert not window.isFullScreen()
    numbers.actions.toggle_full_screen()
    window.close()
    assert not window.isFullScreen()
