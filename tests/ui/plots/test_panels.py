"""The plot's panels: which curve stands where, how operators move through them, what they are told."""

import dataclasses
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt5.QtGui import QColor, QHelpEvent, QMouseEvent, QWheelEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from blitz.data.records import Gap, Marker
from blitz.ui.plots import panels
from blitz.ui.plots.curves import MOST_SMOOTH_POINTS, Curve
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.plots.unit_axes import overlay, stack
from blitz.ui.theme import DARK, LIGHT

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
TIMES = NOON + np.arange(0, 100, 0.5)
UNITS = ("V", "bar", "", "mA", "°C")


def curve(key: int, unit: str = "V", high: float = 10.0, **fields: Any) -> Curve:
    return Curve(key, f"channel {key}", key, TIMES, np.linspace(0, high, len(TIMES)), unit=unit, **fields)


def gap(source: int = 0, at_s: float = 40.0, length_s: float = 20.0, **fields: Any) -> Gap:
    begin = round((NOON + at_s) * 1e9)
    return Gap(source=source, seq=5, from_ns=begin, to_ns=begin + round(length_s * 1e9), reason="unplugged", **fields)


@pytest.fixture
def show(qtbot: QtBot) -> Callable[..., PlotPanels]:
    """Shows a plot of the first 100 seconds after noon."""

    def run(*curves: Curve, height: int = 500, is_stacked: bool = False) -> PlotPanels:
        plot = PlotPanels()
        qtbot.addWidget(plot)
        plot.resize(1000, height)
        plot.set_theme(LIGHT)
        plot.set_stacked(is_stacked)
        plot.show_times(NOON, NOON + 100)
        plot.show()
        plot.draw(list(curves))
        plot.grab()
        return plot

    return run


def middle(plot: PlotPanels, at_s: float = 50.0, panel: int = 0) -> QPoint:
    return QPoint(round(plot.x_of(NOON + at_s)), round(plot.panels[panel].area.center().y()))


def turn_wheel(plot: PlotPanels, place: QPoint, notches: int, keys: Any = Qt.NoModifier) -> None:
    turned, still = QPoint(0, 120 * notches), QPoint()
    event = QWheelEvent(
        QPointF(place), QPointF(plot.mapToGlobal(place)), still, turned, Qt.NoButton, keys, Qt.NoScrollPhase, False
    )
    QApplication.sendEvent(plot, event)


def move_mouse(plot: PlotPanels, place: QPoint, button: Any = Qt.NoButton, keys: Any = Qt.NoModifier) -> None:
    # QTest moves the pointer of the whole screen: it knows of no button, and tells nothing if it was there before.
    QApplication.sendEvent(plot, QMouseEvent(QEvent.MouseMove, QPointF(place), Qt.NoButton, button, keys))


def drag(plot: PlotPanels, begin: QPoint, end: QPoint, keys: Any = Qt.NoModifier) -> None:
    QTest.mousePress(plot, Qt.LeftButton, keys, begin)
    for place in ((begin + end) / 2, end):
        move_mouse(plot, place, Qt.LeftButton, keys)
    QTest.mouseRelease(plot, Qt.LeftButton, keys, end)


def legend_place(plot: PlotPanels, label: str) -> QPoint:
    entries = (entry for panel in plot.panels for entry in panel.legend.entries)
    return next(entry.place.center().toPoint() for entry in entries if entry.curve.label == label)


def test_curves_share_axes_by_unit_and_the_most_common_unit_stands_left() -> None:
    units = ["bar", "°C", "°C", "", "mA"]
    plans = overlay([curve(place, unit) for place, unit in enumerate(units)])
    assert [[axis.unit for axis in plan.axes] for plan in plans] == [["°C", "bar"], [""], ["mA"]]
    assert [[one.key for one in plan.listed] for plan in plans] == [[0, 1, 2], [3], [4]]
    off = overlay([curve(0), curve(1, is_off=True), curve(2, "kg", is_off=True)])
    assert [[one.key for one in plan.listed] for plan in off] == [[0, 1, 2]]
    assert len(off[0].axes) == 1
    assert len(overlay([])) == 1


def test_stacked_each_channel_has_a_panel_with_what_it_is_compared_with() -> None:
    compared = dataclasses.replace(curve(1), key="compared", is_faint=True)
    plans = stack([compared, curve(1), curve(2), curve(3, is_off=True)])
    assert [[one.key for one in plan.left.curves] for plan in plans] == [["compared", 1], [2]]
    assert [[one.key for one in plan.listed] for plan in plans] == [[1, 3], [2]]
    assert len(stack([])) == 1


def test_channels_without_any_value_take_no_panel_and_stay_in_the_legend() -> None:
    curves = [curve(0, "V"), curve(1, "A"), curve(2, "V"), curve(3, "")]
    (plan,) = overlay(curves, {2, 3})
    assert [axis.unit for axis in plan.axes] == ["V", "A"]
    assert [one.key for one in plan.listed] == [0, 1, 2, 3]
    assert len(overlay(curves, {0, 1, 2, 3})) == 2
    plans = stack(curves, {2, 3})
    assert [[one.key for one in plan.listed] for plan in plans] == [[0, 2, 3], [1]]
    assert len(stack(curves, {0, 1, 2, 3})) == 4


def test_a_channel_that_had_values_keeps_its_panel_where_none_is_in_view(show: Callable[..., PlotPanels]) -> None:
    nothing = [dataclasses.replace(curve(place, unit), values=np.full(2, np.nan), times=np.arange(2.0))
               for place, unit in enumerate(("V", "A", ""))]  # fmt: skip
    plot = show(curve(0, "V"), curve(1, "A"), nothing[2])
    assert len(plot.panels) == 1
    plot.draw([curve(0, "V"), curve(1, "A"), curve(2, "")])
    assert len(plot.panels) == 2
    plot.draw(nothing)
    assert len(plot.panels) == 2
    other = dataclasses.replace(nothing[2], label="another session's")
    plot.draw([curve(0, "V"), curve(1, "A"), other])
    assert len(plot.panels) == 1


def test_each_axis_fits_to_its_unit_and_rests(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0, "V", 10), curve(1, "kg", 4000))
    left, right = (side.axis for side in plot.panels[0].sides)
    assert 9 < left.range[1] < 12
    assert 3900 < right.range[1] < 5000
    before = left.range
    plot.draw([curve(0, "V", 9), curve(1, "kg", 4000)])
    assert left.range == before
    plot.draw([curve(0, "V", 100), curve(1, "kg", 4000)])
    assert left.range[1] > 100


def test_an_axis_without_a_unit_says_so_beside_one_that_has_one(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0, "V"), curve(1, "V"), curve(2, ""))
    assert [side.title for side in plot.panels[0].sides] == ["V", "no unit"]
    plot.draw([curve(2, "")])
    assert [side.title for side in plot.panels[0].sides] == [""]


def test_stacked_panels_have_one_width_and_scroll_where_they_do_not_fit(show: Callable[..., PlotPanels]) -> None:
    plot = show(*(curve(place, high=10.0**place) for place in range(20)), is_stacked=True)
    assert 4 <= len(plot.panels) <= 6
    assert len({(panel.area.left(), panel.area.right()) for panel in plot.panels}) == 1
    assert set(plot.strokes) == set(range(len(plot.panels)))
    turn_wheel(plot, middle(plot), -1, Qt.ShiftModifier)
    assert set(plot.strokes) == set(range(1, 1 + len(plot.panels)))
    plot.set_stacked(False)
    assert len(plot.panels) == 1
    assert len(plot.strokes) == 20


def test_the_wheel_zooms_in_time_around_the_mouse(show: Callable[..., PlotPanels], qtbot: QtBot) -> None:
    plot = show(curve(0))
    with qtbot.waitSignal(plot.range_chosen) as chosen:
        turn_wheel(plot, middle(plot, 25), 1)
    assert tuple(chosen.args) == plot.time_range == pytest.approx((NOON + 5, NOON + 85), abs=0.5)
    assert not plot.values_zoomed


def test_values_zoom_with_ctrl_or_over_an_axis_and_a_double_click_fits_them(
    show: Callable[..., PlotPanels], qtbot: QtBot
) -> None:
    plot = show(curve(0), curve(1, "kg"))
    left, right = (side.axis for side in plot.panels[0].sides)
    fitted = left.range
    with qtbot.waitSignal(plot.values_zoom_changed):
        turn_wheel(plot, middle(plot), 1, Qt.ControlModifier)
    assert left.is_zoomed
    assert right.is_zoomed
    assert left.range[1] - left.range[0] == pytest.approx(0.8 * (fitted[1] - fitted[0]))
    assert plot.time_range == (NOON, NOON + 100)
    with qtbot.waitSignal(plot.values_zoom_changed):
        QTest.mouseDClick(plot, Qt.LeftButton, Qt.NoModifier, middle(plot))
    assert left.range == fitted
    beside = QPoint(10, middle(plot).y())
    turn_wheel(plot, beside, 1)
    assert (left.is_zoomed, right.is_zoomed) == (True, False)
    zoomed = left.range
    plot.draw([curve(0, high=1e6), curve(1, "kg")])
    assert left.range == zoomed
    drag(plot, beside, beside + QPoint(0, 50))
    assert left.range[0] > zoomed[0]
    plot.reset_values()
    assert not plot.values_zoomed


def test_dragging_moves_and_a_box_zooms(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    drag(plot, middle(plot, 50), middle(plot, 30))
    assert plot.time_range == pytest.approx((NOON + 20, NOON + 120), abs=1)
    plot.show_times(NOON, NOON + 100)
    drag(plot, middle(plot, 20), middle(plot, 60) + QPoint(0, 80), Qt.ShiftModifier)
    assert plot.time_range == pytest.approx((NOON + 20, NOON + 60), abs=1)
    assert plot.values_zoomed
    low, high = plot.panels[0].sides[0].axis.range
    assert 0 < low < high < 10
    plot.drags_box = True
    drag(plot, middle(plot, 30), middle(plot, 50), Qt.NoModifier)
    assert plot.time_range == pytest.approx((NOON + 30, NOON + 50), abs=1)


def test_a_box_in_stacked_panels_zooms_in_time_alone(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0), curve(1), is_stacked=True)
    drag(plot, middle(plot, 20), middle(plot, 60) + QPoint(0, 60), Qt.ShiftModifier)
    assert plot.time_range == pytest.approx((NOON + 20, NOON + 60), abs=1)
    assert not plot.values_zoomed


def test_times_stay_within_their_limits(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    plot.limit_times(NOON, NOON + 100, 1.0)
    plot.shift(0.5)
    assert plot.time_range == (NOON, NOON + 100)
    plot.zoom(1e-9)
    assert plot.time_range == (NOON + 49.5, NOON + 50.5)


def test_all_of_history_is_as_far_as_times_go(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    for _ in range(8):
        plot.zoom(1000.0)
        plot.grab()
    assert 0 <= plot.time_range[0] < plot.time_range[1] < 1e11
    plot.set_origin(NOON)
    plot.grab()


def test_the_time_below_the_mouse_is_told_also_when_times_move(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    told: list[float | None] = []
    plot.hovered.connect(told.append)
    move_mouse(plot, middle(plot, 30))
    assert told[-1] == pytest.approx(NOON + 30, abs=0.2)
    plot.show_times(NOON + 10, NOON + 110)
    assert told[-1] == pytest.approx(NOON + 40, abs=0.2)
    QApplication.sendEvent(plot, QEvent(QEvent.Leave))
    assert told[-1] is None


def test_the_legend_shows_values_and_switches_channels(show: Callable[..., PlotPanels], qtbot: QtBot) -> None:
    plot = show(curve(0), curve(1), curve(2, is_off=True))
    plot.show_values({0: "9.5 V", 1: "8 V"})
    assert [entry.curve.is_off for entry in plot.panels[0].legend.entries] == [False, False, True]
    for key in (1, 2):
        with qtbot.waitSignal(plot.channel_switched) as switched:
            QTest.mouseClick(plot, Qt.LeftButton, Qt.NoModifier, legend_place(plot, f"channel {key}"))
        assert switched.args == [key]
    assert 2 not in plot.strokes
    assert plot.words_at(QPointF(legend_place(plot, "channel 2"))) == "channel 2\nA click shows it."


def test_a_legend_of_many_channels_says_how_many_more_there_are(show: Callable[..., PlotPanels], qtbot: QtBot) -> None:
    plot = show(*(curve(place) for place in range(32)))
    legend = plot.panels[0].legend
    assert len(legend.entries) + len(legend.more) == 32
    assert plot.panels[0].strip.height() < 0.25 * plot.height()
    assert plot.panels[0].area.right() >= legend.more_place.right()
    menu = plot.more_menu(plot.panels[0])
    assert len(menu.actions()) == len(legend.more)
    with qtbot.waitSignal(plot.channel_switched) as switched:
        menu.actions()[-1].trigger()
    assert switched.args == [31]


def ask_for_tooltip(plot: PlotPanels, place: QPoint) -> None:
    """As Qt does when the mouse rests on an active window; both depend on what other tests have left."""
    QApplication.sendEvent(plot, QHelpEvent(QEvent.ToolTip, place, plot.mapToGlobal(place)))


def test_a_gap_says_in_a_tooltip_what_is_known_of_it(show: Callable[..., PlotPanels], qtbot: QtBot) -> None:
    plot = show(curve(0))
    plot.show_gaps((gap(length_s=47, lost=470, recovered=60),), {0: "pump"})
    ask_for_tooltip(plot, middle(plot, 60))
    assert QToolTip.text().startswith("Gap of pump at ")
    assert QToolTip.text().endswith("47 s, unplugged, about 470 readings missing, 60 recovered")
    ask_for_tooltip(plot, middle(plot, 10))
    qtbot.waitUntil(lambda: not QToolTip.isVisible(), timeout=20_000)


def test_a_stacked_panel_shows_the_gaps_of_its_own_source(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0, source=0), curve(1, source=1), is_stacked=True)
    plot.show_gaps((gap(0),), {0: "pump"})
    assert "pump" in plot.words_at(QPointF(middle(plot, 50, 0)))
    assert plot.words_at(QPointF(middle(plot, 50, 1))) == ""
    plot.set_stacked(False)
    assert "pump" in plot.words_at(QPointF(middle(plot, 50)))


def colour_at(plot: PlotPanels, place: QPoint) -> QColor:
    return plot.grab().toImage().pixelColor(place)


def test_gaps_are_shaded_and_limits_are_bands(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    free = middle(plot, 20) - QPoint(0, 100)
    assert colour_at(plot, free) == QColor(LIGHT.base)
    plot.show_gaps((gap(at_s=10),))
    assert colour_at(plot, free) != QColor(LIGHT.base)
    plot.show_gaps(())
    assert colour_at(plot, free) == QColor(LIGHT.base)
    plot.draw([dataclasses.replace(curve(0), limits=(1.0, 100.0))])
    assert colour_at(plot, free) != QColor(LIGHT.base)
    plot.draw([curve(0)])
    assert colour_at(plot, free) == QColor(LIGHT.base)
    plot.set_theme(DARK)
    assert colour_at(plot, free) == QColor(DARK.base)


def test_a_line_that_is_not_smoothed_is_broken_nowhere_else(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    chance = np.random.default_rng(1)
    times = np.linspace(NOON + 20, NOON + 80, 2 * plot.columns)
    values = np.linspace(0, 4, len(times)) + chance.normal(0, 0.01, len(times))
    plot._most_smooth_points = 0
    plot.draw([dataclasses.replace(curve(0), times=times, values=values)])
    image, ground = plot.grab().toImage(), QColor(LIGHT.base)
    area, colour = plot.panels[0].area, QColor(LIGHT.channel_colour(0))
    rows = range(round(area.top()) + 2, round(area.bottom()) - 2)
    columns = range(round(plot.x_of(NOON + 20)) + 1, round(plot.x_of(NOON + 80)) - 1)
    assert colour != ground
    bare = [x for x in columns if all(image.pixelColor(x, y) != colour for y in rows)]
    assert (plot.is_smooth, bare) == (False, [])


def test_a_line_is_broken_where_a_reading_is_missing(show: Callable[..., PlotPanels]) -> None:
    times = NOON + np.array([0.0, 40.0, 40.0, 60.0, 100.0])
    plot = show(Curve(0, "a", 0, times, np.array([5.0, 5.0, np.nan, 5.0, 5.0])))
    middle_y = round(plot.panels[0].sides[0].span(plot.panels[0].area).pixel(5.0))

    def is_drawn(at_s: float) -> bool:
        image, x = plot.grab().toImage(), round(plot.x_of(NOON + at_s))
        return any(image.pixelColor(x, middle_y + off).saturation() > 100 for off in (-1, 0, 1))

    assert [is_drawn(at_s) for at_s in (20, 50, 80)] == [True, False, True]


def test_markers_are_told_of_below_the_mouse(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    changed_at = datetime(2026, 3, 1, 13, tzinfo=UTC)
    marker = Marker(id=1, text="pump on", from_ns=round((NOON + 30) * 1e9), changed_at=changed_at, who="ada")
    plot.show_markers((marker,))
    assert plot.words_at(QPointF(middle(plot, 30))).endswith("pump on\nada")
    (label,) = plot.marker_labels().values()
    assert plot.words_at(label.center()).endswith("pump on\nada")
    assert plot.words_at(QPointF(middle(plot, 50))) == ""


def test_a_cursor_is_drawn_through_all_panels(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0), curve(1), is_stacked=True)
    places = [middle(plot, 50, panel) - QPoint(0, 60) for panel in (0, 1)]
    plot.show_cursor(plot.time_at(places[0]))
    image = plot.grab().toImage()
    assert all(image.pixelColor(place) == QColor(LIGHT.text) for place in places)
    plot.show_cursor(None)
    image = plot.grab().toImage()
    assert not any(image.pixelColor(place) == QColor(LIGHT.text) for place in places)


def test_many_points_are_not_smoothed(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    assert plot.is_smooth
    times = np.linspace(NOON, NOON + 100, 1500)
    many = [Curve(n, str(n), n, times, np.sin(times)) for n in range(MOST_SMOOTH_POINTS // 1500 + 1)]
    plot.draw(many)
    assert not plot.is_smooth


def test_where_smoothing_takes_too_long_it_is_left_to_plots_with_fewer_points(
    show: Callable[..., PlotPanels], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = np.linspace(NOON, NOON + 100, 100)
    monkeypatch.setattr(panels, "SMOOTH_PAINTING_S", np.inf)  # how fast this machine is does not matter
    plot = show(Curve(0, "a", 0, times, np.sin(times)))
    monkeypatch.setattr(panels, "SMOOTH_PAINTING_S", 0.0)
    for is_smooth in (True, True, True, False):
        plot.draw([Curve(0, "a", 0, times, np.sin(times))])
        assert plot.is_smooth is is_smooth
        plot.grab()
    plot.draw([Curve(0, "a", 0, times[:40], np.sin(times[:40]))])
    assert plot.is_smooth


def test_absurd_values_are_drawn_without_complaint(show: Callable[..., PlotPanels]) -> None:
    plot = show()
    for values in ([np.inf, 1.0], [1e308, -1e308], [np.nan, np.nan], [1e-320, 0.0], [1e15, 1e15 + 1]):
        plot.draw([Curve(0, "a", 0, NOON + np.array([1.0, 50.0]), np.array(values), limits=(0.0, 1e300))])
        plot.grab()


def test_a_blank_plot_takes_no_clicks(show: Callable[..., PlotPanels]) -> None:
    plot = show(curve(0))
    plot.set_blank(True)
    assert colour_at(plot, middle(plot)) == QColor(LIGHT.base)
    turn_wheel(plot, middle(plot), 1)
    assert plot.time_range == (NOON, NOON + 100)


def test_what_an_operator_wrote_is_no_markup_in_a_tooltip(show: Callable[..., PlotPanels]) -> None:
    plot = show(dataclasses.replace(curve(0), label="<b>pump</b>"))
    place = legend_place(plot, "<b>pump</b>")
    ask_for_tooltip(plot, place)
    assert "&lt;b&gt;pump&lt;/b&gt;\nA click hides it." in QToolTip.text()


@pytest.mark.parametrize("seed", range(100 if os.environ.get("BLITZ_SOAK") else 3))
def test_whatever_is_done_with_whatever_is_drawn_it_can_be_painted(show: Callable[..., PlotPanels], seed: int) -> None:
    chance, numbers = random.Random(seed), np.random.default_rng(seed)
    plot = show(curve(0), height=chance.randint(160, 700))

    def draw() -> None:
        curves = []
        for key in range(chance.randint(0, 40)):
            values = numbers.normal(size=chance.choice([0, 1, 2, 50, 9000])) * 10.0 ** chance.randint(-9, 9)
            values[numbers.random(len(values)) < chance.choice([0.0, 0.1, 1.0])] = np.nan
            times = NOON + np.sort(numbers.random(len(values))) * 100
            drawn = Curve(key, f"channel {key % 30}", key, times, values, unit=chance.choice(UNITS), source=key % 3)
            is_off, is_faint = chance.random() < 0.1, chance.random() < 0.1
            curves.append(dataclasses.replace(drawn, is_off=is_off, is_faint=is_faint))
        plot.draw(curves)

    def place() -> QPoint:
        return QPoint(chance.randrange(plot.width()), chance.randrange(plot.height()))

    def show_gaps() -> None:
        length_s = chance.uniform(0, 30)
        plot.show_gaps(tuple(gap(n % 3, chance.uniform(0, 100), length_s) for n in range(chance.randint(0, 90))))

    acts: list[Callable[[], object]] = [
        draw,
        show_gaps,
        lambda: plot.set_stacked(not plot.is_stacked),
        lambda: turn_wheel(plot, place(), chance.choice([-30, -1, 1, 30])),
        lambda: turn_wheel(
            plot, place(), chance.choice([-1, 1]), chance.choice([Qt.ControlModifier, Qt.ShiftModifier])
        ),
        lambda: drag(plot, place(), place(), chance.choice([Qt.NoModifier, Qt.ShiftModifier])),
        lambda: QTest.mouseDClick(plot, Qt.LeftButton, Qt.NoModifier, place()),
        lambda: plot.resize(chance.randint(100, 1500), chance.randint(80, 900)),
        lambda: plot.show_times(NOON + chance.uniform(0, 50), NOON + chance.uniform(50, 100)),
        lambda: plot.show_values({key: f"{10 ** chance.randint(0, 9)} V" for key in range(10)}),
        lambda: plot.show_cursor(NOON + chance.uniform(0, 100)),
        lambda: plot.set_origin(chance.choice([None, NOON])),
        lambda: QTest.keyClick(plot, chance.choice([Qt.Key_Left, Qt.Key_Plus, Qt.Key_Minus, Qt.Key_PageDown])),
    ]
    for _ in range(40):
        chance.choice(acts)()
        plot.grab()
        plot.words_at(QPointF(place()))
