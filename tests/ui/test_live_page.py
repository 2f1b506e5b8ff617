"""What an operator does with the live plot: bar, keys, mouse, crosshair, markers, pictures."""

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QGuiApplication, QImage, QMouseEvent, QWheelEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.records import Marker
from blitz.io.address import ServerAddress
from blitz.ui.dialogs.marker import MarkerDialog
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.live_store import LiveStore
from blitz.ui.main_window import MainWindow
from blitz.ui.pages.live_page import FRAME_MS
from blitz.ui.plots.live_plot import LivePlot
from blitz.ui.plots.pictures import PictureKind
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink
from blitz.ui.windows import PlotWindow

START_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def recording(window: MainWindow, feed: Any, make: Any) -> MainWindow:
    """A window that follows session 7: reading n has the time START_S + n / 10, channel c of it the value 10 n + c."""
    window.live_page._frames.stop()  # tests draw
    session = make.session(7, running=True)
    feed.go_online()
    feed.status_received.emit(make.status(session))
    feed.sources_received.emit(7, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 600, session_id=7))
    window.live_page.refresh()
    window._tick()
    window.live_page.plot.draw()
    return window


@pytest.fixture
def plot(recording: MainWindow) -> LivePlot:
    return recording.live_page.plot


def feed_more(feed: Any, make: Any, count: int = 100, first: int = 600) -> None:
    feed.readings_received.emit(make.readings(make.source(0), count, first=first, session_id=7))


def point_at(plot: LivePlot, seconds: float) -> None:
    """Move the mouse over the plot, to a time since START_S."""
    area = plot.plot.panels[0].area
    place = QPointF(plot.plot.x_of(START_S + seconds), area.center().y())
    QApplication.sendEvent(plot.plot, QMouseEvent(QEvent.MouseMove, place, Qt.NoButton, Qt.NoButton, Qt.NoModifier))


def turn_wheel(plot: LivePlot, notches: int) -> None:
    place = plot.plot.panels[0].area.center()
    far = plot.plot.mapToGlobal(place.toPoint())
    QApplication.sendEvent(
        plot.plot,
        QWheelEvent(
            place, QPointF(far), QPoint(), QPoint(0, 120 * notches), Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False
        ),
    )


def values(plot: LivePlot) -> list[str]:
    """What the legend says of the channels, in their order."""
    return [text for _, text in sorted(plot.plot._values.items(), key=lambda entry: str(entry[0]))]


def dialog_of(window: MainWindow, kind: type[Any]) -> Any:
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def test_the_usual_windows_are_one_click_away_and_all_have_keys(
    recording: MainWindow, plot: LivePlot, preferences: Preferences
) -> None:
    QTest.mouseClick(recording.live_page.bar.windows.buttons[PlotWindow.SECONDS_10], Qt.LeftButton)
    plot.draw()
    low, high = plot.plot.time_range
    assert high - low == pytest.approx(10)
    assert preferences.plot_window.label == "10 s"
    QTest.keyClick(recording, Qt.Key_2, Qt.AltModifier)
    assert plot.view.window.label == "Last 50"
    assert recording.live_page.bar.windows.more.text().startswith("Last 50")
    assert preferences.plot_window.label == "Last 50"
    recording.live_page.bar.windows.actions_by_window[PlotWindow.ALL].trigger()
    assert plot.view.window.label == "All"


def test_the_wheel_leaves_following_and_follow_returns_to_the_present(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    assert not plot.strip.follow.isVisible()
    turn_wheel(plot, 2)
    looked_at = plot.plot.time_range
    assert plot.strip.follow.isVisible()
    feed_more(feed, make)
    assert plot.draw()
    assert plot.plot.time_range == looked_at
    assert plot.strip.words.text().startswith("Looking at ")
    QTest.keyClick(plot.plot, Qt.Key_End)
    plot.draw()
    assert plot.plot.time_range[1] == pytest.approx(START_S + 69.9)
    assert not plot.strip.follow.isVisible()
    turn_wheel(plot, 1)
    QTest.mouseClick(plot.strip.follow, Qt.LeftButton)
    assert plot.view.is_following


def test_nothing_is_looked_at_before_the_first_reading(window: MainWindow) -> None:
    plot = window.live_page.plot
    window._tick()
    turn_wheel(plot, 1)
    plot.draw()
    assert plot.view.is_following
    assert plot.strip.words.text() == ""


def test_a_box_is_zoomed_into(recording: MainWindow, plot: LivePlot) -> None:
    QTest.mouseClick(recording.live_page.bar.box, Qt.LeftButton)
    area = plot.plot.panels[0].area.toRect()
    begin, end = (QPoint(round(plot.plot.x_of(START_S + at)), area.center().y()) for at in (40, 45))
    QTest.mousePress(plot.plot, Qt.LeftButton, pos=begin)
    QTest.mouseMove(plot.plot, end + QPoint(0, 40))
    QApplication.sendEvent(
        plot.plot,
        QMouseEvent(QEvent.MouseMove, QPointF(end) + QPointF(0, 40), Qt.NoButton, Qt.LeftButton, Qt.NoModifier),
    )
    QTest.mouseRelease(plot.plot, Qt.LeftButton, pos=end + QPoint(0, 40))
    low, high = plot.plot.time_range
    assert low == pytest.approx(START_S + 40, abs=0.1)
    assert high == pytest.approx(START_S + 45, abs=0.1)
    assert plot.view.held == pytest.approx((low, high), rel=0, abs=1e-3)
    recording.menus["reset_zoom"].trigger()
    plot.draw()
    assert plot.view.is_following
    assert not plot.plot.values_zoomed


def test_a_pause_keeps_the_picture_while_readings_arrive(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    QTest.keyClick(plot.plot, Qt.Key_Space)
    plot.draw()
    before, drawn = plot.plot.time_range, plot.plot.strokes
    feed_more(feed, make, 240)
    assert not plot.draw()
    assert plot.plot.time_range == before
    assert plot.plot.strokes.keys() == drawn.keys()
    assert plot.strip.words.text().startswith("Paused ")
    assert plot.strip.words.text().endswith("240 messages since")
    assert recording.live_page.bar.pause.isChecked()
    plot.redraw()  # as after a change of size
    plot.draw()
    assert plot.plot.time_range == before
    assert max(stroke.times[-1] for stroke in plot.plot.strokes.values()) == pytest.approx(START_S + 59.9)
    recording.menus["pause"].trigger()
    plot.draw()
    assert plot.plot.time_range[1] == pytest.approx(START_S + 83.9)


def test_a_marker_that_arrives_in_a_pause_is_drawn(plot: LivePlot, feed: Any) -> None:
    plot.turn_pause()
    plot.draw()
    changed_at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    marker = Marker(id=1, text="pump on", from_ns=round((START_S + 50) * 1e9), changed_at=changed_at, who="ada")
    feed.marker_received.emit(7, marker)
    assert plot.draw()
    assert plot.plot.markers == (marker,)


def test_a_marker_at_the_newest_reading_is_in_view(plot: LivePlot, feed: Any) -> None:
    plot.turn_pause()
    plot.draw()
    assert plot.drawn_s is not None
    changed_at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    marker = Marker(id=1, text="now", from_ns=round(plot.drawn_s * 1e9) + 500, changed_at=changed_at, who="ada")
    feed.marker_received.emit(7, marker)
    plot.draw()
    assert list(plot.plot.marker_labels()) == [marker]


@pytest.mark.parametrize("is_stacked", [False, True])
def test_a_crosshair_tells_the_values_of_all_channels_at_its_time(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any, is_stacked: bool
) -> None:
    recording.live_page.set_stacked(is_stacked)
    plot.turn_pause()
    plot.draw()
    feed_more(feed, make)
    point_at(plot, 45.04)
    at_s = plot.crosshair.at_s
    assert at_s is not None
    number = int((at_s - START_S) * 10 + 1e-6)
    assert 448 <= number <= 451
    assert values(plot) == [f"{10 * number + channel} count" for channel in range(5)]
    QTest.keyClick(plot.plot, Qt.Key_Right)
    assert values(plot) == [f"{10 * (number + 1) + channel} count" for channel in range(5)]
    QTest.keyClick(plot.plot, Qt.Key_Left)
    QTest.keyClick(plot.plot, Qt.Key_Left)
    assert values(plot)[0] == f"{10 * (number - 1)} count"
    QApplication.sendEvent(plot.plot, QEvent(QEvent.Leave))
    assert plot.crosshair.at_s is None
    assert values(plot)[0] == "5990 count"


def test_a_crosshair_tells_nothing_where_readings_are_missing(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    feed_more(feed, make, count=50, first=650)
    plot.draw()
    point_at(plot, 62.5)
    assert values(plot) == ["–"] * 5


def test_the_legend_tells_the_last_point_of_a_stream_whatever_its_age(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    stream = make.source(1).model_copy(update={"name": "room", "link": "stream:room"})
    feed.sources_received.emit(7, (make.source(0), stream))
    feed.readings_received.emit(make.readings(stream, 20, session_id=7))
    recording.live_page.refresh()
    plot.draw()
    plot._show_values()
    board, of_stream = values(plot)[:5], values(plot)[5:]
    assert board[0] == "5990 count"
    assert of_stream[0] == "190 count"  # of 58 seconds ago
    point_at(plot, 30.0)
    assert values(plot)[5:] == ["–"] * 5  # its line does not go on there


def test_a_channel_switched_off_in_the_legend_stays_in_it(recording: MainWindow, plot: LivePlot) -> None:
    channel = recording.store.channels[0]
    plot.plot.channel_switched.emit(channel.key)
    plot.draw()
    assert channel.key not in plot.plot.strokes
    assert any(curve.is_off and curve.key == channel.key for curve in plot.plot._curves)
    plot.plot.channel_switched.emit(channel.key)
    plot.draw()
    assert channel.key in plot.plot.strokes


def test_one_key_writes_a_marker_at_the_newest_reading_drawn(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    feed_more(feed, make)  # arrived, but not seen yet
    QTest.keyClick(recording, Qt.Key_M)
    what, number, words = feed.requests[-1]
    assert (what, number, words.text) == ("add marker", 7, "Marker 1")
    assert words.from_ns / 1e9 == pytest.approx(START_S + 59.9)
    QTest.keyClick(recording, Qt.Key_M)
    assert feed.requests[-1][2].text == "Marker 2"
    changed_at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    marker = Marker(id=1, text=words.text, from_ns=words.from_ns, changed_at=changed_at, who="ada")
    feed.marker_received.emit(7, marker)
    assert plot.strip.told.text().startswith("Marker 1 at ")
    QTest.mouseClick(plot.strip.act, Qt.LeftButton)
    dialog = dialog_of(recording, MarkerDialog)
    QTest.keyClicks(dialog.text, "valve open")
    dialog.accept()
    what, number, changed, words = feed.requests[-1]
    assert (what, changed, words.text) == ("edit marker", marker, "valve open")
    assert not plot.strip.told.isVisible()


def test_in_a_picture_that_stands_still_the_crosshair_says_where_a_marker_is(
    recording: MainWindow, plot: LivePlot, feed: Any
) -> None:
    plot.turn_pause()
    plot.draw()
    point_at(plot, 50.0)
    QTest.keyClick(recording, Qt.Key_M)
    assert feed.requests[-1][2].from_ns / 1e9 == pytest.approx(plot.crosshair.at_s, abs=1e-5)


def test_texts_of_markers_can_be_used_again(recording: MainWindow, feed: Any) -> None:
    QTest.keyClick(recording, Qt.Key_M, Qt.ControlModifier)
    dialog = dialog_of(recording, MarkerDialog)
    assert not dialog.used.isVisible()
    QTest.keyClicks(dialog.text, "sample changed")
    dialog.accept()
    assert feed.requests[-1][2].from_ns / 1e9 == pytest.approx(START_S + 59.9)
    recording.menus["marker"].trigger()
    dialog = next(d for d in recording.findChildren(MarkerDialog) if d.isVisible())
    assert dialog.used.isVisible()
    dialog.used.activated.emit(1)
    dialog.accept()
    assert feed.requests[-1][2].text == "sample changed"


def test_letters_that_are_typed_elsewhere_mark_nothing(recording: MainWindow, feed: Any, make: Any) -> None:
    asked = len(feed.requests)
    recording.tabs.setCurrentWidget(recording.sessions_page)
    QTest.keyClick(recording, Qt.Key_M)
    recording.sessions_page.search.setFocus()
    QTest.keyClicks(recording.sessions_page.search, "map")
    assert recording.sessions_page.search.text() == "map"
    assert [request for request in feed.requests[asked:] if request[0] == "add marker"] == []


def test_without_a_session_a_marker_is_refused_with_a_sentence(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    QTest.keyClick(window, Qt.Key_M)
    assert "none is recorded" in window.live_page.plot.strip.told.text()
    assert feed.requests == [] or feed.requests[-1][0] != "add marker"


def test_stacked_and_relative_are_remembered(recording: MainWindow, plot: LivePlot, preferences: Preferences) -> None:
    QTest.mouseClick(recording.live_page.bar.stacked, Qt.LeftButton)
    QTest.mouseClick(recording.live_page.bar.relative, Qt.LeftButton)
    plot.draw()
    assert plot.plot.is_stacked
    assert plot.plot.time_axis.is_relative
    assert (preferences.is_plot_stacked, preferences.is_plot_relative) == (True, True)
    QTest.keyClick(recording, Qt.Key_S)
    QTest.keyClick(recording, Qt.Key_R)
    plot.draw()
    assert (plot.plot.is_stacked, plot.plot.time_axis.is_relative) == (False, False)
    assert (preferences.is_plot_stacked, preferences.is_plot_relative) == (False, False)


def test_the_note_of_where_a_picture_is_goes_by_itself(
    recording: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blitz.ui.picture_actions.WRITTEN_MS", 10)
    recording.plot_actions.pictures.write(recording.live_page, tmp_path / "plot.png", PictureKind.PNG)
    assert recording.notices.texts == [f"Saved to {tmp_path / 'plot.png'}"]
    qtbot.waitUntil(lambda: not recording.notices.texts)


def test_a_picture_is_written_with_its_caption_and_its_curves(
    recording: MainWindow, plot: LivePlot, tmp_path: Path
) -> None:
    page, pictures = recording.live_page, recording.plot_actions.pictures
    pictures.write(page, tmp_path / "plot.png", PictureKind.PNG)
    image = QImage(str(tmp_path / "plot.png"))
    assert image.width() == 2 * plot.plot.width()
    assert image.height() > 2 * plot.plot.height()
    assert len({image.pixel(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)}) > 6
    assert recording.notices.texts[0] == f"Saved to {tmp_path / 'plot.png'}"
    pictures.write(page, tmp_path / "plot.svg", PictureKind.SVG)
    root = ElementTree.parse(tmp_path / "plot.svg").getroot()
    words = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"warm-up", "adc_channel_one", "count"} <= words
    curves = [len(path.get("d", "")) for path in root.iter("{http://www.w3.org/2000/svg}path")]
    assert sum(length > 1000 for length in curves) == 5


def test_a_picture_of_the_preview_says_that_it_is_not_recorded(
    window: MainWindow, feed: Any, make: Any, tmp_path: Path
) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    feed.sources_received.emit(0, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 50))
    window._tick()
    window.plot_actions.pictures.write(window.live_page, tmp_path / "plot.svg", PictureKind.SVG)
    assert "NOT RECORDED" in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_a_picture_that_cannot_be_written_is_a_sentence(recording: MainWindow, tmp_path: Path) -> None:
    for kind in PictureKind:
        path = tmp_path / "nowhere" / f"plot.{kind.value}"
        recording.plot_actions.pictures.write(recording.live_page, path, kind)
        assert recording.notices.texts[0].startswith("The picture was not saved: ")


def test_a_picture_goes_into_the_clipboard_or_where_the_operator_says(
    recording: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    recording.menus["copy_picture"].trigger()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.image().width() == 2 * recording.live_page.plot.plot.width()
    recording.preferences.export_folder = str(tmp_path)
    recording.menus["save_png"].trigger()
    dialog = dialog_of(recording, QFileDialog)
    assert dialog.selectedFiles()[0].endswith(".png")
    dialog.fileSelected.emit(str(tmp_path / "chosen.png"))
    dialog.reject()
    assert (tmp_path / "chosen.png").exists()


def test_another_session_is_followed_from_the_present(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    plot.turn_pause()
    plot.draw()
    feed.session_stopped.emit(make.session(7))
    feed.status_received.emit(make.status())
    store: LiveStore = recording.store
    assert store.session_id == 0
    plot.draw()
    assert plot.view.is_following
    assert not recording.live_page.bar.pause.isChecked()


def test_with_a_server_one_key_marks_what_is_drawn_and_a_pause_keeps_it(
    qtbot: QtBot, server: Any, show_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    feed = ServerLink(tmp_path / "caches")
    window = show_window(feed)
    plot, store = window.live_page.plot, window.store

    def wait(is_so: Callable[[], object]) -> None:
        qtbot.waitUntil(lambda: bool(is_so()), timeout=20_000)

    with Client(server.url, timeout=60) as client:
        number = client.start("marked").id
        window.connect_to(ServerAddress.parse(server.url))
        wait(lambda: store.session_id == number and plot.drawn_s is not None and window.live_page.marker.isEnabled())
        QTest.keyClick(window, Qt.Key_P)
        plot.draw()
        times, count, drawn_s = plot.plot.time_range, store.message_count, plot.drawn_s
        wait(lambda: store.message_count > count + 5)
        assert plot.plot.time_range == times
        QTest.keyClick(window, Qt.Key_M)
        wait(lambda: plot.strip.told.text().startswith("Marker 1 at "))
        (marker,) = client.markers(number)
        assert marker.text == "Marker 1"
        assert marker.from_ns / 1e9 == pytest.approx(drawn_s, abs=1e-5)
        wait(lambda: plot.plot.markers == (marker,))
        client.stop()
    feed.close()


def test_a_long_window_is_drawn_only_as_often_as_it_moves(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.live_page
    source = make.source(0)
    feed.go_online()
    feed.sources_received.emit(0, (source,))
    feed.readings_received.emit(make.readings(source, 3000))
    page.refresh()
    page.show_window(PlotWindow.MINUTES_5)
    page.plot.draw()
    assert page.plot.drawn_s is not None
    assert page.plot.plot.columns < 3000
    drawn = []
    for number in range(3000, 3020):  # 2 s of 300, some seven columns of pixels
        feed.readings_received.emit(make.readings(source, 1, first=number, step_s=0.1))
        page.plot._drawn_at_s = time.monotonic()
        drawn.append(page.plot.draw())
    assert 0 < sum(drawn) < 10
    page.plot._drawn_at_s = 0.0
    feed.readings_received.emit(make.readings(source, 1, first=3020, step_s=0.1))
    assert page.plot.draw()  # what has come is shown before long all the same


def test_where_drawing_is_slow_half_of_the_time_is_left_to_all_else(
    recording: MainWindow, plot: LivePlot, feed: Any, make: Any
) -> None:
    page = recording.live_page
    page._draw()
    plot.plot.painting_s = 0.1
    feed_more(feed, make)
    page._draw()
    assert page._frames.interval() >= 200
    page._draw()
    assert page._frames.interval() == FRAME_MS, "nothing had to be drawn"
    page._frames.stop()


def test_what_one_server_sent_is_gone_when_another_is_chosen(recording: MainWindow, feed: Any) -> None:
    assert recording.store.newest_time() is not None
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://127.0.0.1:8999"))
    assert recording.store.newest_time() is not None
    feed.connection_changed.emit(ConnectionState(Connection.CONNECTING, "http://lab-pi:8999"))
    assert recording.store.newest_time() is None
    recording.live_page.plot.draw()
    assert recording.live_page.plot.is_bare
